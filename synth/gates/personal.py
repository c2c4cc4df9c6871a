"""Personal data."""

from __future__ import annotations

from factory.zh.pii import find
from synth.gates.objection import Objection, Rejection, Texts


def personal(texts: Texts) -> Objection | None:
    for text in texts.own:
        if spans := find(text):
            return Objection(Rejection.PERSONAL_DATA, spans[0].kind)
    return None
