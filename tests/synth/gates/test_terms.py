"""The lists are in order; a term counts where it is one, and not across words, beside its explanation or where it was asked for."""

from __future__ import annotations

from importlib.resources import files

import pytest

from synth.gates.lexicon import Boundaries, read
from synth.gates.objection import Texts
from synth.gates.terms import terms

LISTS = ("mainland_terms.tsv", "conversion_terms.tsv", "innocent_contexts.tsv")


def said(answer: str, question: str = "請問要怎麼做？") -> tuple[str, str] | None:
    found = terms(Texts([question], [answer], "", "", "knowledge"))
    return None if found is None else (str(found.reason), found.detail)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_a_header_and_is_sorted(name: str) -> None:
    lines = (files("synth.gates") / "data" / name).read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith("#")]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert header == lines[: len(header)]
    assert any("Licence: Apache-2.0" in line for line in header)
    words = [row[0] for row in rows]
    assert words == sorted(set(words))
    assert all(1 <= len(row) <= 3 and row[0] == row[0].strip() and row[0] for row in rows)


@pytest.mark.parametrize("name", LISTS[:2])
def test_an_entry_says_what_taiwan_writes_and_its_rules_can_hold(name: str) -> None:
    listed = [term for group in read(name).values() for term in group]
    assert len(listed) > 500
    for term in listed:
        assert term.right and term.text not in term.right.split("/"), term.text
        assert all(term.text in longer and longer != term.text for longer in term.without), term.text
        assert all([*term.after, *term.before, *term.near, *term.far, ""][:-1]), term.text


@pytest.mark.parametrize(
    ("answer", "term"),
    [
        ("這個軟件很好用，記得先備份。", "軟件"),
        ("老人家的生活水平提高了不少。", "水平"),
        ("這件外套的質量很好，穿三年都沒壞。", "質量"),
        ("先算出平均，方差再開根號就是標準差。", "方差"),
        ("明天我立馬打電話去問。", "立馬"),
        ("去新西蘭玩要準備什麼？", "新西蘭"),
        ("點選滑鼠右鍵的菜單就能關閉視窗。", "菜單"),
        ("早上好！今天想吃什麼？", "早上好"),
    ],
)
def test_a_mainland_term(answer: str, term: str) -> None:
    assert said(answer) == ("mainland_term", term)


@pytest.mark.parametrize(
    "answer",
    [
        "面對他強硬盤問的口氣，她沒有回答。",
        "展櫃裡有一隻老鼠標本，旁邊是標籤。",
        "同事明天辦公交接，記得帶鑰匙。",
        "沒有人比他更熟悉尼泊爾的山路。",
        "導航天線鬆了，要送回原廠。",
        "她一向相信息事寧人才是上策。",
        "質量守恆定律說的是反應前後的總質量不變。",
        "用水平儀量一量，掛畫就不會歪。",
        "今天早上好冷，出門要戴手套。",
        "這家餐廳的菜單每季都會換。",
        "菠蘿麵包裡面沒有鳳梨。",
        "字節跳動是一家公司。",
    ],
)
def test_other_words(answer: str) -> None:
    assert said(answer) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("大陸說的「視頻」在台灣怎麼說？", "大陸說視頻，台灣說影片。"),
        ("請列出兩岸用語不同的例子。", "軟體／軟件、滑鼠／鼠標。"),
        ("什麼是影片串流？", "就是邊下載邊看，中國大陸稱視頻流，台灣叫影音串流。"),
        ("「軟件」是什麼？", "「軟件」就是軟體，對岸這樣說。"),
        ("請把「這個軟件很好」改成台灣的說法。", "這套軟體很好。"),
        ("翻成日文：我去看電影。", "映画を見に行きます。視頻じゃないです。"),
    ],
)
def test_what_was_asked_for(question: str, answer: str) -> None:
    assert said(answer, question) is None


def test_a_rewrite_for_taiwan_may_not_keep_the_term() -> None:
    assert said("這個軟件很棒。", "請把「這個軟件很好」改成台灣的說法。") == ("mainland_term", "軟件")


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("這裡隻有一家店。", "隻有"),
        ("夏天最適合遊泳。", "遊泳"),
        ("用程式復制檔案很快。", "復制"),
        ("桌上有一只貓在睡覺。", "只貓"),
        ("累了就放松一下。", "放松"),
        ("后來他就回家了。", "后來"),
    ],
)
def test_a_conversion_trace(answer: str, wrong: str) -> None:
    assert said(answer) == ("conversion", wrong)


@pytest.mark.parametrize(
    "answer",
    [
        "太后來了，大家跪下。",
        "若干部位要補擦防曬。",
        "她的頭髮現在留到腰。",
        "這隻好可愛，那三隻有晶片。",
        "睡前吃麵對胃不好。",
        "小心髒東西，先洗手。",
        "港裡的船只有三艘點著燈。",
        "「復」與「複」的寫法不同，「復制」是「複製」的誤寫。",
    ],
)
def test_right_forms(answer: str) -> None:
    assert said(answer) is None


def test_boundaries() -> None:
    text = "面對他強硬盤問的口氣"
    assert Boundaries(text).crossed(text.index("硬盤"), text.index("硬盤") + 2)
    text = "硬盤壞了"
    assert not Boundaries(text).crossed(0, 2)
