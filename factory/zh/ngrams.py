"""Counting kernels over code points: classes, lines, repeated n-grams, MinHash. One numba loop a document.

Texts arrive as one array of code points with offsets; document i is `codes[offsets[i]:offsets[i + 1]]`. Compiled code is
cached on disk, so that only the first process on a machine pays the few seconds of compilation.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from factory.zh.charclass import LETTER, N_CLASSES, CharClass

NGRAM_SIZES = (4, 10, 20)  # characters; repetition is measured at a phrase, a clause and a sentence
SHINGLE = 9  # characters; see benchmarks/near_duplicates.py for why
NUM_PERM = 128

_BASE = np.uint64(0x9E3779B97F4A7C15 | 1)
_SPACE = np.uint32(CharClass.SPACE)
_TERMINAL = np.uint32(CharClass.TERMINAL)
_LETTER = np.uint32(LETTER)
_NEWLINE = np.uint32(10)

LINE_FIELDS = ("lines", "paragraphs", "max_line_chars", "short_lines", "list_lines", "ended_lines", "line_chars")
_SHORT_LINE = 12  # characters; below it a line is a heading, a menu entry or a line of verse
_LIST_MARKS = np.array(sorted(map(ord, "-*•·●○■□◆◇★☆▲△►▶※＊‧→✓✔")), np.uint32)


class Batch(NamedTuple):
    """Code points of several texts, shape (total,), and where each begins and the last ends, shape (texts + 1,)."""

    codes: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]


def batch_of(texts: list[str]) -> Batch:
    """Raises UnicodeEncodeError on lone surrogates; normalised text has none."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    return Batch(np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32), offsets)


@numba.njit(cache=True, nogil=True)
def class_counts(codes: Any, offsets: Any, table: Any) -> Any:
    """Characters of each class, int64 of shape (documents, N_CLASSES)."""
    counts = np.zeros((offsets.size - 1, N_CLASSES), np.int64)
    for document in range(offsets.size - 1):
        for position in range(offsets[document], offsets[document + 1]):
            bits = table[codes[position]]
            column = 0
            while bits:
                if bits & np.uint32(1):
                    counts[document, column] += 1
                bits >>= np.uint32(1)
                column += 1
    return counts


@numba.njit(cache=True, nogil=True)
def line_statistics(codes: Any, offsets: Any, table: Any) -> Any:
    """Counts in the order of LINE_FIELDS, int64 of shape (documents, 7). A line is a non-blank stretch between newlines;
    a paragraph is a run of lines without a blank line between them."""
    statistics = np.zeros((offsets.size - 1, 7), np.int64)
    for document in range(offsets.size - 1):
        row = statistics[document]
        stop = offsets[document + 1]
        start = offsets[document]
        in_paragraph = False
        while start < stop:
            end = start
            while end < stop and codes[end] != _NEWLINE:
                end += 1
            first, last = start, end - 1
            while first <= last and table[codes[first]] & _SPACE:
                first += 1
            while last >= first and table[codes[last]] & _SPACE:
                last -= 1
            length = last - first + 1
            if length > 0:
                if not in_paragraph:
                    row[1] += 1
                in_paragraph = True
                row[0] += 1
                row[2] = max(row[2], length)
                row[3] += length < _SHORT_LINE
                index = np.searchsorted(_LIST_MARKS, codes[first])
                row[4] += index < _LIST_MARKS.size and _LIST_MARKS[index] == codes[first]
                row[5] += (table[codes[last]] & _TERMINAL) != 0
                row[6] += length
            else:
                in_paragraph = False
            start = end + 1
    return statistics


@numba.njit(cache=True, nogil=True)
def line_hashes(codes: Any, offsets: Any, table: Any, shortest: int) -> Any:
    """A 64-bit hash for each line of each text, white space at its ends left out, 0 for lines of fewer than `shortest`
    characters: uint64 of shape (lines,), the lines' characters, int32 of that shape, and where each text's lines begin and
    the last one's end, shape (texts + 1,).
    A line ends at each newline and at the end of a text, so that a text of no characters has one."""
    texts = offsets.size - 1
    lines = texts
    for position in range(offsets[0], offsets[texts]):
        lines += codes[position] == _NEWLINE
    hashes, chars, ends = np.zeros(lines, np.uint64), np.zeros(lines, np.int32), np.zeros(texts + 1, np.int64)
    count = 0
    for text in range(texts):
        stop, start = offsets[text + 1], offsets[text]
        while start <= stop:
            end = start
            while end < stop and codes[end] != _NEWLINE:
                end += 1
            first, last = start, end
            while first < last and table[codes[first]] & _SPACE:
                first += 1
            while last > first and table[codes[last - 1]] & _SPACE:
                last -= 1
            chars[count] = last - first
            if last - first >= shortest:
                value = np.uint64(last - first)
                for position in range(first, last):
                    value = (value ^ np.uint64(codes[position])) * _BASE
                    value ^= value >> np.uint64(29)
                hashes[count] = max(value, np.uint64(1))  # 0 stands for a short line
            count += 1
            start = end + 1
        ends[text + 1] = count
    return hashes, chars, ends


@numba.njit(cache=True, nogil=True)
def repetition(codes: Any, offsets: Any, table: Any, n: int) -> Any:
    """Repetition of character n-grams, white space left out; float64 of shape (documents, 2).

    Column 0: share of characters inside an n-gram that has occurred before in the document (Gopher's "duplicate n-gram
    character fraction", Rae et al. 2021, table A1, with characters for words). Column 1: occurrences of the most frequent
    n-gram x n, over all characters, at most 1 ("top n-gram"). Both are 0 for texts shorter than n. n-grams are told
    apart by a 64-bit rolling hash.
    """
    longest = 0
    for document in range(offsets.size - 1):
        longest = max(longest, offsets[document + 1] - offsets[document])
    capacity = 16
    while capacity < 2 * longest:
        capacity *= 2
    keys = np.zeros(capacity, np.uint64)
    tallies = np.zeros(capacity, np.int32)
    letters = np.empty(longest, np.uint32)
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    result = np.zeros((offsets.size - 1, 2))
    for document in range(offsets.size - 1):
        length = 0
        for position in range(offsets[document], offsets[document + 1]):
            if not table[codes[position]] & _SPACE:
                letters[length] = codes[position]
                length += 1
        if length < n:
            continue
        size = 16
        while size < 2 * length:
            size *= 2
        mask = np.uint64(size - 1)
        tallies[:size] = 0
        rolling = np.uint64(0)
        covered, covered_until, top = 0, 0, 0
        for end in range(length):
            rolling = rolling * _BASE + np.uint64(letters[end]) + np.uint64(1)
            if end >= n:
                rolling -= power * (np.uint64(letters[end - n]) + np.uint64(1))
            if end < n - 1:
                continue
            slot = (rolling ^ (rolling >> np.uint64(29))) & mask
            while tallies[slot] and keys[slot] != rolling:
                slot = (slot + np.uint64(1)) & mask
            if tallies[slot]:
                covered += end + 1 - max(covered_until, end + 1 - n)
                covered_until = end + 1
            keys[slot] = rolling
            tallies[slot] += 1
            top = max(top, tallies[slot])
        result[document, 0] = covered / length
        result[document, 1] = min(1.0, top * n / length) if top > 1 else 0.0
    return result


@cache
def permutations() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """datasketch's own `affine32` parameters for seed 1, so that our signatures are MinHash objects of that library."""
    from datasketch import MinHash

    a, b = MinHash(num_perm=NUM_PERM, seed=1, scheme="affine32").permutations
    return np.asarray(a, np.uint32), np.asarray(b, np.uint32)


def shingle_hash(shingle: str) -> int:
    """The 32-bit hash of one shingle that the kernel computes by rolling; the `hashfunc` for datasketch."""
    value = 0
    for character in shingle:
        value = (value * int(_BASE) + ord(character) + 1) & 0xFFFFFFFFFFFFFFFF
    return _high_half(value)


def _high_half(value: int) -> int:
    value = ((value ^ (value >> 32)) * 0xD6E8FEB86659FD93) & 0xFFFFFFFFFFFFFFFF
    return value >> 32


def shingles(text: str, n: int = SHINGLE) -> set[str]:
    """The character n-grams that a signature stands for: letters and digits only, ASCII folded to lower case.

    A text with fewer than n letters is one shingle; a text without letters has none.
    """
    from factory.zh.charclass import table

    classes = table()
    letters = "".join(c.lower() if c.isascii() else c for c in text if classes[ord(c)] & _LETTER)
    if not letters:
        return set()
    return {letters[i : i + n] for i in range(max(1, len(letters) - n + 1))}


def minhash_signatures(batch: Batch, table: npt.NDArray[np.uint32], n: int = SHINGLE) -> npt.NDArray[np.uint32]:
    """MinHash of each text's character n-grams, uint32 of shape (documents, NUM_PERM).

    Equal, bit for bit, to `datasketch.MinHash(128, seed=1, scheme="affine32", hashfunc=shingle_hash)` updated with
    `shingles(text, n)` (Broder 1997; affine permutations modulo 2^32 over the MurmurHash3 finaliser).
    """
    a, b = permutations()
    signatures: npt.NDArray[np.uint32] = _signatures(batch.codes, batch.offsets, table, n, a, b)
    return signatures


@numba.njit(cache=True, nogil=True)
def _signatures(codes: Any, offsets: Any, table: Any, n: int, a: Any, b: Any) -> Any:
    signatures = np.full((offsets.size - 1, a.size), np.uint32(0xFFFFFFFF), np.uint32)
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    window = np.zeros(n, np.uint64)
    for document in range(offsets.size - 1):
        row = signatures[document]
        rolling = np.uint64(0)
        seen = 0
        for position in range(offsets[document], offsets[document + 1]):
            code = codes[position]
            if not table[code] & _LETTER:
                continue
            if 65 <= code <= 90:
                code += np.uint32(32)
            value = np.uint64(code) + np.uint64(1)
            rolling = rolling * _BASE + value
            if seen >= n:
                rolling -= power * window[seen % n]
            window[seen % n] = value
            seen += 1
            if seen >= n:
                _fold(row, rolling, a, b)
        if 0 < seen < n:
            _fold(row, rolling, a, b)
    return signatures


@numba.njit(cache=True, nogil=True, inline="always")
def _fold(row: Any, rolling: Any, a: Any, b: Any) -> None:
    value = (rolling ^ (rolling >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    h = np.uint32(value >> np.uint64(32))
    # MurmurHash3's finaliser, as datasketch applies it before its permutations. numba widens uint32 products: cast back.
    h ^= h >> np.uint32(16)
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h ^= h >> np.uint32(13)
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    h ^= h >> np.uint32(16)
    for k in range(a.size):
        row[k] = min(row[k], np.uint32(a[k] * h + b[k]))
