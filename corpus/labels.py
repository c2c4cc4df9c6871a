"""How far a run's decisions agree with labels that people gave before it ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import fsspec

from corpus.decisions import Decisions
from corpus.recipe import Plan
from factory import storage
from factory.errors import UserError
from factory.recipe import expand_path
from factory.records import Reason, Status


class Disagreement(NamedTuple):
    """A document whose decision differs from its label."""

    id: str
    case: str
    expected: str  # "keep", or the reason for removal
    found: str


class Agreement(NamedTuple):
    """Labelled documents, those whose keep or remove is right, those whose reason is right too, and the rest."""

    labelled: int
    decisions_right: int
    reasons_right: int
    missing: list[str]  # labelled ids that the run did not see
    disagreements: list[Disagreement]


def read_labels(folder: str) -> list[dict[str, Any]]:
    """The rows of `*.jsonl` in a folder. Raises UserError for a row without id or with an unknown decision or reason."""
    rows = []
    paths = [path for path in storage.list_files(folder) if path.endswith(".jsonl")]
    if not paths:
        raise UserError(f"labels: {folder} holds no .jsonl file. Correct the recipe's 'labels'.")
    for path in paths:
        with fsspec.open(path, "rt", encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                row = json.loads(line)
                where = f"{Path(path).name}:{number}"
                if not row.get("id") or row.get("decision") not in ("keep", "remove"):
                    raise UserError(f"{where}: a label needs 'id' and a 'decision' of keep or remove.")
                if row["decision"] == "remove" and row.get("reason") not in set(Reason):
                    raise UserError(f"{where}: reason {row.get('reason')!r} is not one of {', '.join(Reason)}.")
                rows.append(row)
    return rows


def compare(plan: Plan, decided: Decisions) -> Agreement:
    """Compares decisions with the recipe's labels. A document that was split counts as kept if any of its parts is."""
    base = str(Path(plan.recipe_path).resolve().parent)
    labels = read_labels(expand_path(plan.recipe.labels or "", base, f"{plan.recipe_path}: labels"))
    found: dict[str, str] = {}
    columns = decided.columns
    for document, status, reason in zip(columns["id"], columns["status"], columns["reason"], strict=True):
        outcome = "keep" if status == Status.KEPT else reason
        for name in {document, document.partition("#")[0]}:
            if found.get(name) != "keep":
                found[name] = outcome
    missing, wrong, decisions_right, reasons_right = [], [], 0, 0
    for label in labels:
        expected = "keep" if label["decision"] == "keep" else label["reason"]
        outcome = found.get(label["id"], "")
        if not outcome:
            missing.append(label["id"])
            continue
        decisions_right += (outcome == "keep") == (expected == "keep")
        reasons_right += outcome == expected
        if outcome != expected:
            wrong.append(Disagreement(label["id"], label.get("case", ""), expected, outcome))
    return Agreement(len(labels), decisions_right, reasons_right, missing, wrong)
