"""Agreement, against published figures and figures worked out by hand."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from curation.review.agreement import RESAMPLES, SEED, alpha, measure, resampled, share, thirds
from curation.review.answers import Answer
from tests.curation.review.made import answer, record, review

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section D: four observers, twelve units; 0 stands for no answer
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)


def units() -> list[list[Answer]]:
    return [
        [answer(f"u{unit}", f"o{who}", q=said[unit]) for who, said in enumerate(OBSERVERS) if said[unit]]
        for unit in range(len(OBSERVERS[0]))
    ]


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_alpha_is_the_published_one(level: str, expected: float) -> None:
    found = alpha("q", level, units(), (1, 2, 3, 4, 5))  # type: ignore[arg-type]
    assert found.alpha == pytest.approx(expected, abs=0.0005)
    assert (found.records, found.answers, found.uniform) == (11, 40, False)  # the twelfth unit has one answer, which says nothing
    assert found.low is not None and found.high is not None and found.low < found.alpha < found.high <= 1  # type: ignore[operator]
    assert alpha("q", level, units(), (1, 2, 3, 4, 5)) == found  # type: ignore[arg-type]


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_resampling_is_the_packages_arithmetic(level: str) -> None:
    """What is drawn is a multinomial over distinct rows, so a draw can be written out and given to the package."""
    rng = np.random.default_rng(5)
    counts = rng.multinomial(3, [0.5, 0.3, 0.1, 0.1], size=40)
    rows, of = np.unique(counts, axis=0, return_counts=True)
    weights = np.random.default_rng(SEED).multinomial(len(counts), of / len(counts), size=RESAMPLES)
    found = resampled(counts, level)  # type: ignore[arg-type]
    for draw in range(0, RESAMPLES, 50):
        whole = np.repeat(rows, weights[draw], axis=0)
        assert found[draw] == pytest.approx(krippendorff.alpha(value_counts=whole, level_of_measurement=level), abs=1e-9)


def test_alpha_of_two_people_by_hand() -> None:
    """Ten units, two people: o_ab = 1, n_a = 9, n_b = 11, n = 20: alpha = 1 - 19 x 1 / (9 x 11)."""
    said = [("a", "a")] * 4 + [("b", "b")] * 5 + [("a", "b")]
    records = [[answer(f"u{n}", "x", q=first), answer(f"u{n}", "y", q=second)] for n, (first, second) in enumerate(said)]
    assert alpha("q", "nominal", records, ("a", "b")).alpha == pytest.approx(1 - 19 / (9 * 11), abs=1e-6)


def test_alpha_where_there_is_none() -> None:
    one = [[answer("u", "x", q=1)]]
    assert alpha("q", "nominal", one, (1, 2))[2:] == (None, None, None, 0, 0, False)
    same = [[answer(f"u{n}", "x", q=1), answer(f"u{n}", "y", q=1)] for n in range(4)]
    assert alpha("q", "nominal", same, (1, 2))[2:] == (None, None, None, 4, 8, True)
    perfect = [[answer(f"u{n}", "x", q=n % 2), answer(f"u{n}", "y", q=n % 2)] for n in range(4)]
    assert alpha("q", "nominal", perfect, (0, 1))[2:5] == (1.0, 1.0, 1.0)


def test_gold_accuracy_confusion_drift_and_pace() -> None:
    gold = [record(f"g{n}", "shared", {"verdict": "keep"}) for n in range(9)]
    shared = [record(f"s{n}", "shared") for n in range(6)]
    said = []
    for n in range(9):
        said.append(answer(f"g{n}", "ann", n, verdict="keep"))
        said.append(answer(f"g{n}", "bob", n, verdict="keep" if n < 3 else "reject"))
    for n in range(6):
        said.append(answer(f"s{n}", "ann", 20 + n, verdict="keep" if n % 2 else "reject"))
        said.append(answer(f"s{n}", "bob", 20 + n * 15, verdict="keep" if n % 2 or n > 3 else "reject"))
    found = measure(review([*gold, *shared], said, people=2))
    ann, bob = found.gold
    assert (ann.by, ann.all) == ("ann", share(9, 9))
    assert (bob.all.right, bob.all.of, bob.all.share) == (3, 9, 0.333333)
    assert [third.right for third in bob.thirds] == [3, 0, 0]  # right at first, then no more
    assert bob.questions == {"verdict": share(3, 9)}
    (pair,) = found.confusion
    assert (pair.first, pair.second, pair.records, pair.agreed) == ("ann", "bob", 15, 8)
    assert found.domain == ("keep", "fix", "reject")
    assert pair.counts == [[6, 0, 6], [0, 0, 0], [1, 0, 2]]
    assert [row.records for row in found.drift] == [2, 2, 2]
    assert found.drift[0].alpha == 1.0 and (found.drift[2].alpha or 0) <= 0
    ann_pace, bob_pace = found.pace
    assert (ann_pace.records, ann_pace.median) == (13, 60.0)  # eleven minutes from the gold questions on are a pause
    assert (bob_pace.records, bob_pace.median, bob_pace.submitted) == (8, 60.0, 15)  # so are fifteen


def test_gold_counts_every_question_with_a_known_answer() -> None:
    records = [record("g", "shared", {"verdict": "keep", "safety": 5})]
    found = measure(review(records, [answer("g", "ann", verdict="keep", safety=4)]))
    assert found.gold[0].all.right == 0
    assert {name: row.right for name, row in found.gold[0].questions.items()} == {"safety": 0, "verdict": 1}


def test_gold_does_not_raise_agreement() -> None:
    gold = [record(f"g{n}", "shared", {"verdict": "keep"}) for n in range(9)]
    said = [answer(f"g{n}", by, n, verdict="keep") for n in range(9) for by in ("ann", "bob")]
    assert measure(review(gold, said)).alphas[0].records == 0


def test_preferences_are_compared_by_what_was_chosen() -> None:
    found = measure(review([record("a", "shared")], [answer("a", "x", choice="chosen"), answer("a", "y", choice="rejected")], "preference"))
    assert found.domain == ("chosen", "rejected", "tie")
    assert found.confusion[0].counts[0][1] == 1


@pytest.mark.parametrize(("count", "sizes"), [(0, [0, 0, 0]), (1, [0, 1, 0]), (2, [1, 0, 1]), (7, [2, 3, 2]), (9, [3, 3, 3])])
def test_thirds_hold_everything_once(count: int, sizes: list[int]) -> None:
    found = thirds(list(range(count)))
    assert [row for third in found for row in third] == list(range(count)) and [len(third) for third in found] == sizes
