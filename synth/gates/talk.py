"""Answers that speak of themselves as a machine, or refuse."""

from __future__ import annotations

from synth.gates.assistant import assistant
from synth.gates.objection import Objection, Texts
from synth.gates.refusal import refusal


def talk(texts: Texts) -> Objection | None:
    """Objects to a machine that speaks of itself, then to a refusal."""
    return assistant(texts) or refusal(texts)
