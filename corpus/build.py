"""One run: annotate, decide, deduplicate, assemble, report. A stage whose key is unchanged is not run again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from corpus import decisions, forget, semantic, slurm
from corpus.annotate import Part, annotate
from corpus.assemble import Quota, TokenCounter, assemble
from corpus.decide import decide
from corpus.decontaminate import decontaminate, input_key
from corpus.deduplicate import bands_for, deduplicate, signature_batches
from corpus.labels import Agreement, compare, read_labels
from corpus.notes import Done
from corpus.permissions import read_opt_outs
from corpus.progress import Meter, Report, silent
from corpus.recipe import ENGINE_KEYS, NearDuplicates, Plan
from corpus.signatures import Bands, earlier, store
from corpus.tasks import printable
from factory import __version__, manifest, storage
from factory.errors import UserError
from factory.records import Reason

_LIBRARIES = ("datasketch", "numpy", "pyarrow")
_DECIDE = ("corpus.policy", "corpus.permissions", "corpus.decide", "corpus.decisions", "factory.manifest")
_DEDUPLICATE = ("corpus.deduplicate", "corpus.lines", "corpus.semantic", "corpus.signatures", "corpus.decisions", "factory.manifest")
_DECONTAMINATE = ("corpus.decontaminate", "corpus.decisions", "factory.manifest", "factory.zh.overlap")
_ASSEMBLE = ("corpus.assemble", "corpus.decisions", "corpus.policy", "factory.manifest", "factory.zh.pii")


class Result(NamedTuple):
    """A finished run."""

    output: str
    funnel: dict[str, decisions.SourceCounts]
    quotas: dict[str, Quota]
    agreement: Agreement | None
    reused: dict[str, bool]  # stage -> its stored result was taken


class _Run:
    """Bookkeeping of one run: keys, reuse and timings of its stages."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self.plan = plan
        self.work = f"{plan.output}/work"
        self.report = report
        self.documents = 0  # of all parts, once they are known
        self.bytes = 0  # of their texts
        self.keys: dict[str, str] = {}
        self.reused: dict[str, bool] = {}
        self.seconds: dict[str, float] = {}

    def timed(self, stage: str, action: Callable[[Meter], Any]) -> Any:
        """A stage over the texts of all parts."""
        meter = Meter(stage, self.report, self.documents, self.bytes)
        result = action(meter)
        meter.done(self.documents, self.bytes, self.reused.get(stage, False))
        self.seconds[stage] = round(meter.seconds, 3)
        return result

    def annotate(self, workers: int) -> list[Part]:
        """The first stage: it reads files, and what it tells are their stored bytes."""
        stored = sum(file.bytes for file in self.plan.files)
        made = Done(0, 0, 0)
        meter = Meter("annotate", self.report, total_bytes=stored)

        def advance(done: Done) -> None:
            nonlocal made
            made = done
            meter.advance(*done)

        parts = annotate(self.plan, self.work, f"{self.plan.output}/logs", workers, advance)
        self.documents, self.bytes = sum(part.documents for part in parts), sum(part.bytes for part in parts)
        meter.done(made.documents or self.documents, made.bytes or stored, reused=made.total_bytes == 0)
        self.seconds["annotate"] = round(meter.seconds, 3)
        return parts

    def table_stage(self, stage: str, dependencies: list[Any], make: Callable[[Meter], decisions.Decisions]) -> decisions.Decisions:
        """A stage whose only output is a decision table."""
        key = manifest.digest(dependencies)[: manifest.KEY_LENGTH]
        folder = f"{self.work}/{stage}-{key}"
        self.keys[stage] = key

        def run(meter: Meter) -> decisions.Decisions:
            self.reused[stage] = manifest.read_record(f"{folder}/stage.json", key) is not None
            if self.reused[stage]:
                return decisions.read(f"{folder}/decisions.parquet")
            made = make(meter)
            decisions.write(made, f"{folder}/decisions.parquet")
            manifest.write_record(f"{folder}/stage.json", key, ["decisions.parquet"])
            return made

        result: decisions.Decisions = self.timed(stage, run)
        return result


def build(plan: Plan, report: Report = silent) -> Result:
    """Runs what is not done yet and writes the corpus to `plan.output`. Raises UserError with one line where it cannot.

    Killed at any moment and run again, it ends with the same bytes, `logs/` and `timings.json` apart.
    """
    with claimed(plan):
        return _build(plan, report)


def forget_documents(plan: Plan, selectors: forget.Selectors, with_copies: bool = True, report: Report = silent) -> forget.Named:
    """Forgets the documents that selectors name, and unless told otherwise their copies, and builds the run anew without them."""
    with claimed(plan):
        named = forget.find(plan.output, selectors, with_copies)
        forget.record(plan.output, named, selectors)
        _build(plan, report)
    return named


@contextmanager
def claimed(plan: Plan) -> Iterator[None]:
    """Holds the run's folder, marked as this recipe's and free of what a killed run had not given its name."""
    with manifest.exclusive(plan.output):
        _claim(plan)
        slurm.refuse_while_running(plan.output)  # array tasks hold no lock, and their files would be swept
        _sweep(plan.output)
        yield


def _build(plan: Plan, report: Report) -> Result:
    run = _Run(plan, report)
    recipe = plan.recipe
    # what cannot be read or is not installed stops the run now, not at its end
    if recipe.deduplicate.semantic:
        semantic.require()
    counter = TokenCounter(plan.tokenizer, recipe.mixture.tokens_per_char)
    labels = read_labels(plan.labels) if plan.labels else None
    opt_outs = read_opt_outs(plan.opt_outs) if plan.opt_outs else None
    parts = run.annotate(recipe.workers or os.cpu_count() or 1)
    if forget.blank_parts(plan.output, dict.fromkeys(part.folder for part in parts)):
        parts = run.annotate(recipe.workers or os.cpu_count() or 1)  # their sizes are others now
    part_keys = [part.key for part in parts]
    run.keys["annotate"] = manifest.digest(part_keys)[: manifest.KEY_LENGTH]
    types = {name: spec.type for name, spec in recipe.sources.items()}
    decided = run.table_stage(
        "decide",
        [
            manifest.code_digest(_DECIDE, _LIBRARIES),
            part_keys,
            plan.policy.model_dump(mode="json"),
            types,
            *forget.key_of(plan.output),
            *_rights_key(plan),
        ],
        lambda meter: decide(parts, plan.policy, recipe, opt_outs),
    )

    before = earlier(plan.index_folder, recipe.name) if plan.index_folder else []

    def remove_duplicates(meter: Meter) -> decisions.Decisions:
        deduplicate(parts, decided, recipe, run.work, before)
        return decided

    priorities = {name: spec.priority for name, spec in recipe.sources.items()}
    decided = run.table_stage(
        "deduplicate",
        [
            manifest.code_digest(_DEDUPLICATE, (*_LIBRARIES, *(semantic.LIBRARIES if recipe.deduplicate.semantic else ()))),
            run.keys["decide"],
            recipe.deduplicate.model_dump(mode="json", exclude={"index"}),
            priorities,
            *[[os.path.basename(segment.folder), segment.key] for segment in before],
        ],
        remove_duplicates,
    )
    if recipe.decontaminate is not None:
        config, sets = recipe.decontaminate, plan.evaluation_sets

        def remove_contaminated(meter: Meter) -> decisions.Decisions:
            decontaminate(parts, decided, config, sets)
            return decided

        decided = run.table_stage(
            "decontaminate",
            [
                manifest.code_digest(_DECONTAMINATE, (*_LIBRARIES, "opencc")),
                run.keys["deduplicate"],
                config.model_dump(mode="json", exclude={"paths"}),
                input_key(sets),
            ],
            remove_contaminated,
        )
    final, quotas = run.timed("assemble", lambda meter: _assemble(run, parts, decided, counter))
    if plan.index_folder:
        _store(run, parts, final, plan.index_folder)
    agreement = compare(labels, final) if labels is not None else None
    counts = run.timed("report", lambda meter: _report(run, parts, final, quotas, agreement))
    _prune(run, parts)
    forget.write_proof(plan.output)
    timings = {"seconds": run.seconds, "reused": run.reused, "bytes": sum(part.bytes for part in parts)}
    storage.atomic_write_text(f"{plan.output}/timings.json", json.dumps(timings, indent=1) + "\n")
    return Result(plan.output, counts, quotas, agreement, run.reused)


def _store(run: _Run, parts: list[Part], final: decisions.Decisions, index: str) -> None:
    """Puts the corpus into the index, so that the next one is compared with it."""
    near = run.plan.recipe.deduplicate.near or NearDuplicates()
    kept = np.fromiter(final.kept(), np.int64)
    store(index, run.plan.recipe.name, run.keys["assemble"], signature_batches(parts, final, kept), Bands(*bands_for(near.threshold)))


def _rights_key(plan: Plan) -> list[Any]:
    """What the decisions depend on: nothing where no use is asked for and nobody opted out."""
    return (
        [["rights", plan.recipe.use, storage.sha256_file(plan.opt_outs) if plan.opt_outs else None]]
        if plan.recipe.use or plan.opt_outs
        else []
    )


def _assemble(
    run: _Run, parts: list[Part], decided: decisions.Decisions, counter: TokenCounter
) -> tuple[decisions.Decisions, dict[str, Quota]]:
    plan, same = run.plan, run.plan.recipe.deduplicate
    key = manifest.digest(
        [
            manifest.code_digest(_ASSEMBLE, (*_LIBRARIES, "tokenizers")),
            run.keys.get("decontaminate", run.keys["deduplicate"]),
            plan.recipe.mixture.model_dump(mode="json", exclude={"tokenizer", "budget_tokens"}),
            storage.sha256_file(plan.tokenizer) if plan.tokenizer else None,
            [config.model_dump(mode="json") if config else None for config in (same.lines, same.paragraphs)],
            {name: [spec.weight, spec.max_tokens] for name, spec in plan.recipe.sources.items()},
        ]
    )[: manifest.KEY_LENGTH]
    run.keys["assemble"] = key
    record_path = f"{plan.output}/corpus.json"
    record = manifest.read_record(record_path, key)
    run.reused["assemble"] = record is not None
    if record is None:
        for stale in (record_path, f"{plan.output}/manifest.json"):  # while shards change, the folder holds no finished run
            if os.path.exists(stale):
                os.unlink(stale)
        names, quotas = assemble(parts, decided, plan.recipe, plan.policy, counter, plan.output)
        decisions.write(decided, f"{plan.output}/decisions.parquet")
        _write_quarantine(parts, f"{plan.output}/quarantine.jsonl")
        record = manifest.write_record(
            record_path,
            key,
            [*names, "decisions.parquet", "quarantine.jsonl"],
            quotas={source: quota._asdict() for source, quota in quotas.items()},
        )
        return decided, quotas
    return decisions.read(f"{plan.output}/decisions.parquet"), {source: Quota(**record["quotas"][source]) for source in plan.recipe.sources}


def _write_quarantine(parts: list[Part], path: str) -> None:
    def write(stream: Any) -> None:
        for part in parts:
            with open(f"{part.folder}/quarantine.jsonl", "rb") as rejected:
                for line in rejected:
                    row = {"source": part.source, **json.loads(line)}
                    stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())

    storage.atomic_write(path, write)


def _report(
    run: _Run, parts: list[Part], final: decisions.Decisions, quotas: dict[str, Quota], agreement: Agreement | None
) -> dict[str, decisions.SourceCounts]:
    from corpus.card import write_card
    from corpus.report import write_report

    plan = run.plan
    unreadable = dict.fromkeys(plan.recipe.sources, 0)
    for part in parts:
        unreadable[part.source] += part.quarantined
    counts = decisions.funnel(final, unreadable)
    record = {
        "name": plan.recipe.name,
        "description": plan.recipe.description,
        "twllm": __version__,
        "recipe": plan.recipe.model_dump(mode="json", exclude={"output", *ENGINE_KEYS}),
        "policy": plan.policy.model_dump(mode="json"),
        "stages": run.keys,
        "parts": [
            {"source": part.source, "file": printable(os.path.basename(part.file.path)), "files": part.files, "key": part.key,
             "folder": os.path.basename(part.folder), "documents": part.documents, "quarantined": part.quarantined, "bytes": part.bytes}
            for part in parts
        ],
        "funnel": {source: count._asdict() for source, count in counts.items()},
        "quotas": {source: {**quota._asdict(), "epochs": quota.epochs} for source, quota in quotas.items()},
        "tokens_are_estimated": plan.recipe.mixture.tokenizer is None,
        "agreement": agreement._asdict() if agreement else None,
        **_cost_of_use(plan, final),
    }  # fmt: skip
    storage.atomic_write_text(f"{plan.output}/manifest.json", json.dumps(record, ensure_ascii=False, indent=1, default=str) + "\n")
    write_card(plan.output)
    write_report(plan.output)
    return counts


def _cost_of_use(plan: Plan, final: decisions.Decisions) -> dict[str, Any]:
    """What the use that was asked for leaves out of an otherwise kept corpus, in documents and estimated tokens."""
    if plan.recipe.use is None:
        return {}
    columns = final.columns
    chars = [length for length, reason in zip(columns["chars"], columns["reason"], strict=True) if reason == Reason.RIGHTS]
    tokens = round(sum(chars) * plan.recipe.mixture.tokens_per_char)
    return {"use": {"asked": plan.recipe.use, "documents_left_out": len(chars), "tokens_left_out_estimated": tokens}}


def _claim(plan: Plan) -> None:
    """Marks the folder as this recipe's run. Raises UserError for a folder that holds anything else: a build replaces files."""
    marker = f"{plan.output}/run.json"
    if os.path.exists(marker):
        with open(marker, encoding="utf-8") as stream:
            name = json.load(stream)["recipe"]
        if name != plan.recipe.name:
            raise UserError(
                f"{plan.output}: holds a run of recipe {name!r}, and this recipe is {plan.recipe.name!r}. Choose another --output."
            )
        return
    strangers = sorted(entry for entry in os.listdir(plan.output) if entry != ".lock" and not entry.startswith("run.json."))
    if strangers:
        raise UserError(f"{plan.output}: is not empty ({strangers[0]}) and holds no run. Choose a new or empty folder as output.")
    storage.atomic_write_text(marker, json.dumps({"recipe": plan.recipe.name}) + "\n")


def _sweep(output: str) -> None:
    """Removes what a killed run had not given its name yet."""
    for folder, folders, names in os.walk(output):
        if folder == output and "logs" in folders:
            folders.remove("logs")
        for name in [name for name in folders if name.endswith(".tmp")]:
            shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
            folders.remove(name)
        for name in names:
            if name.endswith(".tmp"):
                os.unlink(f"{folder}/{name}")


def _prune(run: _Run, parts: list[Part]) -> None:
    """Removes what earlier recipes, policies or inputs left in `work/`."""
    wanted = {os.path.basename(part.folder) for part in parts}
    stages = {f"{stage}-{run.keys[stage]}" for stage in ("decide", "deduplicate", "decontaminate") if stage in run.keys} | {"annotate"}
    for folder, keep in ((run.work, stages), (f"{run.work}/annotate", wanted)):
        for name in os.listdir(folder):
            if name not in keep:
                shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
