"""Disagreements, put before one who decides, with what everybody answered and under names that tell nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from curation.review.answers import Answer, Review, load
from curation.review.client import Client, Door
from curation.review.datasets import ensure
from curation.review.kinds import Field, Question
from curation.review.push import BATCH
from curation.review.store import Record, Store
from curation.review.verdict import disagreements

ANSWERS = Field("answers", "大家的答案", "markdown", False)
_SIDE = {"chosen": "a", "rejected": "b", "tie": "tie"}  # where nothing is swapped


class Adjudication(NamedTuple):
    """What there is to decide. `open` + `decided` = records that people disagreed on, now or when they were put up."""

    name: str
    open: int
    decided: int
    dataset: str | None  # its name on the server, None where nobody disagrees
    link: str | None


def adjudicate(door: Door, home: Path, name: str) -> Adjudication:
    """Puts the disagreements of the review `name` up for decision; what is there already is brought up to date, what is decided stays.

    `twllm review pull` brings the decisions home. Raises UserError where the server refuses or does not answer.
    """
    review = load(home, name)
    waiting = [(record, given) for record, given in disagreements(review) if record.id not in review.adjudicated]
    if not waiting:
        return Adjudication(name, 0, len(review.adjudicated), None, None)
    client = Client(door)
    store = Store(home, name)
    try:
        dataset = ensure(client, store, "adjudication", review.kind, 1, (ANSWERS,))
    finally:
        store.close()
    for start in range(0, len(waiting), BATCH):
        items = [_payload(record, given, review) for record, given in waiting[start : start + BATCH]]
        client.call("PUT", f"/datasets/{dataset}/records/bulk", json={"items": items})
    link = f"{door.url}/dataset/{dataset}/annotation-mode"
    return Adjudication(name, len(waiting), len(review.adjudicated), f"{name}-adjudication", link)


def _payload(record: Record, given: list[Answer], review: Review) -> dict[str, Any]:
    metadata = {"priority": record.priority, "lane": record.lane, "category": record.category, **record.shown["hidden"]}
    fields = {**record.shown["fields"], ANSWERS.name: said(record, given, review)}
    return {"external_id": record.id, "fields": fields, "metadata": metadata, "suggestions": []}


def said(record: Record, given: list[Answer], review: Review) -> str:
    """Everybody's answers as Markdown: a line for each person, the decisive answer first, and what they wrote below it."""
    decisive = review.kind.question(review.kind.decisive)
    others = [question for question in review.kind.closed() if question.name != decisive.name]
    blocks = []
    for answer in sorted(given, key=lambda answer: answer.by):
        shown = [f"{question.title} {_value(question, answer.values.get(question.name), record)}" for question in others]
        lines = [" · ".join([f"**{answer.by}：{_value(decisive, answer.values.get(decisive.name), record)}**", *shown])]
        for question in review.kind.questions:
            text = str(answer.values.get(question.name) or "").strip()
            if question.type == "text" and text:
                lines += ["", f"{question.title}：", "", *(f"> {line}" for line in text.split("\n"))]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _value(question: Question, value: Any, record: Record) -> str:
    if value is None:
        return "—"
    if value in _SIDE and question.name == "choice":
        side = _SIDE[value]
        value = {"a": "b", "b": "a"}.get(side, side) if record.swapped else side
    return question.options.get(value, str(value))
