"""Scores and evaluates files of texts with a classifier."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

import numpy as np
import orjson

from corpus.classifiers.data import Passage
from corpus.classifiers.evaluate import figures
from factory import storage
from factory.errors import UserError
from factory.statistics import wilson
from factory.zh.classifiers.model import TASKS, Classifier, Task, bundled, load, quality_of
from factory.zh.classifiers.tokens import fold

BATCH_ROWS = 1_000
TOLERANCE = 0.125  # half of a step between two grades of quality


def open_model(task: Task, folder: str | None) -> Classifier:
    """A trained model's folder, or the bundled model. Raises UserError where it is for another task."""
    if folder is None:
        return bundled(task)
    found = load(folder)
    if found.facts.task != task:
        raise UserError(
            f"--model {folder}: is a model for {found.facts.task}, not for {task}. Give --task {found.facts.task}, or another model."
        )
    return found


def score_file(classifier: Classifier, source: str, target: str) -> int:
    """Writes `{id, label, labels, scores}` for each `{id, text}`; returns how many. A text with nothing to read gets label null.

    Raises UserError for a row that is no JSON or lacks one of the two; the target then stays as it was.
    """
    count = 0

    def write(stream: IO[bytes]) -> None:
        nonlocal count
        rows = _rows(source)
        while batch := list(islice(rows, BATCH_ROWS)):
            for row in score_rows(classifier, batch):
                stream.write(orjson.dumps(row) + b"\n")
            count += len(batch)

    storage.atomic_write(target, write)
    return count


def score_rows(classifier: Classifier, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Output rows for input rows, in their order."""
    scores = classifier.score([row["text"] for row in rows])
    qualities = quality_of(scores) if classifier.facts.task == "quality" else None
    for index, (row, labels) in enumerate(zip(rows, classifier.decide(scores), strict=True)):
        if not fold(row["text"]):
            yield {"id": row["id"], "label": None, "labels": [], "scores": {}}
            continue
        values = {label: round(float(value), 6) for label, value in zip(scores.labels, scores.values[index], strict=True)}
        if qualities is not None:
            values = {"quality": round(float(qualities[index]), 6), **values}
        yield {"id": row["id"], "label": labels[0], "labels": labels, "scores": values}


def _rows(path: str) -> Iterator[dict[str, Any]]:
    with storage.open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UserError(f"{where}: is not JSON: {error}. Correct that line.") from None
            if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("text"), str):
                raise UserError(f"{where}: a row needs 'id' and 'text', both text. Correct that line.")
            yield row


def evaluate_file(classifier: Classifier, path: str) -> dict[str, Any]:
    """Figures of a model on labelled rows, documents scored as `score` does."""
    task = classifier.facts.task
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path}: holds no row. Give a file with labelled texts.")
    for number, row in enumerate(rows, 1):
        _check(row, task, f"{path}: row {number} ({row['id']})")
    if task == "quality":
        return quality_figures(classifier, [row["text"] for row in rows], [float(row["quality"]) for row in rows])
    passages = [Passage(row["id"], row["id"], row["text"], tuple(row["labels"]), path) for row in rows]
    return figures(passages, lambda texts: classifier.decide(classifier.score(texts)), TASKS[task])


def _check(row: dict[str, Any], task: Task, where: str) -> None:
    if task == "quality":
        value = row.get("quality")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise UserError(f"{where}: quality {value!r} is not a number from 0 to 1. Correct that row.")
        return
    labels = row.get("labels")
    if not isinstance(labels, list) or not labels:
        raise UserError(f"{where}: 'labels' has to be a list of labels. Correct that row.")
    for label in labels:
        if label not in TASKS[task]:
            raise UserError(f"{where}: label {label!r} is not in the guideline; labels of {task} are {', '.join(TASKS[task])}.")


def quality_figures(classifier: Classifier, texts: Sequence[str], truth: Sequence[float]) -> dict[str, Any]:
    """How near the quality score comes: rank correlation (Spearman 1904), mean error, share within half a grade of the right one."""
    found = quality_of(classifier.score(texts))
    meant = np.array(truth)
    near = int((np.abs(found - meant) <= 2 * TOLERANCE).sum())
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(meant), len(meant)) for _ in range(1_000)]
    spread = np.percentile([_spearman(found[i], meant[i]) for i in drawn], [2.5, 97.5])
    return {
        "texts": len(meant),
        "spearman": round(_spearman(found, meant), 4),
        "spearman_interval": [round(float(v), 4) for v in spread],
        "mean_absolute_error": round(float(np.abs(found - meant).mean()), 4),
        "within_one_grade": round(near / len(meant), 4),
        "within_one_grade_interval": [round(bound, 4) for bound in wilson(near, len(meant))],
    }


def _spearman(first: Any, second: Any) -> float:
    ranks = [_ranks(values) for values in (first, second)]
    if any(r.std() == 0 for r in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Any) -> Any:
    """Ranks, ties sharing their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def show_figures(found: dict[str, Any], as_json: bool) -> None:
    """Prints figures as a table, or JSON."""
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    if "labels" not in found:
        for name, value in found.items():
            print(f"{name.replace('_', ' ')}: {value}")
        return
    from corpus.show import table

    rows = [
        [
            label,
            row["texts"],
            _percent(row["recall"], row["recall_interval"]),
            _percent(row["precision"], row["precision_interval"]),
            f"{row['f1']:.3f}",
        ]
        for label, row in found["labels"].items()
    ]
    table(["label", "texts", "recall", "precision", "F1"], rows, numbers=1)
    low, high = found["macro_f1_interval"]
    print(f"\nmacro F1 {found['macro_f1']:.3f} (95 % {low:.3f} to {high:.3f}), {found['texts']:,} texts")


def _percent(value: float | None, interval: Sequence[float]) -> str:
    return "–" if value is None else f"{value:.1%} ({interval[0]:.1%}–{interval[1]:.1%})"
