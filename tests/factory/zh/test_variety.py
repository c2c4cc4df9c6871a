"""Evidence for a region is weighed so that many different words count for more than one that is repeated."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.zh import matcher
from factory.zh.matcher import Entry, Hit
from factory.zh.variety import GROUPS, MAX_COUNT, MAX_WORDS, ROUNDTRIP_CHARS, Variety, roundtrip_changes, variety_of

VIDEO = Entry("視頻", "cn", 2, ())
QUALITY = Entry("質量", "cn", 1, ())
BUS = Entry("公車", "tw", 2, ())
METRO = Entry("捷運", "tw", 3, ())
TAXI = Entry("的士", "hk", 3, ())
HAIR = Entry("頭發", "conversion", 3, ())
ENTRIES = [VIDEO, QUALITY, BUS, METRO, TAXI, HAIR]


def weigh(text: str, *entries: Entry) -> Variety:
    """The variety of a text in which these entries are looked for one by one."""
    found = []
    for entry in entries:
        start = text.find(entry.text)
        while start >= 0:
            found.append(Hit(entry, start, start + len(entry.text)))
            start = text.find(entry.text, start + 1)
    return variety_of(text, sorted(found, key=lambda hit: hit.end))


def test_a_text_without_evidence_leans_nowhere() -> None:
    nothing = {"tw": 0, "hk": 0, "cn": 0, "conversion": 0}
    assert variety_of("今天天氣很好", []) == Variety(nothing, nothing, None, 0.0, [], [])


def test_points_are_weights_and_distinct_counts_entries() -> None:
    variety = weigh("看視頻，質量好，搭公車和捷運，視頻", *ENTRIES)
    assert variety.points == {"tw": 2 + 3, "hk": 0, "cn": 2 + 2 + 1, "conversion": 0}
    assert variety.distinct == {"tw": 2, "hk": 0, "cn": 2, "conversion": 0}


@pytest.mark.parametrize(("uses", "points"), [(1, 2), (2, 4), (3, 6), (4, 6), (50, 6)])
def test_an_entry_counts_at_most_three_times(uses: int, points: int) -> None:
    assert MAX_COUNT == 3
    assert weigh("視頻" * uses, VIDEO).points["cn"] == points


def test_entries_of_other_lists_are_ignored() -> None:
    text = "視頻和保證獲利"
    others = [Entry("保證獲利", "scam", 3, ()), Entry("和", "nan", 2, ())]
    assert weigh(text, VIDEO, *others) == weigh(text, VIDEO)


@pytest.mark.parametrize(
    ("text", "lean", "score"),
    [
        ("公車捷運", "tw", 1.0),
        ("的士", "hk", -1.0),
        ("視頻", "cn", -1.0),
        ("頭發", "cn", -1.0),
        ("捷運視頻", "tw", 1 / 5),
        ("公車視頻", "tw", 0.0),
        ("公車視頻質量", "cn", -1 / 5),
        ("捷運視頻頭發", "cn", -2 / 8),
        ("的士視頻", "hk", -1.0),
        ("的士視頻質量頭發", "cn", -1.0),
        ("捷運的士視頻", "tw", -2 / 8),
    ],
)
def test_lean_and_score(text: str, lean: str, score: float) -> None:
    variety = weigh(text, *ENTRIES)
    assert variety.lean == lean
    assert variety.score == pytest.approx(score)


def test_words_are_listed_heaviest_first_with_all_their_uses() -> None:
    variety = weigh("質量" * 5 + "視頻" + "捷運" + "頭發" * 2, *ENTRIES)
    assert variety.words == ["conversion:頭發×2", "tw:捷運×1", "cn:質量×5", "cn:視頻×1"]


def test_as_many_words_are_listed_as_fit_and_the_rest_still_counts() -> None:
    entries = [Entry(character, "cn", 1, ()) for character in "甲乙丙丁戊己庚辛壬癸子丑寅卯"]
    variety = weigh("".join(entry.text for entry in entries) + "捷運", *entries, METRO)
    assert variety.points["cn"] == len(entries)
    assert len(variety.words) == MAX_WORDS
    assert variety.words[0] == "tw:捷運×1"


def test_the_order_of_words_does_not_depend_on_the_order_of_hits() -> None:
    hits = [Hit(entry, start, start + 2) for start, entry in enumerate([QUALITY, VIDEO, BUS, METRO])]
    assert variety_of("x" * 10, hits).words == variety_of("x" * 10, hits[::-1]).words


def test_paragraphs_against_taiwan_are_named_by_their_line_from_zero() -> None:
    text = "捷運\n\n視頻和公車\n公車\n的士頭發"
    assert weigh(text, *ENTRIES).paragraphs == [
        {"paragraph": 2, "tw": 2, "hk": 0, "cn": 2, "conversion": 0},
        {"paragraph": 4, "tw": 0, "hk": 3, "cn": 0, "conversion": 3},
    ]


def test_a_paragraph_counts_every_use() -> None:
    assert weigh("視頻" * 5, VIDEO).paragraphs == [{"paragraph": 0, "tw": 0, "hk": 0, "cn": 10, "conversion": 0}]


def test_a_text_for_taiwan_names_no_paragraph() -> None:
    assert weigh("捷運\n公車", *ENTRIES).paragraphs == []


lines = st.lists(st.lists(st.sampled_from(ENTRIES), max_size=4).map(lambda row: "和".join(entry.text for entry in row)), max_size=6)


@given(lines)
def test_paragraphs_equal_a_count_of_each_line(texts: list[str]) -> None:
    expected = []
    for number, line in enumerate(texts):
        row = {group: sum(line.count(entry.text) * entry.weight for entry in ENTRIES if entry.group == group) for group in GROUPS}
        if row["hk"] + row["cn"] + row["conversion"]:
            expected.append({"paragraph": number, **row})
    assert weigh("\n".join(texts), *ENTRIES).paragraphs == expected


@given(st.lists(st.sampled_from(ENTRIES), max_size=30))
def test_score_and_lean_stay_in_bounds(found: list[Entry]) -> None:
    variety = variety_of("x" * 99, [Hit(entry, start, start + 2) for start, entry in enumerate(found)])
    assert -1 <= variety.score <= 1
    assert (variety.lean is None) == (not found)
    assert all(variety.distinct[group] <= variety.points[group] <= 3 * MAX_COUNT * variety.distinct[group] for group in GROUPS)


def test_exceptions_of_the_lists_are_no_evidence() -> None:
    guarded = [entry for entry in matcher.entries() if entry.group == "cn" and entry.exceptions]
    assert guarded
    for entry in guarded:
        for longer in entry.exceptions:
            assert [hit for hit in matcher.hits(longer) if hit.entry == entry] == []
        assert entry in [hit.entry for hit in matcher.hits(f"。{entry.text}。")]


def test_everyday_sentences_lean_where_they_were_written() -> None:
    taiwan = "我先搭捷運，再轉公車去便利商店領包裹，用悠遊卡付錢。"
    mainland = "這個視頻的屏幕分辨率很高，軟件的默認設置和鼠標都支持，用戶可以登錄服務器下載。"
    assert variety_of(taiwan, matcher.hits(taiwan)).lean == "tw"
    assert variety_of(mainland, matcher.hits(mainland)).lean == "cn"


def test_roundtrip_of_no_text_is_not_a_number() -> None:
    assert math.isnan(roundtrip_changes(""))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("Taiwan 2026!", 0),
        ("今天很好", 0),
        ("頭髮", 0),  # phrases bring back the character of the word
        ("裡面", 0),  # the way through Taiwan's variants changes nothing
        ("裏面", 0),  # and neither does the other one
        ("麵。麵包", 250),  # 面包 is a word of OpenCC's tables, a lone 面 stays as it is
        ("鐘鐘鐘鐘", 1_000),
    ],
)
def test_roundtrip_counts_what_opencc_cannot_bring_back(text: str, changes: float) -> None:
    assert roundtrip_changes(text) == changes


def test_roundtrip_reads_only_the_head() -> None:
    assert roundtrip_changes("a" * ROUNDTRIP_CHARS + "鐘" * ROUNDTRIP_CHARS) == 0
    assert roundtrip_changes("a" * (ROUNDTRIP_CHARS - 2) + "鐘" * 99) == pytest.approx(1_000 * 2 / ROUNDTRIP_CHARS)


def test_roundtrip_counts_characters_outside_the_basic_plane_as_one() -> None:
    assert roundtrip_changes("😀𠮷鐘鐘") == 500
