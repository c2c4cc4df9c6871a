"""Messages that are too short, too long, cut off, or a fragment of an answer."""

from __future__ import annotations

import re

from synth.gates.announced import dangling, fewer_than_announced, own_words
from synth.gates.ending import cut_off, explains, fragment
from synth.gates.objection import Objection, Rejection, Texts

LEAST_QUESTION, MOST_CHARS = 2, 8_000  # letters and digits, characters of one message
_STRAY = re.compile(r"[b-df-hj-np-tv-xz]{1,4}")  # Latin letters that make no word
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "poiuytrewq", "lkjhgfdsa", "mnbvcxz", "1234567890")
_BOPOMOFO = re.compile(r"[\u3105-\u312f]{3,}")
_NO_END = re.compile(r"(?:的|是|是指|把|將|與|和|及|於|被)$")  # of an explanation
_EXPLAINING = frozenset({"knowledge", "reasoning", "summarization"})
LEAST_KEYS, LEAST_DIGITS = 4, 5  # letters next to each other on a keyboard, digits that are all of a question


def length(texts: Texts) -> Objection | None:
    """Objects to questions without a word, to answers that stop before their end, and to fragments."""
    for text in texts.own:
        if not text.strip() or len(text) > MOST_CHARS:
            return Objection(Rejection.LENGTH, f"{len(text)} characters")
    for question in texts.questions:
        bare = "".join(filter(str.isalnum, question))
        if len(bare) < LEAST_QUESTION or _STRAY.fullmatch(bare) or _noise(question.strip(), bare.lower()):
            return Objection(Rejection.LENGTH, f"question {question[:20]!r}")
    for number, answer in enumerate(texts.answers):
        question = texts.questions[number] if number < len(texts.questions) else ""
        if seen := cut_off(answer, question, texts.category) or fragment(answer, question):
            return Objection(Rejection.LENGTH, seen)
        if texts.category in _EXPLAINING and (seen := _hollow(answer, question)):
            return Objection(Rejection.LENGTH, seen)
    return None


def _hollow(answer: str, question: str) -> str | None:
    own = None
    if explains(question):
        own = own_words(answer, question) or ("ends with " + found[0] if (found := _NO_END.search(answer.rstrip())) else None)
    return own or fewer_than_announced(answer) or dangling(answer)


def _noise(question: str, bare: str) -> bool:
    """Keys struck at random: neighbours on a keyboard, one or two letters over and over, bare digits, Bopomofo without a Han character."""
    if _BOPOMOFO.fullmatch(bare):
        return True
    if not bare.isascii() or not all(character.isalnum() or character.isspace() or character in ".,!?;'" for character in question):
        return False
    if bare.isdigit():
        return len(bare) >= LEAST_DIGITS
    keys = all(any(word[:LEAST_KEYS] in row for row in _ROWS) for word in question.lower().split() if len(word) >= LEAST_KEYS)
    long = any(len(word) >= LEAST_KEYS for word in question.split())
    few_vowels = " " not in question and len(bare) >= LEAST_DIGITS and sum(bare.count(vowel) for vowel in "aeiouy") * 6 < len(bare)
    return (long and keys) or few_vowels or (len(bare) >= LEAST_KEYS and len(set(bare)) <= 2)
