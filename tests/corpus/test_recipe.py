"""Recipes: what is refused before the first byte, and where paths lead."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.recipe import BUNDLED, CorpusRecipe, load_plan
from factory.errors import UserError
from factory.recipe import load_model

Recipe = Callable[..., Path]
ROWS: dict[str, Any] = {"type": "rows", "paths": ["rows.jsonl"], "fields": {"id": "id"}}


@pytest.fixture
def recipe(rows_recipe: Recipe) -> Recipe:
    """A recipe over one row, with changes."""
    return lambda **changes: rows_recipe([{"id": "1", "text": "茶園"}], **changes)


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"surces": {}}, ["'surces'", "'sources'"]),
        ({"mixture": {"tokeniser": "x"}}, ["'mixture.tokeniser'", "'tokenizer'"]),
        ({"deduplicate": {"near": {"treshold": 0.5}}}, ["'deduplicate.near.treshold'", "'threshold'"]),
        ({"sources": {"web": {**ROWS, "wieght": 2}}}, ["'sources.web.wieght'", "'weight'"]),
        ({"name": "My Corpus"}, ["'name'", "'My Corpus'"]),
        ({"output": ""}, ["'output'"]),
        ({"labels": ""}, ["'labels'"]),
        ({"workers": 0}, ["'workers'", "0"]),
        ({"workers": "many"}, ["'workers'", "'many'"]),
        ({"sources": {}}, ["'sources'", "at least 1"]),
        ({"sources": {"my web": ROWS}}, ["'my web'", "ASCII"]),
        ({"sources": {"新聞": ROWS}}, ["'新聞'", "ASCII"]),
        ({"sources": {"../web": ROWS}}, ["'../web'", "ASCII"]),
        ({"sources": {"": ROWS}}, ["''", "ASCII"]),
        ({"sources": {"web": {**ROWS, "type": "blog"}}}, ["'sources.web.type'", "'blog'", "'rows'"]),
        ({"sources": {"web": {**ROWS, "paths": []}}}, ["'sources.web.paths'", "at least 1"]),
        ({"sources": {"web": {**ROWS, "paths": [""]}}}, ["'sources.web.paths.0'"]),
        ({"sources": {"web": {**ROWS, "license": "free"}}}, ["'sources.web.license'", "'free'", "cc0-1.0"]),
        ({"sources": {"web": {**ROWS, "weight": 0}}}, ["'sources.web.weight'", "0"]),
        ({"sources": {"web": {**ROWS, "max_tokens": 0}}}, ["'sources.web.max_tokens'", "0"]),
        ({"sources": {"web": {**ROWS, "fields": {"author": "x"}}}}, ["sources.web.fields.author", "rights_holder"]),
        ({"sources": {"web": {**ROWS, "options": {"pushes": True}}}}, ["sources.web.options.pushes", "none"]),
        ({"sources": {"web": {**ROWS, "paths": ["gone.jsonl"]}}}, ["sources.web.paths", "gone.jsonl"]),
        ({"sources": {"web": {**ROWS, "paths": ["*.parquet"]}}}, ["sources.web.paths", "*.parquet"]),
        ({"sources": {"web": ROWS, "copy": ROWS}}, ["rows.jsonl", "one source, once"]),
        ({"sources": {"web": {**ROWS, "paths": ["${TWLLM_NOT_SET}/x"]}}}, ["sources.web.paths", "TWLLM_NOT_SET", "not set"]),
        ({"policy": "taiwan-v1"}, ["'taiwan-v1'", "taiwan-v2"]),
        ({"policy": "gone.yaml"}, ["gone.yaml", "no such file"]),
        ({"deduplicate": {"near": {"threshold": 1}}}, ["'deduplicate.near.threshold'", "1"]),
        ({"deduplicate": {"near": {"threshold": 0}}}, ["'deduplicate.near.threshold'", "0"]),
        ({"deduplicate": {"lines": {"max_documents": 0}}}, ["'deduplicate.lines.max_documents'", "0"]),
        ({"deduplicate": {"near": {"keep_sources": ["law"]}}}, ["deduplicate.near.keep_sources", "'law'"]),
        ({"deduplicate": {"lines": {"skip_sources": ["law"]}}}, ["deduplicate.lines.skip_sources", "'law'"]),
        ({"mixture": {"target_tokens": 0}}, ["'mixture.target_tokens'", "0"]),
        ({"mixture": {"shard_documents": 0}}, ["'mixture.shard_documents'", "0"]),
        ({"mixture": {"tokens_per_char": 0}}, ["'mixture.tokens_per_char'", "0"]),
        ({"mixture": {"tokens_per_char": float("inf")}}, ["'mixture.tokens_per_char'", "inf"]),
        ({"mixture": {"tokenizer": ""}}, ["'mixture.tokenizer'"]),
        ({"mixture": {"tokenizer": "${TWLLM_NOT_SET}/tokenizer.json"}}, ["mixture.tokenizer", "TWLLM_NOT_SET"]),
        ({"labels": "${TWLLM_NOT_SET}"}, ["labels", "TWLLM_NOT_SET"]),
        ({"output": "s3://bucket/run"}, ["output", "s3://bucket/run", "local"]),
    ],
)
def test_a_wrong_recipe_is_one_line_that_names_key_and_value(
    recipe: Recipe, tmp_path: Path, changes: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(UserError) as error:
        load_plan(str(recipe(**changes)))
    message = str(error.value)
    assert "\n" not in message and all(name in message for name in named), message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["name", "output", "sources"])
def test_a_missing_key_is_named(recipe: Recipe, key: str) -> None:
    path = recipe()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content[key]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(UserError, match=rf"recipe\.yaml: key '{key}' is missing"):
        load_plan(str(path))


def test_a_pseudonym_key_that_is_not_set_stops_the_run(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWLLM_TEST_KEY", raising=False)
    with pytest.raises(UserError, match=r"sources\.forum.*TWLLM_TEST_KEY"):
        load_plan(str(recipe(sources={"forum": {"type": "ptt", "paths": ["rows.jsonl"], "pseudonym_key_env": "TWLLM_TEST_KEY"}})))


# --- paths


def test_paths_are_taken_from_the_recipes_folder_and_output_from_here(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    plan = load_plan(str(recipe(output="runs/x", labels="labels", mixture={"tokenizer": "tokenizer.json"})))
    assert [file.path for file in plan.files] == [str(tmp_path / "rows.jsonl")]
    assert plan.files[0].bytes == (tmp_path / "rows.jsonl").stat().st_size
    assert (plan.labels, plan.tokenizer) == (str(tmp_path / "labels"), str(tmp_path / "tokenizer.json"))
    assert plan.output == str(tmp_path / "here" / "runs/x")
    assert load_plan("../recipe.yaml", "elsewhere").output == str(tmp_path / "here" / "elsewhere")
    assert [os.path.realpath(file.path) for file in load_plan("../recipe.yaml").files] == [os.path.realpath(tmp_path / "rows.jsonl")]


def test_variables_and_absolute_paths_are_taken_as_they_are(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"data/{name}.jsonl").write_text("{}\n")
    monkeypatch.setenv("TWLLM_TEST_FOLDER", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path.parent)
    sources = {"one": {**ROWS, "paths": ["${TWLLM_TEST_FOLDER}/a.jsonl"]}, "two": {**ROWS, "paths": [str(tmp_path / "data/b.jsonl")]}}
    plan = load_plan(str(recipe(sources=sources, output="${TWLLM_TEST_FOLDER}/run")))
    assert [(file.source, file.path) for file in plan.files] == [
        ("one", str(tmp_path / "data/a.jsonl")), ("two", str(tmp_path / "data/b.jsonl")),
    ]  # fmt: skip
    assert plan.output == str(tmp_path / "data/run")
    assert plan.recipe.sources["one"].paths == ["${TWLLM_TEST_FOLDER}/a.jsonl"]


def test_a_file_that_two_entries_of_a_source_match_is_read_once(recipe: Recipe) -> None:
    plan = load_plan(str(recipe(sources={"web": {**ROWS, "paths": ["rows.jsonl", "./rows.jsonl", "*.jsonl"]}})))
    assert len(plan.files) == 1


def test_files_stand_in_the_order_of_sources_then_of_entries_then_of_their_names(tmp_path: Path) -> None:
    for name in ("web/b.jsonl", "web/a.jsonl", "web/deep/c.jsonl", "news/2.jsonl", "news/10.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    sources = {"web": {**ROWS, "paths": ["web"]}, "news": {**ROWS, "paths": ["news/2.jsonl", "news/1*.jsonl"]}}
    (tmp_path / "recipe.yaml").write_text(json.dumps({"name": "x", "output": "run", "sources": sources}), encoding="utf-8")
    files = load_plan(str(tmp_path / "recipe.yaml")).files
    assert [(file.source, os.path.relpath(file.path, tmp_path)) for file in files] == [
        ("web", "web/a.jsonl"), ("web", "web/b.jsonl"), ("web", "web/deep/c.jsonl"), ("news", "news/2.jsonl"), ("news", "news/10.jsonl"),
    ]  # fmt: skip


def test_a_policy_stands_beside_the_recipe(recipe: Recipe, tmp_path: Path) -> None:
    rule = {"id": "a", "reason": "too_short", "remove_if": {"chars": {"lt": 4}}, "unit": "u", "origin": "o", "date": "2026-01-02"}
    (tmp_path / "own.yaml").write_text(json.dumps({"name": "own", "version": "1", "rules": [rule]}), encoding="utf-8")
    assert load_plan(str(recipe(policy="own.yaml"))).policy.name == "own"
    assert load_plan(str(recipe())).policy.name == "taiwan-v2"


# --- what is bundled, and defaults


def test_a_bundled_recipe_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    plan = load_plan("sample")
    assert (plan.recipe.name, plan.output) == ("sample", str(tmp_path / "runs/sample"))
    assert len(plan.files) >= 10 and plan.labels is not None and os.path.isdir(plan.labels)
    with pytest.raises(UserError, match="simple: no such file"):
        load_plan("simple")


@pytest.mark.parametrize("name", sorted(path.stem for path in BUNDLED.glob("*.yaml")))
def test_every_bundled_recipe_is_valid_and_called_as_its_file(name: str) -> None:
    assert load_model(str(BUNDLED / f"{name}.yaml"), CorpusRecipe).name == name


def test_the_big_recipe_finds_the_real_files(twllm_data: Path) -> None:
    assert all(file.bytes > 0 for file in load_plan("taiwan-v2").files)


def test_null_switches_a_kind_of_duplicate_off(recipe: Recipe) -> None:
    found = load_plan(str(recipe(deduplicate={"exact": False, "near": None, "lines": None}))).recipe.deduplicate
    assert (found.exact, found.near, found.lines) == (False, None, None)
    default = load_plan(str(recipe())).recipe.deduplicate
    assert default.exact and default.near is not None and default.lines is not None
