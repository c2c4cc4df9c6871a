"""Scams, gambling, pornography, election spam, advertisements, hatred."""

from __future__ import annotations

from factory.zh.classifiers.model import THREATS as THREAT_LABELS
from factory.zh.classifiers.model import bundled
from synth.gates.objection import Objection, Rejection, Texts


def threat(texts: Texts) -> Objection | None:
    model = bundled("threat")
    values = model.score(["\n".join(texts.own)]).values[0]
    for label, value in sorted(zip(model.labels, values.tolist(), strict=True), key=lambda pair: -pair[1]):
        point = model.facts.labels[label].threshold
        if label in THREAT_LABELS and point is not None and value >= point:
            return Objection(Rejection.THREAT, f"{label}, {value:.3f}")
    return None
