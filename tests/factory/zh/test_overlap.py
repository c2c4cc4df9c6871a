"""Evaluation questions are found whatever was done to them, and not where they do not stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.errors import UserError
from factory.zh.overlap import COMMON, Item, Matcher, read_items

QUESTION = "下列哪一條河流是台灣最長的河流，並且流經南投、彰化與雲林三個縣，最後注入台灣海峽？"
OPTIONS = ("源自合歡山主峰與東峰之間的濁水溪", "流經高雄與屏東之間的高屏溪", "從品田山流下來的淡水河", "灌溉嘉南平原的曾文溪")
FILLER = "今天早上我和鄰居在菜市場聊了很久，他說最近要搬到女兒家附近去住，順便幫忙帶孫子上學。"
RIVER = Item("r1", "s", (QUESTION,), OPTIONS)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    others = [Item(f"o{i}", "s", (f"下列何者正確？關於第{i}號與第{i * 7}號的說明" + chr(0x4E00 + 37 * i) * 4,)) for i in range(60)]
    return Matcher([RIVER, *others])


def found(matcher: Matcher, text: str) -> list[str]:
    return [match.item.id for match in matcher.find([text])[0]]


@pytest.mark.parametrize(
    "leak",
    [
        QUESTION,
        QUESTION + "".join(OPTIONS),
        QUESTION + "\n".join(reversed(OPTIONS)),
        "\n".join(QUESTION[i : i + 5] for i in range(0, len(QUESTION), 5)),
        QUESTION.replace("，", "").replace("、", " ").replace("台", "臺"),
        "下列哪一条河流是台湾最长的河流，并且流经南投、彰化与云林三个县，最后注入台湾海峡？",
        QUESTION.replace("最長", "最大"),
        "下\uf99c哪一條河流是台灣最長的河流並且流經南投彰化與雲林三個縣最後注入台灣海峽",
    ],
    ids=["question", "whole", "shuffled", "lines", "variants", "simplified", "edited", "compatibility"],
)
def test_a_leak_is_found_in_the_middle_of_a_text(matcher: Matcher, leak: str) -> None:
    text = f"{FILLER}\n{leak}\n{FILLER}"
    (match,) = matcher.find([text])[0]
    assert match.item == RIVER and match.share > 0.6
    inside = text[match.start : match.end]
    assert inside in text and leak[:2] in inside[:8] and FILLER[:10] not in inside


@pytest.mark.parametrize(
    "text",
    [
        "",
        FILLER * 50,
        "濁水溪是台灣最長的河流，流經南投、彰化與雲林。",  # knowledge is no leak
        "下列何者正確？",
        "下列哪一條河流是台灣最長的河流" + FILLER * 20 + "最後注入台灣海峽",
    ],
)
def test_what_is_no_leak_is_left(matcher: Matcher, text: str) -> None:
    assert found(matcher, text) == []


def test_ngrams_of_many_items_tell_none_of_them() -> None:
    same = "請依照題目的敘述選出一個最合適的答案並且說明你的理由"
    items = [Item(str(i), "s", (same,)) for i in range(COMMON + 1)]
    matcher = Matcher(items)
    assert found(matcher, same) == [] and matcher.untold == items
    assert found(Matcher(items[:COMMON]), same) == [str(i) for i in range(COMMON)]


def test_short_items_are_named_and_not_looked_for() -> None:
    short = Item("1", "s", ("台灣最高的山？",), ("玉山", "雪山"))
    matcher = Matcher([short])
    assert matcher.untold == [short] and found(matcher, "台灣最高的山？玉山") == []


@given(st.lists(st.text("河流海山，\n a1", max_size=60), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    matcher = Matcher([Item("1", "s", ("河流山海河山流海山河海流山山河",)), Item("2", "s", ("海海海河河河山山山流流流海河",))])
    assert matcher.find(texts) == [matcher.find([text])[0] for text in texts]


def test_an_item_alone_is_always_found_whole(matcher: Matcher) -> None:
    for item in matcher.items:
        if item not in matcher.untold:
            assert any(match.item == item and match.share == 1.0 for match in matcher.find(["\n".join((*item.question, *item.options))])[0])


def test_rows_in_the_forms_of_known_sets(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    rows = [
        {"id": "a", "question": "問一", "choices": ["甲", "乙"]},
        {"question_id": 7, "turns": ["問二", "追問"]},
        {"question": None, "prompt": "問三", "A": "甲", "B": "乙", "answer": "B"},
        {"question_text": "問四", "option_a": "甲", "option_b": "乙"},
        {"question": "問五", "choices": {"A": "甲", "B": "乙"}},
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    assert [(item.id, item.question, item.options) for item in read_items(str(path))] == [
        ("a", ("問一",), ("甲", "乙")),
        ("7", ("問二", "追問"), ()),
        ("3", ("問三",), ("甲", "乙")),
        ("4", ("問四",), ("甲", "乙")),
        ("5", ("問五",), ("甲", "乙")),
    ]


@pytest.mark.parametrize(("line", "message"), [("{", "is not JSON"), ('{"id": 1, "answer": "x"}', "no question"), ("[1]", "no question")])
def test_a_row_that_is_no_item_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(UserError, match=rf"set.jsonl:1: .*{message}") as caught:
        read_items(str(path))
    assert "\n" not in str(caught.value)


def test_a_short_question_with_a_few_letters_changed() -> None:
    """Each change breaks six n-grams, so that few are left; its letters still align."""
    item = Item("q", "s", ("濁水溪發源於哪一座山，流經哪些縣市之後才注入臺灣海峽？",))
    text = "老師出了一題：濁水溪發源在哪一座山，流過哪些縣市以後才注入臺灣海峽？大家都答不出來。"
    (match,) = Matcher([item]).find([text])[0]
    assert match.share < 0.6 and match.aligned >= 0.8 and "臺灣海峽" in text[match.start : match.end]


def test_the_same_subject_in_other_words_is_no_leak() -> None:
    item = Item("q", "s", ("濁水溪發源於哪一座山，流經哪些縣市之後才注入臺灣海峽？",))
    text = "濁水溪發源於合歡山，是臺灣最長的河川，沿途有許多支流匯入，河水夾帶大量泥沙，最後注入臺灣海峽。"
    assert Matcher([item]).find([text]) == [[]]
