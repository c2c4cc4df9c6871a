"""Exact, near and semantic duplicates, repeated lines and paragraphs among the documents that the policy kept.

Of a group of copies one stays: of the source with the highest priority, then the longest, then the earliest, then by id.
Each copy removed names the one that stays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.annotate import Part
from corpus.decisions import Decisions, spans
from corpus.lines import remove_lines, remove_paragraphs
from corpus.recipe import CorpusRecipe, Deduplicate, NearDuplicates
from corpus.semantic import remove_semantic
from corpus.signatures import NEIGHBOURS, Bands, Batch, Segment, originals, similarity, write_segment
from factory.records import Reason
from factory.zh.ngrams import NUM_PERM

BAND_MARGIN = 0.05  # bands propose pairs a little below the threshold, where half would be missed otherwise; similarity decides
UNDATED = "9999"  # after every date: a copy that states when it was published is preferred


def deduplicate(
    parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, scratch: str | None = None, before: Sequence[Segment] = ()
) -> None:
    """Removes duplicates from `decided` in place, also of documents in the segments of an index that came `before`.

    Signatures of kept documents lie on disk (0.8 kB each), in the folder `scratch` or a temporary one, while it runs.
    """
    config = recipe.deduplicate
    kept = np.fromiter(decided.kept(), np.int64)
    if kept.size == 0:
        return
    rank = _preference(parts, decided, recipe, kept)
    if config.exact:
        hashes = _column(parts, decided, "exact_hash", kept)
        _remove_exact(decided, kept, hashes, rank)
    if config.near:
        kept, rank = _still_kept(decided, kept, rank)
        with tempfile.TemporaryDirectory(dir=scratch, suffix=".tmp") as folder:
            bands = Bands(*bands_for(config.near.threshold))
            stored = write_segment(f"{folder}/near", "", signature_batches(parts, decided, kept), bands)
            _remove_near(decided, kept, stored, rank, config.near)
    if before:
        kept, rank = _still_kept(decided, kept, rank)
        _remove_known(parts, decided, kept, before, config)
    if config.semantic:
        kept, rank = _still_kept(decided, kept, rank)
        remove_semantic(parts, decided, kept, rank, config.semantic)
    kept, rank = _still_kept(decided, kept, rank)
    if config.lines:
        remove_lines(parts, decided, kept, config.lines)
    if config.paragraphs:
        remove_paragraphs(parts, decided, kept, rank, config.paragraphs)
    _follow_kept_ids(decided)


def _follow_kept_ids(decided: Decisions) -> None:
    """The copy that an exact duplicate names may itself be a near-duplicate of another: names the one that is in."""
    columns = decided.columns
    kept_of = {columns["id"][row]: kept for row, kept in enumerate(columns["kept_id"]) if kept is not None}
    for row, kept in enumerate(columns["kept_id"]):
        while kept in kept_of:
            kept = kept_of[kept]
            columns["kept_id"][row] = kept


def _still_kept(decided: Decisions, kept: npt.NDArray[np.int64], rank: npt.NDArray[np.int64]) -> Any:
    mask = np.fromiter((decided.columns["reason"][row] is None for row in kept), bool, kept.size)
    return kept[mask], rank[mask]


def _preference(parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, kept: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rank of each kept document: the smallest of a group stays."""
    published = _column(parts, decided, "published", kept, file="documents.parquet")
    columns = decided.columns
    keys = [
        (recipe.sources[columns["source"][row]].priority, -columns["chars"][row], date or UNDATED, columns["id"][row])
        for row, date in zip(kept.tolist(), published, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    rank = np.empty(kept.size, np.int64)
    rank[order] = np.arange(kept.size)
    return rank


def _column(parts: Sequence[Part], decided: Decisions, name: str, rows: npt.NDArray[np.int64], file: str = "features.parquet") -> list[Any]:
    """Values of one stored column for some rows of the decision table, in the order of `rows` (ascending)."""
    values: list[Any] = []
    for first, last, part in spans(parts, decided):
        inside = rows[(rows >= first) & (rows < last)] - first
        if inside.size:
            table = pq.read_table(f"{part.folder}/{file}", columns=[name])
            values += table.column(name).take(pa.array(inside)).to_pylist()
    return values


def _remove_exact(decided: Decisions, kept: npt.NDArray[np.int64], hashes: list[bytes], rank: npt.NDArray[np.int64]) -> None:
    best: dict[bytes, int] = {}
    for position, value in enumerate(hashes):
        if value not in best or rank[position] < rank[best[value]]:
            best[value] = position
    ids = decided.columns["id"]
    for position, value in enumerate(hashes):
        if best[value] != position:
            decided.remove(int(kept[position]), Reason.EXACT_DUPLICATE, kept_id=ids[kept[best[value]]], similarity=1.0)


@cache
def bands_and_rows(threshold: float) -> tuple[int, int]:
    """Bands and rows a band that minimise datasketch's false positives and false negatives at this threshold."""
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=NUM_PERM, weights=(0.3, 0.7))  # a missed copy costs more than a check
    return index.b, index.r


def bands_for(threshold: float) -> tuple[int, int]:
    """Bands and rows that propose pairs for a threshold, from BAND_MARGIN below it."""
    return bands_and_rows(max(BAND_MARGIN, threshold - BAND_MARGIN))


def candidate_pairs(signatures: npt.NDArray[np.uint32], bands: int, rows: int) -> Iterator[npt.NDArray[np.int64]]:
    """For each band, pairs of documents that share it, shape (pairs, 2): each with the first and the NEIGHBOURS before it in
    its bucket, which is all pairs of a bucket of up to NEIGHBOURS + 2 documents and keeps the work linear for the rest."""
    multipliers = np.random.default_rng(20261123).integers(1, 2**63, rows, np.uint64) | np.uint64(1)
    for band in range(bands):
        keys = signatures[:, band * rows : (band + 1) * rows].astype(np.uint64) @ multipliers  # modulo 2^64
        order = np.argsort(keys, kind="stable")
        same = np.concatenate(([False], keys[order][1:] == keys[order][:-1]))
        heads = np.maximum.accumulate(np.where(same, 0, np.arange(order.size)))
        members = np.flatnonzero(same)
        pairs = [np.stack([order[heads[members]], order[members]], axis=1)]
        for distance in range(1, NEIGHBOURS + 1):
            members = members[members - distance > heads[members]]  # the head is paired already
            if not members.size:
                break
            pairs.append(np.stack([order[members - distance], order[members]], axis=1))
        yield np.concatenate(pairs)


def _remove_near(
    decided: Decisions, kept: npt.NDArray[np.int64], stored: Segment, rank: npt.NDArray[np.int64], config: NearDuplicates
) -> None:
    signatures = stored.signatures()
    clusters = near_clusters(signatures, rank, config.threshold, stored.candidate_pairs())
    ids = decided.columns["id"]
    members = np.array([(member, head) for member, head in clusters], np.int64).reshape(-1, 2)
    sources = decided.columns["source"]
    for (member, head), value in zip(members, similarity(signatures, members), strict=True):
        if sources[kept[member]] in config.keep_sources:
            continue
        decided.remove(int(kept[member]), Reason.NEAR_DUPLICATE, kept_id=ids[kept[head]], similarity=round(float(value), 4))


def _remove_known(
    parts: Sequence[Part], decided: Decisions, kept: npt.NDArray[np.int64], before: Sequence[Segment], config: Deduplicate
) -> None:
    """Removes copies of documents of earlier corpora; each names the one it is a copy of."""
    near, position = config.near, 0
    for _, hashes, signatures in signature_batches(parts, decided, kept):
        rows = kept[position : position + len(hashes)].tolist()
        position += len(hashes)
        for row, found in zip(rows, originals(before, hashes, signatures, near.threshold if near else None), strict=True):
            if found is None or (found.exact and not config.exact):
                continue
            if not found.exact and near is not None and decided.columns["source"][row] in near.keep_sources:
                continue
            reason = Reason.EXACT_DUPLICATE if found.exact else Reason.NEAR_DUPLICATE
            decided.remove(row, reason, kept_id=found.id, similarity=found.similarity)


def signature_batches(parts: Sequence[Part], decided: Decisions, rows: npt.NDArray[np.int64]) -> Iterator[Batch]:
    """Ids, exact hashes and signatures of some rows of the decision table (ascending), a part at a time."""
    ids = decided.columns["id"]
    for first, last, part in spans(parts, decided):
        inside = rows[(rows >= first) & (rows < last)] - first
        if inside.size:
            table = pq.read_table(f"{part.folder}/features.parquet", columns=["exact_hash", "minhash"]).take(pa.array(inside))
            signatures = np.frombuffer(b"".join(table.column("minhash").to_pylist()), np.uint32).reshape(-1, NUM_PERM)
            yield [ids[first + row] for row in inside.tolist()], table.column("exact_hash").to_pylist(), signatures


def near_clusters(
    signatures: npt.NDArray[np.uint32],
    rank: npt.NDArray[np.int64],
    threshold: float,
    proposed: Iterable[npt.NDArray[np.int64]] | None = None,
) -> list[tuple[int, int]]:
    """(copy, the one that stays) for every document that has a better-ranked near-duplicate.

    LSH proposes pairs (`proposed`, or those of the signatures' own bands), the estimated similarity confirms them, union-find
    joins them. A text without letters has no shingles and no copies.
    """
    parent = np.arange(len(signatures))
    for pairs in candidate_pairs(signatures, *bands_for(threshold)) if proposed is None else proposed:
        apart = pairs[_roots(parent, pairs[:, 0]) != _roots(parent, pairs[:, 1])]  # the rest is joined already
        _join(parent, apart[similarity(signatures, apart) >= threshold], rank)
    heads = _roots(parent, np.arange(len(parent)))
    members = np.flatnonzero(heads != np.arange(len(parent)))
    return list(zip(members.tolist(), heads[members].tolist(), strict=True))


@numba.njit(cache=True, nogil=True)
def _find(parent: Any, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@numba.njit(cache=True, nogil=True)
def _roots(parent: Any, nodes: Any) -> Any:
    found = np.empty(nodes.size, np.int64)
    for index in range(nodes.size):
        found[index] = _find(parent, nodes[index])
    return found


@numba.njit(cache=True, nogil=True)
def _join(parent: Any, pairs: Any, rank: Any) -> None:
    for index in range(len(pairs)):
        a, b = _find(parent, pairs[index, 0]), _find(parent, pairs[index, 1])
        if a != b:
            if rank[a] > rank[b]:
                a, b = b, a
            parent[b] = a
