"""Lists of words that should not stand in a row, with the contexts in which they count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from factory.zh.segment import words
from factory.zh.wordlists import read_rows

NEAR = 40  # characters on either side that `near:` looks at
PAIR = 2  # characters of a word that alone is sure enough to tell a crossing; jieba guesses longer ones
SHORT = 3  # characters up to which a term is often two halves of other words
_PARTS = re.compile(" (?=(?:not|after|before|near|far|sure):)")


class Term(NamedTuple):
    """An entry of a list. The rules are those that the header of data/mainland_terms.tsv explains."""

    text: str
    right: str  # what Taiwan writes; empty in the list of innocent contexts
    without: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    far: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()  # not empty: never two halves of other words

    def counts(self, text: str, start: int) -> bool:
        """Whether the rules let the term at `start` of the row's text count."""
        end = start + len(self.text)
        if any(_inside(text, start, end, longer, self.text) for longer in self.without):
            return False
        if self.after and not text.endswith(self.after, 0, start):
            return False
        if self.before and end < len(text) and not text.startswith(self.before, end):
            return False
        if self.near:
            around = text[max(0, start - NEAR) : start] + "\n" + text[end : end + NEAR]
            if not any(word in around for word in self.near):
                return False
        return not any(word in text for word in self.far)


def _inside(text: str, start: int, end: int, longer: str, term: str) -> bool:
    place = longer.find(term)
    while place >= 0:
        if text.startswith(longer, start - place) and start >= place:
            return True
        place = longer.find(term, place + 1)
    return False


@cache
def read(name: str) -> dict[str, tuple[Term, ...]]:
    """The terms of `data/<name>`, by their first two characters, or by the only one."""
    found: dict[str, list[Term]] = {}
    for row in read_rows(files("synth.gates") / "data" / name):
        text, right, rule = (*row, "", "")[:3]
        parts = dict(part.split(":", 1) for part in _PARTS.split(rule)) if rule else {}
        values = [
            tuple(parts.get(key, "").replace("\\n", "\n").split("|")) if key in parts else ()
            for key in ("not", "after", "before", "near", "far", "sure")
        ]
        found.setdefault(text[:2], []).append(Term(text, right, *values))
    return {key: tuple(terms) for key, terms in found.items()}


def find(text: str, table: dict[str, tuple[Term, ...]]) -> Iterator[tuple[Term, int]]:
    """The terms of a table that stand in a text and count by their own rules, with where they begin."""
    for start in range(len(text)):
        for key in (text[start], text[start : start + 2]):
            for term in table.get(key, ()):
                if text.startswith(term.text, start) and term.counts(text, start):
                    yield term, start
            if len(text) == start + 1:
                break


class Boundaries:
    """Where the words of a text end, found when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._cuts: list[int] | None = None

    def crossed(self, start: int, end: int) -> bool:
        """Whether what stands from `start` to `end` is the tail of one word and the head of the next: 硬盤 in 強硬|盤問."""
        if end - start == 1 or end - start > SHORT:
            return False
        if self._cuts is None:
            self._cuts = _cuts(self._text)
        left = 0 if self._cuts[start] else _run(self._cuts, start)
        right = 0 if self._cuts[end] else _run(self._cuts, end)
        cut = any(self._cuts[start + 1 : end])
        return cut and (bool(left and right) or PAIR in (left, right))


def _run(cuts: list[int], inside: int) -> int:
    """The length of the word that goes on over the position `inside`."""
    first, last = inside, inside
    while not cuts[first]:
        first -= 1
    while not cuts[last]:
        last += 1
    return last - first


@cache
def _simplify() -> object:
    import opencc

    return opencc.OpenCC("t2s")


def _cuts(text: str) -> list[int]:
    """For each position 1 where a word begins. jieba's dictionary is Simplified, so the text is segmented as Simplified."""
    simplified = _simplify().convert(text)  # type: ignore[attr-defined]
    pieces = words(simplified if len(simplified) == len(text) else text)
    cuts = [0] * (len(text) + 1)
    position = 0
    for piece in pieces:
        cuts[position] = 1
        position += len(piece)
    cuts[len(text)] = 1
    return cuts
