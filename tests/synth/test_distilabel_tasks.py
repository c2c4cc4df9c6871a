"""The tasks in an ordinary distilabel pipeline over the seeds, against the counting endpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synth.seeds import bundled_paths, load
from tests.synth.conftest import Endpoint


def test_a_pipeline_over_the_seeds(serve: Callable[..., Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    from synth.example_pipeline import pipeline

    seeds: list[dict[str, Any]] = [seed.model_dump() for seed in load(bundled_paths())][:12]
    endpoint = serve()
    made = pipeline(endpoint.url, "counting", str(tmp_path / "cache"), seeds).run(use_cache=False)["default"]["train"]
    assert len(made) == 12 and all(made["new_question"]) and len(endpoint.asked()) == 24
    assert {row["id"] for row in made} == {seed["id"] for seed in seeds}
    assert all(3 <= row[name] <= 5 for row in made for name in ("correct", "fluent", "taiwanese", "helpful"))


def test_inputs_outputs_template_and_answers_out_of_form() -> None:
    from distilabel.models import OpenAILLM

    from synth.distilabel_tasks import task_class

    llm = OpenAILLM(base_url="http://127.0.0.1:9/v1", api_key="none", model="counting")
    task = task_class("judge")(name="judge", llm=llm)
    assert task.inputs == ["id", "category", "question", "answer"] and task.template.name == "judge@2.0.0"
    assert task.outputs == ["correct", "fluent", "taiwanese", "helpful", "reason", "model_name"]
    row = {"id": "a", "category": "knowledge", "question": "問", "answer": "答"}
    good = '{"correct": 5, "fluent": 4, "taiwanese": 3, "helpful": 1, "reason": "好"}'
    assert task.format_output(good, row) == {"correct": 5, "fluent": 4, "taiwanese": 3, "helpful": 1, "reason": "好"}
    assert set(task.format_output("不評", row).values()) == {None}
    assert task_class("judge") is task_class("judge")
