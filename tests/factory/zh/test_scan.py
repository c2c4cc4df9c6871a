"""The scan finds what a plain search finds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from factory.zh.ngrams import batch_of
from factory.zh.scan import Pattern, find, layout

LETTERS = st.text("甲乙丙a\U00020000", min_size=1, max_size=4)
PATTERNS = st.lists(st.tuples(LETTERS, st.lists(st.text("甲乙丙a", min_size=2, max_size=6), max_size=2)), max_size=6)


def reference(texts: list[str], patterns: list[Pattern]) -> list[tuple[int, int, int, int]]:
    found = []
    for number, text in enumerate(texts):
        for index, pattern in enumerate(patterns):
            for start in range(len(text)):
                end = start + len(pattern.text)
                if text[start:end] != pattern.text:
                    continue
                inside = any(
                    begin <= start and end <= begin + len(longer)
                    for longer in pattern.exceptions
                    for begin in range(len(text))
                    if text[begin : begin + len(longer)] == longer
                )
                if not inside:
                    found.append((number, end, start, index))
    return sorted(found)


@given(PATTERNS, st.lists(st.text("甲乙丙a\U00020000", max_size=40), max_size=4))
@settings(max_examples=300, deadline=None)
def test_matches_equal_a_plain_search(listed: list[tuple[str, list[str]]], texts: list[str]) -> None:
    patterns = [Pattern(text, tuple(longer)) for text, longer in listed]
    batch = batch_of(texts)
    found = find(batch, layout(patterns))
    got = []
    for pattern, start, end in zip(found.patterns.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True):
        number = max(i for i in range(len(texts)) if batch.offsets[i] <= start and texts[i])
        first = int(batch.offsets[number])
        got.append((number, end - first, start - first, pattern))
    assert got == reference(texts, patterns)


def test_many_matches_outgrow_the_first_buffer() -> None:
    found = find(batch_of(["甲" * 10_000]), layout([Pattern("甲"), Pattern("甲甲")]))
    assert len(found.patterns) == 19_999
