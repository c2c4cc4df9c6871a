"""The best N of M rows: good, unlike each other, and of every category. More rows were not better, said who trained on a million."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from factory.errors import UserError
from factory.storage import open_binary
from factory.zh.overlap import letters_of
from synth.tasks import CATEGORIES, SCORES

NGRAM = 3  # letters
BUCKETS = 1 << 22  # that n-grams are hashed to; what falls together counts as one
LEAST_GRAMS = 40  # a row of fewer counts as having so many, or the shortest would always be the densest
POINTS = 40  # of the curve
_BASE = np.uint64(0x9E3779B97F4A7C15)

Grams = npt.NDArray[np.int64]


class Selection(NamedTuple):
    """Which rows, in the order in which they were taken, and how coverage grew."""

    rows: list[int]
    categories: dict[str, int]
    curve: list[tuple[int, float]]  # rows taken, share of all different n-grams that they hold


def read_rows(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Conversations of some files. Raises UserError for a row without messages or category."""
    found = []
    for path in paths:
        try:
            with open_binary(path) as stream:
                for number, line in enumerate(stream, 1):
                    row = json.loads(line)
                    if not isinstance(row, dict) or not row.get("messages") or row.get("category") not in CATEGORIES:
                        raise UserError(f"{path}:{number}: is no conversation with messages and a category. Give files of `synth run`.")
                    found.append(row)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file. Give the accepted.jsonl of a run.") from None
        except ValueError as error:
            raise UserError(f"{path}: is not JSON lines: {error}. Correct it.") from None
    return found


def shares_of(stated: Sequence[str]) -> dict[str, float] | None:
    """Shares stated as NAME=NUMBER; None where none are. Raises UserError for what is no category or no number from 0 upwards."""
    found: dict[str, float] = {}
    for each in stated:
        name, _, number = each.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if name not in CATEGORIES or not 0 <= value < float("inf"):
            raise UserError(f"--share {each!r}: write a category and a number, such as code=2. There are {', '.join(CATEGORIES)}.")
        found[name] = value
    if found and not sum(found.values()):
        raise UserError("--share: all are 0, so there is nothing to choose. Give one category more.")
    return found or None


def quality(row: Mapping[str, Any]) -> float:
    """Mean of a judge's scores as 0 to 1; .5 for a row that none has seen."""
    judge = row.get("judge")
    return (sum(judge[name] for name in SCORES) / len(SCORES) - 1) / 4 if judge else 0.5


def quotas(available: Mapping[str, int], count: int, shares: Mapping[str, float] | None = None) -> dict[str, int]:
    """`count` divided among categories by share (equal ones where none are given); what one lacks the others give."""
    wanted = {name: (shares or {}).get(name, 0.0 if shares else 1.0) for name in available}
    result = dict.fromkeys(available, 0)
    while count and (open_ones := {n: s for n, s in wanted.items() if s > 0 and result[n] < available[n]}):
        whole = sum(open_ones.values())
        given = {n: min(available[n] - result[n], int(count * s / whole)) for n, s in open_ones.items()}
        if not any(given.values()):  # fewer left than categories: the largest shares first
            given = dict.fromkeys(sorted(open_ones, key=lambda n: (-open_ones[n], n))[:count], 1)
        for name, number in given.items():
            result[name] += number
        count -= sum(given.values())
    return result


def select(rows: Sequence[Mapping[str, Any]], count: int, shares: Mapping[str, float] | None = None) -> Selection:
    """Greedy: the row with the most n-grams that no row taken has, for its length, times (1 + quality) / 2, within its category's quota.

    Gains only fall as rows are taken, so each is computed again only when it comes to the top (Minoux 1978).
    """
    if count < 1:
        raise UserError(f"--count {count}: give a number of rows above 0.")
    grams = [_grams(row) for row in rows]
    members: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        members.setdefault(row["category"], []).append(index)
    left = quotas({name: len(listed) for name, listed in sorted(members.items())}, min(count, len(rows)), shares)
    covered = np.zeros(BUCKETS, bool)
    everything = len(np.unique(np.concatenate(grams))) if grams else 0

    def gain(index: int) -> float:
        new = int((~covered[grams[index]]).sum())
        return new / max(LEAST_GRAMS, len(grams[index])) * (1 + quality(rows[index])) / 2

    heap = [(-gain(index), index) for index in range(len(rows)) if left.get(rows[index]["category"])]
    heapq.heapify(heap)
    taken: list[int] = []
    curve: list[tuple[int, float]] = []
    total, step = sum(left.values()), max(1, sum(left.values()) // POINTS)
    held = 0
    while heap and len(taken) < total:
        _, index = heapq.heappop(heap)
        if not left[rows[index]["category"]]:
            continue
        now = gain(index)
        if heap and now < -heap[0][0]:
            heapq.heappush(heap, (-now, index))
            continue
        held += int((~covered[grams[index]]).sum())
        covered[grams[index]] = True
        left[rows[index]["category"]] -= 1
        taken.append(index)
        if len(taken) % step == 0 or len(taken) == total:
            curve.append((len(taken), round(held / everything, 4) if everything else 0.0))
    counts = {name: sum(rows[index]["category"] == name for index in taken) for name in sorted(members)}
    return Selection(taken, counts, curve)


def _grams(row: Mapping[str, Any]) -> Grams:
    text = "".join(message["content"] for message in row["messages"])
    codes = np.frombuffer(letters_of(np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)).encode("utf-32-le"), np.uint32)
    if len(codes) < NGRAM:
        return np.zeros(0, np.int64)
    hashed = np.zeros(len(codes) - NGRAM + 1, np.uint64)
    for offset in range(NGRAM):
        hashed = hashed * _BASE + codes[offset : offset + len(hashed)].astype(np.uint64)
    return np.unique((hashed >> np.uint64(64 - 22)).astype(np.int64))


def mixture(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Rows by category and task."""
    found: dict[str, dict[str, int]] = {name: {} for name in CATEGORIES}
    for row in rows:
        tasks = found[row["category"]]
        task = row["lineage"]["task"]
        tasks[task] = tasks.get(task, 0) + 1
    return {name: dict(sorted(tasks.items())) for name, tasks in found.items() if tasks}
