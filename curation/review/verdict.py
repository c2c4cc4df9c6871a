"""What becomes of each record: adjudication, else a majority where several people look, else one person who is right on gold questions.

in = accepted + rejected + undecided + gold questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from curation.review.agreement import Share
from curation.review.answers import Answer, Review
from curation.review.store import Record

GOLD_ACCURACY = 0.9  # of a person whose word alone counts


class Fate(StrEnum):
    """What becomes of a record."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    GOLD = "gold"  # a question with a known answer; it is no data


class Why(StrEnum):
    """The reason. Of undecided ones it says what would decide them."""

    VERDICT = "verdict"  # what was answered
    PRIVACY = "privacy"  # somebody could still be recognised
    TIE = "tie"  # neither answer is better
    KNOWN = "known"
    UNANSWERED = "unanswered"
    DISCARDED = "discarded"  # whoever saw it put it aside
    WAITING = "waiting"  # more people are to answer
    NO_MAJORITY = "no_majority"
    UNSURE = "unsure"
    GOLD_ACCURACY = "gold_accuracy"  # one person answered, and is not known to be right often enough
    NO_CORRECTION = "no_correction"  # to be fixed, and nobody wrote how


class Outcome(NamedTuple):
    """A record and what became of it."""

    record: Record
    fate: Fate
    why: Why
    value: Any  # the answer to the decisive question, None where there is none
    via: str  # "adjudication", "majority", "single" or ""
    answers: list[Answer]
    adjudication: Answer | None
    correction: Answer | None  # whose corrected text is taken

    def ratings(self, name: str) -> list[Any]:
        """What was answered to a question, by everybody who agreed to look."""
        return [answer.values[name] for answer in self.answers if name in answer.values]


def decide(review: Review, accuracy: Mapping[str, Share]) -> list[Outcome]:
    """An outcome for each record, in the order of the queue."""
    return [_outcome(record, review, accuracy) for record in review.records]


def disagreements(review: Review) -> list[tuple[Record, list[Answer]]]:
    """Records that are complete, with answers to the decisive question that are not all the same; those without a majority first."""
    name = review.kind.decisive
    found = []
    for record in review.records:
        given = review.answers.get(record.id, [])
        values = Counter(answer.values.get(name) for answer in given)
        if record.gold is None and len(values) > 1 and len(given) >= _needed(record, review):
            found.append((max(values.values()) * 2 > len(given), record, given))
    found.sort(key=lambda row: row[0])  # stable: the queue's order within
    return [(record, given) for _, record, given in found]


def _needed(record: Record, review: Review) -> int:
    return review.options.answers if record.part == "shared" else 1


def _outcome(record: Record, review: Review, accuracy: Mapping[str, Share]) -> Outcome:
    given = review.answers.get(record.id, [])
    last = review.adjudicated.get(record.id)
    name = review.kind.decisive

    def outcome(fate: Fate, why: Why, value: Any = None, via: str = "", correction: Answer | None = None) -> Outcome:
        return Outcome(record, fate, why, value, via, given, last, correction)

    if record.gold is not None:
        return outcome(Fate.GOLD, Why.KNOWN)
    if last is not None:
        return _settled(outcome, last.values.get(name), "adjudication", [last], review, accuracy)
    if not given:
        return outcome(Fate.UNDECIDED, Why.DISCARDED if review.discarded.get(record.id) else Why.UNANSWERED)
    value, votes = Counter(answer.values.get(name) for answer in given).most_common(1)[0]
    needed = _needed(record, review)
    if needed == 1 and len(given) == 1:
        of = accuracy.get(given[0].by)
        if of is None or of.share is None or of.share < GOLD_ACCURACY:
            return outcome(Fate.UNDECIDED, Why.GOLD_ACCURACY, value)
        return _settled(outcome, value, "single", given, review, accuracy)
    if votes * 2 <= max(needed, len(given)):
        return outcome(Fate.UNDECIDED, Why.WAITING if len(given) < needed else Why.NO_MAJORITY)
    return _settled(outcome, value, "majority", [answer for answer in given if answer.values.get(name) == value], review, accuracy)


def _settled(
    outcome: Callable[..., Outcome], value: Any, via: str, voters: Sequence[Answer], review: Review, accuracy: Mapping[str, Share]
) -> Outcome:
    """The outcome of an answer that counts; `voters` are those who gave it."""
    if value in ("reject", "remove"):
        result = outcome(Fate.REJECTED, Why.VERDICT, value, via)
    elif value == "tie":
        result = outcome(Fate.REJECTED, Why.TIE, value, via)
    elif value == "unsure":
        result = outcome(Fate.UNDECIDED, Why.UNSURE, value, via)
    elif value == "fix":
        correction = _correction(voters, accuracy)
        result = (
            outcome(Fate.ACCEPTED, Why.VERDICT, value, via, correction)
            if correction
            else outcome(Fate.UNDECIDED, Why.NO_CORRECTION, value, via)
        )
    else:
        result = outcome(Fate.ACCEPTED, Why.VERDICT, value, via)
    heard = voters if via == "adjudication" else result.answers  # one who recognises somebody is enough, unless adjudicated
    if result.fate is Fate.ACCEPTED and any(answer.values.get("privacy") == "remains" for answer in heard):
        return outcome(Fate.REJECTED, Why.PRIVACY, value, via)
    return result


def _correction(voters: Sequence[Answer], accuracy: Mapping[str, Share]) -> Answer | None:
    """The corrected text of whoever is right on gold questions most often, the earlier one of equals."""

    def rank(answer: Answer) -> tuple[float, str, str]:
        of = accuracy.get(answer.by)
        return (-(of.share if of is not None and of.share is not None else 0.0), answer.first, answer.response)

    wrote = [answer for answer in voters if str(answer.values.get("corrected") or "").strip()]
    return min(wrote, key=rank) if wrote else None
