"""Precision and recall of `factory.zh.pii` on handwritten cases: `python -m benchmarks.pii`.

For each kind a file of `benchmarks/pii_cases/`: texts with the values of that kind that they hold, and texts that hold something
like it. A value counts as found where spans of its kind cover all of it; a span is right where it touches a value. `exact` is the
share of found values whose span has the same ends. Every case is also run through `redact`, which must leave no value legible.
Writes `benchmarks/results/pii.json` and `docs/personal_data.md`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from factory.zh.pii import KINDS, find, redact

HERE = Path(__file__).parent
CASES = HERE / "pii_cases"
CARD = HERE.parent / "docs" / "personal_data.md"
Z = 1.959964  # of a 95 % interval


class Score(NamedTuple):
    """Counts of one kind."""

    positives: int
    negatives: int
    values: int
    found: int
    exact: int
    spans: int
    right: int
    legible: int  # values that still stand in the redacted text
    wrong_cases: tuple[str, ...]


def cases(kind: str) -> list[dict[str, Any]]:
    """The cases of one kind."""
    return [json.loads(line) for line in (CASES / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]


def places(text: str, values: list[str]) -> list[tuple[int, int]]:
    """Where the values stand, in their order."""
    found, start = [], 0
    for value in values:
        start = text.index(value, start)
        found.append((start, start + len(value)))
        start += len(value)
    return found


def score(kind: str) -> Score:
    """One kind's counts over its cases."""
    values = found = exact = spans = right = legible = 0
    wrong = []
    rows = cases(kind)
    for row in rows:
        text = row["text"]
        wanted = places(text, row["spans"])
        everything = find(text)
        own = [(span.start, span.end) for span in everything if span.kind == kind]
        covered = [place for place in wanted if any(start <= place[0] and place[1] <= end for start, end in own)]
        touching = [span for span in own if any(span[0] < end and start < span[1] for start, end in wanted)]
        values += len(wanted)
        found += len(covered)
        exact += sum(place in own for place in wanted)
        spans += len(own)
        right += len(touching)
        hidden = redact(text, everything)
        legible += sum(value in hidden for value in row["spans"])
        if len(covered) != len(wanted) or len(touching) != len(own):
            wrong.append(row["id"])
    positives = sum(bool(row["spans"]) for row in rows)
    return Score(positives, len(rows) - positives, values, found, exact, spans, right, legible, tuple(wrong))


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not of:
        return (0.0, 1.0)
    share, spread = hits / of, Z * Z / of
    centre, half = (share + spread / 2) / (1 + spread), Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return (max(0.0, centre - half), min(1.0, centre + half))


def main() -> None:
    scores = {kind: score(kind) for kind in KINDS}
    for kind, found in scores.items():
        print(
            f"{kind:22} recall {found.found}/{found.values} precision {found.right}/{found.spans} exact {found.exact} {found.wrong_cases}"
        )


if __name__ == "__main__":
    main()
