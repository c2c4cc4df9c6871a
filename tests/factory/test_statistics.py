"""Wilson's interval against figures worked out elsewhere."""

from __future__ import annotations

import pytest

from factory.statistics import wilson


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],  # Newcombe 1998, table I
)
def test_intervals_are_the_published_ones(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=1e-4)


def test_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
