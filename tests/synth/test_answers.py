"""JSON where there is some, labelled lines where there is none, and nothing made up."""

from __future__ import annotations

import pytest

from synth.answers import Malformed, fields, json_in, labelled, text_of


def test_labelled_pairs_until_the_order_breaks() -> None:
    text = "好的：\n問：雨傘忘在公車上怎麼辦？\n答：打客運公司的電話，\n報車號和時間。\n\n"
    text += "**問題**：末班車幾點？\n回答：十一點半。\n答：多的一句\n問：沒有答"
    assert labelled(text, "question", "answer") == [
        ("雨傘忘在公車上怎麼辦？", "打客運公司的電話，\n報車號和時間。"),
        ("末班車幾點？", "十一點半。"),
    ]


def test_what_the_token_limit_cut_is_left_out() -> None:
    text = "問：甲地到乙地多遠？\n答：十公里。\n問：那要多久？\n答：騎車大約要"
    assert labelled(text, "question", "answer", cut=True) == [("甲地到乙地多遠？", "十公里。")]
    with pytest.raises(Malformed):
        labelled("問：甲？\n答：騎車大約要", "question", "answer", cut=True)


def test_turns() -> None:
    text = "使用者：早安\n助理：早安，今天想吃什麼？\n使用者：蛋餅\n助理：好，加起司嗎？"
    assert [first for first, _ in labelled(text, "user", "assistant")] == ["早安", "蛋餅"]


def test_labels_inside_a_line_are_none() -> None:
    with pytest.raises(Malformed):
        labelled("他說問：這是什麼？然後答：不知道。", "question", "answer")


def test_scores_by_the_line() -> None:
    assert fields("correct：4\n- fluent（通順）: 5\nreason：句子通順，4 分。")["fluent"] == "5"


@pytest.mark.parametrize(("text", "kind"), [('[{"a": 1}]', dict), ('{"a": 1}', list)])
def test_the_wrong_container_is_malformed(text: str, kind: type) -> None:
    with pytest.raises(Malformed, match="was asked for"):
        json_in(text, kind)


@pytest.mark.parametrize("stray", [",", "，", "。", "."])
def test_a_stray_comma_or_stop_before_a_bracket_is_read_over(stray: str) -> None:
    assert json_in(f'{{"question": "幾點？",\n"answer": "八點。"{stray}\n}}', dict) == {"question": "幾點？", "answer": "八點。"}


def test_the_end_of_a_text_is_never_made_up() -> None:
    with pytest.raises(Malformed):
        json_in('{"question": "幾點？", "answer": "大約八', dict)


@pytest.mark.parametrize("text", ["問題", "<問題>", "...", "「…」", "question", "○○○", " 答案： "])
def test_a_placeholder_is_no_text(text: str) -> None:
    with pytest.raises(Malformed, match="placeholder"):
        text_of({"question": text}, "question")


@pytest.mark.parametrize("text", ["無", "好。", "問題出在哪裡？", "答對了！"])
def test_a_short_text_is_one(text: str) -> None:
    assert text_of({"answer": text}, "answer") == text
