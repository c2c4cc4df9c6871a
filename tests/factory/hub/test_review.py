"""What a card tells of a review."""

from __future__ import annotations

from typing import Any

import pytest

from factory.hub.review import read

REVIEW: dict[str, Any] = {
    "agreement": [
        {
            "question": "verdict",
            "level": "nominal",
            "alpha": 0.71234,
            "low": 0.6,
            "high": 0.8,
            "records": 100,
            "answers": 220,
            "uniform": False,
        },
        {"question": "fluency", "level": "ordinal", "alpha": None, "low": None, "high": None, "records": 0, "answers": 0, "uniform": False},
        {
            "question": "safety",
            "level": "nominal",
            "alpha": None,
            "low": None,
            "high": None,
            "records": 90,
            "answers": 200,
            "uniform": True,
        },
    ],
    "gold_accuracy": [{"by": "annotator-1", "right": 19, "of": 20, "share": 0.95, "low": 0.76, "high": 0.99}],
    "accepted_low_agreement": ["fluency"],
}


def test_all_that_is_stated() -> None:
    assert read(REVIEW) == {
        "questions": [
            {"name": "verdict", "agreement": "0.712 (0.600 to 0.800)", "records": 100},
            {"name": "fluency", "agreement": "not measured", "records": 0},
            {"name": "safety", "agreement": "everybody gave one answer", "records": 90},
        ],
        "people": [{"name": "annotator-1", "right": 19, "of": 20}],
        "low": ["fluency"],
    }


@pytest.mark.parametrize("facts", [{}, {"agreement": None}, {"agreement": {"labelled": 394}}])
def test_none_is_none(facts: dict[str, Any]) -> None:
    assert read(facts) is None


def test_little_is_stated() -> None:
    assert read({"agreement": []}) == {"questions": [], "people": [], "low": []}
    assert read({"agreement": [3, {}], "gold_accuracy": 3, "accepted_low_agreement": "x"}) == {
        "questions": [{"name": "None", "agreement": "not measured", "records": "–"}], "people": [], "low": [],
    }  # fmt: skip
