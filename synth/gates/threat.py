"""Scams, gambling, pornography, election spam, advertisements.

The classifier's own thresholds are set for corpora, where a wrong removal costs a document of people's; of what a model wrote one in
a thousand may go. So a label counts from `sure`, or from `likely` with words of its list. `sure` is the score that one in 1,000 of 7,500
paragraphs of Taiwan.md, news, law, transcripts and fact checks, and of 860 good rows by hand, reach; `likely` is reached by three in 100
(2026-11-30). Hatred is not among the classifier's labels.
"""

from __future__ import annotations

from typing import NamedTuple

from factory.zh.classifiers.model import bundled
from factory.zh.matcher import hits
from synth.gates.objection import Objection, Rejection, Texts

WORDS = 2  # points of the list's different entries that make a likely threat one
ALONE = 6  # points that do without the classifier


class _Point(NamedTuple):
    group: str  # of the word lists
    sure: float
    likely: float


POINTS = {
    "scam": _Point("scam", 0.723, 0.105),
    "gambling": _Point("gambling", 0.904, 0.089),
    "porn": _Point("porn", 0.956, 0.110),
    "political": _Point("election_spam", 0.822, 0.080),
    "advertisement": _Point("advertisement", 0.979, 0.165),
}


def threat(texts: Texts) -> Objection | None:
    """Objects to the label that stands out most."""
    text = "\n".join(texts.own)
    model = bundled("threat")
    scores = dict(zip(model.labels, model.score([text]).values[0].tolist(), strict=True))
    entries = {(hit.entry.group, hit.entry.text): hit.entry.weight for hit in hits(text)}
    for label in sorted(POINTS, key=lambda name: -scores[name]):
        point = POINTS[label]
        words = sum(weight for (group, _), weight in entries.items() if group == point.group)
        if scores[label] >= point.sure or (scores[label] >= point.likely and words >= WORDS) or words >= ALONE:
            return Objection(Rejection.THREAT, f"{label}, {scores[label]:.3f}, {words:g} points of words")
    return None
