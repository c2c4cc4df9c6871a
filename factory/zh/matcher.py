"""Every word list in one Aho-Corasick automaton: a text is scanned once for lexicons, varieties and languages alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from factory.zh import wordlists

THREATS = ("scam", "gambling", "porn", "election_spam", "advertisement")
REGIONS = ("tw", "hk", "cn")
LANGUAGES = ("yue", "nan", "hak")
_LANGUAGE_FILES = {"yue": "cantonese.tsv", "nan": "taigi.tsv", "hak": "hakka.tsv"}
CONVERSION = "conversion"
_NOT = "not:"  # note of an entry: no match inside one of these longer strings


class Entry(NamedTuple):
    """One list entry. `group` is a threat, a region, a language or `conversion`; `exceptions` are longer harmless strings."""

    text: str
    group: str
    weight: int
    exceptions: tuple[str, ...]


class Hit(NamedTuple):
    """One match: the entry and where it stands, in characters."""

    entry: Entry
    start: int
    end: int


@cache
def entries() -> tuple[Entry, ...]:
    """All entries of all lists. A string may stand in several lists; each is an entry of its own."""
    found: list[Entry] = []
    for threat in THREATS:
        found += _entries(f"lexicon/{threat}.tsv", threat, weight_column=1, note_column=2)
    found += [
        entry._replace(group=row[1])
        for row, entry in zip(_rows("variety_terms.tsv"), _entries("variety_terms.tsv", "", weight_column=3, note_column=4), strict=True)
    ]
    found += _entries("conversion_errors.tsv", CONVERSION, weight_column=2, note_column=4)
    for language, name in _LANGUAGE_FILES.items():
        found += _entries(name, language, weight_column=1, note_column=2)
    return tuple(found)


def _rows(name: str) -> list[list[str]]:
    file = wordlists.DATA
    for part in name.split("/"):
        file = file / part
    return wordlists.read_rows(file)


def _entries(name: str, group: str, weight_column: int, note_column: int) -> list[Entry]:
    return [
        Entry(row[0], group, int(row[weight_column]), _exceptions(row[note_column] if len(row) > note_column else ""))
        for row in _rows(name)
    ]


def _exceptions(note: str) -> tuple[str, ...]:
    _, marker, listed = note.partition(_NOT)
    return tuple(word for word in listed.split(" ")[0].split("|") if word) if marker else ()


Placed = tuple[tuple[str, int], ...]  # exceptions with the place of the entry inside each


@cache
def _automaton() -> tuple[AhoCorasick, list[list[tuple[Entry, Placed]]]]:
    by_text: dict[str, list[tuple[Entry, Placed]]] = {}
    for entry in entries():
        by_text.setdefault(entry.text, []).append((entry, tuple(exception_places(entry))))
    return AhoCorasick(list(by_text), matchkind=MatchKind.Standard), list(by_text.values())


def exception_places(entry: Entry) -> Iterator[tuple[str, int]]:
    """The longer strings in which an entry means nothing, each with every place of the entry inside it."""
    for longer in entry.exceptions:
        offset = longer.find(entry.text)
        while offset >= 0:
            yield longer, offset
            offset = longer.find(entry.text, offset + 1)


def hits(text: str) -> Iterator[Hit]:
    """Matches of all lists in order of their ends, overlapping ones included; those inside an exception left out."""
    automaton, patterns = _automaton()
    for index, start, end in automaton.find_matches_as_indexes(text, overlapping=True):
        for entry, places in patterns[index]:
            if not any(start >= offset and text.startswith(longer, start - offset) for longer, offset in places):
                yield Hit(entry, start, end)
