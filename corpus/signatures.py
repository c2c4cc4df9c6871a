"""Signatures on disk, found by their bands: near-duplicates among more documents than memory holds, and against earlier snapshots.

A segment is a folder: `signatures` (NUM_PERM 32-bit minima a document), `ids.parquet` (ids and exact hashes) and for each band
`keys-NN`, sorted, with `rows-NN`, the documents they belong to. Documents that share a key are candidates; their signatures
decide (LSH by banding: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). Memory is about 60 bytes a
document for one band at a time; the time is that of sorting. An index is a folder of segments, one for each corpus in it; a
segment appears whole or not at all.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factory import storage
from factory.errors import UserError
from factory.zh.ngrams import NUM_PERM

Signatures = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]

NEIGHBOURS = 16
_CHUNK = 262_144  # signatures held at once: 128 MB
_FORMAT = 1
_EMPTY = np.uint32(0xFFFFFFFF)  # every minimum of a text without letters, which has no copies
_IDS = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("exact_hash", pa.binary(16), nullable=False)])


class Bands(NamedTuple):
    """How signatures are cut: `number` bands of `rows` minima."""

    number: int
    rows: int


def band_keys(signatures: Signatures, bands: Bands) -> npt.NDArray[np.uint64]:
    """A key for each band of each signature, shape (bands, documents): its minima, hashed."""
    multipliers = np.random.default_rng(20261123).integers(1, 2**63, bands.rows, np.uint64) | np.uint64(1)
    cut = signatures[:, : bands.number * bands.rows].reshape(len(signatures), bands.number, bands.rows)
    return np.ascontiguousarray((cut.astype(np.uint64) @ multipliers).T)  # modulo 2^64


class Segment:
    """A finished segment. Arrays are read from disk where they are asked for."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        try:
            with open(f"{folder}/segment.json", encoding="utf-8") as stream:
                facts = json.load(stream)
            self.count, self.key, self.bands = int(facts["documents"]), str(facts["key"]), Bands(*facts["bands"])
            self.order = int(facts["order"])
            stale = facts["format"] != _FORMAT
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder}: is no segment of an index: {error}. Remove the folder and build that corpus again.") from None
        expected = {"signatures": 4 * NUM_PERM * self.count, **{f"rows-{n:02d}": 4 * self.count for n in range(self.bands.number)}}
        wrong = next((name for name, size in expected.items() if storage.file_size(f"{folder}/{name}") != size), None)
        if stale or wrong:
            raise UserError(
                f"{folder}: {wrong or 'its format'} is not what segment.json says. Remove the folder and build that corpus again."
            )

    def signatures(self) -> Signatures:
        """All signatures, shape (documents, NUM_PERM), mapped: what is read of them counts as memory until the array is dropped."""
        if not self.count:
            return np.zeros((0, NUM_PERM), np.uint32)
        return np.memmap(f"{self.folder}/signatures", np.uint32, "r", shape=(self.count, NUM_PERM))

    def band(self, number: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
        """Sorted keys of a band and their documents."""
        keys = np.fromfile(f"{self.folder}/keys-{number:02d}", np.uint64)
        return keys, np.fromfile(f"{self.folder}/rows-{number:02d}", np.uint32)

    def ids(self) -> list[str]:
        """Ids by row."""
        found: list[str] = pq.read_table(f"{self.folder}/ids.parquet", columns=["id"]).column("id").to_pylist()
        return found

    def exact_hashes(self) -> list[bytes]:
        """Hashes of the texts without white space, by row."""
        found: list[bytes] = pq.read_table(f"{self.folder}/ids.parquet", columns=["exact_hash"]).column("exact_hash").to_pylist()
        return found

    def candidate_pairs(self) -> Iterator[Rows]:
        """For each band, pairs of documents that share its key, shape (pairs, 2): each with the first and the NEIGHBOURS before it
        in its bucket, which is all pairs of a bucket of up to NEIGHBOURS + 2 and keeps the work linear for the rest."""
        for number in range(self.bands.number):
            keys, order = self.band(number)
            yield from bucket_pairs(keys, order)


def bucket_pairs(keys: npt.NDArray[np.uint64], order: npt.NDArray[Any], size: int = 4_000_000) -> Iterator[Rows]:
    """Pairs of the documents in `order` whose sorted keys are equal, at most about `size` at a time."""
    same = np.concatenate(([False], keys[1:] == keys[:-1]))
    members = np.flatnonzero(same)
    heads = np.maximum.accumulate(np.where(same, 0, np.arange(keys.size, dtype=np.int64)))[members]
    for start in range(0, members.size, size):
        yield _pairs(order, heads[start : start + size], members[start : start + size])
    for distance in range(1, NEIGHBOURS + 1):
        near = members - distance > heads  # the head is paired already
        members, heads = members[near], heads[near]
        for start in range(0, members.size, size):
            yield _pairs(order, members[start : start + size] - distance, members[start : start + size])


def _pairs(order: npt.NDArray[Any], first: Rows, second: Rows) -> Rows:
    return np.stack([order[first], order[second]], axis=1).astype(np.int64)


Batch = tuple[Sequence[str], Sequence[bytes], Signatures]  # ids, exact hashes, signatures


def write_segment(folder: str, key: str, rows: Iterable[Batch], bands: Bands, order: int = 0) -> Segment:
    """Writes a segment from batches of (ids, exact hashes, signatures); the folder appears whole, or replaces an older one.

    Raises UserError where it cannot be written.
    """
    temporary = f"{folder}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
        count = _write_rows(temporary, rows, bands)
        for number in range(bands.number):
            _sort_band(temporary, number)
        facts = {"format": _FORMAT, "key": key, "documents": count, "bands": list(bands), "order": order}
        storage.atomic_write_text(f"{temporary}/segment.json", json.dumps(facts, indent=1) + "\n")
        old = f"{folder}.{os.getpid()}.old.tmp"
        if os.path.isdir(folder):
            os.replace(folder, old)
        os.replace(temporary, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot write the index: {error.strerror or error}. Free space or choose another folder.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Segment(folder)


def _write_rows(folder: str, rows: Iterable[Batch], bands: Bands) -> int:
    count = 0
    streams = [open(f"{folder}/keys-{number:02d}", "wb") for number in range(bands.number)]  # noqa: SIM115
    try:
        with open(f"{folder}/signatures", "wb") as stored, pq.ParquetWriter(f"{folder}/ids.parquet", _IDS, compression="zstd") as writer:
            for ids, hashes, signatures in rows:
                for start in range(0, len(signatures), _CHUNK):
                    chunk = np.ascontiguousarray(signatures[start : start + _CHUNK])
                    chunk.tofile(stored)
                    for stream, keys in zip(streams, band_keys(chunk, bands), strict=True):
                        keys.tofile(stream)
                writer.write_table(pa.table({"id": pa.array(ids, pa.string()), "exact_hash": pa.array(hashes, pa.binary(16))}, schema=_IDS))
                count += len(signatures)
    finally:
        for stream in streams:
            stream.close()
    return count


def _sort_band(folder: str, number: int) -> None:
    keys = np.fromfile(f"{folder}/keys-{number:02d}", np.uint64)
    order = np.argsort(keys, kind="stable").astype(np.uint32)
    keys[order].tofile(f"{folder}/keys-{number:02d}")
    order.tofile(f"{folder}/rows-{number:02d}")


def similarity(signatures: Signatures, pairs: Rows, others: Signatures | None = None) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity of pairs of rows (the second one of `others`, where given): the share of equal minima.

    0 for texts without letters. Of mapped arrays no page stays in memory.
    """
    result = np.empty(len(pairs))
    second = signatures if others is None else others
    size = 1_024 if isinstance(second, np.memmap) else 65_536  # a row that is read may map megabytes around it
    for start in range(0, len(pairs), size):
        block = pairs[start : start + size]
        first = signatures[block[:, 0]]
        values = (first == second[block[:, 1]]).mean(axis=1)
        values[(first == _EMPTY).all(axis=1)] = 0.0
        result[start : start + len(block)] = values
        for mapped in (signatures, second):
            if isinstance(mapped, np.memmap):
                mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
    return result


class Original(NamedTuple):
    """An earlier document that a new one is a copy of."""

    id: str
    similarity: float  # estimated; 1 for equal texts
    exact: bool


def originals(
    segments: Sequence[Segment], hashes: Sequence[bytes], signatures: Signatures, threshold: float | None
) -> list[Original | None]:
    """For each new document the earlier one that is most like it, from `threshold` on; with None only equal texts count.

    Reads bands and signatures of the segments, never a text. Of equally similar ones the first segment's first row is named.
    """
    found: list[Original | None] = [None] * len(hashes)
    for segment in segments:
        known = {value: row for row, value in reversed(list(enumerate(segment.exact_hashes())))}
        best: dict[int, tuple[float, int, bool]] = {
            index: (1.0, known[value], True) for index, value in enumerate(hashes) if value in known and found[index] is None
        }
        if threshold is not None:
            open_rows = np.array([i for i in range(len(hashes)) if i not in best and (found[i] is None or not found[i].exact)], np.int64)  # type: ignore[union-attr]
            best |= _near(segment, signatures, open_rows, threshold)
        ids = segment.ids() if best else []
        for index, (value, row, exact) in best.items():
            current = found[index]
            if current is None or value > current.similarity:
                found[index] = Original(ids[row], round(value, 4), exact)
    return found


def _near(segment: Segment, signatures: Signatures, rows: Rows, threshold: float) -> dict[int, tuple[float, int, bool]]:
    rows = rows[~(signatures[rows] == _EMPTY).all(axis=1)] if rows.size else rows
    best: dict[int, tuple[float, int, bool]] = {}
    if not rows.size or not segment.count:
        return best
    asked = band_keys(signatures[rows], segment.bands)
    for number in range(segment.bands.number):
        keys, documents = segment.band(number)
        place = np.searchsorted(keys, asked[number])
        for distance in range(NEIGHBOURS):
            at = place + distance
            inside = at < keys.size
            inside[inside] = keys[at[inside]] == asked[number][inside]
            if not inside.any():
                break
            pairs = np.stack([rows[inside], documents[at[inside]].astype(np.int64)], axis=1)
            for (index, row), value in zip(pairs.tolist(), similarity(signatures, pairs, segment.signatures()).tolist(), strict=True):
                current = best.get(index)
                if value >= threshold and (current is None or (value, -row) > (current[0], -current[1])):
                    best[index] = (value, row, False)
    return best


def segments_of(index: str) -> dict[str, Segment]:
    """The segments of an index by name, in the order in which their corpora came."""
    if not os.path.isdir(index):
        return {}
    names = [name for name in os.listdir(index) if not name.endswith(".tmp") and os.path.isdir(f"{index}/{name}")]
    found = [(name, Segment(f"{index}/{name}")) for name in names]
    return dict(sorted(found, key=lambda item: (item[1].order, item[0])))


def recover(index: str, name: str) -> None:
    """Puts a segment back that a killed build had just moved aside to replace it, and removes what that build left half-written."""
    if not os.path.isdir(index):
        return
    left = [(entry, found) for entry in os.listdir(index) if (found := re.fullmatch(rf"{re.escape(name)}\.\d+(\.old)?\.tmp", entry))]
    for entry, found in sorted(left, key=lambda each: each[0]):
        if found[1] and not os.path.isdir(f"{index}/{name}"):
            os.replace(f"{index}/{entry}", f"{index}/{name}")
        else:
            shutil.rmtree(f"{index}/{entry}", ignore_errors=True)


def earlier(index: str, name: str) -> list[Segment]:
    """What a corpus is compared with: the segments that came before its own, all of them where it has none yet."""
    recover(index, name)
    segments = segments_of(index)
    own = segments.get(name)
    return [segment for other, segment in segments.items() if other != name and (own is None or segment.order < own.order)]


def store(index: str, name: str, key: str, rows: Iterable[Batch], bands: Bands) -> None:
    """Puts a corpus into an index, or replaces what is there of it, unless that has the same key. It keeps its place among others."""
    segments = segments_of(index)
    own = segments.get(name)
    if own is not None and own.key == key:
        return
    order = own.order if own is not None else max((segment.order for segment in segments.values()), default=0) + 1
    os.makedirs(index, exist_ok=True)
    write_segment(f"{index}/{name}", key, rows, bands, order)
