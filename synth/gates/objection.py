"""What gates look at, and what they say."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Rejection(StrEnum):
    """The reasons, in the order in which they are asked."""

    NO_ANSWER = "no_answer"  # the endpoint refused or gave up
    MALFORMED = "malformed"
    LENGTH = "length"
    REPETITION = "repetition"
    LANGUAGE = "language"
    SIMPLIFIED = "simplified"
    MAINLAND_TERM = "mainland_term"
    CONVERSION = "conversion"
    ASSISTANT_TALK = "assistant_talk"
    REFUSAL = "refusal"
    PERSONAL_DATA = "personal_data"
    THREAT = "threat"
    UNSUPPORTED_SPAN = "unsupported_span"
    EVALUATION_SET = "evaluation_set"
    NOT_NOVEL = "not_novel"
    JUDGE = "judge"


class Objection(NamedTuple):
    """A gate's no, with what it saw."""

    reason: Rejection
    detail: str


class Texts(NamedTuple):
    """The texts of a candidate, as gates look at them."""

    questions: list[str]  # what the user says, without a passage that was given
    answers: list[str]  # what the assistant says
    worse: str  # the rejected answer of a preference; empty where there is none
    passage: str  # what a question is about and spans are taken from; empty where there is none
    category: str

    @property
    def own(self) -> list[str]:
        """All that is the candidate's own."""
        return [*self.questions, *self.answers, *([self.worse] if self.worse else [])]
