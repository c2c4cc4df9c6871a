"""The handwritten cases of `benchmarks/pii_cases`: their form, and the bar that each kind has to pass."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.pii import cases, places, score
from factory.zh.pii import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_enough_cases_of_a_kind_each_with_its_values(kind: str) -> None:
    rows = cases(kind)
    assert sum(bool(row["spans"]) for row in rows) >= 50
    assert sum(not row["spans"] for row in rows) >= 50
    assert len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == len(rows)
    for row in rows:
        assert places(row["text"], row["spans"]) is not None  # raises where a value does not stand in its text


@pytest.mark.parametrize("kind", KINDS)
def test_cases_are_no_template(kind: str) -> None:
    grams = [{row["text"][at : at + 5] for at in range(len(row["text"]) - 4)} for row in cases(kind)]
    assert max(len(one & other) / len(one | other) for one, other in itertools.combinations(grams, 2)) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_recall_and_precision(kind: str) -> None:
    found = score(kind)
    assert found.found / found.values >= 0.99, found.wrong_cases
    assert found.right / found.spans >= 0.98, found.wrong_cases
    assert found.legible <= found.values - found.found
