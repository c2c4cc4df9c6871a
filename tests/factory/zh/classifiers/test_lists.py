"""The lists' kernel finds what the matcher finds."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.zh import wordlists
from factory.zh.classifiers.lists import FEATURES, GROUPS, LEAST_HAN, MAX_COUNT, evidence, words
from factory.zh.matcher import entries, hits
from factory.zh.ngrams import batch_of

LISTED = [entry for entry in entries() if entry.group in GROUPS]
WITH_EXCEPTIONS = [entry for entry in LISTED if entry.exceptions]
PIECES = st.one_of(
    st.sampled_from([entry.text for entry in LISTED]),
    st.sampled_from([longer for entry in WITH_EXCEPTIONS for longer in entry.exceptions]),
    st.sampled_from([entry.text[:-1] for entry in LISTED if len(entry.text) > 1]),
    st.text(st.characters(codec="utf-8"), max_size=4),
)


def reference(text: str) -> list[float]:
    """FEATURES, from the matcher."""
    counts = Counter(hit.entry for hit in hits(text) if hit.entry.group in GROUPS)
    points = dict.fromkeys(GROUPS, 0.0)
    for entry, count in counts.items():
        points[entry.group] += entry.weight * min(count, MAX_COUNT)
    han = sum("一" <= c <= "\u9fff" for c in text)
    only = [sum(c in wordlists.characters(f"{script}_only.txt") for c in text) for script in ("simplified", "traditional")]
    return [
        *(np.log1p(100 * points[group] / max(han, LEAST_HAN)) for group in GROUPS),
        *(0.5 * np.log1p(points[group]) for group in GROUPS),
        *(np.sqrt(count / max(han, 1)) for count in only),
    ]


@given(st.lists(st.lists(PIECES, max_size=25).map("".join), max_size=5))
@settings(max_examples=200, deadline=None)
def test_evidence_equals_the_matchers(texts: list[str]) -> None:
    found = evidence(batch_of(texts))
    assert found.shape == (len(texts), len(FEATURES))
    for text, row in zip(texts, found, strict=True):
        assert np.allclose(row, reference(text)), text


def test_every_entry_and_every_exception_counts_as_the_matcher_counts_it() -> None:
    texts = [entry.text for entry in LISTED] + [longer for entry in WITH_EXCEPTIONS for longer in entry.exceptions]
    assert np.allclose(evidence(batch_of(texts)), [reference(text) for text in texts])


def test_an_exception_at_the_edge_of_a_text_does_not_reach_into_its_neighbour() -> None:
    entry = next(e for e in WITH_EXCEPTIONS if any(longer.startswith(e.text) for longer in e.exceptions))
    longer = next(longer for longer in entry.exceptions if longer.startswith(entry.text))
    texts = [entry.text, longer[len(entry.text) :]]
    assert np.allclose(evidence(batch_of(texts)), [reference(text) for text in texts])
    assert evidence(batch_of(texts))[0].any()


def test_words_are_counted_up_to_the_most() -> None:
    entry = next(e for e in LISTED if e.group == "cn" and not e.exceptions and len(e.text) > 1)
    assert words(f"{entry.text}。" * 9)[entry] == MAX_COUNT
    assert words("") == {}
