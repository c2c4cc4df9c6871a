"""One scan finds every entry of every list, overlapping ones too, but none inside its exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.zh import matcher, wordlists
from factory.zh.matcher import CONVERSION, LANGUAGES, REGIONS, THREATS, Entry, Hit, hits

FILES = [f"lexicon/{threat}.tsv" for threat in THREATS] + [
    "variety_terms.tsv",
    "conversion_errors.tsv",
    "cantonese.tsv",
    "taigi.tsv",
    "hakka.tsv",
]
Lists = Callable[..., None]


def clear() -> None:
    matcher.entries.cache_clear()
    matcher._layout.cache_clear()


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lists]:
    """Replaces all lists: `lists(cantonese="中意\\t1", lexicon__scam=...)`; those not given are empty."""

    def write(**contents: str) -> None:
        for name in FILES:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("# heading\n" + contents.get(name.removesuffix(".tsv").replace("/", "__"), ""), encoding="utf-8")
        clear()

    monkeypatch.setattr(wordlists, "DATA", tmp_path)
    yield write
    clear()


def found(text: str) -> list[tuple[str, str, int, int]]:
    return [(hit.entry.group, hit.entry.text, hit.start, hit.end) for hit in hits(text)]


def test_each_list_gives_its_group_weight_and_exceptions(lists: Lists) -> None:
    lists(
        lexicon__scam="保證獲利\t3\tinvestment",
        lexicon__gambling="出金\t2\tnot:付出金額|支出金",
        variety_terms="視頻\tcn\t影片|視訊\t3\t\n公車\ttw\t\t2\tbus not:公車站\n",
        conversion_errors="頭發\t頭髮\t3\tfirst\t\n理發\t理髮\t2\tleftover",
        cantonese="中意\t1\t喜歡 not:中意見 also not here",
        hakka="㧡\t3\t",
    )
    assert matcher.entries() == (
        Entry("保證獲利", "scam", 3, ()),
        Entry("出金", "gambling", 2, ("付出金額", "支出金")),
        Entry("視頻", "cn", 3, ()),
        Entry("公車", "tw", 2, ("公車站",)),
        Entry("頭發", CONVERSION, 3, ()),
        Entry("理發", CONVERSION, 2, ()),
        Entry("中意", "yue", 1, ("中意見",)),
        Entry("㧡", "hak", 3, ()),
    )


def test_positions_are_characters_also_after_characters_outside_the_basic_plane(lists: Lists) -> None:
    lists(taigi="足好\t2")
    assert found("𠮷😀足好👨\u200d👩\u200d👧足好") == [("nan", "足好", 2, 4), ("nan", "足好", 9, 11)]


def test_overlapping_entries_are_all_found_in_order_of_their_ends(lists: Lists) -> None:
    lists(lexicon__scam="投資\t1\n投資群\t2\n資群\t1\n群組\t1")
    assert found("投資群組") == [("scam", "投資", 0, 2), ("scam", "投資群", 0, 3), ("scam", "資群", 1, 3), ("scam", "群組", 2, 4)]


def test_an_entry_that_overlaps_itself_is_found_each_time(lists: Lists) -> None:
    lists(lexicon__scam="哈哈\t1")
    assert [(start, end) for *_, start, end in found("哈哈哈哈")] == [(0, 2), (1, 3), (2, 4)]


def test_a_string_in_several_lists_is_found_for_each(lists: Lists) -> None:
    lists(lexicon__porn="小姐\t1", lexicon__advertisement="小姐\t2\tnot:小姐姐", variety_terms="小姐\ttw\t\t1\t")
    assert sorted(found("小姐")) == [("advertisement", "小姐", 0, 2), ("porn", "小姐", 0, 2), ("tw", "小姐", 0, 2)]
    assert sorted(group for group, *_ in found("小姐姐")) == ["porn", "tw"]


def test_a_text_without_entries_and_no_text_have_no_hits(lists: Lists) -> None:
    lists(hakka="㧡\t3")
    assert found("今天天氣很好") == []
    assert found("") == []


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("中意", [0]),
        ("中意見", []),
        ("我中意見人就笑", []),
        ("其中意思", []),
        ("其中意", []),
        ("中意中意見", [0]),
        ("中意見中意", [3]),
        ("心中 意", []),
        ("我中意佢", [1]),
        ("其中", []),
        ("中意\n見", [0]),
    ],
)
def test_an_entry_inside_an_exception_is_no_hit(lists: Lists, text: str, starts: list[int]) -> None:
    lists(cantonese="中意\t1\t喜歡 not:中意見|其中意|心中意願")
    assert [start for *_, start, _ in found(text)] == starts


def test_an_exception_that_is_cut_off_by_the_end_of_the_text_does_not_count(lists: Lists) -> None:
    lists(cantonese="中意\t1\tnot:心中意願|正中意思")
    assert len(found("心中意")) == 1
    assert len(found("中意願")) == 1


def test_an_exception_may_hold_the_entry_twice(lists: Lists) -> None:
    lists(cantonese="咩\t1\tnot:咩咩|咩牛咩")
    assert [start for *_, start, _ in found("咩咩咩")] == []
    assert [start for *_, start, _ in found("咩牛咩牛")] == []
    assert [start for *_, start, _ in found("咩牛羊咩")] == [0, 3]


ENTRIES = [
    Entry("甲", "yue", 1, ("甲乙丙", "丁甲")),
    Entry("乙丙", "nan", 2, ("甲乙丙", "乙丙乙丙")),
    Entry("甲乙", "scam", 3, ()),
    Entry("丙丙", "tw", 1, ("丙丙丙",)),
    Entry("乙丙", "cn", 2, ()),
]


def reference(text: str) -> set[tuple[Entry, int, int]]:
    """Every occurrence of every entry, less those that lie wholly inside an occurrence of one of its exceptions."""
    expected = set()
    for entry in ENTRIES:
        inside = [
            (start, start + len(longer)) for longer in entry.exceptions for start in range(len(text)) if text.startswith(longer, start)
        ]
        for start in range(len(text)):
            end = start + len(entry.text)
            if text.startswith(entry.text, start) and not any(first <= start and end <= last for first, last in inside):
                expected.add((entry, start, end))
    return expected


@pytest.fixture
def reference_lists(lists: Lists) -> None:
    """ENTRIES as lists."""
    lists(
        cantonese="甲\t1\tnot:甲乙丙|丁甲",
        taigi="乙丙\t2\tnot:甲乙丙|乙丙乙丙",
        lexicon__scam="甲乙\t3",
        variety_terms="丙丙\ttw\t\t1\tnot:丙丙丙\n乙丙\tcn\t\t2\t",
    )
    assert sorted(matcher.entries()) == sorted(ENTRIES)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("甲乙丙丁", max_size=25))
def test_hits_equal_a_search_for_each_entry(reference_lists: None, text: str) -> None:
    result: list[Hit] = list(hits(text))
    assert {(hit.entry, hit.start, hit.end) for hit in result} == reference(text)
    assert len(result) == len(reference(text))
    assert [hit.end for hit in result] == sorted(hit.end for hit in result)


def test_the_lists_of_the_package_fill_every_group() -> None:
    groups = {entry.group for entry in matcher.entries()}
    assert groups == {*THREATS, *REGIONS, *LANGUAGES, CONVERSION}


def test_every_exception_of_the_package_holds_its_entry_and_more() -> None:
    pairs = [(entry.text, longer) for entry in matcher.entries() for longer in entry.exceptions]
    assert [(text, longer) for text, longer in pairs if text not in longer or text == longer] == []
