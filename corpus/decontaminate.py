"""Documents that hold questions of an evaluation set leave the corpus, each with the item that it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.parquet as pq

from corpus.annotate import Part
from corpus.decisions import Decisions, spans
from corpus.recipe import Decontaminate
from factory import storage
from factory.records import Reason
from factory.zh.overlap import Item, Match, Matcher, read_items

ROWS = 1_000


def matcher_of(config: Decontaminate, paths: Sequence[str]) -> Matcher:
    """A matcher for the items of all files. Raises UserError for one that holds none."""
    items: list[Item] = []
    for path in paths:
        items += read_items(path)
    return Matcher(items, config.share)


def input_key(paths: Sequence[str]) -> list[list[str]]:
    """What the evaluation files are, for a stage's key."""
    return [[os.path.basename(path), storage.sha256_file(path)] for path in paths]


def decontaminate(parts: Sequence[Part], decided: Decisions, config: Decontaminate, paths: Sequence[str]) -> None:
    """Removes the kept documents that hold an item, in place; `keep_sources` excepted."""
    matcher = matcher_of(config, paths)
    statuses = decided.columns["reason"]
    for first, last, part in spans(parts, decided):
        if part.source in config.keep_sources:
            continue
        wanted = [row - first for row in range(first, last) if statuses[row] is None]
        for rows, texts in _texts(f"{part.folder}/documents.parquet", set(wanted)):
            for row, matches in zip(rows, matcher.find(texts), strict=True):
                if matches:
                    decided.remove(first + row, Reason.CONTAMINATED, rule="decontaminate", **explained(matches, config.share))


def explained(matches: Sequence[Match], share: float) -> dict[str, Any]:
    """Columns of the decision table that say which item a document holds, and how much of it."""
    best = matches[0]
    more = f", and {len(matches) - 1} more items" if len(matches) > 1 else ""
    return {
        "observed": f"share={best.share} of {best.item.set}:{best.item.id} ({best.part}), longest run={best.run} letters{more}",
        "threshold": f"share ≥ {share}",
    }


def _texts(path: str, wanted: set[int]) -> Iterator[tuple[list[int], list[str]]]:
    position = 0
    with pq.ParquetFile(path) as stored:
        for batch in stored.iter_batches(batch_size=ROWS, columns=["text"]):
            rows = [row for row in range(position, position + batch.num_rows) if row in wanted]
            if rows:
                column = batch.column(0)
                yield rows, [column[row - position].as_py() for row in rows]
            position += batch.num_rows
