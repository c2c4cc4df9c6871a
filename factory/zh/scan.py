"""Finds the entries of word lists in a batch of texts: one loop over code points, a table of beginnings, no automaton.

Nearly every list entry is told from the others by its first two characters, so that a look-up of the pair at each position
leaves almost nothing to compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from factory.zh.ngrams import Batch

SPREAD = np.uint64(0x9E3779B97F4A7C15)
ONE, MORE = 1, 2  # flags of a code point that begins an entry of one character, of more


class Pattern(NamedTuple):
    """A string to find, and the longer strings inside which it is not meant."""

    text: str
    exceptions: tuple[str, ...] = ()


class Layout(NamedTuple):
    """Patterns laid out for the kernels. -1 ends every chain."""

    flags: npt.NDArray[np.uint8]  # of a code point
    single: npt.NDArray[np.int32]  # code point -> first pattern of that one character
    keys: npt.NDArray[np.uint64]  # open addressing: the first two code points of a pattern, 0 for empty
    heads: npt.NDArray[np.int32]  # of the same shape: first pattern that begins so
    shift: int  # 64 - log2(len(keys))
    following: npt.NDArray[np.int32]  # pattern -> next one with the same beginning
    letters: npt.NDArray[np.uint32]  # code points of patterns and exceptions
    starts: npt.NDArray[np.int32]  # of a pattern in `letters`
    lengths: npt.NDArray[np.int32]
    exceptions: npt.NDArray[np.int32]  # shape (patterns + 1,): where a pattern's rows of `longer` begin
    longer: npt.NDArray[np.int32]  # shape (exceptions, 3): start in `letters`, length, place of the pattern inside


def layout(patterns: Sequence[Pattern]) -> Layout:
    """Lays patterns out; their numbers are their places. None may be empty."""
    letters: list[int] = []

    def stored(text: str) -> int:
        letters.extend(map(ord, text))
        return len(letters) - len(text)

    flags, single = np.zeros(0x110000, np.uint8), np.full(0x110000, -1, np.int32)
    following = np.full(len(patterns), -1, np.int32)
    longer: list[tuple[int, int, int]] = []
    heads: dict[int, int] = {}
    exceptions, starts = [0], []
    for index in range(len(patterns) - 1, -1, -1):  # chains then run upwards
        text = patterns[index].text
        if len(text) == 1:
            following[index], single[ord(text)] = single[ord(text)], index
            flags[ord(text)] |= ONE
        else:
            key = ord(text[0]) << 21 | ord(text[1])
            following[index], heads[key] = heads.get(key, -1), index
            flags[ord(text[0])] |= MORE
    for pattern in patterns:
        starts.append(stored(pattern.text))
        longer += [(stored(text), len(text), place) for text, place in _places(pattern)]
        exceptions.append(len(longer))
    bits = max(4, (4 * len(heads)).bit_length())
    keys, rows = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int32)
    fill(keys, rows, np.array(list(heads), np.uint64), np.array(list(heads.values()), np.int32), 64 - bits)
    return Layout(
        flags, single, keys, rows, 64 - bits, following, np.array(letters, np.uint32), np.array(starts, np.int32),
        np.array([len(pattern.text) for pattern in patterns], np.int32), np.array(exceptions, np.int32),
        np.array(longer, np.int32).reshape(-1, 3),
    )  # fmt: skip


def _places(pattern: Pattern) -> Iterator[tuple[str, int]]:
    for longer in pattern.exceptions:
        offset = longer.find(pattern.text)
        while offset >= 0:
            yield longer, offset
            offset = longer.find(pattern.text, offset + 1)


class Found(NamedTuple):
    """Matches by text and end; at one end the longer first."""

    patterns: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]  # in the batch's code points
    ends: npt.NDArray[np.int64]


def find(batch: Batch, laid: Layout) -> Found:
    """Every match, overlapping ones included, those inside an exception left out."""
    patterns, starts = _find(batch.codes, batch.offsets, *laid)
    ends = starts + laid.lengths[patterns]
    order = np.lexsort((patterns, starts, ends))
    return Found(patterns[order], starts[order], ends[order])


@numba.njit(cache=True, nogil=True)
def fill(keys: Any, rows: Any, new_keys: Any, new_rows: Any, shift: int) -> None:
    """Puts keys other than 0 with their rows into an open-addressing table of 2 ** (64 - shift) places."""
    mask = np.uint64(keys.size - 1)
    for index in range(new_keys.size):
        slot = (new_keys[index] * SPREAD) >> np.uint64(shift)
        while keys[slot]:
            slot = (slot + np.uint64(1)) & mask
        keys[slot] = new_keys[index]
        rows[slot] = new_rows[index]


@numba.njit(cache=True, nogil=True)
def _find(
    codes: Any, offsets: Any, flags: Any, single: Any, keys: Any, heads: Any, shift: int, following: Any, letters: Any, starts: Any,
    lengths: Any, exceptions: Any, longer: Any,
) -> Any:  # fmt: skip
    patterns = np.empty(codes.size // 8 + 64, np.int32)
    places = np.empty(patterns.size, np.int64)
    count = 0
    mask = np.uint64(keys.size - 1)
    for text in range(offsets.size - 1):
        begin, end = offsets[text], offsets[text + 1]
        for position in range(begin, end):
            flag = flags[codes[position]]
            if flag == 0:
                continue
            for long in range(2):
                index = np.int32(-1)  # the look-up is written out here and in lists.py: as a call it takes four times as long
                if long == 0:
                    if flag & ONE:
                        index = single[codes[position]]
                elif flag & MORE and position + 1 < end:
                    key = np.uint64(codes[position]) << np.uint64(21) | np.uint64(codes[position + 1])
                    slot = (key * SPREAD) >> np.uint64(shift)
                    while keys[slot] and keys[slot] != key:
                        slot = (slot + np.uint64(1)) & mask
                    if keys[slot]:
                        index = heads[slot]
                while index >= 0:
                    if stands(codes, position, end, letters, starts[index], lengths[index]) and not inside(
                        codes, begin, end, position, letters, longer, exceptions[index], exceptions[index + 1]
                    ):
                        if count == patterns.size:
                            patterns = np.concatenate((patterns, np.empty(count, np.int32)))
                            places = np.concatenate((places, np.empty(count, np.int64)))
                        patterns[count], places[count] = index, position
                        count += 1
                    index = following[index]
    return patterns[:count], places[:count]


@numba.njit(cache=True, nogil=True)
def stands(codes: Any, position: int, end: int, letters: Any, start: int, length: int) -> bool:
    """Whether the string at `start` of `letters` stands at a position of a text that ends at `end`."""
    if position + length > end:
        return False
    for index in range(length):  # noqa: SIM110 - compiled
        if codes[position + index] != letters[start + index]:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def inside(codes: Any, begin: int, end: int, position: int, letters: Any, longer: Any, low: int, high: int) -> bool:
    """Whether the pattern at a position is part of one of its exceptions, rows `low` to `high` of `longer`."""
    for row in range(low, high):
        start = position - longer[row, 2]
        if start >= begin and stands(codes, start, end, letters, longer[row, 0], longer[row, 1]):
            return True
    return False
