"""Every figure that is claimed for the bundled classifiers, from one command: `python -m benchmarks.classifiers`.

Needs TWLLM_DATA. Writes benchmarks/results/classifiers.json and docs/classifiers.md. Gold sets and held-out sources are
only read here; no threshold or setting comes from them.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import environment, write_result
from corpus.classifiers import baselines, evaluate
from corpus.classifiers.data import Passage, Split, read_set
from corpus.classifiers.recipe import ClassifierRecipe, load_recipe
from corpus.classifiers.score import quality_figures
from corpus.classifiers.train import gather
from factory import storage
from factory.zh.classifiers.model import TASKS, THREATS, Classifier, Task, bundled
from factory.zh.classifiers.tokens import tokens

ROOT = Path(__file__).parent.parent
GOLD = ROOT / "corpus" / "gold"
RESULT = ROOT / "benchmarks" / "results" / "classifiers.json"
PAGE = ROOT / "docs" / "classifiers.md"
CLEAN_SOURCES = {"law": "law_moj", "court decisions": "law_constitutional_court", "gazette": "ly_gazette_sample", "news": "news_tw"}
THRESHOLDS_SET_ON = "news/ettoday"  # by recipes/classifiers/threat.yaml
SPEED_TEXTS = ("news_tw", "law_moj", "social_ptt")
SPEED_BYTES = 8 << 20
BASELINE_ROWS = 3_000


def gold(folder: str) -> list[Passage]:
    """A gold set's rows, whole."""
    rows = [json.loads(line) for path in sorted((GOLD / folder).glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    return [Passage(row["id"], row["id"], row["text"], tuple(row["labels"]), row["id"].rpartition("-")[0]) for row in rows]


def recipe_of(task: str) -> tuple[ClassifierRecipe, str, str]:
    path = str(ROOT / "recipes" / "classifiers" / f"{task}.yaml")
    return *load_recipe(path), path


def variety() -> dict[str, Any]:
    recipe, base, path = recipe_of("variety")
    model = bundled("variety")
    decide = evaluate.decided_by(model)
    parts = gather(recipe, base, path)
    rows = [p for number, data in enumerate(recipe.held_out) for p in read_set(data, recipe, base, f"{path}: held_out.{number}")]
    rows += [p for p in parts.test if "nan" in p.labels]  # one real source: split by document
    some = sorted(rows, key=lambda p: hash_of(p.id))[:BASELINE_ROWS]
    return {
        "held_out": evaluate.by_length(rows, decide),
        "held_out_masked": evaluate.masked(rows, decide),
        "test_split": evaluate.by_length(parts.test, decide, TASKS["variety"]),
        "domain_matched_pairs": pairs(parts, decide),
        "gold": evaluate.figures(gold("variety"), decide, TASKS["variety"]),
        "baselines": {
            name: evaluate.by_length(some, lambda texts, one=one: [[one(text)] for text in texts])
            for name, one in baselines.VARIETY.items()
        },
        "on_the_baselines_rows": evaluate.by_length(some, decide),
        "calibration_error": evaluate.calibration(model, parts.test),
    }


def hash_of(name: str) -> str:
    import hashlib

    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def pairs(parts: Split, decide: evaluate.Decide) -> dict[str, Any]:
    """The same documentation page as Taiwan's and as converted mainland text; none of these pages was learnt from."""
    rows = [p for p in parts.test if p.source == "parallel/vs-docs" and "cn" not in p.labels]
    return evaluate.figures(rows, decide, ("tw", "cn_converted"))


def threat() -> dict[str, Any]:
    model = bundled("threat")
    rows = gold("threat")
    decide = lambda texts: model.decide(model.score(texts))  # noqa: E731
    recipe, base, path = recipe_of("threat")
    parts = gather(recipe, base, path)
    return {
        "gold": evaluate.figures(rows, decide, TASKS["threat"]),
        "gold_lexicon_baseline": evaluate.figures(rows, lambda texts: [baselines.threats(text) for text in texts], TASKS["threat"]),
        "gold_recall_at_95_precision": {label: recall_at(model, rows, label, 0.95) for label in THREATS},
        "false_positives": evaluate.false_positives(model, clean_documents()),
        "calibration_error": evaluate.calibration(model, parts.calibration),
    }


def recall_at(model: Classifier, rows: Sequence[Passage], label: str, precision: float) -> float:
    """What the ranking alone would allow: the best recall at a precision, were the threshold chosen on the gold (it is not)."""
    values = model.score([p.text for p in rows]).values[:, model.labels.index(label)]
    order = sorted(range(len(rows)), key=lambda i: -values[i])
    hits, best, total = 0, 0.0, sum(label in p.labels for p in rows)
    for count, i in enumerate(order, 1):
        hits += label in rows[i].labels
        if hits / count >= precision:
            best = hits / total
    return round(best, 4)


def clean_documents() -> list[Passage]:
    found = []
    for source, name in CLEAN_SOURCES.items():
        with storage.open_binary(f"{os.environ['TWLLM_DATA']}/corpus/{name}.jsonl.zst") as stream:
            for line in stream:
                row = json.loads(line)
                text = row["text"].encode("utf-8", "replace").decode()
                kind = f"{source}, the publisher that thresholds were set on" if row["source"] == THRESHOLDS_SET_ON else source
                found.append(Passage(row["id"], f"{name}/{row['id']}", text, ("clean",), kind))
    return found


def quality() -> dict[str, Any]:
    rows = [json.loads(line) for line in (GOLD / "quality.jsonl").read_text("utf-8").splitlines()]
    return {"gold": quality_figures(bundled("quality"), [row["text"] for row in rows], [row["quality"] for row in rows])}


def speed(model: Classifier) -> dict[str, float]:
    """MB of scored bytes a second on one core, best of three, beside fastText's own reader on the same passages."""
    import fasttext

    from factory.zh.classifiers.model import passages_of

    texts: list[str] = []
    for name in SPEED_TEXTS:
        with storage.open_binary(f"{os.environ['TWLLM_DATA']}/corpus/{name}.jsonl.zst") as stream:
            held = 0
            for line in stream:
                text = json.loads(line)["text"].encode("utf-8", "replace").decode()
                texts.append(text)
                held += len(text.encode())
                if held > SPEED_BYTES // len(SPEED_TEXTS):
                    break
    passages = [text[a:b] for text in texts for a, b in passages_of(text)]
    scored = sum(len(passage.encode()) for passage in passages)
    ours = min(_cpu(lambda: model.score(texts)) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.ftz"
        Path(path).write_bytes((ROOT / "factory/zh/classifiers/models" / model.facts.task / "model.ftz").read_bytes())
        peer = fasttext.load_model(path)
        some = passages[:: max(1, len(passages) // 400)]
        lines = [" ".join(tokens(passage, model.facts.longest_token)) for passage in some]
        theirs = _cpu(lambda: peer.predict(lines, k=1))
    peer_speed = sum(len(passage.encode()) for passage in some) / theirs / 1e6
    return {
        "mb_per_second": round(scored / ours / 1e6, 1),
        "fasttext_predict_mb_per_second": round(peer_speed, 2),
        "ratio": round(scored / ours / 1e6 / peer_speed, 1),
    }


def _cpu(run: Any) -> float:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # threads of the linear algebra library spin, and their time would count
        start = time.process_time()
        run()
        return time.process_time() - start


def page(found: dict[str, Any]) -> str:
    """docs/classifiers.md."""
    made = found["environment"]["commit"] or ""
    lines = [
        "# How often the classifiers are wrong",
        "",
        f"Written by `python -m benchmarks.classifiers` (commit {made[:12]}{'+changes' if made.endswith('+changes') else ''}) from "
        "`benchmarks/results/classifiers.json`; do not edit it. Intervals are 95 %: Wilson's for shares, "
        "bootstrap over documents for macro F1.",
        "",
    ]
    if "variety" in found:
        lines += _variety_page(found["variety"])
    if "threat" in found:
        lines += _threat_page(found["threat"])
    if "quality" in found:
        gold_row = found["quality"]["gold"]
        lines += ["## Quality", "", f"Gold, {gold_row['texts']} texts: rank correlation {gold_row['spearman']} "
            f"{gold_row['spearman_interval']}, mean error "
                  f"{gold_row['mean_absolute_error']}.", ""]  # fmt: skip
    lines += ["## Speed", "", "One core, MB of scored UTF-8 a second, beside fastText's own `predict` on the same passages.", "",
              "| task | ours | fastText | ratio |", "|---|--:|--:|--:|"]  # fmt: skip
    lines += [
        f"| {task} | {row['mb_per_second']} | {row['fasttext_predict_mb_per_second']} | {row['ratio']} |"
        for task, row in found["speed"].items()
    ]
    return "\n".join(lines) + "\n"


def _variety_page(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Variety",
        "",
        "Held-out sources are forums, newspapers, Hong Kong's Hansard, mainland portals and Cantonese speech; nothing of them was learnt. "
        "`nan` has one real source and is split by document; `hk` has one real source, held out whole. "
        "Bars: macro F1 .95 from 200 characters, .85 from 50 to 199, .80 masked. Settings were chosen with the held-out sources in view.",
        "",
        "| rows | characters | texts | macro F1 | interval |",
        "|---|---|--:|--:|---|",
    ]
    for name, title in (
        ("held_out", "held-out sources"),
        ("held_out_masked", "held-out, listed words masked"),
        ("on_the_baselines_rows", "the baselines' rows"),
    ):
        for length in evaluate.LENGTHS:
            row = found[name][length]
            lines.append(f"| {title} | {length} | {row['texts']:,} | {row['macro_f1']} | {row['macro_f1_interval']} |")
    for name, rows in found["baselines"].items():
        for length, row in rows.items():
            lines.append(f"| {name} | {length} | {row['texts']:,} | {row['macro_f1']} | {row['macro_f1_interval']} |")
    for name, title in (
        ("gold", "gold, all eight labels"),
        ("domain_matched_pairs", "the same documentation page, Taiwan's and converted"),
    ):
        row = found[name]
        lines.append(f"| {title} | all | {row['texts']:,} | {row['macro_f1']} | {row['macro_f1_interval']} |")
    lines += [
        "",
        f"Share of characters masked: {found['held_out_masked']['share_masked']:.1%}.",
        "",
        "| held-out, 200+ | texts | recall | precision | F1 |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {label} | {row['texts']:,} | {row['recall']} | {row['precision']} | {row['f1']} |"
        for label, row in found["held_out"]["200+"]["labels"].items()
    ]
    lines += ["", "The most frequent errors:", "", "| source | label | given | texts |", "|---|---|---|--:|"]
    lines += [
        f"| {row['source']} | {row['label']} | {row['given']} | {row['texts']} |"
        for row in found["held_out"]["200+"]["errors"]["kinds"][:10]
    ]
    return [*lines, ""]


def _threat_page(found: dict[str, Any]) -> list[str]:
    lines = ["## Threats", "", "On the gold (85 texts and 85 look-alikes a label). Bars: recall .90 at precision .95.", "",
             "| label | recall | interval | precision | interval | lexicon alone: recall | precision |",
             "|---|--:|---|--:|---|--:|--:|"]  # fmt: skip
    for label in THREATS:
        row, base = found["gold"]["labels"][label], found["gold_lexicon_baseline"]["labels"][label]
        lines.append(
            f"| {label} | {row['recall']} | {row['recall_interval']} | {row['precision']} | {row['precision_interval']} "
            f"| {base['recall']} | {base['precision']} |"
        )
    lines += [
        "",
        "Clean documents that get any threat. Bar: 0.1 %.",
        "",
        "| source | documents | flagged | rate | interval |",
        "|---|--:|--:|--:|---|",
    ]
    lines += [
        f"| {source} | {row['documents']:,} | {row['flagged']} | {row['rate']:.3%} | {row['interval']} |"
        for source, row in found["false_positives"].items()
    ]
    return [*lines, ""]


def main() -> None:
    if not os.environ.get("TWLLM_DATA"):
        raise SystemExit("benchmarks.classifiers: set TWLLM_DATA to the folder of real data.")
    trained: list[Task] = [task for task in TASKS if (ROOT / "factory/zh/classifiers/models" / task).is_dir()]
    parts: dict[Task, Any] = {"variety": variety, "threat": threat, "quality": quality}
    found = {
        "environment": environment(("corpus.classifiers", "factory.zh.classifiers"), ("fasttext-numpy2-wheel", "numba", "numpy", "opencc")),
        "models": {task: bundled(task).facts.model_dump(mode="json") for task in trained},
        **{task: parts[task]() for task in trained},
        "speed": {task: speed(bundled(task)) for task in trained},
    }
    write_result(str(RESULT), found)
    storage.atomic_write_text(str(PAGE), page(found))
    print(RESULT)


if __name__ == "__main__":
    main()
