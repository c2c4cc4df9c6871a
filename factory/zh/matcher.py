"""Every word list in one table: a text is scanned once for lexicons, varieties and languages alike."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from factory.zh import scan, wordlists
from factory.zh.ngrams import Batch, batch_of

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


@cache
def _layout() -> scan.Layout:
    return scan.layout([scan.Pattern(entry.text, entry.exceptions) for entry in entries()])


def batch_hits(batch: Batch) -> list[list[Hit]]:
    """For each text of a batch the matches of all lists in order of their ends, overlapping ones included; those inside an
    exception left out."""
    found = scan.find(batch, _layout())
    listed = entries()
    texts = np.searchsorted(batch.offsets, found.starts, "right") - 1
    first = batch.offsets[texts]
    result: list[list[Hit]] = [[] for _ in range(len(batch.offsets) - 1)]
    for text, pattern, start, end in zip(
        texts.tolist(), found.patterns.tolist(), (found.starts - first).tolist(), (found.ends - first).tolist(), strict=True
    ):
        result[text].append(Hit(listed[pattern], start, end))
    return result


def hits(text: str) -> list[Hit]:
    """The matches of one text. Raises UnicodeEncodeError on lone surrogates."""
    return batch_hits(batch_of([text]))[0]
