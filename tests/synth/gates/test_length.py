"""Fragments, and answers that stop before their end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.gates.ending import cut_off
from synth.gates.length import length
from synth.gates.objection import Texts

WHOLE = "冬瓜茶要先把冬瓜切塊，和糖醃出水，再用小火熬到透明。放涼以後裝瓶，喝的時候兌水。"


def objects(answer: str, question: str = "冬瓜茶怎麼做？", category: str = "knowledge") -> bool:
    return length(Texts([question], [answer], "", "", category)) is not None


def test_what_is_whole_passes() -> None:
    assert not objects(WHOLE)
    assert not objects("C", "下列何者是蔬菜？只答代號。")
    assert not objects("冬瓜、糖、水", "冬瓜茶的材料是哪三樣？")
    assert not objects("1. 切塊\n2. 醃糖\n3. 熬煮")
    assert not objects("| 材料 | 重量 |\n|---|---|\n| 冬瓜 | 3 公斤 |")
    assert not objects("甜\n是瓜\n自己哭出來的", "寫三行詩。", "creative_writing")
    assert not objects("喝冬瓜茶啊，整條街都是這個味道", "你夏天都喝什麼？", "chit_chat")
    assert not objects("```python\nprint(sum(weights))\n```", "把重量加總。", "code")
    assert not objects("SELECT name FROM drinks ORDER BY price", "查飲料名稱，依價格排。", "code")


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        ("冬瓜茶要先把冬瓜切塊，和糖醃出水，", "knowledge"),
        ("冬瓜茶要先把冬瓜切塊。接著加糖，而且", "knowledge"),
        ("冬瓜茶要先把冬瓜切塊。接著把它跟糖一起放進大鍋", "knowledge"),
        ("材料如下：\n1. 冬瓜\n2. 糖\n3.", "knowledge"),
        ("步驟：", "knowledge"),
        ("## 材料\n冬瓜、糖。\n\n## 做法", "knowledge"),
        ("阿嬤說：「冬瓜要挑有白粉的", "creative_writing"),
        ("冬瓜（要挑有白粉、", "knowledge"),
        ("| 材料 | 重量 |\n|---|---|\n| 冬瓜 | 3", "knowledge"),
        ("```python\nfor name in drinks:\n    print(name", "code"),
        ("def price(drink):\n    return table[drink", "code"),
        ("糖 2 公斤，冬瓜 3 公斤，一共 2 + 3 =", "mathematics"),
        ("Peel the melon, cut it into cubes and cook it with the", "translation"),
    ],
)
def test_what_is_cut_off_does_not(answer: str, category: str) -> None:
    assert objects(answer, category=category)


@pytest.mark.parametrize("answer", ["冬瓜。", "首先", "這是一個很好的問題！", "（擦擦手）", "-", "好的，以下是步驟"])
def test_a_fragment_is_no_explanation(answer: str) -> None:
    assert objects(answer, "請說明冬瓜茶的做法。")


@pytest.mark.parametrize(
    ("question", "wrong"), [("。", True), ("？？", True), ("欸", True), ("xq", True), ("冬瓜？", False), ("hi", False)]
)
def test_a_question_has_a_word(question: str, wrong: bool) -> None:
    assert objects(WHOLE, question) is wrong


def test_bounds() -> None:
    assert objects("") and objects("  ") and objects("冬" * 8_001)


@given(
    st.text("冬瓜茶要先切塊，、：「（1. 的而且", min_size=1, max_size=60),
    st.sampled_from(["knowledge", "chit_chat", "creative_writing", "code"]),
)
def test_a_closing_full_stop_is_never_a_cut(text: str, category: str) -> None:
    assert cut_off(f"{text}。", "冬瓜茶怎麼做？", category) is None


@pytest.mark.parametrize("kept", range(WHOLE.index("。") + 4, len(WHOLE) + 1))
def test_a_text_cut_after_its_first_sentence_is_found_unless_at_a_full_stop(kept: int) -> None:
    assert objects(WHOLE[:kept]) is not WHOLE[:kept].endswith("。")


@pytest.mark.parametrize(
    "answer",
    [
        "有三點要注意。第一，冬瓜要選老的。",
        "可以分成三個部分：\n1. 挑冬瓜",
        "冬瓜茶有三個做法：第一，小火熬糖。第二，放進電鍋。",
        "因為。",
        "冬瓜茶就是冬瓜茶。",
        "冬瓜要先去皮去籽…",
        "冬瓜要先切塊醃糖，等水分出來以後再開火，中間每十分鐘攪拌一次，避免鍋底",
    ],
)
def test_less_than_was_announced(answer: str) -> None:
    assert objects(answer, "怎麼做冬瓜茶？")


def test_as_much_as_was_announced() -> None:
    assert not objects("有三點：第一，選老的；第二，切小塊；第三，糖要夠。", "怎麼做冬瓜茶？")
    assert not objects("有兩種做法。第一種用砂糖，另外也有人用黑糖。", "怎麼做冬瓜茶？")
    assert not objects("冬瓜、二砂、黑糖、水、老薑…", "冬瓜茶的材料有哪些？")
    assert not objects("冬瓜茶。", "冬瓜茶還是青草茶？")


@pytest.mark.parametrize(
    "code", ["def price(drink):", "    if drink is None:\n        return 0\n    return", "SELECT name FROM drinks WHERE"]
)
def test_code_that_stops(code: str) -> None:
    assert objects(f"```\n{code}\n```", "寫一段程式。", "code")


@pytest.mark.parametrize(
    ("question", "wrong"),
    [
        ("asdfgh", True), ("qwer tyui", True), ("ㄅㄆㄇㄈ", True), ("aaaaa", True), ("123456", True), ("sdkfjhg", True),
        ("hello", False), ("Python", False), ("wifi", False), ("NBA", False), ("1+1=?", False), ("thank you", False), ("ㄅ怎麼唸", False),
    ],
)  # fmt: skip
def test_a_question_is_no_noise(question: str, wrong: bool) -> None:
    assert objects(WHOLE, question) is wrong
