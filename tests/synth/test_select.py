"""Selection: quotas, quality, and rows unlike each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from factory.errors import UserError
from synth.seeds import bundled_paths, load
from synth.select import mixture, quotas, read_rows, select, shares_of


def row(text: str, category: str = "knowledge", score: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "category": category, "lineage": {"task": "t"}}
    if score is not None:
        found["judge"] = dict.fromkeys(("correct", "fluent", "taiwanese", "helpful"), score)
    return found


def seeds() -> list[dict[str, Any]]:
    found = []
    for seed in load(bundled_paths()):
        messages = [{"role": "user", "content": seed.question}, {"role": "assistant", "content": seed.answer}]
        found.append({"messages": messages, "category": seed.category, "lineage": {"task": "t"}})
    return found


def test_a_copy_comes_last() -> None:
    rows = seeds()[:10]
    found = select([*rows, rows[0]], 11)
    assert found.rows[-1] in (0, 10) and sorted(found.rows) == list(range(11))
    assert found.curve[-1] == (11, 1.0)
    shares = [share for _, share in found.curve]
    assert shares == sorted(shares)


def test_the_better_of_two_alike() -> None:
    text = "搬家之後三十天內要到戶政事務所辦理遷入登記，記得帶戶口名簿。"
    assert select([row(text, score=2), row(text, score=5)], 1).rows == [1]


def test_every_category_has_its_part() -> None:
    found = select(seeds(), 45)
    assert len(found.rows) == 45 == sum(found.categories.values())
    assert found.categories["chit_chat"] == 4, "all that there are"
    assert sorted(found.categories.values()) == [4, *[5] * 7, 6]


def test_quotas_give_what_one_lacks_to_the_others() -> None:
    assert quotas({"a": 100, "b": 2}, 10) == {"a": 8, "b": 2}
    assert quotas({"a": 100, "b": 100, "c": 100}, 4) == {"a": 2, "b": 1, "c": 1}
    assert quotas({"a": 100, "b": 100}, 10, {"a": 3, "b": 1}) == {"a": 8, "b": 2}
    assert sum(quotas({"a": 3, "b": 3}, 10).values()) == 6


def test_the_same_each_time_and_better_than_the_first_rows() -> None:
    rows = seeds()
    assert select(rows, 30) == select(rows, 30)
    everything = select(rows, 100).curve[-1][1]
    assert select(rows, 50).curve[-1][1] > 0.5 * everything


def test_mixture() -> None:
    assert mixture([row("甲"), row("乙", "code"), row("丙")]) == {"knowledge": {"t": 2}, "code": {"t": 1}}


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "甲"}) + "\n", "utf-8")
    with pytest.raises(UserError, match=r"a\.jsonl:1: is no conversation"):
        read_rows([str(tmp_path / "a.jsonl")])
    with pytest.raises(UserError, match="no such file"):
        read_rows([str(tmp_path / "b.jsonl")])
    with pytest.raises(UserError, match="--count 0"):
        select([], 0)


def test_shares_as_they_are_stated() -> None:
    assert shares_of([]) is None and shares_of(["code=2", "chit_chat=.5"]) == {"code": 2.0, "chit_chat": 0.5}
    found = select(seeds(), 8, shares_of(["code=3", "mathematics=1"]))
    assert (found.categories["code"], found.categories["mathematics"]) == (5, 3), "all five of code, the rest of what may be taken"
    for wrong in ("cooking=1", "code", "code=x", "code=-1", "code=inf"):
        with pytest.raises(UserError, match="--share"):
            shares_of([wrong])
    with pytest.raises(UserError, match="all are 0"):
        shares_of(["code=0"])
