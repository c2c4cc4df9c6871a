"""How often a planted question is found, and what is found in real text: `python -m benchmarks.decontamination`.

Needs TWLLM_DATA: all evaluation sets under eval/, all documents under corpus/. Writes benchmarks/results/decontamination.json
with counts and ids. About two minutes.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import ROOT, data_folder, environment, rows, write_result
from factory.statistics import wilson
from factory.zh.overlap import RUN, Item, Matcher, read_items

RESULT = ROOT / "benchmarks" / "results" / "decontamination.json"
PLANTED, SEED = 1_000, 20261124
IDS = 30  # listed for each file
ANSWERS = ("_ans_", "_ref_")  # files of answers, which hold no question
LAW = "law_moj"
STRANGERS = "的一是在不了有和人這中大為上個國我以要他"  # frequent characters that replace letters


def texts_of(item: Item) -> list[str]:
    return [*item.question, *item.options]


def substituted(share: float) -> Callable[[Item, random.Random], str]:
    """A share of the characters, at least one, becomes another."""

    def edit(item: Item, rng: random.Random) -> str:
        letters = list("\n".join(texts_of(item)))
        for place in rng.sample(range(len(letters)), max(1, round(share * len(letters)))):
            letters[place] = rng.choice(STRANGERS)
        return "".join(letters)

    return edit


def shuffled(item: Item, rng: random.Random) -> str:
    return "\n".join([*item.question, *rng.sample(item.options, len(item.options))])


def simplified(item: Item, rng: random.Random) -> str:
    import opencc

    return str(opencc.OpenCC("t2s").convert("\n".join(texts_of(item))))


def split(item: Item, rng: random.Random) -> str:
    whole = "".join(texts_of(item))
    return "\n".join(whole[start : start + 7] for start in range(0, len(whole), 7))


EDITS: dict[str, Callable[[Item, random.Random], str]] = {
    "exact": lambda item, rng: "\n".join(texts_of(item)),
    "question without its options": lambda item, rng: "\n".join(item.question or item.options),
    "options shuffled": shuffled,
    "Simplified": simplified,
    "lines of seven characters": split,
    "no punctuation": lambda item, rng: "".join(c for c in "".join(texts_of(item)) if c.isalnum()),
    "3 % of characters replaced": substituted(0.03),
    "5 % of characters replaced": substituted(0.05),
    "8 % of characters replaced": substituted(0.08),
}


def planted(matcher: Matcher, filler: list[str]) -> dict[str, Any]:
    """Items in the middle of news reports, as they are and edited."""
    rng = random.Random(SEED)
    untold = set(matcher.untold)
    chosen = rng.sample([item for item in matcher.items if item not in untold], PLANTED)
    result = {}
    for name, edit in EDITS.items():
        texts = [f"{(text := rng.choice(filler))[:200]}\n{edit(item, rng)}\n{text[200:600]}" for item in chosen]
        found = sum(any(match.item == item for match in matches) for item, matches in zip(chosen, matcher.find(texts), strict=True))
        result[name] = {"planted": PLANTED, "found": found, "recall_interval": [round(bound, 4) for bound in wilson(found, PLANTED)]}
    return result


def real(matcher: Matcher, folder: Path) -> dict[str, Any]:
    """What is found in every file of real text."""
    result = {}
    for path in sorted((folder / "corpus").glob("*.jsonl.zst")):
        name = path.name.removesuffix(".jsonl.zst")
        documents = [(row["id"], row["text"]) for row in rows(folder, name) if isinstance(row.get("text"), str)]
        start = time.process_time()
        hits = [(i, found) for k in range(0, len(documents), 500) for i, found in _found(matcher, documents[k : k + 500])]
        seconds = time.process_time() - start
        size = sum(len(text.encode("utf-8", "replace")) for _, text in documents)
        result[name] = {
            "documents": len(documents),
            "found": len(hits),
            "with_a_run_of_18_letters": sum(max(match.run for match in found) >= RUN for _, found in hits),
            "mb_per_second": round(size / 1e6 / seconds, 1),
            "sets": dict(Counter(found[0].item.set for _, found in hits).most_common()),
            "ids": [[i, f"{found[0].item.set}:{found[0].item.id}", found[0].share, found[0].run] for i, found in hits[:IDS]],
        }
    return result


def _found(matcher: Matcher, documents: list[tuple[str, str]]) -> list[tuple[str, Any]]:
    found = zip(documents, matcher.find([text for _, text in documents]), strict=True)
    return [(name, matches) for (name, _), matches in found if matches]


def main() -> None:
    folder = data_folder()
    if folder is None:
        raise SystemExit("benchmarks.decontamination: set TWLLM_DATA to the folder of real data.")
    paths = [path for path in sorted((folder / "eval").glob("*.jsonl*")) if not any(part in path.name for part in ANSWERS)]
    matcher = Matcher(item for path in paths for item in read_items(str(path)))
    filler = [row["text"] for row in rows(folder, "news_tw") if len(row["text"]) > 600]
    found = real(matcher, folder)
    law = found[LAW]
    false = law["found"] - law["with_a_run_of_18_letters"]
    write_result(
        str(RESULT),
        {
            "environment": environment(("benchmarks.decontamination", "factory.zh.overlap"), ("numba", "numpy")),
            "items": dict(Counter(item.set for item in matcher.items)),
            "items_too_short_or_common": dict(Counter(item.set for item in matcher.untold)),
            "planted": planted(matcher, filler),
            "law": {
                "documents": law["documents"],
                "quoted_by_questions": law["with_a_run_of_18_letters"],
                "falsely_found": false,
                "rate": round(false / law["documents"], 6),
                "interval": [round(bound, 6) for bound in wilson(false, law["documents"])],
            },
            "real": found,
        },
    )
    print(RESULT)


if __name__ == "__main__":
    main()
