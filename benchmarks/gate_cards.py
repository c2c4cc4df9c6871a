"""How often each gate of synthesis is right, on cases written by hand: `python -m benchmarks.gate_cards`.

The cases (benchmarks/gate_cases) were committed before the gates were measured on them. For each gate: precision and recall with
Wilson intervals, and the ids that it gets wrong. `evaluation_set` needs TWLLM_DATA, from which the questions come; its cases name them
by id. Writes benchmarks/results/gate_cards.json, and with `--docs` the table in docs/synth.md. gate_cards_first_run.json was written by
the gates as they were before anybody had seen a failure on these cases; the later figures come after the failures were read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import ROOT, data_folder, environment, write_result
from factory.statistics import wilson
from factory.zh.overlap import Matcher, read_items
from synth.answers import Malformed
from synth.gates import Gates, Rejection
from synth.rows import too_low
from synth.tasks import TASKS, Candidate

CASES = Path(__file__).parent / "gate_cases"
RESULT = ROOT / "benchmarks" / "results" / "gate_cards.json"
LEAST = 50  # cases of each label
EVALUATION = ("ttqa_mc_2.0.2", "tmmlu_v1", "gsat_qb_social", "civil_service_exam_quziar", "mt_bench_tw", "zh_tw_bench", "drcd_test")
ROW: dict[str, Any] = {"id": "s", "category": "knowledge", "question": "問", "answer": "答", "text": "文", "parents": ["s"]}


def cases(gate: str) -> list[dict[str, Any]]:
    """The cases of a gate."""
    return [json.loads(line) for line in (CASES / f"{gate}.jsonl").read_text(encoding="utf-8").splitlines()]


def evaluation(folder: Path) -> Matcher:
    """The evaluation sets that the cases paraphrase."""
    paths = sorted(path for name in EVALUATION for path in folder.glob(f"eval/{name}.jsonl*"))
    return Matcher([item for path in paths for item in read_items(str(path))])


def candidate(case: dict[str, Any]) -> Candidate:
    """A case as a candidate of its category."""
    messages = [{"role": "user", "content": case["question"]}, {"role": "assistant", "content": case["answer"]}]
    extra = {name: case[name] for name in ("spans", "passage") if name in case}
    return Candidate(messages, case["category"], ("s",), extra)


def objects(gate: str, case: dict[str, Any], gates: Gates) -> bool:
    """Whether the gate of this name objects to a case."""
    if gate in ("malformed", "judge"):
        try:
            found = TASKS[case.get("task", "judge")].read(case["reply"], ROW)
        except Malformed:
            return gate == "malformed"
        return gate == "judge" and bool(too_low(found[0].extra["scores"]))
    if gate == "not_novel":
        gates = Gates([case["other"]])
    return any(objection.reason == Rejection(gate) for objection in gates.every(candidate(case), novel=gate == "not_novel"))


def card(gate: str, gates: Gates) -> dict[str, Any]:
    """Counts, precision and recall of a gate, and what it gets wrong."""
    listed = cases(gate)
    said = {case["id"]: objects(gate, case, gates) for case in listed}
    missed = [case["id"] for case in listed if case["expect"] and not said[case["id"]]]
    wrong = [case["id"] for case in listed if not case["expect"] and said[case["id"]]]
    positive = sum(case["expect"] for case in listed)
    found = positive - len(missed)
    return {
        "positive": positive, "negative": len(listed) - positive, "found": found, "wrongly": len(wrong),
        "recall": round(found / positive, 4), "recall_interval": [round(bound, 4) for bound in wilson(found, positive)],
        "precision": round(found / (found + len(wrong)), 4) if found + len(wrong) else None,
        "precision_interval": [round(bound, 4) for bound in wilson(found, found + len(wrong))] if found + len(wrong) else None,
        "missed": missed, "wrong": wrong,
    }  # fmt: skip


def cards(folder: Path | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The card of each gate that has cases; without real data all but `evaluation_set`."""
    plain = Gates()
    for gate in sorted(path.stem for path in CASES.glob("*.jsonl")):
        if gate != "evaluation_set":
            yield gate, card(gate, plain)
        elif folder is not None:
            yield gate, card(gate, Gates(evaluation=evaluation(folder)))


def table(found: dict[str, dict[str, Any]]) -> str:
    """The cards as a Markdown table."""
    lines = ["| gate | cases | recall | precision |", "|---|---:|---:|---:|"]
    for gate, row in found.items():
        figures = [
            f"{row[name]:.1%} ({row[f'{name}_interval'][0]:.0%} to {row[f'{name}_interval'][1]:.0%})" if row[name] is not None else "none"
            for name in ("recall", "precision")
        ]
        lines.append(f"| `{gate}` | {row['positive']} + {row['negative']} | {figures[0]} | {figures[1]} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, prints, writes."""
    options = argparse.ArgumentParser(description="Precision and recall of the gates of synthesis.")
    options.add_argument("--output", default=str(RESULT))
    asked = options.parse_args()
    folder = data_folder()
    found = dict(cards(folder))
    print(table(found))
    for gate, row in found.items():
        print(gate, "missed", row["missed"], "wrong", row["wrong"])
    write_result(asked.output, {"cards": found, **environment(("benchmarks.gate_cards", "synth.gates", "factory.zh"), ("rapidfuzz",))})


if __name__ == "__main__":
    main()
