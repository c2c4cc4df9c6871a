"""A build keeps evaluation questions out, says which, and does it again only when something changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from corpus.build import build
from corpus.recipe import load_plan
from corpus.why import explain
from factory.errors import UserError
from tests.factory.zh.test_overlap import FILLER, OPTIONS, QUESTION

TEXTS = {
    "leak": f"{FILLER}{QUESTION}{''.join(OPTIONS)}{FILLER}",
    "clean": "昨天下班以後我去河邊散步，遇到一隻很親人的狗，牠一路跟著我走到橋下才回頭，讓我想起小時候家裡養的那一隻。",
    "law": f"第一條　{QUESTION}{''.join(OPTIONS)}",
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n", "utf-8")
    (tmp_path / "eval").mkdir()
    item = {"id": "q1", "question": QUESTION, "choices": list(OPTIONS)}
    (tmp_path / "eval" / "rivers.jsonl").write_text(json.dumps(item, ensure_ascii=False) + "\n", "utf-8")
    content = {
        "name": "small", "output": str(tmp_path / "run"), "workers": 1,
        "sources": {name: {"type": "rows", "paths": [f"{name}.jsonl"], "fields": {"id": "id", "text": "text"}} for name in TEXTS},
        "decontaminate": {"paths": ["eval/*.jsonl"], "keep_sources": ["law"]},
        "deduplicate": {"near": None, "lines": None},
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def test_a_document_with_a_question_goes_and_names_it(recipe: Path) -> None:
    result = build(load_plan(str(recipe)))
    assert {source: counts.kept for source, counts in result.funnel.items()} == {"leak": 0, "clean": 1, "law": 1}
    assert result.funnel["leak"].reasons == {"contaminated": 1}
    decision = explain(result.output, "leak:leak").decision
    assert decision["rule"] == "decontaminate" and "share=1.0 of rivers:q1" in decision["observed"]
    assert build(load_plan(str(recipe))).reused["decontaminate"]


def test_another_set_is_another_decision(recipe: Path) -> None:
    build(load_plan(str(recipe)))
    item = {"id": "q2", "question": TEXTS["clean"][:40]}
    (recipe.parent / "eval" / "rivers.jsonl").write_text(json.dumps(item, ensure_ascii=False) + "\n", "utf-8")
    again = build(load_plan(str(recipe)))
    assert not again.reused["decontaminate"] and again.reused["deduplicate"]
    assert {source: counts.kept for source, counts in again.funnel.items()} == {"leak": 1, "clean": 0, "law": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paths": ["gone/*.jsonl"]}, "decontaminate.paths: 'gone/\\*.jsonl' names no file"),
        ({"paths": ["eval/*.jsonl"], "keep_sources": ["news"]}, "decontaminate.keep_sources names 'news'"),
        ({"paths": ["eval/*.jsonl"], "share": 2}, "share"),
        ({"paths": []}, "paths"),
    ],
)
def test_a_wrong_recipe_is_one_line(recipe: Path, changes: dict[str, object], message: str) -> None:
    content = yaml.safe_load(recipe.read_text("utf-8"))
    content["decontaminate"] = changes
    recipe.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    with pytest.raises(UserError, match=message) as caught:
        load_plan(str(recipe))
    assert "\n" not in str(caught.value)


def test_a_set_without_questions_stops_the_build_with_one_line(recipe: Path) -> None:
    (recipe.parent / "eval" / "rivers.jsonl").write_text('{"answer": "x"}\n', "utf-8")
    with pytest.raises(UserError, match=r"rivers.jsonl:1: no question"):
        build(load_plan(str(recipe)))
