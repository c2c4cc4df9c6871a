"""Whether sentence after sentence says what was said before: how many of its letters are new."""

from __future__ import annotations

import re
from collections import Counter

# Measured on benchmarks/gate_cases and 700 paragraphs of real text, 2026-11-30: shares of letters that carry content.
NEW_SHARE = 0.3  # of all after the first sentence; real prose has half and more
NEW_SHARE_LONG, LONG = 0.25, 40  # where so many letters follow the first sentence
NEW_SHARE_OF_CLAUSES = 0.2  # where a clause explains another by itself
NEW_SHARE_OF_VERSE = 0.12  # of stories and talk, which come back to a word on purpose
NEW_SHARE_OF_PARAGRAPHS, LEAST_PARAGRAPH = 0.3, 20  # of a second paragraph, in letters
LEAST_FOLLOWING, LEAST_IN_CLAUSES, LEAST_IN_VERSE = 7, 4, 24  # letters after the first
FRAME, FRAMES, LONGEST_FRAMED = 3, 5, 7  # letters that so many clauses of at most so many letters begin with
RESTATED = 2  # sentences that only say what was asked

_FUNCTION = frozenset(
    "的是就有了也都會要很因為所以這那在和與及對於可以能來說一個種之呢啊喔其它他她我們你您而且但不沒讓使把被地得著過從到又再更最才還如果此由並或去做真非常多大好應該"
)
_ASKING = frozenset("問想知道人事件許題家")
_SENTENCE, _CLAUSE = re.compile(r"[。！？!?；;\n]"), re.compile(r"[。！？!?；;\n，,：:]")
_OWN_REASON = re.compile(r"就是|正是|因為|所以|意思是|是指|才會")
_ASIDE = re.compile(r"\d|[A-Za-z]{2}|[「『《|→；]")  # what letters do not measure: figures, terms, quotations, tables, contrasts
_SPEAKER = re.compile(r"^[^：:\n]{1,6}[：:]", re.MULTILINE)


def circling(text: str, question: str, category: str) -> str | None:
    """What shows that an answer turns in a circle; None where it goes on, or where letters cannot tell."""
    text = re.sub(r"^\s*(?:\d+[.、)]|[-*•・])\s*", "", text, flags=re.MULTILINE)
    if category in ("creative_writing", "role_play"):
        share, following = _new(_SPEAKER.sub("", text), _SENTENCE)
        return _seen(share) if following >= LEAST_IN_VERSE and share <= NEW_SHARE_OF_VERSE else None
    if category not in ("knowledge", "chit_chat") or _ASIDE.search(text):
        return None
    share, following = _new(_SPEAKER.sub("", text), _SENTENCE)
    if following >= LEAST_FOLLOWING and share <= (NEW_SHARE if following < LONG else NEW_SHARE_LONG):
        return _seen(share)
    share, following = _new(text, _CLAUSE)
    if following >= LEAST_IN_CLAUSES and share <= NEW_SHARE_OF_CLAUSES and _OWN_REASON.search(text):
        return _seen(share)
    return _paragraphs(text) or _frames(text) or _restated(text, question)


def _seen(share: float) -> str:
    return f"{share:.0%} of the letters that follow are new"


def _content(part: str) -> list[str]:
    return [letter for letter in part if letter.isalnum() and letter not in _FUNCTION]


def _new(text: str, split: re.Pattern[str]) -> tuple[float, int]:
    """The share of new letters after the first part, and the number of letters there."""
    parts = [letters for part in split.split(text) if (letters := _content(part))]
    seen: set[str] = set(parts[0]) if parts else set()
    fresh = following = 0
    for letters in parts[1:]:
        fresh += sum(letter not in seen for letter in letters)
        following += len(letters)
        seen.update(letters)
    return (fresh / following if following else 1.0), following


def _paragraphs(text: str) -> str | None:
    before: list[set[str]] = []
    for paragraph in text.split("\n\n"):
        letters = _content(paragraph)
        if len(letters) >= LEAST_PARAGRAPH:
            for earlier in before:
                if sum(letter not in earlier for letter in letters) <= NEW_SHARE_OF_PARAGRAPHS * len(letters):
                    return f"a paragraph again: {paragraph[:20]}"
            before.append(set(letters))
    return None


def _frames(text: str) -> str | None:
    clauses = ["".join(filter(str.isalnum, clause)) for clause in _CLAUSE.split(text)]
    begun = Counter(clause[:FRAME] for clause in clauses if FRAME < len(clause) <= LONGEST_FRAMED)
    frame, times = begun.most_common(1)[0] if begun else ("", 0)
    return f"{times} clauses begin with {frame}" if times >= FRAMES else None


def _restated(text: str, question: str) -> str | None:
    parts = [part for part in _SENTENCE.split(text) if _content(part)]
    again = [part for part in parts if all(letter in question or letter in _ASKING for letter in _content(part))]
    return f"the question again: {again[0][:20]}" if len(again) >= RESTATED and len(again) == len(parts) else None
