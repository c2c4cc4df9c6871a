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
from factory.zh.matcher import CONVERSION, LANGUAGES, REGIONS, Entry, entries, hits
from factory.zh.ngrams import Batch
from factory.zh.scan import MORE, ONE, SPREAD, Layout, Pattern, inside, layout, stands

GROUPS = (*REGIONS, CONVERSION, *LANGUAGES)
FEATURES = (*(f"{group}_per_100" for group in GROUPS), *(f"{group}_points" for group in GROUPS), "simplified", "traditional")
MAX_COUNT = 3  # of one entry: a topic word repeated does not outweigh many different words
LEAST_HAN = 100  # a word in a short passage is not a dense one
Array = npt.NDArray[np.float64]

_HAN, _SIMPLIFIED, _TRADITIONAL = 4, 8, 16  # beside the layout's own flags


class Lists(NamedTuple):
    """The entries of GROUPS laid out for the kernel, with the flags of Han characters and of those that only one script has."""

    layout: Layout
    groups: npt.NDArray[np.int32]  # of an entry, index into GROUPS
    weights: npt.NDArray[np.float64]


@cache
def lists() -> Lists:
    """Lays the project's lists out, once a process."""
    found = sorted({entry for entry in entries() if entry.group in GROUPS})
    laid = layout([Pattern(entry.text, entry.exceptions) for entry in found])
    laid.flags[0x4E00:0xA000] |= _HAN
    for name, bit in (("simplified_only.txt", _SIMPLIFIED), ("traditional_only.txt", _TRADITIONAL)):
        laid.flags[[ord(character) for character in wordlists.characters(name)]] |= bit
    groups = np.array([GROUPS.index(entry.group) for entry in found], np.int32)
    return Lists(laid, groups, np.array([entry.weight for entry in found], float))


def evidence(batch: Batch) -> Array:
    """FEATURES of each text, shape (texts, len(FEATURES)).

    Points sum the weights of an entry's matches, MAX_COUNT at most, over the entries of a group. `per_100` is the logarithm of
    one plus points in 100 Han characters, `points` half that of the points themselves, and the scripts' are square roots of the
    share of Han characters that only one script has.
    """
    laid = lists()
    raw = _points(batch.codes, batch.offsets, *laid.layout, laid.groups, laid.weights, len(GROUPS))
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
    lengths: Any, exceptions: Any, longer: Any, groups: Any, weights: Any, count: int,
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
            flag = flags[codes[position]]
            if flag == 0:
                continue
            han += (flag & _HAN) != 0
            simplified += (flag & _SIMPLIFIED) != 0
            traditional += (flag & _TRADITIONAL) != 0
            for long in range(2):
                entry = np.int32(-1)
                if long == 0:
                    if flag & ONE:
                        entry = single[codes[position]]
                elif flag & MORE and position + 1 < end:
                    key = np.uint64(codes[position]) << np.uint64(21) | np.uint64(codes[position + 1])
                    slot = (key * SPREAD) >> np.uint64(shift)
                    while keys[slot] and keys[slot] != key:
                        slot = (slot + np.uint64(1)) & mask
                    if keys[slot]:
                        entry = heads[slot]
                while entry >= 0:
                    if (
                        counts[entry] < MAX_COUNT
                        and stands(codes, position, end, letters, starts[entry], lengths[entry])
                        and not inside(codes, begin, end, position, letters, longer, exceptions[entry], exceptions[entry + 1])
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
