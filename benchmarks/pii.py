"""Precision and recall of `factory.zh.pii` on handwritten cases: `python -m benchmarks.pii`.

For each kind a file of `benchmarks/pii_cases/`: texts with the values of that kind that they hold, and texts that hold something
like it. A value counts as found where spans of its kind cover all of it; a span is right where it touches a value. `exact` is the
share of found values whose span has the same ends. Every case is also run through `redact`, which must leave no value legible.
Writes `benchmarks/results/pii.json` and `docs/personal_data.md`.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from benchmarks import ROOT, environment, write_result
from factory.zh.pii import KINDS, PLACEHOLDERS, find, redact

CASES = ROOT / "benchmarks" / "pii_cases"
CARD = ROOT / "docs" / "personal_data.md"
RESULT = ROOT / "benchmarks" / "results" / "pii.json"
FIRST_RUN = ROOT / "benchmarks" / "results" / "pii_first_run.json"
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


def row_of(kind: str, found: Score, first: dict[str, int]) -> str:
    """A line of the card's table."""

    def share(hits: int, of: int) -> str:
        low, high = wilson(hits, of)
        return f"{hits}/{of} ({hits / of:.1%}; {low:.1%}–{high:.1%})"

    before = f"{first['found']}/{first['values']} | {first['right']}/{first['spans']}"
    counts = f"{found.positives} + {found.negatives}"
    return (
        f"| {kind} | {PLACEHOLDERS[kind]} | {counts} | {before} | {share(found.found, found.values)} | {share(found.right, found.spans)} |"
    )


def card(scores: dict[str, Score]) -> str:
    """The card: what is found, how well, and what not to expect."""
    first = json.loads(FIRST_RUN.read_text(encoding="utf-8"))["kinds"]
    rows = "\n".join(row_of(kind, found, first[kind]) for kind, found in scores.items())
    wrong = ", ".join(case for found in scores.values() for case in found.wrong_cases) or "none"
    return f"""# Personal data: what is found, and how well

Written by `python -m benchmarks.pii` from `benchmarks/pii_cases/` (handwritten, invented values; committed before the detectors
were run on them). Recall: values that spans of their kind cover whole. Precision: spans that touch a value. In parentheses the share
and its 95 % Wilson interval. "First run" is the detectors' first sight of the cases; they were improved on them afterwards, so the
last two columns are not an independent measurement.

| kind | placeholder | cases (with + without) | first run: recall | first run: precision | recall | precision |
|---|---|---|---|---|---|---|
{rows}

Cases still wrong: {wrong}.

The cases are short and hard on purpose; they say how a detector does on such cases, not how common they are. In real text numbers with
a checksum are nearly absent from published pages, and most addresses and land lines are of shops and offices. Identity numbers, cards and
companies are recognised by checksum; accounts, plates, passports and LINE names by the words around them; addresses by their grammar, down
to the house number. What a policy does with each kind stands under `personal_data` in `corpus/policies/taiwan-v2.yaml`; what is
not named there is redacted. Names of people are not looked for.
"""


def main() -> None:
    """Scores all kinds, writes the result and the card, prints a line a kind."""
    scores = {kind: score(kind) for kind in KINDS}
    kinds = {
        kind: {
            **found._asdict(),
            "recall": round(found.found / found.values, 4),
            "precision": round(found.right / found.spans, 4),
            "recall_interval": [round(bound, 4) for bound in wilson(found.found, found.values)],
            "precision_interval": [round(bound, 4) for bound in wilson(found.right, found.spans)],
        }
        for kind, found in scores.items()
    }
    write_result(str(RESULT), {"kinds": kinds, **environment(("benchmarks.pii", "factory.zh.pii"), ())})
    CARD.write_text(card(scores), encoding="utf-8")
    for kind, found in scores.items():
        hits = f"recall {found.found}/{found.values} precision {found.right}/{found.spans} exact {found.exact}"
        print(f"{kind:22} {hits} {' '.join(found.wrong_cases)}")


if __name__ == "__main__":
    main()
