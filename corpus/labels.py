"""How far a run's decisions agree with labels that people gave before it ran."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from corpus.decisions import Decisions
from factory import storage
from factory.errors import UserError
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
        with storage.open_stored(path) as stream:
            rows += [_label(line, f"{path}:{number}") for number, line in enumerate(stream, 1) if line.strip()]
    return rows


def _label(line: bytes, where: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError as error:  # also where it is not UTF-8
        raise UserError(f"{where}: is not JSON: {error}. Correct that line.") from None
    named = isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"]
    if not named or row.get("decision") not in ("keep", "remove"):
        raise UserError(f"{where}: a label needs 'id' and a 'decision' of keep or remove.")
    if row["decision"] == "remove" and row.get("reason") not in list(Reason):
        raise UserError(f"{where}: reason {row.get('reason')!r} is not one of {', '.join(Reason)}.")
    return row


def compare(labels: list[dict[str, Any]], decided: Decisions) -> Agreement:
    """Compares decisions with labels. A document that was split counts as kept if any of its parts is."""
    found: dict[str, str] = {}
    split: dict[str, str] = {}  # parent -> outcome of its parts
    columns = decided.columns
    for document, status, reason in zip(columns["id"], columns["status"], columns["reason"], strict=True):
        if reason == Reason.DUPLICATE_ID:
            continue  # its id belongs to another document
        outcome = found[document] = "keep" if status == Status.KEPT else reason
        parent = document.rpartition("#")[0]
        if outcome == "keep":
            split[parent] = outcome
        else:
            split.setdefault(parent, outcome)
    missing, wrong, decisions_right, reasons_right = [], [], 0, 0
    for label in labels:
        expected = "keep" if label["decision"] == "keep" else label["reason"]
        outcome = found.get(label["id"]) or split.get(label["id"])
        if outcome is None:
            missing.append(label["id"])
            continue
        decisions_right += (outcome == "keep") == (expected == "keep")
        reasons_right += outcome == expected
        if outcome != expected:
            wrong.append(Disagreement(label["id"], label.get("case", ""), expected, outcome))
    return Agreement(len(labels), decisions_right, reasons_right, missing, wrong)
