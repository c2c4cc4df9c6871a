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
from synth.gates.paraphrase import Paraphrases
from synth.rows import too_low
from synth.tasks import TASKS, Candidate

CASES = Path(__file__).parent / "gate_cases"
RESULT = ROOT / "benchmarks" / "results" / "gate_cards.json"
DOCS = ROOT / "docs" / "synth.md"
LEAST = 50  # cases of each label
EVALUATION = ("ttqa_mc_2.0.2", "tmmlu_v1", "gsat_qb_social", "civil_service_exam_quziar", "mt_bench_tw", "zh_tw_bench", "drcd_test")
ROW: dict[str, Any] = {"id": "s", "category": "knowledge", "question": "問", "answer": "答", "text": "文", "parents": ["s"]}


def cases(gate: str, again: bool = False) -> list[dict[str, Any]]:
    """The cases of a gate; `again` for the second set."""
    folder = CASES / "second" if again else CASES
    return [json.loads(line) for line in (folder / f"{gate}.jsonl").read_text(encoding="utf-8").splitlines()]


def evaluation(folder: Path) -> Gates:
    """Gates that know the evaluation sets which the cases paraphrase."""
    paths = sorted(path for name in EVALUATION for path in folder.glob(f"eval/{name}.jsonl*"))
    items = [item for path in paths for item in read_items(str(path))]
    return Gates(evaluation=Matcher(items), paraphrases=Paraphrases(items))


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


def card(gate: str, gates: Gates, again: bool = False) -> dict[str, Any]:
    """Counts, precision and recall of a gate, and what it gets wrong."""
    listed = cases(gate, again)
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


def cards(folder: Path | None, again: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """The card of each gate that has cases; without real data all but `evaluation_set`."""
    plain = Gates()
    for gate in sorted(path.stem for path in (CASES / "second" if again else CASES).glob("*.jsonl")):
        if gate != "evaluation_set":
            yield gate, card(gate, plain, again)
        elif folder is not None:
            yield gate, card(gate, evaluation(folder), again)


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
    options.add_argument("--docs", action="store_true", help="put the committed result's table into docs/synth.md, without measuring")
    asked = options.parse_args()
    if asked.docs:
        _write_docs()
        return
    folder = data_folder()
    found, second = dict(cards(folder)), dict(cards(folder, again=True))
    print(table(found), "", table(second), sep="\n")
    for gate, row in [*found.items(), *second.items()]:
        print(gate, "missed", row["missed"], "wrong", row["wrong"])
    code = ("benchmarks.gate_cards", "synth.gates", "synth.answers", "factory.zh")
    write_result(asked.output, {"cards": found, "second": second, **environment(code, ("rapidfuzz",))})


def _write_docs() -> None:
    """Three looks at each gate: blind, after the failures were read, and on the second, blind cases."""
    first = json.loads((RESULT.parent / "gate_cards_first_run.json").read_text(encoding="utf-8"))["cards"]
    now = json.loads(RESULT.read_text(encoding="utf-8"))
    lines = ["| gate | cases | first run | now | new cases | recall | precision |", "|---|---:|---:|---:|---:|---:|---:|"]

    def pair(row: dict[str, Any] | None) -> str:
        return "" if row is None else " / ".join("–" if row[name] is None else f"{row[name]:.0%}" for name in ("recall", "precision"))

    def interval(row: dict[str, Any] | None, name: str) -> str:
        return "" if row is None or row[name] is None else "{:.0%} to {:.0%}".format(*row[f"{name}_interval"])

    for gate, row in now["cards"].items():
        fresh = now["second"].get(gate)
        size = "" if fresh is None else f"{fresh['positive']} + {fresh['negative']}: {pair(fresh)}"
        bounds = f"{interval(fresh or row, 'recall')} | {interval(fresh or row, 'precision')}"
        lines.append(f"| `{gate}` | {row['positive']} + {row['negative']} | {pair(first.get(gate))} | {pair(row)} | {size} | {bounds} |")
    page = DOCS.read_text(encoding="utf-8")
    before, _, rest = page.partition("<!-- cards -->\n")
    _, _, after = rest.partition("<!-- /cards -->")
    DOCS.write_text(f"{before}<!-- cards -->\n" + "\n".join(lines) + f"\n<!-- /cards -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
