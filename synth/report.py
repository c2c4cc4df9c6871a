"""A run as a page to read and as a dataset card. Both follow from the run's files: the same rows give the same bytes."""

from __future__ import annotations

import json
import random
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from factory.storage import atomic_write_text
from synth.tasks import CATEGORIES, CATEGORY_NAMES
from synth.topics import HEIGHT, WIDTH, topics

SHOWN = 20  # rows of each kind
TEXTS = 2_000  # rows of a category whose texts are measured, and rows on the map
NGRAM = 4  # letters, of novelty
LENGTHS = (25, 50, 100, 200, 400, 800)  # characters: upper bounds of the bars
_LETTER = re.compile(r"[^\W_]")


def write(folder: str, seeds: Sequence[str]) -> None:
    """Writes `synth-report.html` and `README.md` beside the rows of a run. Reads them as a stream. `seeds` are the seeds' texts."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    facts: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text(encoding="utf-8"))
    seed = facts["seed"]
    funnel: dict[str, Counter[str]] = {}
    texts: dict[str, list[str]] = {}
    lengths: Counter[int] = Counter()
    for row in _rows(f"{folder}/accepted.jsonl"):
        funnel.setdefault(row["lineage"]["task"], Counter())["accepted"] += 1
        said = row["messages"][-1]["content"]
        lengths[next((place for place, bound in enumerate(LENGTHS) if len(said) <= bound), len(LENGTHS))] += 1
        kept = texts.setdefault(row["category"], [])
        if len(kept) < TEXTS:
            kept.append(said)
    for row in _rows(f"{folder}/preferences.jsonl"):
        funnel.setdefault(row["lineage"]["task"], Counter())["accepted"] += 1
    for row in _rows(f"{folder}/rejected.jsonl"):
        funnel.setdefault(row.get("task") or row["lineage"]["task"], Counter())[row["reason"]] += 1
    known = _grams(seeds)
    drawn = _drawn(f"{folder}/accepted.jsonl", seed, TEXTS)
    rejected = sum(facts["rejected"].values())
    values = {
        **facts, "rejected": rejected, "by_reason": facts["rejected"], "reasons": list(facts["rejected"]), "funnel": funnel,
        "shares": {task: counts["accepted"] / sum(counts.values()) for task, counts in funnel.items()},
        "categories": [_category(name, facts, texts.get(name, []), known) for name in CATEGORIES if name in facts["categories"]],
        "tasks_of_rows": sorted({task for counts in facts["mixture"].values() for task in counts}),
        "bars": _bars(lengths), "names": CATEGORY_NAMES, "width": WIDTH, "height": HEIGHT, "colours": _colours(facts["categories"]),
        "topics": topics(
            ["\n".join(m["content"] for m in row["messages"]) for row in drawn], [row["category"] for row in drawn], seeds, seed
        ),
        "kept": _drawn(f"{folder}/accepted.jsonl", seed), "gone": _drawn(f"{folder}/rejected.jsonl", seed),
    }  # fmt: skip
    for row in values["gone"]:
        row.setdefault("task", None)
        row.setdefault("text", None)
        row.setdefault("lineage", {"task": None})
    loader = PackageLoader("synth", "templates")
    page = Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined).get_template("report.html.j2")
    card = Environment(loader=loader, trim_blocks=True, undefined=StrictUndefined).get_template("card.md.j2")  # noqa: S701 - Markdown
    atomic_write_text(f"{folder}/synth-report.html", page.render(values))
    atomic_write_text(f"{folder}/README.md", card.render(values))


def _rows(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _category(name: str, facts: dict[str, Any], texts: list[str], known: Counter[str]) -> dict[str, Any]:
    """Rows of a category by task, its share beside the wanted one, and how varied its answers are.

    `distinct`: of all runs of NGRAM letters, the share of different ones. `novel`: of the different ones, the share that no seed has.
    """
    every = _grams(texts)
    wanted = facts["wanted"]
    return {
        "name": name, "count": facts["categories"][name], "tasks": facts["mixture"][name],
        "share": facts["categories"][name] / max(1, sum(facts["categories"].values())),
        "wanted": wanted.get(name, 0) / sum(wanted.values()) if wanted else 1 / len(CATEGORIES),
        "median": round(statistics.median(map(len, texts))) if texts else 0,
        "distinct": len(every) / max(1, sum(every.values())), "novel": sum(gram not in known for gram in every) / max(1, len(every)),
    }  # fmt: skip


def _grams(texts: Iterable[str]) -> Counter[str]:
    every: Counter[str] = Counter()
    for text in texts:
        letters = "".join(_LETTER.findall(text))
        every.update(letters[start : start + NGRAM] for start in range(len(letters) - NGRAM + 1))
    return every


def _bars(lengths: Counter[int]) -> list[dict[str, Any]]:
    most = max(lengths.values(), default=1)
    names = [f"≤ {bound}" for bound in LENGTHS] + [f"> {LENGTHS[-1]}"]
    return [{"name": name, "count": lengths[place], "share": lengths[place] / most} for place, name in enumerate(names)]


def _colours(categories: dict[str, int]) -> dict[str, str]:
    """A hue for each category."""
    return {name: f"hsl({360 * place // len(CATEGORIES)} 55% 52%)" for place, name in enumerate(CATEGORIES) if name in categories}


def _drawn(path: str, seed: int, count: int = SHOWN) -> list[dict[str, Any]]:
    """`count` rows, each as likely as another (reservoir sampling), in file order."""
    rng = random.Random(seed)  # noqa: S311 - a draw, not a secret
    drawn: list[tuple[int, dict[str, Any]]] = []
    for number, row in enumerate(_rows(path)):
        if len(drawn) < count:
            drawn.append((number, row))
        elif (place := rng.randrange(number + 1)) < count:
            drawn[place] = (number, row)
    return [row for _, row in sorted(drawn, key=lambda pair: pair[0])]
