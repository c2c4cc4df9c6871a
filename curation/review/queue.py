"""Which record is looked at first, by whom, and on which side an answer stands. All of it follows from hashes and a seed, so that a
push that is repeated comes to the same queue.

A record's priority is from 0 to 100. What a person's look would change most comes first; the weights were set by hand on
2026-11-30, before there were answers to fit them to.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WEIGHT_DISAGREEMENT = 0.45  # gates, classifier and judge say different things
WEIGHT_UNCERTAINTY = 0.35  # the judge's mean is near the line between keep and fix or its scores are far apart
WEIGHT_RARITY = 0.20  # few records of this category
KEEP_FROM = 4.0  # mean of a judge's scores, 1 to 5, from which "keep" is suggested
FIX_FROM = 3.0  # and "fix", below it "reject"; synth's own gate turns a row down that has any score below 3
NO_JUDGE = 0.5  # uncertainty where nothing judged


class Signals(NamedTuple):
    """What machines said of a record. `votes` are probabilities (0 to 1) that it is good, one for each gate, classifier or judge."""

    category: str
    votes: tuple[float, ...]
    scores: tuple[int, ...]  # a judge's, 1 to 5; () where there was none


def draw(name: str, purpose: str, seed: int) -> float:
    """A number from 0 to 1 (1 excluded) that name, purpose and seed always give, as good as random over names."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{purpose}:{name}".encode(), digest_size=7).digest(), "big") / 2**56


def disagreement(votes: Sequence[float]) -> float:
    """0 where all say the same, 1 where half are sure of yes and half of no; 0 for fewer than two votes."""
    if len(votes) < 2:
        return 0.0
    mean = sum(votes) / len(votes)
    return min(1.0, 4 * sum((vote - mean) ** 2 for vote in votes) / len(votes))


def uncertainty(scores: Sequence[int]) -> float:
    """1 where a judge's mean stands on the line between keep and fix, less the farther away; its scores' spread counts as much."""
    if not scores:
        return NO_JUDGE
    mean = sum(scores) / len(scores)
    near = max(0.0, 1 - min(abs(mean - KEEP_FROM), abs(mean - FIX_FROM)))
    return (near + (max(scores) - min(scores)) / 4) / 2


def rarity(count: int, total: int) -> float:
    """1 for the only record of its category, 0 where there is no other category; logarithmic between."""
    return math.log(total / count) / math.log(total) if total > 1 else 0.0


def priorities(signals: Mapping[str, Signals]) -> dict[str, float]:
    """id -> priority, two decimals."""
    counts = Counter(signal.category for signal in signals.values())
    total = len(signals)
    return {
        name: round(
            100
            * (
                WEIGHT_DISAGREEMENT * disagreement(signal.votes)
                + WEIGHT_UNCERTAINTY * uncertainty(signal.scores)
                + WEIGHT_RARITY * rarity(counts[signal.category], total)
            ),
            2,
        )
        for name, signal in signals.items()
    }


def ordered(priority: Mapping[str, float], seed: int) -> list[str]:
    """Ids, highest priority first; equal ones in an order that says nothing."""
    return sorted(priority, key=lambda name: (-priority[name], draw(name, "order", seed)))


def shared(names: Sequence[str], share: float, seed: int) -> set[str]:
    """The records that everybody answers: round(share x number), those with the smallest draws."""
    return set(sorted(names, key=lambda name: draw(name, "overlap", seed))[: round(share * len(names))])


def is_swapped(name: str, seed: int) -> bool:
    """Whether a preference's rejected answer stands on side A."""
    return draw(name, "swap", seed) < 0.5


def lane(name: str, annotators: int, seed: int) -> str:
    """Which annotator's part of the queue a record stands in: "1", "2" ... so that two people seldom open the same one."""
    return str(1 + int(draw(name, "lane", seed) * max(1, annotators)))


def hidden_priority(name: str, of: Sequence[float], seed: int) -> float:
    """A priority for a gold question: that of a record drawn from its dataset, so that its place gives nothing away."""
    return sorted(of)[int(draw(name, "gold", seed) * len(of))] if of else 50.0
