"""An edited prompt has a new version, and every prompt renders what its golden cases say."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.errors import UserError
from synth.prompt import FOLDER, load, locked, names, prompt, repeats
from synth.seeds import bundled_paths
from synth.seeds import load as load_seeds
from synth.tasks import TASKS


@pytest.mark.parametrize("name", names())
def test_no_edit_without_a_new_version(name: str) -> None:
    assert locked().get(prompt(name).name) == prompt(name).digest, "edited: raise 'version' and add its line to prompts.lock"


@pytest.mark.parametrize("name", names())
def test_golden_cases(name: str) -> None:
    for golden in prompt(name).golden:
        rendered = "\n".join(message["content"] for message in prompt(name).render(**golden.variables))
        assert [part for part in golden.contains if part not in rendered] == [] and "{{" not in rendered


def test_every_task_has_its_prompt_and_every_prompt_its_task() -> None:
    assert sorted(task.prompt_id for task in TASKS.values()) == names()


def test_values_are_not_read_as_variables() -> None:
    (_, user) = prompt("judge").render(question="{{answer}}", answer="乙")
    assert "問：{{answer}}" in user["content"]


@pytest.mark.parametrize(
    "values", [{}, {"question": "甲"}, {"question": "甲", "answer": 3}, {"question": "甲", "answer": "乙", "more": "丙"}]
)
def test_variables_are_typed(values: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match="missing, unknown or of another type"):
        prompt("judge").render(**values)


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    text = (FOLDER / "judge.yaml").read_text(encoding="utf-8").replace("version: 2.0.0", "version: newest")
    (tmp_path / "judge.yaml").write_text(text, "utf-8")
    with pytest.raises(UserError, match="version"):
        load(str(tmp_path / "judge.yaml"))


def test_a_text_that_says_the_instructions_again_is_known() -> None:
    assert repeats("paraphrase", "請用「換句話說」的方式改寫一組問答，好嗎？") == "請用換句話說的方式改寫一"
    assert repeats("paraphrase", "風雨這麼大，老闆卻沒講要不要開工，怎麼辦？") is not None, "the example is no new row either"
    assert repeats("paraphrase", "颱風天可以不去上班嗎？") is None


def test_no_seed_says_what_a_prompt_says() -> None:
    seeds = load_seeds(bundled_paths())
    assert [(seed.id, name) for seed in seeds for name in names() if repeats(name, seed.question) or repeats(name, seed.answer)] == []
