"""Loops."""

from __future__ import annotations

import pytest

from synth.gates.objection import Rejection, Texts
from synth.gates.repetition import repetition
from synth.seeds import bundled_paths, load


def objects(answer: str, question: str = "蓮霧怎麼挑？", category: str = "knowledge") -> bool:
    objection = repetition(Texts([question], [answer], "", "", category))
    assert objection is None or objection.reason == Rejection.REPETITION
    return objection is not None


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        ("挑臍底開的。挑臍底開的。挑臍底開的。", "knowledge"),
        ("顏色深、臍底開，拿起來有重量，因為水分夠，因為水分夠，因為水分夠，因為水分夠。", "knowledge"),
        ("1. 看顏色要深\n2. 看臍底要開\n3. 看顏色要深\n4. 看臍底要開\n5. 看顏色要深\n6. 看臍底要開", "knowledge"),
        ("".join(f"第 {number} 點，挑顏色深的、臍底開的就對了。\n" for number in range(1, 5)), "knowledge"),
        ("好吃好吃好吃好吃好吃好吃好吃好吃", "chit_chat"),
        ("哈" * 30, "chit_chat"),
        ("甜的比較好！！！！！！！！！！！！！！！！", "chit_chat"),
        ("1 除以 3 是 0." + "3" * 60, "mathematics"),
        ("蓮霧甜是因為水分夠，水分夠是因為蓮霧甜，蓮霧甜之所以水分夠，是因為水分夠所以蓮霧甜，水分夠的蓮霧甜就是水分夠。", "knowledge"),
        ("挑深色的蓮霧比較甜。總之，挑深色的。總而言之，深色的甜。綜上所述，深色就對了。", "knowledge"),
        ("x = load('a')\nprint(x)\n" * 6, "code"),
        ("| 產地 | 特色 |\n|---|---|\n" + "| 林邊 | 皮薄又甜 |\n" * 4, "knowledge"),
    ],
)  # fmt: skip
def test_loops(answer: str, category: str) -> None:
    assert objects(answer, category=category)


@pytest.mark.parametrize(
    ("answer", "question", "category"),
    [
        ("顏色深、臍底開、拿起來沉，三樣都有就是好蓮霧。", "蓮霧怎麼挑？", "knowledge"),
        ("9 × 1 = 9\n9 × 2 = 18\n9 × 3 = 27\n9 × 4 = 36\n9 × 5 = 45", "九的乘法表？", "mathematics"),
        ("搖啊搖，搖到外婆橋\n搖啊搖，搖到外婆橋\n外婆給我一顆糖", "寫一首搖籃歌。", "creative_writing"),
        ("吃葡萄不吐葡萄皮，不吃葡萄倒吐葡萄皮。", "來個繞口令。", "creative_writing"),
        (".a { color: red; }\n.b { color: blue; }\n.c { color: green; }\n.d { color: black; }", "四個類別的顏色。", "code"),
        ("屏東：黑珍珠\n高雄：黑鑽石\n宜蘭：巴掌蓮霧\n南投：子彈蓮霧", "各地蓮霧叫什麼？", "knowledge"),
        ("哈哈哈哈，買到空心的了吧！", "我買的蓮霧沒味道。", "chit_chat"),
        ("綜合所得 59 萬以下稅率 5%，59 萬到 133 萬稅率 12%，133 萬到 266 萬稅率 20%。", "稅率？", "knowledge"),
    ],
)
def test_what_repeats_on_purpose(answer: str, question: str, category: str) -> None:
    assert not objects(answer, question, category)


def test_any_seed_said_twice_is_found_and_said_once_is_not() -> None:
    prose = [seed for seed in load(bundled_paths()) if seed.category in ("knowledge", "reasoning", "chit_chat")]
    assert len(prose) > 60
    for seed in prose:
        assert not objects(seed.answer, seed.question, seed.category), seed.id
        assert objects(f"{seed.answer}\n\n{seed.answer}", seed.question, seed.category), seed.id


def test_a_last_sentence_said_four_times_is_found() -> None:
    for seed in load(bundled_paths()):
        last = seed.answer.rstrip("。").rsplit("。", 1)[-1]
        if seed.category == "knowledge" and len(last) >= 8 and "\n" not in last:
            assert objects(f"{seed.answer}{last}。{last}。{last}。", seed.question), seed.id


@pytest.mark.parametrize(
    "answer",
    [
        "閱讀可以讓我們增長知識。透過閱讀，我們能夠增加知識。知識會因為閱讀而增長。",
        "因為知識來自閱讀，所以閱讀帶來知識。",
        "1. 多閱讀書本。\n2. 記得閱讀書本。\n3. 書本要多閱讀。",
        "閱讀很有趣，閱讀很輕鬆，閱讀很便宜，閱讀很安靜，閱讀很方便。",
        "你問閱讀的好處。閱讀有什麼好處，大家都想知道。",
    ],
)
def test_circles(answer: str) -> None:
    assert repetition(Texts(["閱讀有什麼好處？"], [answer], "", "", "knowledge")) is not None


@pytest.mark.parametrize(
    "answer",
    [
        "需求增加，價格上升；需求減少，價格下降。供給增加，價格下降；供給減少，價格上升。",
        "水蒸氣上升變冷，凝結成小水滴。小水滴聚成大水滴，太重就掉下來，這就是雨。",
        "昆蟲有六隻腳，蜘蛛有八隻腳。昆蟲有翅膀，蜘蛛沒有翅膀。",
        "圓面積是半徑平方乘以圓周率，圓周是直徑乘以圓周率。",
    ],
)
def test_contrasts_and_causes_are_no_circles(answer: str) -> None:
    assert repetition(Texts(["請說明。"], [answer], "", "", "knowledge")) is None
