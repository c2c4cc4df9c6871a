"""Evaluation questions in other words."""

from __future__ import annotations

import pytest

from factory.zh.overlap import Item
from synth.gates import Gates
from synth.gates.paraphrase import FEATURES, Paraphrases
from synth.seeds import bundled_paths, load
from synth.tasks import Candidate

QUESTION = "下列哪一座水庫由八田與一設計，用來灌溉嘉南平原？"
ITEMS = [
    Item("q1", "exam", (QUESTION,), ("烏山頭水庫", "石門水庫", "曾文水庫", "翡翠水庫")),
    Item("q2", "exam", ("台灣最高的山峰海拔約為多少公尺？",), ("3,952", "3,886", "3,740", "3,416")),
    Item("q3", "exam", ("阿里山森林鐵路最初興建的主要目的為何？",), ("運送木材", "發展觀光", "軍事運輸", "運送茶葉")),
]


@pytest.fixture(scope="module")
def gate() -> Paraphrases:
    """The three among others: how rare a word is, many items tell."""
    return Paraphrases([*ITEMS, *(Item(seed.id, "seeds", (seed.question,)) for seed in load(bundled_paths()))])


def test_the_same_question_and_another_wording(gate: Paraphrases) -> None:
    for question in (QUESTION, "嘉南平原的灌溉用水來自八田與一規劃的哪一座水庫？"):
        found = gate.find(question, "是烏山頭水庫，它供應嘉南大圳的水。")
        assert found is not None and found.item.id == "q1", question


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("週末想去水庫走走，附近有什麼好吃的？", "可以吃烏山頭的活魚，再去菱角田看看。"),
        ("幫我寫一封請假信給主管。", "主管您好，因家中有事，擬於週五請假一天。"),
        ("晚餐吃什麼好？", "天氣冷，煮個麻油雞吧。"),
    ],
)
def test_other_questions_are_none(gate: Paraphrases, question: str, answer: str) -> None:
    assert gate.find(question, answer) is None


def test_find_agrees_with_the_features(gate: Paraphrases) -> None:
    """Not asking the encoder where it cannot matter changes nothing."""
    for question in (QUESTION, "玉山有多高？", "阿里山的小火車當年是為了什麼蓋的？"):
        answer = "大約三千九百五十二公尺。"
        scored = {place: gate._score(values) for place, values in gate.features(question, answer)}
        assert all(len(values) == len(FEATURES) for _, values in gate.features(question, answer))
        best = max(scored, key=lambda place: scored[place])
        found = gate.find(question, answer)
        assert (found.item if found else None) == (gate.items[best] if scored[best] >= gate.threshold else None)


def test_the_gate_names_the_item(gate: Paraphrases) -> None:
    messages = [
        {"role": "user", "content": "嘉南平原的灌溉用水來自八田與一規劃的哪一座水庫？"},
        {"role": "assistant", "content": "是烏山頭水庫。"},
    ]
    objection = Gates(paraphrases=gate).object(Candidate(messages, "knowledge", (), {}))
    assert objection is not None and objection.detail.startswith("exam:q1 in other words")


def test_no_items_no_leak() -> None:
    assert Paraphrases([]).find("問什麼都可以嗎？", "可以。") is None
