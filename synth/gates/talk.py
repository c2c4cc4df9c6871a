"""Answers that speak of themselves as a machine, or refuse."""

from __future__ import annotations

import re

from synth.gates.objection import Objection, Rejection, Texts

_ASSISTANT = re.compile(
    r"作為一[個名款](?:AI|人工智[慧能]|大?型?語言模型)|身為一?[個名款]?(?:AI|人工智[慧能]|大?型?語言模型)|我(?:只)?是一?[個名款](?:AI|人工智[慧能]|大?型?語言模型)"
    r"|as an ai\b|language model",
    re.IGNORECASE,
)
_REFUSAL = re.compile(r"^(?:很?抱歉|對不起|不好意思|I'm sorry|Sorry)[^。！\n]{0,24}(?:無法|不能|沒辦法|cannot|can't)", re.IGNORECASE)


def talk(texts: Texts) -> Objection | None:
    for text in texts.answers:
        if found := _ASSISTANT.search(text):
            return Objection(Rejection.ASSISTANT_TALK, found[0])
        if found := _REFUSAL.search(text.strip()):
            return Objection(Rejection.REFUSAL, found[0])
    return None
