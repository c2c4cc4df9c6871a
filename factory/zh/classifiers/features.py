"""The classifiers' scores as columns of a feature row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from factory.zh.classifiers.model import THREATS, VARIETIES, Array, bundled, quality_of
from factory.zh.classifiers.tokens import fold

SHOWING = 20  # characters; nearly every text shows at once that it can be read

COLUMNS: dict[str, tuple[str, str]] = {  # name -> unit, meaning
    "variety_label": ("label", f"likeliest of {', '.join(VARIETIES)}, by the variety classifier; none for texts without letters"),
    **{f"score_{label}": ("probability", f"calibrated score of {label}, variety classifier") for label in VARIETIES},
    **{f"score_{label}": ("probability", f"calibrated score of {label} where it is highest, threat classifier") for label in THREATS},
    "score_quality": ("0 to 1", "mean grade of the text, weighted by the grades' probabilities, quality classifier"),
}


def classify(texts: Sequence[str]) -> dict[str, list[Any]]:
    """COLUMNS of the texts; None where one has nothing to read. Long texts are read at head, middle and tail."""
    variety, threat, quality = bundled("variety"), bundled("threat"), bundled("quality")
    of_variety, of_threat = variety.score(texts).values, threat.score(texts).values
    columns: dict[str, list[Any]] = {"variety_label": [variety.labels[index] for index in of_variety.argmax(1).tolist()]}
    columns |= {f"score_{label}": _rounded(of_variety[:, i]) for i, label in enumerate(variety.labels)}
    columns |= {f"score_{label}": _rounded(of_threat[:, i]) for i, label in enumerate(threat.labels) if label in THREATS}
    columns["score_quality"] = _rounded(quality_of(quality.score(texts)))
    for index, text in enumerate(texts):
        if not fold(text[:SHOWING]) and not fold(text):
            for column in columns.values():
                column[index] = None
    return {name: columns.get(name, [None] * len(texts)) for name in COLUMNS}


def _rounded(values: Array) -> list[float]:
    found: list[float] = np.round(values, 5).tolist()
    return found


def evidence_for(features: Sequence[str]) -> list[tuple[str, str]]:
    """Of the names of features those that are a classifier's score for a label: (task, label)."""
    found = []
    for name in features:
        label = name.removeprefix("score_")
        if label in THREATS:
            found.append(("threat", label))
        elif label in VARIETIES:
            found.append(("variety", label))
    return found
