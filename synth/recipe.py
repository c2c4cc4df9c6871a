"""The recipe of a synthesis run: seeds, endpoint, stages, gates, money."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, field_validator

from factory.errors import UserError
from factory.recipe import Strict, expand_path, load_model
from synth.money import Prices
from synth.provider import Endpoint
from synth.seeds import bundled_paths
from synth.tasks import CATEGORIES, TASKS

BUNDLED = Path(__file__).parent.parent / "recipes" / "synth"
ROWS = ("seeds", "accepted", "rows")


class Stage(Strict):
    """One task over rows, or for self_instruct a number of draws from the pool."""

    task: str = Field(description=f"One of {', '.join(TASKS)}.")
    over: str = Field(
        "seeds", description="seeds; accepted: all that earlier stages gave; or the path of a JSONL file with the task's inputs."
    )
    each: int = Field(1, ge=1, description="Requests for each row.")
    draws: int | None = Field(None, ge=1, description="self_instruct: how many requests.")
    limit: int | None = Field(None, ge=1, description="At most so many rows, the first ones.")
    answer_tokens: float = Field(300, gt=0, description="Expected length of an answer, for the estimate before the first run.")

    @field_validator("task")
    @classmethod
    def _known(cls, task: str) -> str:
        if task not in TASKS:
            raise ValueError(f"no task {task!r}; there are {', '.join(TASKS)}")
        return task


class GateSettings(Strict):
    """What candidates are held against."""

    novelty: float = Field(0.7, gt=0, le=1, description="Likeness (longest common subsequence) above which a question is not new.")
    evaluation: tuple[str, ...] = Field((), description="Evaluation sets (JSONL) that no row may hold.")
    paraphrases: bool = Field(True, description="Nor hold in other words; asks a sentence encoder (extra semantic), up to 0.1 s a row.")
    paraphrase_score: float | None = Field(
        None, allow_inf_nan=False, description="Score from which a question is one of them; null: fitted."
    )


class SynthRecipe(Strict):
    """One synthesis run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    output: str = Field(min_length=1, description="Folder of the run, relative to where the command is started.")
    ledger: str | None = Field(
        None, min_length=1, description="Ledger file, which runs may share one after another; null: ledger.sqlite in output."
    )
    seeds: tuple[str, ...] = Field((), description="Seed files; none: the bundled hundred.")
    endpoint: Endpoint
    sampling: dict[str, Any] = Field({"temperature": 0.7, "max_tokens": 1024}, description="Sent with every request.")
    prices: Prices
    cap: Decimal | None = Field(None, ge=0, description="Asking stops once the ledger's cost reaches this; null for no cap.")
    tokens_per_char: float = Field(1.0, gt=0, le=4, description="Of prompts, for the estimate before the first run.")
    seed: int = Field(20261124, ge=0, description="Of draws and sampling.")
    stages: tuple[Stage, ...] = Field(min_length=1)
    mixture: dict[str, float] | None = Field(None, description="Wanted share of each category; null: equal ones. self_instruct makes up.")
    gates: GateSettings = GateSettings()
    license: str = Field("apache-2.0", description="Of what comes out, as its card states it.")

    @field_validator("mixture")
    @classmethod
    def _shares(cls, mixture: dict[str, float] | None) -> dict[str, float] | None:
        if mixture is not None and (unknown := sorted(set(mixture) - set(CATEGORIES))):
            raise ValueError(f"no category {unknown[0]!r}; there are {', '.join(CATEGORIES)}")
        if mixture is not None and not (all(share >= 0 for share in mixture.values()) and 0 < sum(mixture.values()) < float("inf")):
            raise ValueError("shares are numbers from 0 upwards, not all 0")
        return mixture


class Plan(NamedTuple):
    """A recipe with its paths made absolute."""

    recipe: SynthRecipe
    output: str
    ledger: str
    seeds: list[str]
    evaluation: list[str]
    base: str


def load_plan(path: str, output: str | None = None) -> Plan:
    """Reads a recipe. Raises UserError with one line where something is wrong, before anything is written or asked."""
    bundled = BUNDLED / f"{path}.yaml"
    if not os.path.exists(path) and bundled.is_file():
        path = str(bundled)
    recipe = load_model(path, SynthRecipe)
    base = str(Path(path).resolve().parent)
    recipe.prices.of(recipe.endpoint.model)
    for number, stage in enumerate(recipe.stages):
        if (stage.task == "self_instruct") != (stage.draws is not None):
            raise UserError(f"{path}: stages.{number}: 'draws' belongs to self_instruct, which needs it. Correct the stage.")
    target = os.path.abspath(output or expand_path(recipe.output, os.getcwd(), f"{path}: output"))
    book = expand_path(recipe.ledger, base, f"{path}: ledger") if recipe.ledger else f"{target}/ledger.sqlite"
    seeds = [expand_path(each, base, f"{path}: seeds") for each in recipe.seeds] or bundled_paths()
    evaluation = [expand_path(each, base, f"{path}: gates.evaluation") for each in recipe.gates.evaluation]
    return Plan(recipe, target, book, seeds, evaluation, base)
