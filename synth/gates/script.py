"""Which language and script an answer is in."""

from __future__ import annotations

from synth.gates.language import language
from synth.gates.objection import Objection, Texts
from synth.gates.simplified import simplified


def script(texts: Texts) -> Objection | None:
    """Objects to another language, then to Simplified characters."""
    return language(texts) or simplified(texts)
