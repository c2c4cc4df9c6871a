"""What a card tells of a review."""

from __future__ import annotations

from typing import Any

import pytest

from factory.hub.review import read

REVIEW: dict[str, Any] = {
    "records": 500,
    "annotators": 3,
    "gold_accuracy": 0.95,
    "threshold": 0.67,
    "low_agreement_accepted": True,
    "questions": {
        "verdict": {"alpha": 0.71234, "low": 0.6, "high": 0.8, "units": 100},
        "fluency": {"alpha": 0.5, "low": 0.4, "high": None, "units": 100},
    },
}


def test_all_that_is_stated() -> None:
    told = read({"review": REVIEW})
    assert told is not None
    assert (
        told["summary"]
        == "500 records were reviewed by 3 annotators. Accuracy on questions with known answers: 95.0%. Alpha asked for: 0.67."
    )
    assert told["questions"][0] == {"name": "verdict", "alpha": "0.712", "interval": "0.600 to 0.800", "units": 100}
    assert told["questions"][1]["interval"] == "0.400 to –"
    assert told["low"]
    assert told["low_questions"] == "fluency"


@pytest.mark.parametrize("facts", [{}, {"review": None}, {"review": "yes"}])
def test_none_is_none(facts: dict[str, Any]) -> None:
    assert read(facts) is None


def test_little_is_stated() -> None:
    told = read({"review": {}})
    assert told == {"summary": "", "questions": [], "low": False, "low_questions": ""}
