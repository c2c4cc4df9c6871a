"""The classifiers' scores as columns of a feature row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.zh.classifiers.model import THREATS, VARIETIES, bundled, quality_of
from factory.zh.classifiers.tokens import fold

LEARNT_VARIETIES = tuple(label for label in VARIETIES if label != "lzh")  # which has no training texts yet

COLUMNS: dict[str, tuple[str, str]] = {  # name -> unit, meaning
    "variety_label": ("label", f"likeliest of {', '.join(LEARNT_VARIETIES)}, by the variety classifier; none for texts without letters"),
    **{f"score_{label}": ("probability", f"calibrated score of {label}, variety classifier") for label in LEARNT_VARIETIES},
    **{f"score_{label}": ("probability", f"calibrated score of {label} where it is highest, threat classifier") for label in THREATS},
    "score_quality": ("0 to 1", "mean grade of the text, weighted by the grades' probabilities, quality classifier"),
}


def classify(texts: Sequence[str]) -> list[dict[str, Any]]:
    """The columns of each text; all None where it has nothing to read. Long texts are read at head, middle and tail."""
    variety, threat = bundled("variety"), bundled("threat")
    of_variety, of_threat, quality = variety.score(texts), threat.score(texts), quality_of(bundled("quality").score(texts))
    rows = []
    for index, text in enumerate(texts):
        if not fold(text[:1_000]):
            rows.append(dict.fromkeys(COLUMNS))
            continue
        row: dict[str, Any] = {"variety_label": variety.labels[int(of_variety.values[index].argmax())]}
        row |= {f"score_{label}": _rounded(of_variety.values[index, i]) for i, label in enumerate(variety.labels)}
        row |= {f"score_{label}": _rounded(of_threat.values[index, i]) for i, label in enumerate(threat.labels) if label in THREATS}
        row["score_quality"] = _rounded(quality[index])
        rows.append({name: row.get(name) for name in COLUMNS})
    return rows


def _rounded(value: float) -> float:
    return round(float(value), 5)


def evidence_for(features: Sequence[str]) -> list[tuple[str, str]]:
    """Of the names of features those that are a classifier's score for a label: (task, label)."""
    found = []
    for name in features:
        label = name.removeprefix("score_")
        if label in THREATS:
            found.append(("threat", label))
        elif label in LEARNT_VARIETIES:
            found.append(("variety", label))
    return found
