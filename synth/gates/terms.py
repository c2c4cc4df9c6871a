"""Words that are not said so in Taiwan, and traces of a conversion."""

from __future__ import annotations

from factory.zh.matcher import CONVERSION, hits
from synth.gates.objection import Objection, Rejection, Texts

FOREIGN_POINTS = 2  # weight from which a term of the mainland or of Hong Kong counts by itself: clear or exclusive


def terms(texts: Texts) -> Objection | None:
    if texts.category == "translation":
        return None
    text = "\n".join([*texts.questions, *texts.answers])
    for hit in hits(text):
        if hit.entry.group == "cn" and hit.entry.weight >= FOREIGN_POINTS:
            return Objection(Rejection.MAINLAND_TERM, hit.entry.text)
        if hit.entry.group == CONVERSION and hit.entry.weight >= FOREIGN_POINTS:
            return Objection(Rejection.CONVERSION, hit.entry.text)
    return None
