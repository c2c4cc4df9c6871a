"""The dataset that the conformance cases and the random searches run on: every type of field, question and metadata."""

# ruff: noqa: E501, RUF012 (a record is a line; nothing changes a row)
from __future__ import annotations

from typing import Any, NamedTuple

from tests.curation.engine.door import Argilla

FIELDS = {"text": "text", "chat": "chat", "extra": "custom", "picture": "image"}
METADATA = {"source": "terms", "size": "integer", "ratio": "float"}
QUESTIONS: dict[str, dict[str, Any]] = {
    "verdict": {"type": "label_selection", "options": [{"value": value, "text": value} for value in ("fix", "keep", "reject")]},
    "tags": {"type": "multi_label_selection", "options": [{"value": value, "text": value} for value in ("food", "law", "news")]},
    "stars": {"type": "rating", "options": [{"value": value} for value in range(1, 6)]},
    "comment": {"type": "text"},
}
DIMENSIONS = 3


class Row(NamedTuple):
    """A record, with what Argilla keeps beside it."""

    name: str
    """Its external id."""
    fields: dict[str, Any]
    metadata: dict[str, Any] = {}
    suggestions: dict[str, dict[str, Any]] = {}
    """By question: value, score, agent, type."""
    responses: dict[str, tuple[str, dict[str, Any]]] = {}
    """By user: status and values."""
    vector: tuple[float, ...] | None = None


class Dataset(NamedTuple):
    argilla: Argilla
    id: str
    questions: dict[str, str]
    """Id of each question."""
    records: dict[str, str]
    """Id of each record by its external id."""


def make(argilla: Argilla, name: str, rows: list[Row]) -> Dataset:
    """A published dataset with these records, added in this order."""
    asked = {"name": name, "workspace_id": argilla.workspace, "distribution": {"strategy": "overlap", "min_submitted": 1}}
    dataset = argilla.call("POST", "/datasets", asked)["id"]
    place = f"/datasets/{dataset}"
    for field, kind in FIELDS.items():
        settings = {"type": kind} | ({"template": "<p>{{record.fields.extra}}</p>"} if kind == "custom" else {})
        argilla.call("POST", f"{place}/fields", {"name": field, "title": field, "required": field == "text", "settings": settings})
    questions = {}
    for question, settings in QUESTIONS.items():
        asked = {"name": question, "title": question, "required": question == "verdict", "settings": settings}
        questions[question] = argilla.call("POST", f"{place}/questions", asked)["id"]
    for prop, kind in METADATA.items():
        asked = {"name": prop, "title": prop, "settings": {"type": kind}, "visible_for_annotators": True}
        argilla.call("POST", f"{place}/metadata-properties", asked)
    argilla.call("POST", f"{place}/vectors-settings", {"name": "meaning", "title": "meaning", "dimensions": DIMENSIONS})
    argilla.call("PUT", f"{place}/publish")
    made = Dataset(argilla, dataset, questions, {})
    for start in range(0, len(rows), 100):
        add(made, rows[start : start + 100])
    return made


def add(dataset: Dataset, rows: list[Row]) -> None:
    """Adds records, or replaces those with the same name."""
    users = dataset.argilla.users
    items = [
        {
            "external_id": row.name,
            "fields": row.fields,
            "metadata": row.metadata,
            "suggestions": [{"question_id": dataset.questions[question], **given} for question, given in row.suggestions.items()],
            "responses": [
                {"user_id": users[user].id, "status": status, "values": {question: {"value": value} for question, value in values.items()}}
                for user, (status, values) in row.responses.items()
            ],
            **({"vectors": {"meaning": list(row.vector)}} if row.vector else {}),
        }
        for row in rows
    ]
    answer = dataset.argilla.call("PUT", f"/datasets/{dataset.id}/records/bulk", {"items": items})
    dataset.records.update({item["external_id"]: item["id"] for item in answer["items"]})


ROWS = [
    Row("noodles", {"text": "巷口的牛肉麵很好吃，湯頭濃。", "chat": [{"role": "user", "content": "哪裡有好吃的牛肉麵？"}]},
        {"source": "ptt", "size": 3, "ratio": 0.5}, {"verdict": {"value": "keep", "score": 0.9, "agent": "judge"}, "stars": {"value": 5, "score": 0.2}},
        {"one": ("submitted", {"verdict": "keep", "stars": 4})}, (1.0, 0.0, 0.0)),
    Row("beef", {"text": "牛肉產地標示，違者處罰鍰。麵粉不在此限。", "extra": {"law": "食品安全衛生管理法", "article": 25}},
        {"source": "law", "size": 10, "ratio": 0.25}, {"verdict": {"value": "fix", "score": 0.4, "agent": "judge-2"}, "tags": {"value": ["food", "law"], "score": [0.7, 0.3]}},
        {"one": ("draft", {"verdict": "fix"}), "two": ("submitted", {"verdict": "reject", "stars": 1, "tags": ["law"]})}, (0.0, 1.0, 0.0)),
    Row("wide", {"text": "ＡＢＣ公司的Wi-Fi 6路由器，１００％台灣製", "chat": [{"role": "assistant", "content": "臺灣製造"}]},
        {"source": "news", "size": -5, "ratio": 2.5}, {"stars": {"value": 3, "score": 0.6, "agent": "judge"}}, {}, (0.6, 0.8, 0.0)),
    Row("simplified", {"text": "北京的牛肉面馆，台湾的观光客很多"}, {"source": "ptt"}, {}, {"two": ("discarded", {})}, (-1.0, 0.0, 0.0)),
    Row("english", {"text": "Beef noodle soup from Taipei: the best (100%) \"ever\"; C:\\temp\\file_1.txt", "extra": {"note": "x OR y"}},
        {"source": "news", "size": 3, "ratio": -1.5}, {"tags": {"value": ["news"], "score": [1.0]}},
        {"one": ("submitted", {"verdict": "reject", "stars": 2, "tags": ["food", "news"]}), "two": ("submitted", {"verdict": "keep", "stars": 5})}, (0.0, 0.6, 0.8)),
    Row("bare", {"text": "的"}),
]  # fmt: skip
"""Written for these tests. What one holds beside its text is as uneven as in life: properties, scores and answers are missing."""
