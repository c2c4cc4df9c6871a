"""How far people agree with each other, with known answers and with themselves over time, and how long a record takes them."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from curation.review.answers import Answer, Review
from curation.review.kinds import Level
from factory.statistics import wilson

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RESAMPLES = 1_000  # of the records, for an interval
SEED = 20261130
PAUSE_SECONDS = 600.0  # a longer gap between two submissions is a pause and tells nothing of a record
THIRDS = 3


class Alpha(NamedTuple):
    """Krippendorff's alpha of one question over the records that two or more people answered, gold questions left out.

    None where it is not defined: no record with two answers, or everybody gave one and the same answer throughout (`uniform`).
    The interval is the 2.5th to 97.5th percentile over RESAMPLES draws of as many records.
    """

    question: str
    level: str
    alpha: float | None
    low: float | None
    high: float | None
    records: int
    answers: int
    uniform: bool


class Share(NamedTuple):
    """Right ones among some, with Wilson's interval."""

    right: int
    of: int
    share: float | None
    low: float
    high: float


class Gold(NamedTuple):
    """One person's answers to gold questions. An answer is right where every question that has a known answer got it."""

    by: str
    all: Share
    questions: dict[str, Share]
    thirds: list[Share]  # in the order in which they were answered


class Confusion(NamedTuple):
    """What two people said of the records that both answered: counts[x][y], x the first one's answer. Gold questions count."""

    first: str
    second: str
    records: int
    agreed: int
    counts: list[list[int]]


class Pace(NamedTuple):
    """Seconds between one submission and the next of one person, pauses left out: the server keeps no time of opening a record."""

    by: str
    records: int
    median: float | None
    quartiles: tuple[float, float] | None
    submitted: int


class Agreement(NamedTuple):
    """All that there is to say of a review's people."""

    alphas: list[Alpha]
    gold: list[Gold]
    confusion: list[Confusion]
    domain: tuple[Any, ...]  # of the decisive question, as in `confusion`
    drift: list[Alpha]  # of the decisive question, over the first, second and last third of the records by time
    pace: list[Pace]

    def accuracy(self) -> dict[str, Share]:
        """Person -> gold accuracy."""
        return {row.by: row.all for row in self.gold}


def measure(review: Review) -> Agreement:
    """Everything at once; the same answers give the same figures."""
    gold = {record.id: record.gold for record in review.records if record.gold is not None}
    plain = [given for record, given in sorted(review.answers.items()) if record not in gold]
    several = [given for given in plain if len(given) > 1]
    decisive = review.kind.question(review.kind.decisive)
    assert decisive.level is not None
    by_time = sorted(several, key=lambda given: max(answer.first for answer in given))
    people = sorted({answer.by for given in review.answers.values() for answer in given})
    return Agreement(
        [alpha(q.name, q.level, several, review.domain(q.name)) for q in review.kind.closed() if q.level],
        [_gold(person, review, gold) for person in people],
        list(_confusions(people, review)),
        review.domain(decisive.name),
        [alpha(decisive.name, decisive.level, third, review.domain(decisive.name)) for third in thirds(by_time)],
        [_pace(person, [a for given in review.answers.values() for a in given if a.by == person]) for person in people],
    )


def alpha(question: str, level: Level, records: Sequence[Sequence[Answer]], domain: Sequence[Any]) -> Alpha:
    """Agreement on one question; answers without a value for it do not count."""
    import krippendorff
    import numpy as np

    place = {value: number for number, value in enumerate(domain)}
    counts = np.zeros((len(records), len(domain)), dtype=int)
    for row, given in enumerate(records):
        for answer in given:
            if answer.values.get(question) in place:
                counts[row, place[answer.values[question]]] += 1
    counts = counts[counts.sum(axis=1) > 1]
    answers = int(counts.sum())
    if not len(counts):
        return Alpha(question, level, None, None, None, 0, 0, False)
    if (counts.sum(axis=0) > 0).sum() < 2:
        return Alpha(question, level, None, None, None, len(counts), answers, True)
    low, high = np.percentile(resampled(counts, level), [2.5, 97.5])
    found = float(krippendorff.alpha(value_counts=counts, level_of_measurement=level))
    return Alpha(question, level, round(found, 6), round(float(low), 6), round(float(high), 6), len(counts), answers, False)


def resampled(counts: npt.NDArray[np.int_], level: Level) -> npt.NDArray[np.float64]:
    """Alpha of RESAMPLES draws of as many records; `counts` has a row for each record and a column for each value.

    The package's own arithmetic, for all draws at once: records with the same answers are one row with a weight. A draw in which
    everybody gives one value has no disagreement and counts as 1.
    """
    import numpy as np

    rows, of = np.unique(counts, axis=0, return_counts=True)
    weights = np.random.default_rng(SEED).multinomial(len(counts), of / len(counts), size=RESAMPLES)
    size = counts.shape[1]
    pairs = rows[:, :, None] * rows[:, None, :] - rows[:, :, None] * np.eye(size)
    pairs = pairs / (rows.sum(axis=1) - 1)[:, None, None]
    observed = np.tensordot(weights, pairs, axes=1)  # draws x values x values
    totals = observed.sum(axis=1)
    by_chance = (totals[:, :, None] * totals[:, None, :] - totals[:, :, None] * np.eye(size)) / (totals.sum(axis=1) - 1)[:, None, None]
    middle = totals.cumsum(axis=1) - totals / 2
    distance = (middle[:, :, None] - middle[:, None, :]) ** 2 if level == "ordinal" else np.broadcast_to(1 - np.eye(size), observed.shape)
    disagreed, expected = (observed * distance).sum(axis=(1, 2)), (by_chance * distance).sum(axis=(1, 2))
    return np.where(expected > 0, 1 - disagreed / np.where(expected > 0, expected, 1), 1.0)


def thirds(rows: Sequence[Any]) -> list[Sequence[Any]]:
    """The first, second and last third, as equal as they come."""
    bounds = [round(len(rows) * number / THIRDS) for number in range(THIRDS + 1)]
    return [rows[low:high] for low, high in pairwise(bounds)]


def share(right: int, of: int) -> Share:
    """A share with its interval."""
    low, high = wilson(right, of)
    return Share(right, of, round(right / of, 6) if of else None, round(low, 6), round(high, 6))


def _gold(person: str, review: Review, gold: dict[str, dict[str, Any]]) -> Gold:
    own = (answer for record in gold for answer in review.answers.get(record, []) if answer.by == person)
    given = sorted(own, key=lambda answer: (answer.first, answer.response))
    right = [all(answer.values.get(name) == value for name, value in gold[answer.record].items()) for answer in given]
    by_question: dict[str, list[bool]] = defaultdict(list)
    for answer in given:
        for name, value in gold[answer.record].items():
            by_question[name].append(answer.values.get(name) == value)
    return Gold(
        person, share(sum(right), len(right)), {name: share(sum(found), len(found)) for name, found in sorted(by_question.items())},
        [share(sum(third), len(third)) for third in thirds(right)],
    )  # fmt: skip


def _confusions(people: Sequence[str], review: Review) -> list[Confusion]:
    name = review.kind.decisive
    place = {value: number for number, value in enumerate(review.domain(name))}
    both: dict[tuple[str, str], Counter[tuple[int, int]]] = {pair: Counter() for pair in combinations(people, 2)}
    for given in review.answers.values():
        said = {answer.by: place[answer.values[name]] for answer in given if answer.values.get(name) in place}
        for first, second in combinations(sorted(said), 2):
            both[first, second][said[first], said[second]] += 1
    size = range(len(place))
    return [
        Confusion(first, second, counts.total(), sum(counts[x, x] for x in size), [[counts[x, y] for y in size] for x in size])
        for (first, second), counts in both.items()
        if counts
    ]


def _pace(person: str, answers: Sequence[Answer]) -> Pace:
    times = sorted(datetime.fromisoformat(answer.first) for answer in answers)
    gaps = [seconds for a, b in pairwise(times) if (seconds := (b - a).total_seconds()) <= PAUSE_SECONDS]
    if len(gaps) < 2:
        return Pace(person, len(gaps), None, None, len(answers))
    low, _, high = statistics.quantiles(gaps, n=4)
    return Pace(person, len(gaps), round(statistics.median(gaps), 2), (round(low, 2), round(high, 2)), len(answers))
