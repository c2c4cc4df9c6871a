"""From raw scores to probabilities, and from probabilities to an operating point."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def platt(scores: Array, truth: Flags, steps: int = 100) -> tuple[float, float]:
    """Slope and intercept of the logistic curve through scores, by Newton's method on smoothed targets.

    Platt 1999; targets and safeguards after Lin, Lin and Weng 2007 (https://doi.org/10.1007/s10994-007-5018-6). Without
    both positive and negative rows the curve is the identity.
    """
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return 1.0, 0.0
    target = np.where(truth, (positive + 1) / (positive + 2), 1 / (negative + 2))
    design = np.stack([scores, np.ones_like(scores)], 1)
    weights = np.array([0.0, np.log((positive + 1) / (negative + 1))])

    def loss(candidate: Array) -> float:
        z = design @ candidate
        return float((np.logaddexp(0, z) - target * z).sum())

    current = loss(weights)
    for _ in range(steps):
        probability = 1 / (1 + np.exp(-(design @ weights)))
        gradient = design.T @ (probability - target)
        if np.abs(gradient).max() < 1e-6:
            break
        curvature = design.T @ (design * (probability * (1 - probability))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-8 and loss(weights - size * step) > current:
            size /= 2
        weights = weights - size * step
        current = loss(weights)
    return round(float(weights[0]), 6), round(float(weights[1]), 6)


def operating_threshold(scores: Array, truth: Flags, clean: Array, precision: float) -> float:
    """The threshold of the highest recall among those at which precision holds.

    Precision is over the labelled rows and `clean` ones together. Where no threshold reaches it, 1.0: the label is never given.
    """
    values = np.concatenate([scores, clean])
    right = np.concatenate([truth, np.zeros(len(clean), bool)])
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(right[order])
    total = np.arange(1, len(order) + 1)
    last_of_ties = np.append(values[order][1:] != values[order][:-1], True)
    good = (hits / total >= precision) & last_of_ties & (hits > 0)
    if not good.any():
        return 1.0
    best = int(np.argmax(np.where(good, hits, 0)))  # of equal recall the highest threshold
    return float(np.floor(values[order][best] * 1e6) / 1e6)


def calibration_error(probabilities: Array, truth: Flags, bins: int = 10) -> float:
    """Expected calibration error over equally wide bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(probabilities[place == b].mean() - truth[place == b].mean()) * (place == b).mean() for b in range(bins) if (place == b).any()
    ]
    return float(sum(gaps))
