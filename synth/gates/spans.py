"""Spans that are to support an answer."""

from __future__ import annotations

from synth.gates.objection import Objection, Rejection
from synth.tasks import Candidate


def spans(candidate: Candidate) -> Objection | None:
    for span in candidate.extra.get("spans", ()):
        if span not in candidate.extra["passage"]:
            return Objection(Rejection.UNSUPPORTED_SPAN, span[:40])
    return None
