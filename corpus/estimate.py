"""What a build would give and cost, measured on the head of each source before anything runs."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from itertools import compress
from typing import NamedTuple

from corpus import features
from corpus.annotate import BATCH_DOCUMENTS
from corpus.assemble import TokenCounter
from corpus.policy import Rule, apply_rules
from corpus.recipe import InputFile, Plan
from corpus.sources.spec import Source, open_source
from corpus.tasks import fault_of
from factory import storage
from factory.records import Document, Rejected

ANNOTATE_BYTES_PER_TEXT_BYTE = 0.9  # documents and features beside a zstd corpus; measured on statutes and news
SHARD_BYTES_PER_TEXT_BYTE = 0.35
SAMPLED_FILES = 5
ROW_OVERHEAD_BYTES = 300  # of a row beside its text where rows are no lines that can be measured: ids, URLs, keys
PACKED_EXPANSION = 3.2  # Chinese JSON in a ZIP, text in Parquet


class SourceEstimate(NamedTuple):
    """Extrapolated from a sample of the source's files by their size on disk. Duplicates are not foreseen."""

    documents: int
    kept: int
    tokens: int  # of the kept documents
    text_bytes: int
    cpu_seconds: float  # one core
    sampled: int  # documents measured
    unreadable: int  # rows in the sample that could not be read


class Estimate(NamedTuple):
    """All sources, and what the run needs on this machine."""

    sources: dict[str, SourceEstimate]
    workers: int
    wall_seconds: float
    disk_bytes: int


def estimate(plan: Plan, sample_megabytes: float) -> Estimate:
    """Reads up to `sample_megabytes` of text from each source, from the head of evenly chosen files."""
    by_source: dict[str, list[InputFile]] = defaultdict(list)
    for file in plan.files:
        by_source[file.source].append(file)
    features.annotate([Document(id="warm-up", text="暖機", source="")])  # compile and load before timing
    counter = TokenCounter(plan.tokenizer, plan.recipe.mixture.tokens_per_char)
    sources = {name: _source(plan, name, files, sample_megabytes * 1e6, counter) for name, files in by_source.items()}
    workers = min(plan.recipe.workers or os.cpu_count() or 1, len(plan.files))
    text = sum(source.text_bytes for source in sources.values())
    wall = sum(source.cpu_seconds for source in sources.values()) / workers
    return Estimate(sources, workers, wall, round(text * (ANNOTATE_BYTES_PER_TEXT_BYTE + SHARD_BYTES_PER_TEXT_BYTE)))


class _Sample(NamedTuple):
    """What the head of one file holds, and which share of the file's bytes that is."""

    documents: int
    kept: int
    tokens: int
    text_bytes: int
    cpu_seconds: float
    unreadable: int
    share: float


def _source(plan: Plan, name: str, files: list[InputFile], sample_bytes: float, counter: TokenCounter) -> SourceEstimate:
    spec = plan.specs[name]
    rules = plan.policy.rules_for(name, spec.type)
    reader = open_source(name, spec)
    count = min(SAMPLED_FILES, len(files))
    chosen = [files[number * len(files) // count] for number in range(count)]
    samples = [_sample(reader, file.path, rules, counter, sample_bytes / count) for file in chosen]
    stored = sum(file.bytes for file in chosen)
    others = sum(file.bytes for file in files) / stored if stored else len(files) / count

    def whole(field: str) -> float:
        return others * sum(float(getattr(sample, field)) / sample.share for sample in samples)

    return SourceEstimate(
        documents=round(whole("documents")),
        kept=round(whole("kept")),
        tokens=round(whole("tokens")),
        text_bytes=round(whole("text_bytes")),
        cpu_seconds=round(whole("cpu_seconds"), 1),
        sampled=sum(sample.documents for sample in samples),
        unreadable=sum(sample.unreadable for sample in samples),
    )


def _sample(reader: Source, path: str, rules: tuple[Rule, ...], counter: TokenCounter, sample_bytes: float) -> _Sample:
    if not os.path.isdir(path) and not path.startswith("hf://") and fault_of(path) is not None:
        return _Sample(0, 0, 0, 0, 0.0, 1, 1.0)  # the build will quarantine it
    start = time.process_time()
    documents: list[Document] = []
    rows: set[str] = set()
    unreadable, read_bytes, complete = 0, 0, True
    for item in reader.read(path):
        if isinstance(item, Rejected):
            unreadable += 1
            rows.add(item.locator)
            continue
        documents.append(item)
        rows.add(item.parent_id or item.id)
        read_bytes += len(item.text.encode("utf-8", "replace"))
        if read_bytes >= sample_bytes:
            complete = False
            break
    kept, tokens, text_bytes = 0, 0, 0
    for first in range(0, len(documents), BATCH_DOCUMENTS):
        texts, table = features.annotate(documents[first : first + BATCH_DOCUMENTS])
        passed = [fired < 0 for fired in apply_rules(table, rules).fired]
        kept += sum(passed)
        tokens += sum(compress(counter.count(texts), passed))
        text_bytes += sum(table.column("bytes").to_pylist())
    seconds = time.process_time() - start
    share = 1.0 if complete else min(1.0, max(1, _head_bytes(path, len(rows), read_bytes)) / max(1.0, _plain_bytes(path)))
    return _Sample(len(documents), kept, tokens, text_bytes, seconds, unreadable, share)


def _head_bytes(path: str, rows: int, text_bytes: int) -> int:
    """Bytes that the first rows of a file take in it uncompressed, fields that are not read included."""
    if storage.bare_suffix(path) not in (".jsonl", ".ndjson"):
        return text_bytes + ROW_OVERHEAD_BYTES * rows
    size = 0
    try:
        with storage.open_binary(path) as stream:
            while rows and (piece := stream.readline(1 << 20)):
                size += len(piece)
                rows -= piece.endswith(b"\n")
    except storage.READ_ERRORS:
        pass  # damaged after these rows: the build will say so
    return size


def _plain_bytes(path: str) -> float:
    """Uncompressed bytes of a file, or of the files of a data set's folder; 0 for a data set on the hub, which tells none."""
    if path.startswith("hf://"):
        return 0
    return sum(_expansion(name) * (storage.file_size(name) or 0) for name in storage.list_files(path))


def _expansion(path: str) -> float:
    match os.path.splitext(path.lower())[1]:
        case ".zst" | ".gz" | ".bz2" | ".xz":
            with storage.open_stored(path) as stored:
                return storage.expansion(path, stored.read(1 << 20))
        case ".zip" | ".parquet":
            return PACKED_EXPANSION
        case _:
            return 1.0
