"""What the project's word lists say of a passage, as numbers that a model weighs: one loop over its code points.

Words of a region prove more than frequent characters do, and they are few: a model learns little of them from its own
texts. The lists are matched as `factory.zh.matcher` matches them, exceptions included, at the speed of the token kernel.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from factory.zh import wordlists
from factory.zh.classifiers.kernel import SPREAD, fill
from factory.zh.matcher import CONVERSION, LANGUAGES, REGIONS, Entry, entries, exception_places, hits
from factory.zh.ngrams import Batch

GROUPS = (*REGIONS, CONVERSION, *LANGUAGES)
FEATURES = (*(f"{group}_per_100" for group in GROUPS), *(f"{group}_points" for group in GROUPS), "simplified", "traditional")
MAX_COUNT = 3  # of one entry: a topic word repeated does not outweigh many different words
LEAST_HAN = 100  # a word in a short passage is not a dense one
Array = npt.NDArray[np.float64]

_ONE, _MORE, _HAN, _SIMPLIFIED, _TRADITIONAL = 1, 2, 4, 8, 16


class Lists(NamedTuple):
    """The entries of GROUPS laid out for the kernel. -1 ends every chain."""

    flags: npt.NDArray[np.uint8]  # of a code point: begins an entry of one character, of more; Han; of one script only
    single: npt.NDArray[np.int32]  # code point -> first entry of that one character
    keys: npt.NDArray[np.uint64]  # open addressing: the first two code points of an entry, 0 for empty
    heads: npt.NDArray[np.int32]  # of the same shape: first entry that begins so
    shift: int  # 64 - log2(len(keys))
    following: npt.NDArray[np.int32]  # entry -> next one with the same beginning
    letters: npt.NDArray[np.uint32]  # code points of entries and exceptions
    starts: npt.NDArray[np.int32]  # of an entry in `letters`
    lengths: npt.NDArray[np.int32]
    groups: npt.NDArray[np.int32]  # index into GROUPS
    weights: npt.NDArray[np.float64]
    exceptions: npt.NDArray[np.int32]  # shape (entries + 1,): where an entry's rows of `longer` begin
    longer: npt.NDArray[np.int32]  # shape (exceptions, 3): start in `letters`, length, place of the entry inside


@cache
def lists() -> Lists:
    """Lays the project's lists out, once a process."""
    found = sorted({entry for entry in entries() if entry.group in GROUPS})
    letters: list[int] = []

    def stored(text: str) -> int:
        letters.extend(map(ord, text))
        return len(letters) - len(text)

    flags, single = np.zeros(0x110000, np.uint8), np.full(0x110000, -1, np.int32)
    flags[0x4E00:0xA000] |= _HAN
    for name, bit in (("simplified_only.txt", _SIMPLIFIED), ("traditional_only.txt", _TRADITIONAL)):
        flags[[ord(character) for character in wordlists.characters(name)]] |= bit
    following, longer, exceptions = np.full(len(found), -1, np.int32), [], [0]
    heads: dict[int, int] = {}
    starts = [stored(entry.text) for entry in found]
    for index, entry in enumerate(found):
        first = ord(entry.text[0])
        if len(entry.text) == 1:
            following[index], single[first] = single[first], index
            flags[first] |= _ONE
        else:
            key = first << 21 | ord(entry.text[1])
            following[index], heads[key] = heads.get(key, -1), index
            flags[first] |= _MORE
        longer += [(stored(text), len(text), place) for text, place in exception_places(entry)]
        exceptions.append(len(longer))
    bits = max(4, (4 * len(heads)).bit_length())
    keys, rows = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int32)
    fill(keys, rows, np.array(list(heads), np.uint64), np.array(list(heads.values()), np.int32), 64 - bits)
    return Lists(
        flags, single, keys, rows, 64 - bits, following, np.array(letters, np.uint32), np.array(starts, np.int32),
        np.array([len(entry.text) for entry in found], np.int32), np.array([GROUPS.index(entry.group) for entry in found], np.int32),
        np.array([entry.weight for entry in found], float), np.array(exceptions, np.int32), np.array(longer, np.int32).reshape(-1, 3),
    )  # fmt: skip


def evidence(batch: Batch) -> Array:
    """FEATURES of each text, shape (texts, len(FEATURES)).

    Points sum the weights of an entry's matches, MAX_COUNT at most, over the entries of a group. `per_100` is the logarithm of
    one plus points in 100 Han characters, `points` half that of the points themselves, and the scripts' are square roots of the
    share of Han characters that only one script has.
    """
    raw = _points(batch.codes, batch.offsets, *lists(), len(GROUPS))
    points, shares, han = raw[:, : len(GROUPS)], raw[:, -3:-1], raw[:, -1:]
    return np.hstack([np.log1p(100 * points / np.maximum(han, LEAST_HAN)), 0.5 * np.log1p(points), np.sqrt(shares / np.maximum(han, 1))])


def words(passage: str) -> dict[Entry, int]:
    """The entries that stand in a passage and how often they count."""
    found: dict[Entry, int] = {}
    for hit in hits(passage):
        if hit.entry.group in GROUPS:
            found[hit.entry] = min(found.get(hit.entry, 0) + 1, MAX_COUNT)
    return found


@numba.njit(cache=True, nogil=True)
def _points(
    codes: Any, offsets: Any, flags: Any, single: Any, keys: Any, heads: Any, shift: int, following: Any, letters: Any, starts: Any,
    lengths: Any, groups: Any, weights: Any, exceptions: Any, longer: Any, count: int,
) -> Any:  # fmt: skip
    """Points of each group, then characters of only Simplified, of only Traditional writing, and Han characters."""
    result = np.zeros((offsets.size - 1, count + 3))
    counts = np.zeros(starts.size, np.int8)
    touched = np.empty(starts.size, np.int32)
    mask = np.uint64(keys.size - 1)
    for text in range(offsets.size - 1):
        begin, end = offsets[text], offsets[text + 1]
        row = result[text]
        met, han, simplified, traditional = 0, 0, 0, 0
        for position in range(begin, end):
            code = codes[position]
            flag = flags[code]
            if flag == 0:
                continue
            han += (flag & _HAN) != 0
            simplified += (flag & _SIMPLIFIED) != 0
            traditional += (flag & _TRADITIONAL) != 0
            for long in range(2):
                entry = np.int32(-1)
                if long == 0:
                    if flag & _ONE:
                        entry = single[code]
                elif flag & _MORE and position + 1 < end:
                    key = np.uint64(code) << np.uint64(21) | np.uint64(codes[position + 1])
                    slot = (key * SPREAD) >> np.uint64(shift)
                    while keys[slot] and keys[slot] != key:
                        slot = (slot + np.uint64(1)) & mask
                    if keys[slot]:
                        entry = heads[slot]
                while entry >= 0:
                    if (
                        counts[entry] < MAX_COUNT
                        and _stands(codes, position, end, letters, starts[entry], lengths[entry])
                        and not _inside(codes, begin, end, position, letters, longer, exceptions[entry], exceptions[entry + 1])
                    ):
                        if counts[entry] == 0:
                            touched[met] = entry
                            met += 1
                        counts[entry] += 1
                        row[groups[entry]] += weights[entry]
                    entry = following[entry]
        row[count], row[count + 1], row[count + 2] = simplified, traditional, han
        for index in range(met):
            counts[touched[index]] = 0
    return result


@numba.njit(cache=True, nogil=True)
def _stands(codes: Any, position: int, end: int, letters: Any, start: int, length: int) -> bool:
    if position + length > end:
        return False
    index = 0
    while index < length and codes[position + index] == letters[start + index]:
        index += 1
    return index == length


@numba.njit(cache=True, nogil=True)
def _inside(codes: Any, begin: int, end: int, position: int, letters: Any, longer: Any, first: int, last: int) -> bool:
    """Whether the entry at a position is part of one of its harmless longer strings."""
    for row in range(first, last):
        start = position - longer[row, 2]
        if start >= begin and _stands(codes, start, end, letters, longer[row, 0], longer[row, 1]):
            return True
    return False
