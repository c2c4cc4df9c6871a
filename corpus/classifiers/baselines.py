"""What the classifiers are compared with: three ways of telling varieties that need no training, and the lexicon for threats."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from factory.records import Document
from factory.zh.matcher import THREATS as LEXICONS
from factory.zh.matcher import entries, hits
from factory.zh.variety import roundtrip_changes, variety_of

_THREAT_OF = {lexicon: "political" if lexicon == "election_spam" else lexicon for lexicon in LEXICONS}
LEXICON_POINTS, LEXICON_DENSITY = 3, 12  # of the rules scam, gambling, porn and election_spam in policy taiwan-v2
ADVERTISEMENT_POINTS, ADVERTISEMENT_DENSITY = 4, 20


@cache
def _mainland() -> re.Pattern[str]:
    terms = sorted({entry.text for entry in entries() if entry.group == "cn"}, key=lambda term: (-len(term), term))
    return re.compile("|".join(map(re.escape, terms)))


def _is_simplified(text: str) -> bool:
    from factory.zh import wordlists

    simplified = sum(c in wordlists.characters("simplified_only.txt") for c in text)
    traditional = sum(c in wordlists.characters("traditional_only.txt") for c in text)
    return simplified > traditional


def term_regex(text: str) -> str:
    """A regex of mainland terms: a hit is converted text; script tells `cn`; everything else is Taiwan."""
    return "cn" if _is_simplified(text) else "cn_converted" if _mainland().search(text) else "tw"


def lexicon(text: str) -> str:
    """The weighted term lists and the lists of spoken languages alone, as the corpus used them before there were classifiers."""
    from corpus.features import annotate

    row = annotate([Document(id="x", text=text, source="x")])[1].to_pylist()[0]
    if row["lane"] in ("yue", "nan", "hak"):
        return str(row["lane"])
    if row["lane"] in ("zh-Hans", "zh-mixed"):
        return "cn"
    lean = variety_of(text, hits(text)).lean
    return {"cn": "cn_converted", "hk": "hk"}.get(lean or "tw", "tw")


def round_trip(text: str) -> str:
    """OpenCC's changes on the way to Simplified and back: none are taken for a conversion."""
    if _is_simplified(text):
        return "cn"
    return "cn_converted" if roundtrip_changes(text) == 0 else "tw"


VARIETY: dict[str, Callable[[str], str]] = {"mainland-term regex": term_regex, "lexicon": lexicon, "OpenCC round trip": round_trip}


def threats(text: str) -> list[str]:
    """The threats that the lexicon rules of policy taiwan-v2 find."""
    from corpus.features import annotate

    row = annotate([Document(id="x", text=text, source="x")])[1].to_pylist()[0]
    found = []
    for name, label in _THREAT_OF.items():
        points, density = (ADVERTISEMENT_POINTS, ADVERTISEMENT_DENSITY) if name == "advertisement" else (LEXICON_POINTS, LEXICON_DENSITY)
        if row[f"{name}_points"] >= points and row[f"{name}_density"] >= density:
            found.append(label)
    return found or ["clean"]
