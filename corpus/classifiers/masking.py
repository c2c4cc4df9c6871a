"""Does a classifier read the writing, or only the words of our lists? Texts with every listed word blanked out."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from factory.zh.build_data import dump
from factory.zh.matcher import CONVERSION, LANGUAGES, REGIONS, entries

BLANK = "\ue000"  # a private character: no model has seen it, so it and every token that holds it add nothing
_DICTIONARIES = (
    "STPhrases", "TSPhrases", "TWPhrases", "TWPhrasesRev", "TWVariantsPhrases", "TWVariantsRevPhrases", "HKPhrases", "HKPhrasesRev",
    "HKVariantsPhrases", "HKVariantsRevPhrases",
)  # fmt: skip


class Masked(NamedTuple):
    """A text with listed words blanked, and how many of its characters went."""

    text: str
    blanked: int


def mask(text: str) -> Masked:
    """Blanks every entry of the variety, conversion-error and language lists (Cantonese particles among them) and every
    phrase of OpenCC's dictionaries, on either side. Single characters of a script stay: they are spelling, not words."""
    characters = list(text)
    for _, start, end in _automaton().find_matches_as_indexes(text, overlapping=True):
        characters[start:end] = BLANK * (end - start)
    masked = "".join(characters)
    return Masked(masked, masked.count(BLANK))


@cache
def _automaton() -> Any:
    from ahocorasick_rs import AhoCorasick, MatchKind

    words = {entry.text for entry in entries() if entry.group in (*REGIONS, CONVERSION, *LANGUAGES)}
    return AhoCorasick(sorted(words | phrases()), matchkind=MatchKind.Standard)


@cache
def phrases() -> frozenset[str]:
    """Phrases of OpenCC's dictionaries that ship with the `opencc` package, both columns, two characters or longer."""
    return frozenset(word for name in _DICTIONARIES for key, values in dump(name).items() for word in (key, *values) if len(word) > 1)
