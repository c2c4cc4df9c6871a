"""A run as a page to read and as a dataset card. Both follow from the run's files: the same rows give the same bytes."""

from __future__ import annotations

import json
import random
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from factory.storage import atomic_write_text

SHOWN = 20  # rows of each kind
TEXTS = 2_000  # rows of a category whose texts are measured
_LETTER = re.compile(r"[^\W_]")


def write(folder: str, license: str, model: str, seeds: int, seed: int) -> None:
    """Writes `synth-report.html` and `README.md` beside the rows of a run. Reads them as a stream."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    facts: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text(encoding="utf-8"))
    funnel: dict[str, Counter[str]] = {}
    texts: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for row in _rows(f"{folder}/accepted.jsonl"):
        funnel.setdefault(row["lineage"]["task"], Counter())["accepted"] += 1
        counts[row["category"]] += 1
        kept = texts.setdefault(row["category"], [])
        if len(kept) < TEXTS:
            kept.append(row["messages"][-1]["content"])
    for row in _rows(f"{folder}/preferences.jsonl"):
        funnel.setdefault(row["lineage"]["task"], Counter())["accepted"] += 1
    for row in _rows(f"{folder}/rejected.jsonl"):
        funnel.setdefault(row.get("task") or row["lineage"]["task"], Counter())[row["reason"]] += 1
    categories = [{"name": name, "count": counts[name], **_measures(found)} for name, found in sorted(texts.items())]
    values = {
        "name": facts["name"], "accepted": facts["accepted"], "rejected": sum(facts["rejected"].values()), "waiting": facts["waiting"],
        "cost": facts["cost"], "currency": facts["currency"], "dated": facts["prices_dated"], "reasons": list(facts["rejected"]),
        "by_reason": facts["rejected"], "funnel": funnel, "categories": categories, "license": license, "model": model, "seeds": seeds,
        "kept": _drawn(f"{folder}/accepted.jsonl", seed), "gone": _drawn(f"{folder}/rejected.jsonl", seed),
    }  # fmt: skip
    loader = PackageLoader("synth", "templates")
    page = Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined).get_template("report.html.j2")
    card = Environment(loader=loader, trim_blocks=True, undefined=StrictUndefined).get_template("card.md.j2")  # noqa: S701 - Markdown
    for row in values["gone"]:
        row.setdefault("task", None)
        row.setdefault("text", None)
        row.setdefault("lineage", {"task": None})
    atomic_write_text(f"{folder}/synth-report.html", page.render(values))
    atomic_write_text(f"{folder}/README.md", card.render(values))


def _rows(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _measures(texts: list[str]) -> dict[str, Any]:
    """Median length, and how many of all runs of three letters are different ones."""
    every: Counter[str] = Counter()
    for text in texts:
        letters = "".join(_LETTER.findall(text))
        every.update(letters[start : start + 3] for start in range(len(letters) - 2))
    whole = sum(every.values())
    return {"median": round(statistics.median(map(len, texts))), "distinct": len(every) / whole if whole else 0.0}


def _drawn(path: str, seed: int) -> list[dict[str, Any]]:
    """SHOWN rows, each as likely as another (reservoir sampling), in file order."""
    rng = random.Random(seed)  # noqa: S311 - a draw, not a secret
    drawn: list[tuple[int, dict[str, Any]]] = []
    for number, row in enumerate(_rows(path)):
        if len(drawn) < SHOWN:
            drawn.append((number, row))
        elif (place := rng.randrange(number + 1)) < SHOWN:
            drawn[place] = (number, row)
    return [row for _, row in sorted(drawn, key=lambda pair: pair[0])]
