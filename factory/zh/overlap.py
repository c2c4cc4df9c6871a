"""Questions of evaluation sets inside other texts, so that a model is not examined on what it has read.

An item is what is left of its question and options once only letters count: Simplified and Traditional fold together, case and
width too, and punctuation, spaces and line ends are gone. Character n-grams that stand close together in a text propose it; it
stands there where its segments align with the text in ALIGNED of their letters, or where SHARE of its n-grams stand there, or two
thirds of that with a stretch of RUN letters among them. n-grams of one segment (the question, or one option) do not reach into the
next, so the order of options does not matter; n-grams that many items have, such as 「下列何者正確」, do not count.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

from factory.errors import UserError
from factory.storage import open_binary, stem
from factory.zh import wordlists
from factory.zh.charclass import LETTER, CharClass, table
from factory.zh.classifiers.tokens import fold_table
from factory.zh.ngrams import batch_of
from factory.zh.scan import SPREAD, fill

N = 6  # letters in an n-gram
SHARE = 0.6
PARTIAL, RUN = 2 / 3, 18  # of SHARE, with so many letters in a row that both have
SHORT_PARTIAL = 5 / 6  # of SHARE, for an item of fewer than two RUNs, with half of its letters in a row: a name alone is no leak
SEED, LEAST_SEEDS = 0.15, 3  # of its n-grams, and at least so many, propose an item, for its letters to be aligned
ALIGNED = 0.8  # of an item's letters, in the best place for each segment
RELATED = 0.7  # of them, for an item that shares SHARE of its n-grams: wording that many texts have is no leak
REACH, SLACK = 1.25, 12  # of an item's letters: how far apart its first and last n-gram may stand, for labels between options
LEAST_LETTERS = 12  # of a question, or a question with its options; what is shorter says nothing
LEAST_NGRAMS = 6  # that few other items have
COMMON = 5  # items that may share an n-gram before it tells none of them
QUESTIONS = ("question", "question_text", "prompt", "query", "instruction", "turns", "input", "text")
OPTIONS = ("choices", "options", *"ABCDE", *(f"option_{letter}" for letter in "abcde"))
IDS = ("id", "question_id", "index")

_BASE = np.uint64(0x9E3779B97F4A7C15)


class Item(NamedTuple):
    """A question and its options."""

    id: str
    set: str  # name of its file
    question: tuple[str, ...]  # segments, such as the turns of a dialogue
    options: tuple[str, ...] = ()


class Match(NamedTuple):
    """An item inside a text."""

    item: Item
    part: str  # question, or whole: question and options together
    share: float  # of the part's n-grams
    aligned: float  # of its letters
    run: int  # letters in the longest stretch that both have
    start: int  # of the place in the text, in characters
    end: int


def read_items(path: str) -> list[Item]:
    """Items of a JSONL file. Raises UserError for a row without any of QUESTIONS or OPTIONS."""
    items = []
    with open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(f"{path}:{number}: is not JSON: {error}. Correct that line.") from None
            question = next((found for name in QUESTIONS if (found := _strings(_value(row, name)))), ())
            options = tuple(text for name in OPTIONS for text in _strings(_value(row, name)))
            if not question and not options:
                raise UserError(
                    f"{path}:{number}: no question: none of {', '.join((*QUESTIONS, *OPTIONS[:2]))} holds text. Name its column so."
                )
            name = next((str(row[key]) for key in IDS if isinstance(row.get(key), str | int)), str(number))
            items.append(Item(name, stem(path), question, options))
    return items


def _value(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else None


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    if isinstance(value, dict):
        value = list(value.values())
    return tuple(text for entry in value for text in _strings(entry)) if isinstance(value, list) else ()


@cache
def letter_table() -> npt.NDArray[np.uint32]:
    """Code point -> the code point it counts as, 0 for those left out. Shape (0x110000,)."""
    folded = fold_table().copy()
    folded[(table() & np.uint32(LETTER)) == 0] = 0
    digits = np.flatnonzero(table() & np.uint32(CharClass.DIGIT))  # fold_table makes all digits 0; here a year or a price is told apart
    folded[digits] = digits
    folded[0xFF10:0xFF1A] = np.arange(ord("0"), ord("9") + 1)
    for code in (*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA20)):  # compatibility forms, which PDF files of examinations are full of
        folded[code] = ord(unicodedata.normalize("NFC", chr(code))[0])
    for row in wordlists.read_rows(wordlists.DATA / "character_variants.tsv"):
        folded[[ord(character) for character in row]] = ord(row[0])
    for code in (*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA20)):
        folded[code] = folded[folded[code]]
    return folded


class Matcher:
    """Finds items in texts. Memory: about 40 bytes an n-gram of the items."""

    def __init__(self, items: Iterable[Item], share: float = SHARE) -> None:
        self.items = list(items)
        self._share = share
        units = list(_units(self.items))
        segments = [(unit, text) for unit, (_, _, texts) in enumerate(units) for text in texts]
        clean = [text.encode("utf-8", "replace").decode() for _, text in segments]
        hashes, owners, letters = _hashes(*batch_of(clean), letter_table())
        unit_of = np.array([unit for unit, _ in segments], np.int64)
        pairs = np.unique(np.stack([hashes, unit_of[owners].astype(np.uint64)], 1), axis=0) if len(hashes) else np.zeros((0, 2), np.uint64)
        item_of = np.array([item for item, _, _ in units], np.int64)
        by_item = np.unique(np.stack([pairs[:, 0], item_of[pairs[:, 1].astype(np.int64)].astype(np.uint64)], 1), axis=0)
        values, counts = np.unique(by_item[:, 0], return_counts=True)
        pairs = pairs[np.isin(pairs[:, 0], values[counts <= COMMON])]
        size = np.bincount(unit_of, letters, len(units)) if len(units) else np.zeros(0)
        held = np.bincount(pairs[:, 1].astype(np.int64), minlength=len(units))
        usable = (size >= LEAST_LETTERS) & (held >= LEAST_NGRAMS)
        pairs = pairs[usable[pairs[:, 1].astype(np.int64)]]
        self._item, self._part = item_of, [part for _, part, _ in units]
        self._letters, self._ngrams = size, held
        partial = np.where(size < 2 * RUN, SHORT_PARTIAL, PARTIAL) * share
        self._partial = np.maximum(np.ceil(partial * held), LEAST_NGRAMS).astype(np.int64)
        self._need = np.maximum(np.ceil(SEED * held), LEAST_SEEDS).astype(np.int64)
        self._segments = [[_folded(text) for text in texts] for _, _, texts in units]
        order = np.argsort(pairs[:, 0], kind="stable")
        self._rows, starts = np.unique(pairs[order, 0], return_index=True)
        self._starts = np.append(starts, len(pairs))
        self._units = pairs[order, 1].astype(np.int64)
        bits = max(4, (2 * len(self._rows)).bit_length())
        self._keys, self._values = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int32)
        fill(self._keys, self._values, self._rows, np.arange(len(self._rows), dtype=np.int32), 64 - bits)
        self._shift = 64 - bits
        told = set(item_of[usable].tolist())
        self.untold = [item for number, item in enumerate(self.items) if number not in told]  # too short, or all in common wording

    def find(self, texts: Sequence[str]) -> list[list[Match]]:
        """The items in each text, the largest share first; of an item's two parts the one with the larger."""
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        batch = batch_of(clean)
        owner, letter, place, row, begun = _matches(batch.codes, batch.offsets, letter_table(), self._keys, self._values, self._shift)
        result: list[list[Match]] = [[] for _ in texts]
        if not len(row):
            return result
        many = self._starts[row + 1] - self._starts[row]
        at = np.repeat(np.arange(len(row)), many)
        unit = self._units[np.repeat(self._starts[row], many) + np.arange(len(at)) - np.repeat(np.cumsum(many) - many, many)]
        key = owner[at] * len(self._need) + unit
        order = np.argsort(key, kind="stable")
        bounds = np.flatnonzero(np.diff(key[order], prepend=-1))
        for low, high in zip(bounds.tolist(), [*bounds[1:].tolist(), len(order)], strict=True):
            number = int(unit[order[low]])
            if high - low >= self._need[number]:
                inside = at[order[low:high]]
                text = int(owner[inside[0]])
                codes = batch.codes[batch.offsets[text] : batch.offsets[text + 1]]
                first = int(batch.offsets[text])
                match = self._best(number, letter[inside], begun[inside] - first, place[inside] - first, row[inside], codes)
                if match is not None:
                    result[int(owner[inside[0]])].append(match)
        return [_largest(matches) for matches in result]

    def _best(self, unit: int, letter: Any, begun: Any, place: Any, row: Any, codes: Any) -> Match | None:
        """The stretch of the text, little longer than the item, that holds most of the item's n-grams."""
        reach = int(REACH * int(self._letters[unit])) + SLACK
        counts: dict[int, int] = {}
        best, span, low = 0, (0, 0), 0
        for high in range(len(letter)):
            counts[row[high]] = counts.get(row[high], 0) + 1
            while letter[high] - letter[low] > reach:
                counts[row[low]] -= 1
                if not counts[row[low]]:
                    del counts[row[low]]
                low += 1
            if len(counts) > best:
                best, span = len(counts), (low, high)
        if best < self._need[unit]:
            return None
        low, high = span
        breaks = np.flatnonzero(np.diff(letter[low : high + 1]) != 1)
        run = int(np.diff(np.concatenate([[-1], breaks, [high - low]])).max()) + N - 1
        start, end = int(begun[low]), int(place[high]) + 1
        share = best / int(self._ngrams[unit])
        quoted = best >= self._partial[unit] and run >= min(RUN, int(self._letters[unit]) // 2)
        aligned = self._aligned(unit, codes[max(0, start - reach) : end + reach])
        if not (quoted or aligned >= ALIGNED or (share >= self._share and aligned >= RELATED)):
            return None
        return Match(self.items[self._item[unit]], self._part[unit], round(share, 4), round(aligned, 4), run, start, end)

    def _aligned(self, unit: int, codes: Any) -> float:
        """Share of the letters of a unit's segments that stand in order in the best place for each."""
        window = letters_of(codes)
        total = 0.0
        for segment in self._segments[unit]:
            shorter = min(len(segment), len(window))
            total += fuzz.partial_ratio(segment, window) / 100 * shorter if shorter else 0.0
        return total / float(self._letters[unit])


def _folded(text: str) -> str:
    return letters_of(np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32))


def letters_of(codes: Any) -> str:
    """Code points as the letters that they count as; the others are left out."""
    found = letter_table()[codes]
    return str(found[found > 0].astype("<u4").tobytes().decode("utf-32-le", "replace"))


def _units(items: Sequence[Item]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for number, item in enumerate(items):
        if item.question:
            yield number, "question", item.question
        if item.options:
            yield number, "whole", (*item.question, *item.options)


def _largest(matches: list[Match]) -> list[Match]:
    best: dict[Item, Match] = {}
    for match in matches:
        if match.item not in best or match.share > best[match.item].share:
            best[match.item] = match
    return sorted(best.values(), key=lambda match: (-match.share, match.item.set, match.item.id))


@numba.njit(cache=True, nogil=True)
def _power() -> Any:
    power = np.uint64(1)
    for _ in range(N):
        power *= _BASE
    return power


@numba.njit(cache=True, nogil=True)
def _hashes(codes: Any, offsets: Any, letters: Any) -> Any:
    """Hash and text of each n-gram, and the letters of each text."""
    hashes, owners = np.empty(codes.size, np.uint64), np.empty(codes.size, np.int64)
    sizes = np.zeros(offsets.size - 1, np.int64)
    power, count = _power(), 0
    window = np.zeros(N, np.uint64)
    for text in range(offsets.size - 1):
        rolling, seen = np.uint64(0), 0
        for position in range(offsets[text], offsets[text + 1]):
            value = np.uint64(letters[codes[position]])
            if value == 0:
                continue
            rolling = rolling * _BASE + value
            if seen >= N:
                rolling -= power * window[seen % N]
            window[seen % N] = value
            seen += 1
            if seen >= N:
                hashes[count], owners[count] = max(rolling, np.uint64(1)), text
                count += 1
        sizes[text] = seen
    return hashes[:count], owners[:count], sizes


@numba.njit(cache=True, nogil=True)
def _matches(codes: Any, offsets: Any, letters: Any, keys: Any, rows: Any, shift: int) -> Any:
    """Text, last letter, last code point, row and first code point of each n-gram that some item has."""
    size = codes.size // 16 + 64
    found = np.empty((size, 5), np.int64)
    mask = np.uint64(keys.size - 1)
    power, count = _power(), 0
    window, places = np.zeros(N, np.uint64), np.zeros(N, np.int64)
    for text in range(offsets.size - 1):
        rolling, seen = np.uint64(0), 0
        for position in range(offsets[text], offsets[text + 1]):
            value = np.uint64(letters[codes[position]])
            if value == 0:
                continue
            rolling = rolling * _BASE + value
            if seen >= N:
                rolling -= power * window[seen % N]
            window[seen % N], places[seen % N] = value, position
            seen += 1
            if seen < N:
                continue
            key = max(rolling, np.uint64(1))
            slot = (key * SPREAD) >> np.uint64(shift)
            while keys[slot] and keys[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            if keys[slot]:
                if count == size:
                    found = np.concatenate((found, np.empty((size, 5), np.int64)))
                    size *= 2
                found[count, 0], found[count, 1], found[count, 2], found[count, 3] = text, seen - 1, position, rows[slot]
                found[count, 4] = places[seen % N]
                count += 1
    return found[:count, 0], found[:count, 1], found[:count, 2], found[:count, 3], found[:count, 4]
