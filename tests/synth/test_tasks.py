"""Answers as models give them: with fences, with words around, wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from synth.answers import Malformed
from synth.answers import json_in as parsed
from synth.tasks import TASKS, SelfInstruct

ROW: dict[str, Any] = {
    "id": "s",
    "category": "knowledge",
    "question": "問",
    "answer": "答",
    "text": "濁水溪發源於合歡山。",
    "parents": ["p"],
}
PAIR = {"question": "問一", "answer": "答一"}


@pytest.mark.parametrize("text", ['{"a": 1}', '```json\n{"a": 1}\n```', '好的，以下是：{"a": 1} 希望有幫助', '{ 不是 {"a": 1}'])
def test_objects_are_found(text: str) -> None:
    assert parsed(text, dict) == {"a": 1}


@pytest.mark.parametrize("text", ["", "沒有", "[1, 2", "{" * 5_000, "null", "[" * 100_000])
def test_nothing_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parsed(text, dict)


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("paraphrase", PAIR),
        ("evol", PAIR),
        ("localize", PAIR),
        ("self_instruct", [PAIR, PAIR]),
        ("grounded_qa", {**PAIR, "spans": ["濁水溪"]}),
        ("multi_turn", [{"role": "user", "content": "一"}, {"role": "assistant", "content": "二"}]),
        ("judge", {"correct": 5, "fluent": 4, "taiwanese": 3, "helpful": 1, "reason": "好"}),
        ("preference", {"answer": "較差的答"}),
    ],
)
def test_a_good_answer_is_read(task: str, value: Any) -> None:
    found = TASKS[task].read(json.dumps(value, ensure_ascii=False), ROW)
    assert len(found) == (2 if task == "self_instruct" else 1)
    assert all(candidate.parents in (("s",), ("p",)) for candidate in found)


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("paraphrase", {"question": "問"}),
        ("paraphrase", {"question": "問", "answer": 3}),
        ("self_instruct", []),
        ("self_instruct", [PAIR, "字"]),
        ("grounded_qa", PAIR),
        ("grounded_qa", {**PAIR, "spans": [3]}),
        ("multi_turn", [{"role": "user", "content": "一"}]),
        ("multi_turn", [{"role": "assistant", "content": "一"}, {"role": "user", "content": "二"}]),
        ("judge", {"correct": 6, "fluent": 4, "taiwanese": 3, "helpful": 1, "reason": "好"}),
        ("judge", {"correct": True, "fluent": 4, "taiwanese": 3, "helpful": 1, "reason": "好"}),
        ("preference", {"answer": "答"}),
    ],
)
def test_a_bad_answer_is_malformed(task: str, value: Any) -> None:
    with pytest.raises(Malformed):
        TASKS[task].read(json.dumps(value, ensure_ascii=False), ROW)


def test_requests_are_the_same_each_time_and_differ_among_each_other() -> None:
    rows = [{**ROW, "id": f"s{number}"} for number in range(5)]
    first, again = (list(TASKS["paraphrase"].requests(rows, 3, {"temperature": 0.5}, 7)) for _ in range(2))
    assert [r.key for r in first] == [r.key for r in again] and len({r.key for r in first}) == 15
    warmer = list(TASKS["paraphrase"].requests(rows, 3, {"temperature": 0.6}, 7))
    assert not {r.key for r in warmer} & {r.key for r in first}


def test_draws_go_through_the_categories_in_turn() -> None:
    pool = [{**ROW, "id": f"{category}-{n}", "category": category} for category in ("knowledge", "code") for n in range(5)]
    found = SelfInstruct.draws(pool, 7, 1)
    assert [row["category"] for row in found] == ["knowledge", "code"] * 3 + ["knowledge"]
    assert found == SelfInstruct.draws(pool, 7, 1) != SelfInstruct.draws(pool, 7, 2)
    assert SelfInstruct.draws([], 3, 1) == []
