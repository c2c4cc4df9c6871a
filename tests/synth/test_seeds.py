"""The bundled seeds are what they say, and what is wrong with a seed is named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from factory.errors import UserError
from synth.seeds import bundled_paths, lint, load
from synth.tasks import CATEGORIES

GOOD = {
    "id": "a",
    "category": "knowledge",
    "topic": "雨",
    "tone": "親切",
    "question": "明天會下雨嗎？",
    "answer": "氣象署說午後山區有雷陣雨，記得帶傘。",
}


def written(folder: Path, *rows: Any) -> str:
    path = folder / "seeds.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows), "utf-8")
    return str(path)


def test_a_hundred_without_findings() -> None:
    seeds = load(bundled_paths())
    assert len(seeds) == 100 and lint(seeds) == []
    assert set(Counter(seed.category for seed in seeds)) == set(CATEGORIES)
    asked = "".join(seed.topic + seed.question for seed in seeds)
    money = ["22K", "勞健保", "載具", "統一發票", "悠遊卡", "高鐵", "兩段式左轉"]
    school = ["學測", "注音", "NTU", "里長", "戶政", "國民法官", "健保卡"]
    others = ["濁水溪", "櫻花鉤吻鮭", "台語", "客", "原住民族語", "孫叔叔"]
    named = [*money, *school, *others]
    assert [word for word in named if word not in asked] == []
    said = ("爭議", "看法", "說法", "立場")
    assert all(any(word in seed.answer for word in said) for seed in seeds if seed.contested)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "seeds.jsonl:1: is not JSON"),
        ({**GOOD, "category": "cooking"}, "seeds.jsonl:1: key 'category'"),
        ({**GOOD, "tone": "angry"}, "key 'tone'"),
        ({**GOOD, "as_of": "2025"}, "key 'as_of'"),
        ({**GOOD, "extra": 1}, "key 'extra'"),
        ({key: value for key, value in GOOD.items() if key != "answer"}, "key 'answer'"),
    ],
)
def test_a_bad_seed_is_one_line(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load([written(tmp_path, row)])


def test_an_id_twice_no_file_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'a' stands twice"):
        load([written(tmp_path, GOOD, GOOD)])
    with pytest.raises(UserError, match="names no file"):
        load([str(tmp_path / "none.jsonl")])
    with pytest.raises(UserError, match="hold no seed"):
        load([written(tmp_path)])


def test_the_linter_finds_terms_lengths_sources_and_likeness(tmp_path: Path) -> None:
    rows = [
        {**GOOD, "fact": "有雨"},
        {**GOOD, "id": "b", "answer": "這個視頻的質量不錯，可以用鼠標點開來看。"},
        {**GOOD, "id": "c", "answer": "會。"},
        {**GOOD, "id": "d"},
    ]
    found = {(finding.id, finding.fault.split(":")[0]) for finding in lint(load([written(tmp_path, *rows)]))}
    assert {("a", "fact"), ("b", "answer"), ("c", "answer"), ("d", "is like a")} <= found


def test_fifty_english_instructions_no_two_alike() -> None:
    path = Path(bundled_paths()[0]).parent / "english" / "instructions.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == len({row["instruction"] for row in rows}) == 50
    assert {row["category"] for row in rows} == set(CATEGORIES) and all(set(row) == {"id", "category", "instruction"} for row in rows)
