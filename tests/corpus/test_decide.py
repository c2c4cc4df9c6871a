"""Decide: the order of rows, the words that explain a removal, and documents whose id was already seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus import features
from corpus.annotate import Part
from corpus.decide import decide
from corpus.decisions import SCHEMA, Decisions
from corpus.policy import Policy
from corpus.recipe import CorpusRecipe, InputFile

FACTS = {"unit": "test", "origin": "test", "date": "2026-01-02"}
RULES: list[dict[str, Any]] = [
    {"id": "abolished", "reason": "abolished", "remove_if": {"flags": {"contains": "abolished"}}},
    {"id": "short", "reason": "too_short", "remove_if": {"chars": {"lt": 40}}},
    {"id": "foreign", "reason": "language", "remove_if": {"lane": {"one_of": ["ja", "ko"]}}},
    {"id": "list", "reason": "personal_data", "remove_if": {"pii_mobile": {"ge": 3}, "chars": {"lt": 3000}}},
    {"id": "sure", "reason": "language", "remove_if": {"fasttext_score": {"lt": 0.5}}},
]
DEFAULTS = {"chars": 100, "lane": "zh-Hant", "pii_mobile": 0, "flags": [], "fasttext_score": None}


def policy(personal_data: dict[str, Any] | None = None, **sources: Any) -> Policy:
    rules = [{**rule, **FACTS} for rule in RULES]
    return Policy.model_validate({"name": "test", "version": "1", "rules": rules, "sources": sources, "personal_data": personal_data or {}})


def recipe(**types: str) -> CorpusRecipe:
    return CorpusRecipe.model_validate(
        {"name": "test", "output": "x", "sources": {name: {"type": kind, "paths": ["x"]} for name, kind in types.items()}}
    )


def part(folder: Path, source: str, *rows: dict[str, Any]) -> Part:
    """A part that holds feature rows only: decide reads nothing else."""
    folder.mkdir()
    filled = [{**DEFAULTS, **row} for row in rows]
    table = pa.Table.from_pylist([{name: row.get(name) for name in features.SCHEMA.names} for row in filled], schema=features.SCHEMA)
    pq.write_table(table, folder / "features.parquet", row_group_size=2)
    return Part(InputFile(source, "x", 0), "key", str(folder), len(rows), 0, 0)


def row_of(decided: Decisions, document_id: str) -> dict[str, Any]:
    row = decided.columns["id"].index(document_id)
    return {name: values[row] for name, values in decided.columns.items()}


def test_rows_stand_in_the_order_of_the_parts(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / "a", "web", {"id": "web:9", "chars": 41}, {"id": "web:1", "chars": 42}, {"id": "web:5", "chars": 43}),
        part(tmp_path / "b", "news"),
        part(tmp_path / "c", "news", {"id": "news:2", "chars": 44}),
    ]
    decided = decide(parts, policy(), recipe(web="rows", news="news"))
    assert decided.columns["id"] == ["web:9", "web:1", "web:5", "news:2"]
    assert decided.columns["source"] == ["web", "web", "web", "news"]
    assert decided.columns["part"] == [0, 0, 0, 2]
    assert decided.columns["chars"] == [41, 42, 43, 44]
    assert decided.columns["status"] == ["kept"] * 4
    assert set(decided.columns) == set(SCHEMA.names)
    assert {len(values) for values in decided.columns.values()} == {4}


@pytest.mark.parametrize(
    ("row", "reason", "rule", "observed", "threshold"),
    [
        ({"chars": 39}, "too_short", "short", "chars=39", "chars < 40"),
        ({"chars": 40}, None, None, None, None),
        ({"lane": "ko"}, "language", "foreign", "lane=ko", "lane in ja ko"),
        ({"flags": ["abolished"]}, "abolished", "abolished", "flags=['abolished']", "flags has abolished"),
        ({"pii_mobile": 3, "chars": 2999}, "personal_data", "list", "pii_mobile=3, chars=2999", "pii_mobile ≥ 3 and chars < 3000"),
        ({"pii_mobile": 3, "chars": 3000}, None, None, None, None),
        ({"fasttext_score": 0.25}, "language", "sure", "fasttext_score=0.25", "fasttext_score < 0.5"),
        ({"fasttext_score": None}, None, None, None, None),
        ({"flags": ["abolished"], "chars": 1, "lane": "ja"}, "abolished", "abolished", "flags=['abolished']", "flags has abolished"),
        ({"chars": 1, "lane": "ja"}, "too_short", "short", "chars=1", "chars < 40"),
    ],
)
def test_a_removal_says_what_was_seen_and_what_was_asked(
    tmp_path: Path, row: dict[str, Any], reason: str | None, rule: str | None, observed: str | None, threshold: str | None
) -> None:
    found = row_of(decide([part(tmp_path / "a", "web", {"id": "web:1", **row})], policy(), recipe(web="rows")), "web:1")
    assert found["status"] == ("removed" if reason else "kept")
    assert (found["reason"], found["rule"], found["observed"], found["threshold"]) == (reason, rule, observed, threshold)
    assert [found[name] for name in ("kept_id", "similarity", "dropped_lines", "tokens")] == [None] * 4


def test_a_kind_of_personal_data_may_remove_a_document(tmp_path: Path) -> None:
    wanted = policy({"default": {"passport": "drop"}, "news": {"passport": "keep"}, "diary": {"email": "drop"}})
    row = {"pii_passport": 2, "pii_email": 1}
    parts = [
        part(tmp_path / name, name, {"id": f"{name}:1", **row}, {"id": f"{name}:2", "pii_mobile": 1}) for name in ("web", "press", "diary")
    ]
    decided = decide(parts, wanted, recipe(web="rows", press="news", diary="rows"))
    found = {name: row_of(decided, f"{name}:1") for name in ("web", "press", "diary")}
    assert [found[name]["rule"] for name in found] == ["personal_data.passport", None, "personal_data.email"]
    assert (found["web"]["reason"], found["web"]["observed"], found["web"]["threshold"]) == (
        "personal_data",
        "pii_passport=2",
        "pii_passport ≥ 1",
    )
    assert [row_of(decided, f"{name}:2")["status"] for name in found] == ["kept"] * 3


def test_a_source_is_judged_by_its_own_thresholds(tmp_path: Path) -> None:
    changes = {"short": {"remove_if": {"chars": {"lt": 15}}, "origin": "test", "date": "2026-01-02"}, "foreign": None}
    rows = [{"id": f"{source}:{chars}", "chars": chars, "lane": "ja"} for source in ("statutes", "web") for chars in (14, 15, 40)]
    parts = [part(tmp_path / "a", "statutes", *rows[:3]), part(tmp_path / "b", "web", *rows[3:])]
    decided = decide(parts, policy(law=changes), recipe(statutes="law", web="rows"))
    assert decided.columns["reason"] == ["too_short", None, None, "too_short", "too_short", "language"]
    assert decided.columns["threshold"][0] == "chars < 15"


def test_a_second_document_with_the_same_id_is_quarantined_wherever_it_stands(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / "a", "web", {"id": "web:1"}, {"id": "web:2", "chars": 5}, {"id": "web:1", "chars": 7}),
        part(tmp_path / "b", "web", {"id": "web:2", "chars": 200}, {"id": "web:3"}, {"id": "web:1", "chars": 300}),
    ]
    decided = decide(parts, policy(), recipe(web="rows"))
    assert decided.columns["status"] == ["kept", "removed", "quarantined", "quarantined", "kept", "quarantined"]
    assert decided.columns["reason"] == [None, "too_short", "duplicate_id", "duplicate_id", None, "duplicate_id"]
    assert decided.columns["rule"] == [None, "short", None, None, None, None]
    assert decided.columns["observed"] == [None, "chars=5", None, None, None, None]
    assert decided.columns["chars"] == [100, 5, 7, 200, 100, 300]
    assert list(decided.kept()) == [0, 4]


def test_ids_that_differ_in_any_character_are_different_documents(tmp_path: Path) -> None:
    ids = ["web:1", "web:01", "Web:1", "web:1 ", "web:1#1", "web:一", "web:壹"]
    decided = decide([part(tmp_path / "a", "web", *({"id": name} for name in ids))], policy(), recipe(web="rows"))
    assert decided.columns["status"] == ["kept"] * len(ids)


def test_no_parts_and_empty_parts(tmp_path: Path) -> None:
    assert len(decide([], policy(), recipe(web="rows"))) == 0
    assert len(decide([part(tmp_path / "a", "web")], policy(), recipe(web="rows"))) == 0
