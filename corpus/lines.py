"""Lines and paragraphs that stand in several documents are taken out of them; the documents stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.annotate import Part
from corpus.decisions import Decisions, spans
from corpus.recipe import LineDuplicates, ParagraphDuplicates

Rows = npt.NDArray[np.int64]


def remove_lines(parts: Sequence[Part], decided: Decisions, kept: Rows, config: LineDuplicates) -> None:
    """Marks lines in `dropped_lines` that stand in too many of the documents `kept`, of one source or of all."""
    columns = decided.columns
    sources = [columns["source"][row] for row in kept]
    eligible = [source for source in dict.fromkeys(sources) if source not in config.skip_sources]
    for group in [eligible] if config.across_sources else [[source] for source in eligible]:
        rows = kept[np.fromiter((source in group for source in sources), bool, kept.size)]
        frequent = _frequent_lines(_lines(parts, decided, rows), config.max_documents)
        if not frequent:
            continue
        for row, hashes in _lines(parts, decided, rows):
            dropped = [line for line, value in enumerate(hashes) if value in frequent]
            if dropped:
                columns["dropped_lines"][row] = dropped


def remove_paragraphs(parts: Sequence[Part], decided: Decisions, kept: Rows, rank: Rows, config: ParagraphDuplicates) -> None:
    """Marks paragraphs in `dropped_lines` that a document of a smaller `rank` holds, too.

    Inside one document nothing changes. Memory: 24 bytes a paragraph.
    """
    columns = decided.columns
    hashes, owners, numbers = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    position = 0
    for first, last, part in spans(parts, decided):
        inside = kept[(kept >= first) & (kept < last)] - first
        if not inside.size:
            continue
        table = pq.read_table(f"{part.folder}/features.parquet", columns=["line_hashes", "line_chars"]).take(pa.array(inside))
        found, lengths = (table.column(name).combine_chunks() for name in ("line_hashes", "line_chars"))
        counts = np.diff(found.offsets.to_numpy())
        owner = np.repeat(np.arange(position, position + inside.size), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        long = lengths.flatten().to_numpy() >= config.min_chars
        hashes.append(found.flatten().to_numpy()[long])
        owners.append(owner[long])
        numbers.append(number[long])
        position += inside.size
    values, documents, lines = np.concatenate(hashes), np.concatenate(owners), np.concatenate(numbers)
    # of a group of equal paragraphs the first is the preferred document's; sources that keep theirs come before all others
    keeps = np.fromiter((columns["source"][row] in config.skip_sources for row in kept.tolist()), bool, kept.size)
    order = np.lexsort((lines, rank[documents], ~keeps[documents], values))
    values, documents, lines = values[order], documents[order], lines[order]
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1]))) if values.size else np.zeros(0, np.int64)
    holder = np.repeat(documents[starts], np.diff(np.append(starts, values.size)))
    repeated = (documents != holder) & ~keeps[documents]
    for document, line in zip(documents[repeated].tolist(), lines[repeated].tolist(), strict=True):
        row = int(kept[document])
        dropped = columns["dropped_lines"][row] or []
        if line not in dropped:
            columns["dropped_lines"][row] = sorted([*dropped, line])


def _lines(parts: Sequence[Part], decided: Decisions, rows: Rows) -> Iterator[tuple[int, list[int]]]:
    """(row, line hashes) part by part, so that only one part's lines are in memory."""
    for first, last, part in spans(parts, decided):
        inside = rows[(rows >= first) & (rows < last)]
        if inside.size:
            column: Any = pq.read_table(f"{part.folder}/features.parquet", columns=["line_hashes"]).column(0)
            yield from zip(inside.tolist(), column.take(pa.array(inside - first)).to_pylist(), strict=True)


def _frequent_lines(documents: Iterable[tuple[int, list[int]]], max_documents: int) -> set[int]:
    counts: Counter[int] = Counter()
    for _, hashes in documents:
        counts.update(set(hashes))
    return {value for value, count in counts.items() if count > max_documents and value != 0}
