"""Scores batches of texts: one loop over code points, each token's row of weights added to its text's sums."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from factory.zh.classifiers.fasttext_file import END, LinearModel
from factory.zh.classifiers.tokens import MAX_RUN, fold_table
from factory.zh.ngrams import Batch, batch_of
from factory.zh.scan import SPREAD, fill

_SHIFT = np.uint64(21)  # bits of a code point


class Tables(NamedTuple):
    """A model laid out for the kernel."""

    single: npt.NDArray[np.int32]  # code point -> row, -1 for none; shape (0x110000,)
    keys: npt.NDArray[np.uint64]  # open addressing: code points of a run packed 21 bits each, 0 for empty
    rows: npt.NDArray[np.int32]  # of the same shape as keys
    shift: int  # 64 - log2(len(keys))
    weights: npt.NDArray[np.float32]  # shape (tokens, labels)
    end: int  # row of the token at the end of a line, -1 for none
    run: int  # characters in the longest token


def tables(model: LinearModel) -> Tables:
    """Lays a model out. Tokens of more than MAX_RUN characters are never met and left out."""
    single = np.full(0x110000, -1, np.int32)
    longer: list[tuple[int, int]] = []
    run = 1
    end = -1
    for row, token in enumerate(model.tokens):
        if token == END:
            end = row
        elif len(token) == 1:
            single[ord(token)] = row
        elif len(token) <= MAX_RUN:
            longer.append((_key(token), row))
            run = max(run, len(token))
    bits = max(4, (2 * len(longer)).bit_length())
    keys, rows = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int32)
    fill(keys, rows, np.array([key for key, _ in longer], np.uint64), np.array([row for _, row in longer], np.int32), 64 - bits)
    return Tables(single, keys, rows, 64 - bits, np.ascontiguousarray(model.weights), end, run)


def _key(token: str) -> int:
    value = 0
    for character in token:
        value = value << 21 | ord(character)
    return value


def contributions(folded: str, model: LinearModel, column: int, run: int, presence: bool = False) -> list[tuple[str, float]]:
    """Tokens of a folded text with what each adds to a label's raw score beyond the mean of the others, the largest first."""
    rows = _index(model)
    found: dict[str, int] = {}
    for n in range(1, run + 1):
        for start in range(len(folded) - n + 1):
            token = folded[start : start + n]
            if token in rows:
                found[token] = 1 if presence else found.get(token, 0) + 1
    total = sum(found.values())
    divisor = total**0.5 if presence else total
    others = [i for i in range(len(model.labels)) if i != column]
    weighed = [
        (token, float(count * (model.weights[rows[token], column] - model.weights[rows[token], others].mean()) / divisor))
        for token, count in found.items()
    ]
    return sorted((pair for pair in weighed if pair[1] > 0), key=lambda pair: (-pair[1], pair[0]))


def _index(model: LinearModel) -> dict[str, int]:
    return {token: row for row, token in enumerate(model.tokens)}


def logits(texts: list[str], laid: Tables, least: int = 1, presence: bool = False) -> npt.NDArray[np.float64]:
    """Scores of texts before softmax or sigmoid, shape (texts, labels). Raises UnicodeEncodeError on lone surrogates."""
    return logits_of(batch_of(texts), laid, least, presence)


def logits_of(batch: Batch, laid: Tables, least: int = 1, presence: bool = False) -> npt.NDArray[np.float64]:
    """Scores of a batch, shape (texts, labels); a text without a known token scores 0.

    The mean of the known tokens' rows, as fastText has it; or, by `presence`, the sum of the rows of the different tokens
    over the square root of their number, so that a repeated word counts once and a longer text may say more. Of fewer than
    `least` known tokens the divisor is that of `least`: a table with three known words in it says little.
    """
    result: npt.NDArray[np.float64] = _logits(batch.codes, batch.offsets, fold_table(), *laid, least, presence)
    return result


@numba.njit(cache=True, nogil=True)
def _logits(
    codes: Any, offsets: Any, folds: Any, single: Any, keys: Any, rows: Any, shift: int, weights: Any, end: int, run: int, least: int,
    presence: bool,
) -> Any:  # fmt: skip
    labels = weights.shape[1]
    result = np.zeros((offsets.size - 1, labels))
    mask = np.uint64(keys.size - 1)
    two, three = np.uint64((1 << 42) - 1), np.uint64((1 << 63) - 1)
    sums = np.zeros(labels, np.float32)
    last_text = np.full(weights.shape[0] if presence else 0, -1, np.int32)  # that a row was added to
    for text in range(offsets.size - 1):
        sums[:] = 0
        found, seen = 0, 0
        if end >= 0:
            sums += weights[end]
            found = 1
        window = np.uint64(0)
        for position in range(offsets[text], offsets[text + 1]):
            code = folds[codes[position]]
            if code == 0:
                continue
            seen += 1
            row = single[code]
            if row >= 0 and not (presence and last_text[row] == text):
                if presence:
                    last_text[row] = text
                found += 1
                for label in range(labels):
                    sums[label] += weights[row, label]
            window = (window << _SHIFT) | np.uint64(code)
            for n in range(2, min(run, seen) + 1):
                key = window & (two if n == 2 else three)
                slot = (key * SPREAD) >> np.uint64(shift)
                while keys[slot] and keys[slot] != key:
                    slot = (slot + np.uint64(1)) & mask
                row = rows[slot]
                if keys[slot] and not (presence and last_text[row] == text):
                    if presence:
                        last_text[row] = text
                    found += 1
                    for label in range(labels):
                        sums[label] += weights[row, label]
        divisor = np.sqrt(np.float64(max(found, least))) if presence else np.float64(max(found, least))
        for label in range(labels):
            result[text, label] = sums[label] / divisor
    return result
