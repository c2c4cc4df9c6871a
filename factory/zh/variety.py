"""Which region's written Chinese a text shows, with the words that carry the evidence.

Three kinds of evidence: terms and characters of one region, forms that only a machine conversion from Simplified produces,
and how much of the text OpenCC changes when it is sent to Simplified and back (text that came out of a converter hardly
changes; text that a person wrote usually does).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from factory.zh.matcher import CONVERSION, REGIONS, Entry, Hit

GROUPS = (*REGIONS, CONVERSION)
MAX_COUNT = 3  # of one entry: a topic word repeated does not outweigh many different words
MAX_WORDS = 12  # listed per document
ROUNDTRIP_CHARS = 200  # of the head; enough for a rate, cheap for a book


class Variety(NamedTuple):
    """Evidence of one document. `points` sums the weights of hits, each entry counted at most MAX_COUNT times."""

    points: dict[str, int]  # tw, hk, cn, conversion
    distinct: dict[str, int]
    lean: str | None  # tw, hk or cn, by the most points (conversion counts as cn); None without evidence
    score: float  # from -1 (foreign) to 1 (Taiwan); 0 without evidence
    words: list[str]  # "cn:視頻×3", the heaviest first
    paragraphs: list[dict[str, int]]  # those with evidence against Taiwan: {paragraph, tw, hk, cn, conversion}


def variety_of(text: str, hits: Iterable[Hit]) -> Variety:
    """Weighs the hits of GROUPS; others are ignored. Paragraphs are the lines of the text, counted from 0."""
    found = [hit for hit in hits if hit.entry.group in GROUPS]
    counts = Counter(hit.entry for hit in found)
    points = dict.fromkeys(GROUPS, 0)
    distinct = dict.fromkeys(GROUPS, 0)
    for entry, count in counts.items():
        points[entry.group] += entry.weight * min(count, MAX_COUNT)
        distinct[entry.group] += 1
    against = points["hk"] + points["cn"] + points[CONVERSION]
    total = points["tw"] + against
    score = (points["tw"] - against) / total if total else 0.0
    leans = {"tw": points["tw"], "hk": points["hk"], "cn": points["cn"] + points[CONVERSION]}
    lean = max(leans, key=leans.__getitem__) if total else None
    return Variety(points, distinct, lean, score, _words(counts), _paragraphs(text, found) if against else [])


def _words(counts: Counter[Entry]) -> list[str]:
    ranked = sorted(counts.items(), key=lambda item: (-item[0].weight * min(item[1], MAX_COUNT), item[0]))
    return [f"{entry.group}:{entry.text}×{count}" for entry, count in ranked[:MAX_WORDS]]


def _paragraphs(text: str, found: list[Hit]) -> list[dict[str, int]]:
    ends, position = [], text.find("\n")
    while position >= 0:
        ends.append(position)
        position = text.find("\n", position + 1)
    rows: dict[int, dict[str, int]] = {}
    for hit in found:
        index = bisect_right(ends, hit.start)
        row = rows.setdefault(index, {"paragraph": index, **dict.fromkeys(GROUPS, 0)})
        row[hit.entry.group] += hit.entry.weight
    return [row for _, row in sorted(rows.items()) if row["hk"] + row["cn"] + row[CONVERSION]]


def roundtrip_changes(text: str) -> float:
    """Characters that differ after Traditional -> Simplified -> Traditional, per 1,000 characters of the text's head.

    The smaller of OpenCC's ways back to its standard and to Taiwan's characters; nan for a text without characters.
    """
    head = text[:ROUNDTRIP_CHARS]
    if not head:
        return float("nan")
    back = _converter("s2t").convert(_converter("t2s").convert(head))
    changes = _differing(head, back)
    if changes:
        changes = min(changes, _differing(head, _converter("t2tw").convert(back)))
    return 1_000 * changes / len(head)


def _differing(text: str, other: str) -> int:
    """Positions that differ; all of them should a phrase rule have changed the length (these configurations have none)."""
    if len(text) != len(other):
        return len(text)
    first, second = (np.frombuffer(string.encode("utf-32-le"), np.uint32) for string in (text, other))
    return int((first != second).sum())


@cache
def _converter(name: str) -> Any:
    import opencc

    return opencc.OpenCC(name)
