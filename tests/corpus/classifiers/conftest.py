"""A small labelled set, a recipe over it, and the model it makes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

WORDS = {
    "scam": "保證獲利老師帶單飆股入群加賴匯款解除分期名額有限",
    "gambling": "百家樂娛樂城儲值返水捕魚機註冊送注單莊閒洗碼",
    "clean": "今天天氣晴朗我們去公園散步看書喝水聽音樂寫功課",
}


def texts(label: str, count: int, seed: int) -> list[str]:
    rng = random.Random(f"{label}-{seed}")
    return ["".join(rng.choice(WORDS[label]) for _ in range(60)) + "。" for _ in range(count)]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    """A threat recipe over 3 x 120 texts of random characters of three vocabularies."""
    rows = [{"id": f"{label}-{i}", "text": text, "labels": [label]} for label in WORDS for i, text in enumerate(texts(label, 120, 0))]
    write_rows(tmp_path / "rows.jsonl", rows)
    content = {
        "name": "small", "task": "threat", "version": "1", "output": "model", "longest_token": 2, "calibration": 0.2, "test": 0.2,
        "data": [{"path": "rows.jsonl", "license": "cc0-1.0", "whole": True}],
        "fasttext": {"dim": 6, "epoch": 10, "lr": 0.3, "min_count": 1, "cutoff": 400},
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def changed(path: Path, **changes: Any) -> Path:
    content = yaml.safe_load(path.read_text("utf-8"))
    content.update(changes)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path
