"""Figures with their intervals: precision, recall and F1 of each label, macro F1, calibration, and the ids of what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.classifiers.calibrate import calibration_error
from corpus.classifiers.data import Passage
from corpus.classifiers.masking import mask
from factory.statistics import wilson
from factory.zh.classifiers.model import CLEAN, Classifier

BARRED = ("tw", "hk", "cn", "cn_converted", "yue", "nan")  # the varieties whose macro F1 is the figure
LENGTHS = {"50-199": (50, 199), "200+": (200, 10**9)}
RESAMPLES, ERRORS = 1_000, 40

Decide = Callable[[Sequence[str]], list[list[str]]]


def decided_by(classifier: Classifier) -> Decide:
    """The labels that a model gives passages read whole."""
    return lambda texts: classifier.decide(classifier.score_passages(texts))


def figures(passages: Sequence[Passage], decide: Decide, labels: Sequence[str]) -> dict[str, Any]:
    """Per label and macro figures of labels given against labels meant."""
    given = decide([passage.text for passage in passages])
    truth = np.array([[label in passage.labels for label in labels] for passage in passages]).reshape(-1, len(labels))
    found = np.array([[label in row for label in labels] for row in given]).reshape(-1, len(labels))
    rows = {label: _label(truth[:, i], found[:, i]) for i, label in enumerate(labels) if truth[:, i].any()}
    present = [i for i, label in enumerate(labels) if label in rows]
    documents = sorted({passage.document for passage in passages})
    place = {document: number for number, document in enumerate(documents)}
    return {
        "texts": len(passages),
        "documents": len(documents),
        "macro_f1": round(_macro(truth, found, present), 4),
        "macro_f1_interval": _interval(truth, found, present, np.array([place[p.document] for p in passages])),
        "labels": rows,
        "errors": _errors(passages, given),
    }


def _label(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> dict[str, Any]:
    right, meant, given = int((truth & found).sum()), int(truth.sum()), int(found.sum())
    return {
        "texts": meant,
        "recall": _rounded(right / meant if meant else 0.0),
        "recall_interval": [_rounded(bound) for bound in wilson(right, meant)],
        "precision": _rounded(right / given) if given else None,
        "precision_interval": [_rounded(bound) for bound in wilson(right, given)],
        "f1": _rounded(2 * right / (meant + given) if meant + given else 0.0),
    }


def _macro(truth: Any, found: Any, present: Sequence[int], weights: Any = None) -> float:
    w = np.ones(len(truth)) if weights is None else weights
    scores = []
    for i in present:
        right, meant, given = (w * (truth[:, i] & found[:, i])).sum(), (w * truth[:, i]).sum(), (w * found[:, i]).sum()
        scores.append(2 * right / (meant + given) if meant + given else 0.0)
    return float(np.mean(scores)) if scores else 0.0


def _interval(truth: Any, found: Any, present: Sequence[int], document: Any) -> list[float]:
    """95 % bootstrap interval; whole documents are drawn, because passages of one are alike (Efron 1979)."""
    rng = np.random.default_rng(1)
    count = int(document.max()) + 1 if len(document) else 0
    values = []
    for _ in range(RESAMPLES if count else 0):
        drawn = np.bincount(rng.integers(0, count, count), minlength=count)
        values.append(_macro(truth, found, present, drawn[document]))
    return [round(float(value), 4) for value in np.percentile(values, [2.5, 97.5])] if values else [0.0, 1.0]


def _errors(passages: Sequence[Passage], given: Sequence[Sequence[str]]) -> dict[str, Any]:
    wrong = [(p, g) for p, g in zip(passages, given, strict=True) if set(p.labels) != set(g)]
    kinds = Counter((p.source, "+".join(p.labels), "+".join(g)) for p, g in wrong)
    return {
        "count": len(wrong),
        "kinds": [{"source": s, "label": t, "given": g, "texts": n} for (s, t, g), n in kinds.most_common(ERRORS)],
        "ids": [{"id": p.id, "label": list(p.labels), "given": list(g)} for p, g in wrong[:: max(1, len(wrong) // ERRORS)]][:ERRORS],
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)


def by_length(passages: Sequence[Passage], decide: Decide, labels: Sequence[str] = BARRED) -> dict[str, Any]:
    """Figures of short and of long passages."""
    return {name: figures([p for p in passages if low <= len(p.text) <= high], decide, labels) for name, (low, high) in LENGTHS.items()}


def masked(passages: Sequence[Passage], decide: Decide, labels: Sequence[str] = BARRED) -> dict[str, Any]:
    """Figures once every listed word is blanked (`cn` left out: its script gives it away), with the share blanked."""
    blanked, rows = 0, []
    total = 0
    for passage in passages:
        if "cn" in passage.labels:
            continue
        result = mask(passage.text)
        blanked += result.blanked
        total += len(passage.text)
        rows.append(passage._replace(text=result.text))
    return {"share_masked": _rounded(blanked / max(total, 1)), **by_length(rows, decide, [label for label in labels if label != "cn"])}


def false_positives(classifier: Classifier, passages: Sequence[Passage]) -> dict[str, Any]:
    """Of clean documents those that get a threat, by source, with intervals."""
    given = classifier.decide(classifier.score([passage.text for passage in passages]))
    result: dict[str, Any] = {}
    for source in sorted({passage.source for passage in passages}):
        rows = [(p, g) for p, g in zip(passages, given, strict=True) if p.source == source]
        wrong = [(p, g) for p, g in rows if g != [CLEAN]]
        result[source] = {
            "documents": len(rows),
            "flagged": len(wrong),
            "rate": round(len(wrong) / len(rows), 6),
            "interval": [round(bound, 6) for bound in wilson(len(wrong), len(rows))],
            "by_label": dict(Counter(label for _, g in wrong for label in g).most_common()),
            "ids": [{"id": p.document, "given": g} for p, g in wrong[:ERRORS]],
        }
    return result


def calibration(classifier: Classifier, passages: Sequence[Passage]) -> dict[str, float]:
    """Expected calibration error of each label's score."""
    values = classifier.score([passage.text for passage in passages]).values
    return {
        label: _rounded(calibration_error(values[:, i], np.array([label in p.labels for p in passages])))
        for i, label in enumerate(classifier.labels)
    }
