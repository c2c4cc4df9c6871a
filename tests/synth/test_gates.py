"""Each gate objects to what it is for, and lets the seeds through."""

from __future__ import annotations

import pytest

from factory.zh.overlap import Item, Matcher
from synth.gates import Gates
from synth.seeds import bundled_paths, load
from synth.tasks import Candidate

ANSWER = "先到附近的戶政事務所，帶身分證和印章，櫃檯會幫你辦好，大約十分鐘就能拿到。"


def candidate(answer: str = ANSWER, question: str = "搬家之後要去哪裡遷戶籍？", category: str = "knowledge", **extra: object) -> Candidate:
    return Candidate([{"role": "user", "content": question}, {"role": "assistant", "content": answer}], category, ("s",), dict(extra))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("好" * 9_000, "length"),
        ("You should go to the household registration office and bring your ID card with you.", "language"),
        ("先到附近的户政事务所，带身份证和印章，柜台会帮你办好，大约十分钟就能拿到。", "simplified"),
        ("打開手機軟件看視頻，用鼠標點一下屏幕，質量就會變好。", "mainland_term"),
        ("作為一個人工智慧語言模型，我可以告訴你要帶身分證和印章。", "assistant_talk"),
        ("很抱歉，我無法回答這個問題。請洽詢相關單位。", "refusal"),
        ("你可以打給王先生 0912-345-678，他的身分證是 A123456789。", "personal_data"),
    ],
)
def test_objections(answer: str, reason: str) -> None:
    objection = Gates().object(candidate(answer))
    assert objection is not None and str(objection.reason) == reason


def test_what_is_good_passes() -> None:
    assert Gates().object(candidate()) is None
    assert Gates().object(candidate("```python\nprint(1)\n```", category="code")) is None
    assert Gates().object(candidate("The weather in Taipei is nice today, let's go hiking.", category="translation")) is None


def test_the_seeds_pass_their_own_gates() -> None:
    gates = Gates()
    found = [(s.id, gates.object(candidate(s.answer, s.question, s.category), novel=False)) for s in load(bundled_paths())]
    assert [(name, objection) for name, objection in found if objection is not None] == []


def test_spans_must_stand_in_the_passage() -> None:
    passage = "濁水溪發源於合歡山主峰與東峰之間，全長一百八十六點六公里。"
    answer = "它從合歡山主峰和東峰中間的地方流出來，是台灣最長的河。"
    assert Gates().object(candidate(answer, spans=["濁水溪發源於合歡山"], passage=passage)) is None
    objection = Gates().object(candidate(answer, spans=["濁水溪發源於玉山"], passage=passage))
    assert objection is not None and str(objection.reason) == "unsupported_span"
    longer = candidate("它長 186.6 公里，從合歡山流出來。", spans=["濁水溪發源於合歡山"], passage=passage)
    objection = Gates().object(longer)
    assert objection is not None and objection.detail == "the figure 186.6 stands in no span"
    assert Gates().object(longer._replace(extra={**longer.extra, "spans": [passage]})) is None


def test_a_question_is_new_once() -> None:
    gates = Gates(["手機沒電了怎麼辦？"])
    first = candidate()
    assert gates.object(first) is None
    gates.take(first)
    again = gates.object(candidate(question="搬家以後要去哪裡遷戶籍呢？"))
    assert again is not None and str(again.reason) == "not_novel"
    assert gates.object(candidate(question="手機沒電了，怎麼辦")) is not None
    assert gates.object(candidate(question="戶口名簿弄丟了，補發要多少錢？")) is None


def test_an_evaluation_question_is_a_leak() -> None:
    gates = Gates(evaluation=Matcher([Item("q1", "exam", ("下列哪一座山是濁水溪主流的發源地，並且位於南投與花蓮交界？",))]))
    objection = gates.object(candidate(question="請問下列哪一座山是濁水溪主流的發源地，並且位於南投和花蓮交界？"))
    assert objection is not None and objection.detail.startswith("exam:q1")
