"""Runs as one dataset: every row once, loadable, selected where a selection is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from factory.errors import UserError
from synth.export import export
from synth.recipe import load_plan
from synth.run import run
from tests.synth.conftest import Endpoint
from tests.synth.test_run import rows

Serve, Write = Callable[..., Endpoint], Callable[..., str]


def test_two_runs_become_one_dataset(serve: Serve, recipe: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = serve().url
    first = load_plan(recipe(url, "first", stages=[{"task": "paraphrase", "each": 1}, {"task": "preference", "limit": 10}]))
    second = load_plan(recipe(url, "second", stages=[{"task": "paraphrase", "each": 1}, {"task": "evol", "limit": 20}]))
    run(first)
    run(second)
    shared = {row["id"] for row in rows(first.output)} & {row["id"] for row in rows(second.output)}
    every = len(rows(first.output)) + len(rows(second.output))
    output = str(tmp_path / "dataset")
    found = export([first.output, second.output], output)
    assert (found.conversations, found.left) == (every - len(shared), {"in two runs": len(shared)}) and shared
    facts = json.loads(Path(output, "manifest.json").read_text("utf-8"))
    assert facts["rows"] == {"sft": found.conversations, "preferences": found.preferences} and facts["licenses"] == {
        "apache-2.0": found.conversations + found.preferences
    }
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    import datasets

    loaded = datasets.load_dataset(output, "sft", split="train")
    assert len(loaded) == found.conversations and loaded[0]["messages"][-1]["role"] == "assistant"
    assert len(datasets.load_dataset(output, "preferences", split="train")) == found.preferences
    before = {path.name: path.read_bytes() for path in Path(output).iterdir()}
    assert export([first.output, second.output], output) == found
    assert {path.name: path.read_bytes() for path in Path(output).iterdir()} == before


def test_only_what_was_selected(serve: Serve, recipe: Write, tmp_path: Path) -> None:
    plan = load_plan(recipe(serve().url))
    run(plan)
    chosen = tmp_path / "chosen.jsonl"
    chosen.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(plan.output)[:7]), "utf-8")
    found = export([plan.output], str(tmp_path / "dataset"), str(chosen))
    assert found.conversations == 7 and found.left == {"not selected": len(rows(plan.output)) - 7}
    chosen.write_text(json.dumps({"id": "synth-none"}) + "\n", "utf-8")
    with pytest.raises(UserError, match="1 of its rows are in none of the runs"):
        export([plan.output], str(tmp_path / "other"), str(chosen))


def test_no_run_and_a_folder_of_something_else_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        export([str(tmp_path / "none")], str(tmp_path / "out"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(UserError, match="holds files that are no export"):
        export([str(tmp_path)], str(tmp_path / "full"))
