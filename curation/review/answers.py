"""The answers of a review as they are counted: by record and person, with a preference's sides told back."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from curation.review.kinds import Kind, kind
from curation.review.push import Options
from curation.review.store import DISCARDED, SUBMITTED, Pseudonyms, Record, Response, Store
from factory.errors import UserError

SIDES = ("chosen", "rejected", "tie")  # what a preference's answers are told back as


class Answer(NamedTuple):
    """One person's standing answer to one record."""

    response: str
    record: str
    by: str  # pseudonym
    values: dict[str, Any]
    first: str  # when it was first submitted, as far as was seen; UTC, ISO 8601
    updated: str


class Review(NamedTuple):
    """All that is known of a review."""

    name: str
    kind: Kind
    options: Options
    records: list[Record]  # in the order of the queue
    answers: dict[str, list[Answer]]  # record -> submitted answers, by time
    discarded: dict[str, int]  # record -> people who put it aside
    adjudicated: dict[str, Answer]  # record -> the latest word
    versions: int  # of responses, edits counted
    quarantined: int

    def domain(self, question: str) -> tuple[Any, ...]:
        """Every value that an answer to a closed question may have, in order."""
        return SIDES if self.kind.name == "preference" and question == "choice" else self.kind.question(question).values()


def load(home: Path, name: str) -> Review:
    """Reads a review from the home. Raises UserError where there is none, or nothing was pushed."""
    store = Store(home, name)
    try:
        stated = store.fact("options")
        if stated is None:
            raise UserError(f"review {name!r}: its first push did not get to the end. Run it again.")
        options = Options(**stated)
        records = store.records()
        versions, latest = store.versions(), store.latest()
        quarantined = len(store.quarantined())
    finally:
        store.close()
    names = Pseudonyms(home)
    swapped = {record.id: record.swapped for record in records}
    first: dict[str, str] = {}
    for version in versions:
        if version.status == SUBMITTED:
            first.setdefault(version.response, version.updated)
    answers: dict[str, list[Answer]] = defaultdict(list)
    discarded: dict[str, int] = defaultdict(int)
    adjudicated: dict[str, Answer] = {}
    for response in latest:
        if response.part != "adjudication" and response.status == DISCARDED:
            discarded[response.record] += 1
        if response.status != SUBMITTED or response.record not in swapped:
            continue
        answer = _answer(response, names, first[response.response], swapped[response.record])
        if response.part != "adjudication":
            answers[response.record].append(answer)
        elif response.record not in adjudicated or adjudicated[response.record].updated < answer.updated:
            adjudicated[response.record] = answer
    for given in answers.values():
        given.sort(key=lambda answer: (answer.first, answer.response))
    return Review(name, kind(options.kind), options, records, dict(answers), dict(discarded), adjudicated, len(versions), quarantined)


def _answer(response: Response, names: Pseudonyms, first: str, swapped: bool) -> Answer:
    values = dict(response.answers)
    if values.get("choice") in ("a", "b"):
        values["choice"] = "rejected" if (values["choice"] == "a") == swapped else "chosen"
    return Answer(response.response, response.record, names.of(response.user), values, first, response.updated)
