"""Answers that are too short, too long, cut off, or go round in circles."""

from __future__ import annotations

from synth.gates.objection import Objection, Rejection, Texts

LEAST_CHARS, MOST_CHARS = 2, 8_000  # of one message


def length(texts: Texts) -> Objection | None:
    for text in texts.own:
        if not LEAST_CHARS <= len(text) <= MOST_CHARS:
            return Objection(Rejection.LENGTH, f"{len(text)} characters")
    return None
