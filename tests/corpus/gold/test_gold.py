"""The gold sets keep what their cards promise, and the texts that classifiers learn from are none of them."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from factory.zh.classifiers.model import TASKS, THREATS, VARIETIES

CORPUS = Path(__file__).parents[3] / "corpus"
SIMILAR = 0.5  # Jaccard of character 5-grams: texts above it are copies (planted pairs excepted, of which there are none)


@cache
def rows(folder: str, pattern: str) -> list[dict[str, Any]]:
    files = sorted((CORPUS / folder).glob(pattern))
    return [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]


def shingles(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 5] for i in range(max(1, len(text) - 4)))


def copies(texts: list[tuple[str, frozenset[str]]], others: list[tuple[str, frozenset[str]]] | None = None) -> list[tuple[str, str]]:
    """Pairs with a Jaccard similarity of at least SIMILAR, found through shared 5-grams."""
    where: dict[str, list[int]] = {}
    held = texts if others is None else others
    for number, (_, grams) in enumerate(held):
        for gram in grams:
            where.setdefault(gram, []).append(number)
    found = []
    for number, (name, grams) in enumerate(texts):
        shared = Counter(other for gram in grams for other in where.get(gram, ()) if others is not None or other > number)
        found += [(name, held[o][0]) for o, n in shared.items() if n >= SIMILAR * (len(grams) + len(held[o][1]) - n)]
    return found


@pytest.mark.parametrize("label", THREATS)
def test_a_threat_has_80_texts_and_80_look_alikes(label: str) -> None:
    positives, clean = rows("gold", f"threat/{label}.jsonl"), rows("gold", f"threat/clean-{label}.jsonl")
    assert len(positives) >= 80 and len(clean) >= 80
    assert all(label in row["labels"] for row in positives)
    assert all(row["labels"] == ["clean"] for row in clean)


@pytest.mark.parametrize("label", VARIETIES)
def test_a_variety_has_60_texts(label: str) -> None:
    assert len(rows("gold", f"variety/{label}.jsonl")) >= 60
    assert all(row["labels"] == [label] for row in rows("gold", f"variety/{label}.jsonl"))


def test_quality_has_five_grades() -> None:
    assert Counter(row["quality"] for row in rows("gold", "quality.jsonl")) == dict.fromkeys((0, 0.25, 0.5, 0.75, 1), 20)


@pytest.mark.parametrize("task", ["threat", "variety"])
def test_labels_are_the_guidelines(task: Any) -> None:
    found = rows("gold", f"{task}/*.jsonl")
    assert {label for row in found for label in row["labels"]} == set(TASKS[task])
    ids = Counter(row["id"] for row in found)
    assert max(ids.values()) == 1
    card = (CORPUS / "gold" / task / "README.md").read_text("utf-8")
    assert all(label in card for label in TASKS[task])


def test_no_text_is_a_copy_of_another() -> None:
    texts = [(row["id"], shingles(row["text"])) for row in rows("gold", "**/*.jsonl")]
    assert copies(texts) == []


def test_what_is_learnt_from_is_not_in_the_gold() -> None:
    gold = [(row["id"], shingles(row["text"])) for row in rows("gold", "**/*.jsonl")]
    learnt = [(row["id"], shingles(row["text"])) for row in rows("classifiers/data", "**/*.jsonl")]
    assert len(learnt) > 1_000
    assert copies(learnt, gold) == []


def test_what_is_learnt_from_is_written_one_by_one() -> None:
    learnt = [(row["id"], shingles(row["text"])) for row in rows("classifiers/data", "**/*.jsonl")]
    assert copies(learnt) == []
    assert max(Counter(name for name, _ in learnt).values()) == 1


def test_the_search_for_copies_finds_one() -> None:
    one, other = shingles("這是一段用來檢查相似度的句子，夠長才行。"), shingles("這是一段用來檢查相似度的句子，夠長才好。")
    assert copies([("a", one), ("b", other)]) == [("a", "b")]
    assert copies([("a", one)], [("b", other)]) == [("a", "b")]
