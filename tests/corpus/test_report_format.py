"""Numbers and terms of the report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.report_data import KINDS
from corpus.report_format import TEMPLATES, percent, short, term, terms, whole
from corpus.report_plots import AXES
from factory.records import License, Reason


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (0, "0", "0"),
        (9_999, "9,999", "9,999"),
        (10_000, "10 k", "1 萬"),
        (88_897, "88.9 k", "8.89 萬"),
        (999_999, "1 M", "100 萬"),
        (99_999_999, "100 M", "1 億"),
        (35_000_000_000, "35 B", "350 億"),
        (1_234_000_000_000, "1,230 B", "12,300 億"),
    ],
)
def test_short_numbers(value: int, english: str, chinese: str) -> None:
    assert (short(value, "en"), short(value, "zh")) == (english, chinese)


@given(st.integers(10_000, 10**15))
def test_short_numbers_are_within_half_a_percent(value: int) -> None:
    for language, units in (("en", {"k": 10**3, "M": 10**6, "B": 10**9}), ("zh", {"萬": 10**4, "億": 10**8})):
        number, unit = short(value, language).split()
        assert abs(float(number.replace(",", "")) * units[unit] - value) <= 0.005 * value


@pytest.mark.parametrize(
    ("part", "of", "text"),
    [
        (0, 5, "0%"),
        (5, 0, "0%"),
        (5, 5, "100%"),
        (1, 3, "33.3%"),
        (2, 100, "2.0%"),
        (9_999, 10_000, ">99.9%"),
        (1, 1_000, "0.10%"),
        (107_271, 35_000_000_000, "0.00031%"),
        (7, 5, "140.0%"),
        (1, 101, "0.99%"),
    ],
)
def test_percent(part: float, of: float, text: str) -> None:
    assert percent(part, of) == text


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_something_is_never_zero_percent_and_a_part_never_all(part: int, more: int) -> None:
    text = percent(part, part + more)
    assert text != "100%" and float(text.strip(">%")) > 0


def test_whole_numbers() -> None:
    assert whole(1_234_567) == "1,234,567"


def test_every_name_that_the_report_shows_has_a_term() -> None:
    wanted = {f"reason.{reason}" for reason in Reason} | {f"license.{name}" for name in License} | {f"kind.{kind}" for kind in KINDS}
    wanted |= {f"feature.{axis.feature}" for axis in AXES} | {f"stage.{s}" for s in ("annotate", "decide", "deduplicate", "assemble")}
    assert wanted <= terms().keys()
    assert term("reason", "of tomorrow") == ("of tomorrow", "of tomorrow")


def test_the_list_is_sorted_and_without_repetition() -> None:
    lines = (TEMPLATES / "terms.tsv").read_text("utf-8").splitlines()
    keys = [line.split("\t")[0] for line in lines if not line.startswith("#")]
    assert keys == sorted(set(keys))
