"""Messages that are too short, too long, cut off, or a fragment of an answer."""

from __future__ import annotations

import re

from synth.gates.ending import cut_off, fragment
from synth.gates.objection import Objection, Rejection, Texts

LEAST_QUESTION, MOST_CHARS = 2, 8_000  # letters and digits, characters of one message
_STRAY = re.compile(r"[b-df-hj-np-tv-xz]{1,4}")  # Latin letters that make no word


def length(texts: Texts) -> Objection | None:
    """Objects to questions without a word, to answers that stop before their end, and to fragments."""
    for text in texts.own:
        if not text.strip() or len(text) > MOST_CHARS:
            return Objection(Rejection.LENGTH, f"{len(text)} characters")
    for question in texts.questions:
        bare = "".join(filter(str.isalnum, question))
        if len(bare) < LEAST_QUESTION or _STRAY.fullmatch(bare):
            return Objection(Rejection.LENGTH, f"question {question[:20]!r}")
    for number, answer in enumerate(texts.answers):
        question = texts.questions[number] if number < len(texts.questions) else ""
        if seen := cut_off(answer, question, texts.category) or fragment(answer, question):
            return Objection(Rejection.LENGTH, seen)
    return None
