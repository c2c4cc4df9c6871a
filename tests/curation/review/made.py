"""Reviews made without a server, for what is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation.review.answers import Answer, Review
from curation.review.kinds import kind
from curation.review.push import Options
from curation.review.store import Part, Record

Values = dict[str, Any]


def record(name: str, part: Part = "single", gold: Values | None = None, row: Values | None = None, place: int = 0) -> Record:
    """A record; its row is a conversation where none is given."""
    default = {
        "id": f"row-{name}",
        "messages": [{"role": "user", "content": "問題？"}, {"role": "assistant", "content": f"原來的回答 {name}"}],
        "category": "health", "lineage": {"task": "import"}, "license": "cc-by-4.0",
    }  # fmt: skip
    shown = {"fields": {"conversation": default["messages"]}, "hidden": {}, "suggestions": []}
    return Record(name, part, place, 1.0, "1", "health", False, gold, row or default, shown)


def answer(of: str, by: str, minute: int = 0, **values: Any) -> Answer:
    """What somebody said; `minute` orders answers in time."""
    when = f"2026-11-30T{8 + minute // 60:02}:{minute % 60:02}:00.000000"
    return Answer(f"{of}/{by}", of, by, values, when, when)


def review(
    records: Sequence[Record],
    answers: Sequence[Answer],
    kind_name: str = "conversation",
    adjudicated: Mapping[str, Answer] | None = None,
    discarded: Mapping[str, int] | None = None,
    people: int = 3,
) -> Review:
    """A review as `answers.load` gives it."""
    by_record: dict[str, list[Answer]] = {}
    for given in sorted(answers, key=lambda a: (a.first, a.response)):
        by_record.setdefault(given.record, []).append(given)
    options = Options(kind_name, 0.2, 0.05, people, people, 1)
    placed = [row._replace(place=number) for number, row in enumerate(records)]
    return Review("made", kind(kind_name), options, placed, by_record, dict(discarded or {}), dict(adjudicated or {}), len(answers), 0)
