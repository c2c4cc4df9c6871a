"""Probabilities that hold, and thresholds that keep their promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.classifiers.calibrate import calibration_error, operating_threshold, platt


def test_platt_finds_the_curve_that_made_the_labels() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 3, 20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * scores - 1.2)))
    slope, intercept = platt(scores, truth)
    assert slope == pytest.approx(0.7, abs=0.05) and intercept == pytest.approx(-1.2, abs=0.08)
    assert calibration_error(1 / (1 + np.exp(-(slope * scores + intercept))), truth) < 0.02


def test_platt_of_separable_scores_is_finite() -> None:
    scores = np.array([-50.0, -40, 40, 50])
    slope, intercept = platt(scores, scores > 0)
    assert np.isfinite([slope, intercept]).all() and slope > 0
    assert platt(scores, np.ones(4, bool)) == (1.0, 0.0)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
    st.lists(st.floats(0, 1), max_size=40),
    st.sampled_from([0.5, 0.9, 0.99]),
)
@settings(max_examples=200, deadline=None)
def test_the_threshold_is_the_lowest_that_keeps_precision(rows: list[tuple[float, bool]], clean: list[float], precision: float) -> None:
    scores, truth, others = np.array([s for s, _ in rows]), np.array([t for _, t in rows]), np.array(clean)
    scores, others = np.round(scores, 3), np.round(others, 3)
    threshold = operating_threshold(scores, truth, others, precision)

    def held(at: float) -> tuple[int, float]:
        hits, false = int((truth & (scores >= at)).sum()), int((~truth & (scores >= at)).sum() + (others >= at).sum())
        return hits, hits / (hits + false) if hits + false else 1.0

    best = max((held(at)[0] for at in np.unique(scores) if held(at)[1] >= precision), default=0)
    if best == 0:
        assert threshold == 1.0
    else:
        assert held(threshold)[0] == best and held(threshold)[1] >= precision
