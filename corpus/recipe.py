"""The recipe of a corpus: sources, policy, duplicates, mixture, output. Every field says what it does."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, field_validator

from corpus.policy import Policy, load_policy
from corpus.sources.spec import SourceSpec, input_files, open_source
from factory import storage
from factory.errors import UserError
from factory.recipe import Strict, expand_path, load_model

BUNDLED = Path(__file__).parent.parent / "recipes"


class NearDuplicates(Strict):
    """MinHash-LSH over character n-grams."""

    threshold: float = Field(0.6, gt=0.1, le=0.95, description="Estimated Jaccard similarity from which two documents are copies.")
    keep_sources: tuple[str, ...] = Field(
        (), description="Sources whose documents are never removed as near-duplicates, such as statutes with common wording."
    )


class LineDuplicates(Strict):
    """Lines that recur in many documents of one source, such as navigation and signatures."""

    max_documents: int = Field(10, ge=1, description="A line in more documents of a source than this is removed everywhere.")
    min_remaining_chars: int = Field(50, ge=0, description="A document that keeps fewer characters is removed.")
    skip_sources: tuple[str, ...] = Field((), description="Sources whose repeated lines are content, such as statutes.")


class Deduplicate(Strict):
    """Which duplicates are looked for; null switches one off."""

    exact: bool = True
    near: NearDuplicates | None = NearDuplicates()
    lines: LineDuplicates | None = LineDuplicates()


class Mixture(Strict):
    """How much of each source goes in, and how it is counted."""

    tokenizer: str | None = Field(None, min_length=1, description="Path of a tokenizer.json (tokenizers library); null estimates.")
    tokens_per_char: float = Field(0.8, gt=0, allow_inf_nan=False, description="Estimate where no tokenizer is given; marked in reports.")
    target_tokens: int | None = Field(None, gt=0, description="Tokens of the whole mixture; sources then share it by weight.")
    budget_tokens: int = Field(35_000_000_000, gt=0, description="The budget that the report compares with.")
    shard_documents: int = Field(50_000, ge=1, description="Documents per Parquet shard.")


class CorpusRecipe(Strict):
    """One corpus build."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    output: str = Field(min_length=1, description="Folder of the run, relative to where the command is started; --output overrides it.")
    policy: str = Field("taiwan-v2", description="A bundled policy or the path of a policy YAML.")
    sources: dict[str, SourceSpec] = Field(min_length=1)
    deduplicate: Deduplicate = Deduplicate()
    mixture: Mixture = Mixture()
    labels: str | None = Field(None, min_length=1, description="Folder with labels (JSONL) to compare the decisions with.")
    workers: int | None = Field(None, ge=1, description="Processes for annotate; null for the number of cores. Never changes the output.")

    @field_validator("sources")
    @classmethod
    def _plain_names(cls, sources: dict[str, SourceSpec]) -> dict[str, SourceSpec]:
        for name in sources:
            if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
                raise ValueError(f"source name {name!r} may hold ASCII letters, digits, - and _ only")
        return sources


class InputFile(NamedTuple):
    """One file of one source: the unit of annotate work."""

    source: str
    path: str
    bytes: int


class Plan(NamedTuple):
    """A recipe with everything looked up: policy read, paths found. The order of files is the order of the corpus."""

    recipe: CorpusRecipe
    recipe_path: str
    policy: Policy
    files: tuple[InputFile, ...]
    tokenizer: str | None
    labels: str | None
    output: str


def load_plan(recipe_path: str, output: str | None = None, workers: int | None = None) -> Plan:
    """Reads a recipe (a path, or the name of a bundled one) and finds its files.

    Paths of the recipe are relative to its folder, the output to where the command is started. Raises UserError before
    anything is written where something is wrong.
    """
    bundled = BUNDLED / f"{recipe_path}.yaml"
    if not os.path.exists(recipe_path) and bundled.is_file():
        recipe_path = str(bundled)
    recipe = load_model(recipe_path, CorpusRecipe)
    base = recipe_path.rpartition("/")[0] if "://" in recipe_path else str(Path(recipe_path).resolve().parent)
    policy = load_policy(recipe.policy, base)
    near, lines = recipe.deduplicate.near, recipe.deduplicate.lines
    for key, named in (("near.keep_sources", near and near.keep_sources), ("lines.skip_sources", lines and lines.skip_sources)):
        for name in named or ():
            if name not in recipe.sources:
                raise UserError(f"{recipe_path}: deduplicate.{key} names {name!r}, but the recipe has no such source. Remove it.")
    files = []
    for name, spec in recipe.sources.items():
        where = f"{recipe_path}: sources.{name}.paths"
        located = spec.model_copy(update={"paths": [expand_path(path, base, where) for path in spec.paths]})
        open_source(name, located)  # refuses fields, options and missing keys now
        files += [InputFile(name, path, storage.file_size(path) or 0) for path in input_files(name, located)]
    path, times = max(Counter(file.path for file in files).items(), key=lambda item: item[1])
    if times > 1:
        raise UserError(f"{recipe_path}: {path} is named {times} times. Let each file belong to one source, once.")
    target = output or expand_path(recipe.output, os.getcwd(), f"{recipe_path}: output")
    if "://" in target:
        raise UserError(f"{recipe_path}: output {target!r}: a run folder is local for now. Name a local folder and upload it.")
    tokenizer, labels = (
        expand_path(path, base, f"{recipe_path}: {key}") if path else None
        for key, path in (("mixture.tokenizer", recipe.mixture.tokenizer), ("labels", recipe.labels))
    )
    if workers is not None:
        recipe = recipe.model_copy(update={"workers": workers})
    return Plan(recipe, recipe_path, policy, tuple(files), tokenizer, labels, os.path.abspath(target))
