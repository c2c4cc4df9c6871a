"""`-{…}-` for a reader of zh-tw, after https://www.mediawiki.org/wiki/Writing_systems/Syntax."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.zh import language_converter
from factory.zh.language_converter import resolve


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("-{zh-hans:计算机;zh-hant:電子計算機;zh-tw:電腦}-", "電腦"),
        ("-{zh-tw:甲;zh-hant:乙}-", "甲"),
        ("-{zh-hk:丙;zh-hant:乙;zh-mo:丁}-", "乙"),
        ("-{zh-mo:丁;zh-hk:丙;zh-cn:戊}-", "丙"),
        ("-{zh-cn:戊;zh-mo:丁}-", "丁"),
        ("-{zh-cn:戊;zh-sg:己}-", "戊"),  # nothing for Taiwan: the first that is stated
        ("-{ ZH-TW : 甲 ; zh-cn: 戊 ; }-", "甲"),
        ("-{zh-tw:甲；乙;zh-cn:丙;丁}-", "甲；乙"),
        ("-{zh-cn:丙;丁;zh-tw:甲;乙}-", "甲;乙"),  # a semicolon that no variant follows
        ("-{zh-cn:a&nbsp;b;zh-tw:c&#160;d&amp;e}-", "c&#160;d&amp;e"),
        ("-{zh-tw:<span style='color:red;'>甲</span>;zh-cn:乙}-", "<span style='color:red;'>甲</span>"),
        ("-{原文}-", "原文"),
        ("-{ 原文 }-", " 原文 "),
        ("-{}-", ""),
        ("-{|}-", ""),
        ("-{R|zh-cn:甲;zh-tw:乙}-", "zh-cn:甲;zh-tw:乙"),
        ("-{A|zh-cn:甲;zh-tw:乙}-", "乙"),
        ("-{H|zh-cn:甲;zh-tw:乙}-", ""),
        ("-{H;A|zh-cn:甲;zh-tw:乙}-", ""),
        ("-{T|zh-cn:甲;zh-tw:乙}-", ""),
        ("-{A;T|zh-cn:甲;zh-tw:乙}-", "乙"),
        ("-{-|zh-cn:甲;zh-tw:乙}-", ""),
        ("-{N|zh-tw}-", "中文（臺灣）"),
        ("-{N|zh-xx}-", ""),
        ("-{D|zh-cn:甲;zh-tw:乙}-", "中文（中国大陆）：甲；中文（臺灣）：乙；"),
        ("-{D|甲=>zh-tw:乙}-", "甲⇒中文（臺灣）：乙；"),
        ("-{A;D|zh-cn:甲;zh-tw:乙}-", ""),
        ("-{zh-hans;zh-hant|文字}-", "文字"),
        ("-{zh-cn|文字}-", "文字"),
        ("-{x|文字}-", "文字"),  # an unknown flag is no flag
        ("-{甲=>zh-tw:乙}-", "乙"),
        ("-{甲=>zh-cn:乙}-", "甲"),
        ("-{甲=&gt;zh-tw:乙}-", "乙"),
        ("-{zh-tw:甲;xx:乙}-", "甲;xx:乙"),
        ("-{xx:甲;zh-tw:乙}-", "xx:甲;zh-tw:乙"),  # one choice without a variant: no rule at all
        ("-{zh-tw:;zh-cn:乙}-", "乙"),
        ("-{zh-tw:甲-{R|a;b}-乙;zh-cn:丙}-", "甲a;b乙"),
        ("-{zh-tw:-{zh-tw:甲;zh-cn:乙}-丙;zh-cn:丁}-", "甲丙"),
    ],
)
def test_one_rule(markup: str, shown: str) -> None:
    assert resolve(f"前{markup}後").text == f"前{shown}後"


@pytest.mark.parametrize(
    ("text", "converted"),
    [
        ("信息-{H|zh-cn:信息;zh-tw:資訊}-信息", "信息資訊"),  # rules hold for what follows them
        ("-{A|zh-cn:信息;zh-tw:資訊}-與信息", "資訊與資訊"),
        ("-{H|zh-cn:信息;zh-hk:訊息}-信息", "訊息"),  # Hong Kong's form stands in for Taiwan's
        ("-{H|zh-cn:信息;zh-sg:讯息}-信息", "信息"),
        ("-{H|甲=>zh-tw:乙;丙=>zh-cn:丁}-甲丙", "乙丙"),
        ("-{H|甲=>zh-tw:}-甲乙", "乙"),
        ("-{H|zh-cn:甲;zh-tw:乙}-甲-{-|zh-cn:甲;zh-tw:乙}-甲", "乙甲"),
        ("-{H|zh-cn:甲;zh-tw:乙}--{甲}-甲-{R|甲}-", "甲乙甲"),  # never inside what -{}- made
        ("-{H|zh-cn:甲;zh-tw:乙}--{H|zh-cn:乙;zh-tw:丙}-甲乙", "乙丙"),  # one pass
        ("-{H|zh-cn:甲;zh-tw:乙}--{H|zh-cn:甲丁;zh-tw:戊}-甲丁甲", "戊乙"),  # the longest term first
        ("-{H|zh-cn:甲;zh-tw:乙}--{A|甲子}-甲子甲", "甲子甲子乙"),  # a rule without variants keeps its text
        ("-{H|zh-cn:甲;zh-tw:甲乙}-甲甲乙", "甲乙甲乙"),  # the target is not converted again
        ("-{x-{H|zh-cn:甲;zh-tw:乙}-}-甲", "x乙"),  # a rule inside a rule holds too
        ("-{H|zh-cn:甲;zh-tw:乙}-甲-{没有關", "乙-{没有關"),
        ("-{没有關，-{H|zh-cn:甲;zh-tw:乙}-甲", "-{没有關，乙"),
    ],
)
def test_page_wide_rules(text: str, converted: str) -> None:
    assert resolve(text).text == converted


@pytest.mark.parametrize(
    ("text", "title", "shown"),
    [
        ("-{T|zh-cn:甲;zh-tw:乙}-", "甲", "乙"),
        ("-{T|改名}-", "甲", "改名"),
        ("-{H|zh-cn:甲;zh-tw:乙}-", "甲篇", "乙篇"),
        ("文字", "-{zh-cn:甲;zh-tw:乙}-", "乙"),
        ("文字", "甲", "甲"),
        ("-{A|zh-cn:甲;zh-tw:乙}-", None, None),
    ],
)
def test_the_title(text: str, title: str | None, shown: str | None) -> None:
    assert resolve(text, title).title == shown


@pytest.mark.parametrize("text", ["-{甲", "甲}-", "}-{", "-{-{-{", "}-}-", "- {甲} -", "{-甲-}", "-{甲} -", "-", "{", ""])
def test_unbalanced_marks_stay(text: str) -> None:
    assert resolve(text).text == text


def test_an_unclosed_mark_loses_no_rule_after_it() -> None:
    assert resolve("-{甲-{zh-tw:乙;zh-cn:丙}-丁").text == "-{甲乙丁"


def test_nesting_has_mediawikis_bound() -> None:
    depth = language_converter.MAX_NESTING
    assert resolve("-{" * depth + "甲" + "}-" * depth).text == "甲"
    assert resolve("-{" * (depth + 1) + "甲" + "}-" * (depth + 1)).text == "-{甲}-"


@given(st.text(alphabet="-{}|;:=>AHTzh tw甲乙&nbsp", max_size=60))
def test_any_text_resolves_and_text_without_marks_stays(text: str) -> None:
    resolved = resolve(text, "題")
    assert resolved.title is not None
    if "-{" not in text:
        assert resolved.text == text
    assert set(resolved.text) <= set(text) | set("".join(language_converter.VARIANT_NAMES.values())) | set("：；⇒")


@given(st.lists(st.sampled_from(["-{", "甲", "|", ";", "x"]), max_size=30))
def test_marks_that_never_close_lose_nothing(pieces: list[str]) -> None:
    assert resolve("".join(pieces)).text == "".join(pieces)


@pytest.mark.parametrize(
    "unit",
    ["-{", "-{A|zh-cn:甲;zh-tw:乙}-甲", "-{" * 5 + "x" + "}-" * 5, "-{zh-tw:&", "; ", "=>", "zh-tw:;", "甲=>zh-tw:乙;", "-{H|", "&nbsp;"],
)
def test_hostile_runs_take_linear_time(unit: str) -> None:
    run = unit * (300_000 // len(unit))
    started = time.perf_counter()
    for text in (run, f"-{{A|{run}}}-{run}", f"-{{zh-tw:{run}"):
        assert len(resolve(text).text) <= 2 * len(text)
    assert time.perf_counter() - started < 10  # what is quadratic takes minutes


def test_deep_nesting_of_a_long_text() -> None:
    text = "-{" * 100_000 + "甲" * 1_000_000 + "}-" * 100_000
    assert "甲" * 1_000_000 in resolve(text).text


def test_a_rule_cannot_blow_a_text_up() -> None:
    text = "-{H|甲=>zh-tw:" + "乙" * 10_000 + "}-" + "甲" * 1_000_000
    assert len(resolve(text).text) <= len(text) + language_converter.MAX_GROWTH_CHARS


def test_rules_beyond_the_bound_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_converter, "MAX_TABLE_CHARS", 3)
    assert resolve("-{H|zh-cn:甲甲;zh-tw:乙}--{H|zh-cn:丙;zh-tw:丁}-甲甲丙").text == "乙丙"
    monkeypatch.setattr(language_converter, "MAX_TABLES", 1)
    assert resolve("-{H|甲=>zh-tw:乙}-甲-{H|丙=>zh-tw:丁}-甲丙").text == "乙乙丙"
