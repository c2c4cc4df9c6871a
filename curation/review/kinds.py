"""What people are asked: the fields and questions of each kind of review, read from `questions/*.yaml`, with the guidelines beside them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import yaml

from factory.errors import UserError

KINDS = ("conversation", "audit", "preference", "chat")
RATINGS = (1, 2, 3, 4, 5)
Level = Literal["nominal", "ordinal"]


class Field(NamedTuple):
    """Something shown."""

    name: str
    title: str
    type: str  # "chat", "markdown" or "text"
    required: bool

    def settings(self) -> dict[str, Any]:
        """The field as Argilla's API takes it."""
        return {"type": "chat" if self.type == "chat" else "text", "use_markdown": self.type != "text"}


class Question(NamedTuple):
    """Something asked. `level` is the level of measurement that agreement is computed at, None for free text."""

    name: str
    title: str
    description: str | None
    type: str  # "label", "rating" or "text"
    level: Level | None
    options: dict[str, str]  # value -> what the annotator reads; labels only
    required: bool

    def values(self) -> tuple[Any, ...]:
        """Every value that an answer may have, in order; () for free text."""
        return RATINGS if self.type == "rating" else tuple(self.options)

    def settings(self) -> dict[str, Any]:
        """The question as Argilla's API takes it."""
        if self.type == "rating":
            return {"type": "rating", "options": [{"value": value} for value in RATINGS]}
        if self.type == "label":
            shown = {"visible_options": len(self.options)} if len(self.options) > 2 else {}
            return {"type": "label_selection", "options": [{"value": v, "text": t} for v, t in self.options.items()], **shown}
        return {"type": "text", "use_markdown": False}


class Kind(NamedTuple):
    """A kind of review. `decisive` names the question whose answer says what becomes of a record."""

    name: str
    title: str
    decisive: str
    fields: tuple[Field, ...]
    questions: tuple[Question, ...]

    def question(self, name: str) -> Question:
        """The question of that name; KeyError where there is none."""
        return {question.name: question for question in self.questions}[name]

    def closed(self) -> tuple[Question, ...]:
        """The questions that agreement can be computed for."""
        return tuple(question for question in self.questions if question.level is not None)


@cache
def kind(name: str) -> Kind:
    """The kind of that name. Raises UserError where there is none."""
    if name not in KINDS:
        raise UserError(f"--kind {name!r}: there are {', '.join(KINDS)}.")
    stated = yaml.safe_load((files("curation.review") / "questions" / f"{name}.yaml").read_text("utf-8"))
    return Kind(
        name,
        stated["title"],
        stated["decisive"],
        tuple(Field(row["name"], row["title"], row["type"], row.get("required", True)) for row in stated["fields"]),
        tuple(_question(row) for row in stated["questions"]),
    )


def _question(row: dict[str, Any]) -> Question:
    return Question(
        row["name"], row["title"], row.get("description"), row["type"], row.get("level"), row.get("options", {}), row.get("required", True)
    )


def guidelines(name: str) -> str:
    """What annotators of a kind are told: Markdown in zh-TW."""
    return (files("curation.review") / "guidelines" / f"{name}.md").read_text("utf-8")
