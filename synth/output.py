"""The files of a run. They follow from the ledger and the recipe alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import IO, Any, NamedTuple

from factory import storage
from synth import report
from synth.recipe import Plan
from synth.rows import Rows


class Result(NamedTuple):
    """What a run came to. `accepted` + rejected + `waiting` = candidates and requests without an answer."""

    output: str
    accepted: int
    rejected: dict[str, int]
    waiting: int  # requests that were not asked, for want of money or because `run` was stopped
    cost: Decimal
    asked: int
    stopped: bool


def write(plan: Plan, rows: Rows, cost: Decimal, asked: int, stopped: bool) -> Result:
    """Writes `accepted.jsonl`, `rejected.jsonl`, `preferences.jsonl`, `summary.json`, the report and the card."""
    mixture: dict[str, Counter[str]] = {}
    tasks: Counter[str] = Counter()
    rejected: Counter[str] = Counter()

    def conversations() -> Iterator[dict[str, Any]]:
        for row in rows.standing():
            tasks[row["lineage"]["task"]] += 1
            if "rejected" not in row:
                mixture.setdefault(row["category"], Counter())[row["lineage"]["task"]] += 1
                yield row

    def turned_away() -> Iterator[dict[str, Any]]:
        for row in chain(rows.rejected.read(), rows.turned_down()):
            rejected[row["reason"]] += 1
            yield row

    preferences = (_preference(row) for row in rows.standing() if "rejected" in row)
    for name, listed in (("accepted", conversations()), ("rejected", turned_away()), ("preferences", preferences)):
        storage.atomic_write(f"{plan.output}/{name}.jsonl", partial(_write_lines, listed))
    recipe = plan.recipe
    result = Result(plan.output, sum(tasks.values()), dict(rejected.most_common()), rows.waiting, cost, asked, stopped)
    summary = {
        "name": recipe.name, "accepted": result.accepted, "rejected": result.rejected, "waiting": result.waiting,
        "categories": {name: sum(counts.values()) for name, counts in sorted(mixture.items())},
        "mixture": {name: dict(sorted(counts.items())) for name, counts in sorted(mixture.items())},
        "wanted": recipe.mixture and dict(sorted(recipe.mixture.items())), "tasks": dict(sorted(tasks.items())),
        "cost": str(cost), "currency": recipe.prices.currency, "prices_dated": recipe.prices.dated,
        "license": recipe.license, "model": recipe.endpoint.model, "seeds": len(rows.seeds), "seed": recipe.seed,
    }  # fmt: skip
    storage.atomic_write_text(f"{plan.output}/summary.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    report.write(plan.output, [row["question"] for row in rows.seeds])
    return result


def _write_lines(rows: Iterable[dict[str, Any]], stream: IO[bytes]) -> None:
    for row in rows:
        stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _preference(row: dict[str, Any]) -> dict[str, Any]:
    worse = [{"role": "assistant", "content": row["rejected"]}]
    pair = {"id": row["id"], "prompt": row["messages"][:1], "chosen": row["messages"][1:], "rejected": worse}
    return {**pair, **{name: row[name] for name in ("category", "lineage", "license")}}
