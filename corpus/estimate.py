"""What a build would give and cost, measured on the head of each source before anything runs."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from typing import NamedTuple

import fsspec

from corpus import features
from corpus.annotate import BATCH_DOCUMENTS
from corpus.assemble import TokenCounter
from corpus.policy import apply_rules
from corpus.recipe import InputFile, Plan
from corpus.sources.spec import open_source
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


def _source(plan: Plan, name: str, files: list[InputFile], sample_bytes: float, counter: TokenCounter) -> SourceEstimate:
    spec = plan.recipe.sources[name]
    rules = plan.policy.rules_for(name, spec.type)
    reader = open_source(name, spec)
    count = min(SAMPLED_FILES, len(files))
    chosen = [files[number * len(files) // count] for number in range(count)]
    documents: list[Document] = []
    unreadable, read_bytes, stored_bytes, complete = 0, 0, 0, True
    start = time.process_time()
    for file in chosen:
        seen: set[str] = set()
        before = read_bytes
        for item in reader.read(file.path):
            if isinstance(item, Rejected):
                unreadable += 1
                seen.add(item.locator)
                continue
            documents.append(item)
            seen.add(item.parent_id or item.id)
            read_bytes += len(item.text.encode("utf-8", "replace"))
            if read_bytes - before >= sample_bytes / count:
                complete = False
                break
        stored_bytes += _head_bytes(file.path, len(seen), read_bytes - before)
    kept, tokens, text_bytes = 0, 0, 0
    for first in range(0, len(documents), BATCH_DOCUMENTS):
        batch = documents[first : first + BATCH_DOCUMENTS]
        texts, rows = features.annotate(batch)
        verdicts = apply_rules(rows, rules)
        counts = counter.count(texts)
        kept += sum(fired < 0 for fired in verdicts.fired)
        tokens += sum(count for count, fired in zip(counts, verdicts.fired, strict=True) if fired < 0)
        text_bytes += sum(rows.column("bytes").to_pylist())
    seconds = time.process_time() - start
    everything = complete and count == len(files)
    factor = 1.0 if everything else max(1.0, _stored_text(files) / max(1, stored_bytes))
    return SourceEstimate(
        round(len(documents) * factor), round(kept * factor), round(tokens * factor), round(text_bytes * factor),
        round(seconds * factor, 1), len(documents), unreadable,
    )  # fmt: skip


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


def _stored_text(files: list[InputFile]) -> float:
    """Uncompressed bytes of all files, by the compression of the head of the first."""
    head = files[0].path
    with fsspec.open(head, "rb") as stored:
        packed = stored.read(1 << 20)
    match os.path.splitext(head.lower())[1]:
        case ".zst" | ".gz" | ".xz":
            expansion = storage.expansion(head, packed)
        case ".zip" | ".parquet":
            expansion = PACKED_EXPANSION
        case _:
            expansion = 1.0
    return expansion * sum(file.bytes for file in files)
