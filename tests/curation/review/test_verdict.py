"""What becomes of a record, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.review.agreement import Share, share
from curation.review.verdict import Fate, Outcome, Why, decide, disagreements
from tests.curation.review.made import answer, record, review

SURE, UNSURE = share(9, 10), share(89, 100)
KNOWN = {"ann": SURE, "bob": SURE, "eve": UNSURE, "new": share(0, 0)}


def one(*said: Any, part: Any = "shared", kind: str = "conversation", **more: Any) -> Outcome:
    """The outcome of a record that people in turn said `said` of."""
    given = [answer("r", by, minute, **values) for minute, (by, values) in enumerate(said)]
    (found,) = decide(review([record("r", part)], given, kind, **more), KNOWN)
    return found


def verdicts(*values: str) -> list[tuple[str, dict[str, str]]]:
    return [(by, {"verdict": value}) for by, value in zip(("ann", "bob", "eve"), values, strict=False)]


@pytest.mark.parametrize(
    ("values", "fate", "why", "via"),
    [
        (("keep", "keep", "reject"), Fate.ACCEPTED, Why.VERDICT, "majority"),
        (("reject", "keep", "reject"), Fate.REJECTED, Why.VERDICT, "majority"),
        (("keep", "fix", "reject"), Fate.UNDECIDED, Why.NO_MAJORITY, ""),
        (("keep", "keep"), Fate.ACCEPTED, Why.VERDICT, "majority"),  # two of three are more than half, whatever the third says
        (("keep", "reject"), Fate.UNDECIDED, Why.WAITING, ""),
        (("keep",), Fate.UNDECIDED, Why.WAITING, ""),
        ((), Fate.UNDECIDED, Why.UNANSWERED, ""),
        (("fix", "fix", "keep"), Fate.UNDECIDED, Why.NO_CORRECTION, "majority"),
    ],
)
def test_where_several_look_the_majority_decides(values: tuple[str, ...], fate: Fate, why: Why, via: str) -> None:
    found = one(*verdicts(*values))
    assert (found.fate, found.why, found.via) == (fate, why, via)


@pytest.mark.parametrize(
    ("by", "fate"), [("ann", Fate.ACCEPTED), ("eve", Fate.UNDECIDED), ("new", Fate.UNDECIDED), ("nobody", Fate.UNDECIDED)]
)
def test_one_person_counts_from_nine_right_of_ten(by: str, fate: Fate) -> None:
    found = one((by, {"verdict": "keep"}), part="single")
    assert found.fate is fate and found.via == ("single" if fate is Fate.ACCEPTED else "")
    assert one((by, {"verdict": "reject"}), part="single").fate is (Fate.REJECTED if fate is Fate.ACCEPTED else Fate.UNDECIDED)


def test_two_on_a_single_record_need_to_agree() -> None:
    assert one(*verdicts("keep", "reject"), part="single").why is Why.NO_MAJORITY
    assert one(*verdicts("keep", "keep"), part="single").via == "majority"


def test_adjudication_has_the_last_word() -> None:
    last = {"r": answer("r", "owner", 9, verdict="reject")}
    assert one(*verdicts("keep", "keep", "keep"), adjudicated=last).fate is Fate.REJECTED
    fixed = {"r": answer("r", "owner", 9, verdict="fix", corrected="改好了")}
    found = one(*verdicts("keep", "fix", "reject"), adjudicated=fixed)
    assert (found.fate, found.via, found.correction) == (Fate.ACCEPTED, "adjudication", fixed["r"])


def test_the_correction_is_of_whoever_is_right_most_often_then_of_the_first() -> None:
    found = one(
        ("eve", {"verdict": "fix", "corrected": "一"}),
        ("bob", {"verdict": "fix", "corrected": "二"}),
        ("ann", {"verdict": "fix", "corrected": "三"}),
    )
    assert found.correction is not None and found.correction.values["corrected"] == "二"
    found = one(
        ("ann", {"verdict": "keep", "corrected": "不算"}),
        ("eve", {"verdict": "fix", "corrected": "算"}),
        ("bob", {"verdict": "fix", "corrected": " "}),
    )
    assert found.correction is not None and found.correction.values["corrected"] == "算"


def test_discarded_gold_tie_and_unsure() -> None:
    assert one(discarded={"r": 1}).why is Why.DISCARDED
    (gold,) = decide(review([record("r", "shared", {"verdict": "keep"})], [answer("r", "ann", verdict="keep")]), KNOWN)
    assert gold.fate is Fate.GOLD
    tie = [("ann", {"choice": "tie"}), ("bob", {"choice": "tie"})]
    assert one(*tie, kind="preference").why is Why.TIE
    assert one(("ann", {"decision": "unsure"}), ("bob", {"decision": "unsure"}), kind="audit").why is Why.UNSURE
    assert one(("ann", {"decision": "remove"}), ("bob", {"decision": "remove"}), kind="audit").fate is Fate.REJECTED


def test_one_who_recognises_somebody_is_enough() -> None:
    said = [
        ("ann", {"verdict": "keep", "privacy": "none"}),
        ("bob", {"verdict": "keep", "privacy": "none"}),
        ("eve", {"verdict": "fix", "privacy": "remains"}),
    ]
    assert one(*said, kind="chat").why is Why.PRIVACY
    cleared = {"r": answer("r", "owner", 9, verdict="keep", privacy="none")}
    assert one(*said, kind="chat", adjudicated=cleared).fate is Fate.ACCEPTED


def test_disagreements_are_complete_and_without_a_majority_first() -> None:
    records = [record(name, "shared") for name in ("same", "two", "three", "open")]
    values = {"same": "kkk", "two": "kkr", "three": "kfr", "open": "kr"}
    names = {"k": "keep", "f": "fix", "r": "reject"}
    said = [answer(r, by, verdict=names[v]) for r, text in values.items() for by, v in zip(("ann", "bob", "eve"), text, strict=False)]
    assert [row.id for row, _ in disagreements(review(records, said))] == ["three", "two"]


@given(st.lists(st.lists(st.sampled_from(["keep", "fix", "reject"]), max_size=3), max_size=30), st.integers(0, 2))
def test_every_record_has_one_fate(answers: list[list[str]], accuracy: int) -> None:
    records = [record(f"r{n}", "shared" if n % 3 else "single", {"verdict": "keep"} if n % 7 == 6 else None) for n in range(len(answers))]
    said = [answer(f"r{n}", f"p{who}", verdict=value) for n, given in enumerate(answers) for who, value in enumerate(given)]
    shares: dict[str, Share] = {f"p{who}": share(accuracy, 2) for who in range(3)}
    found = decide(review(records, said), shares)
    assert [outcome.record.id for outcome in found] == [row.id for row in records]
    for outcome in found:
        assert (outcome.fate is Fate.GOLD) == (outcome.record.gold is not None)
        assert outcome.fate is not Fate.ACCEPTED or outcome.value in ("keep", "fix")
        assert outcome.fate is not Fate.ACCEPTED or len(outcome.answers) > 1 or accuracy == 2
