"""Annotate: each part of the input becomes a folder with the documents and one feature row for each, on datatrove's executors.

A part is keyed by its files' content, the source's reading options and the code that reads and measures (`corpus.tasks`);
parts are made independently, in any order, by any number of workers on any engine, and hold the same bytes.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import accumulate
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document as TroveDocument
from datatrove.pipeline.base import PipelineStep

from corpus import features
from corpus.engines import run_tasks
from corpus.forget import blanked, forgotten
from corpus.notes import Done, Note, no_memory, position
from corpus.recipe import InputFile, Plan
from corpus.sources.spec import Source, open_source
from corpus.tasks import Task, TaskFile, TaskHead, load, printable, record_of, refuse_changed, store_missing, tasks_of
from factory import manifest
from factory.errors import UserError
from factory.records import Document, Rejected
from factory.zh.pii import find, redact

BATCH_BYTES = 4 << 20  # of text held at once
BATCH_DOCUMENTS = 1_000

_S = pa.string()
DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("id", _S, nullable=False),
        pa.field("text", _S, nullable=False),
        pa.field("source", _S, nullable=False),
        *(pa.field(name, _S) for name in ("url", "title", "published", "retrieved")),
        pa.field("license", _S, nullable=False),
        pa.field("rights_holder", _S),
        pa.field("parent_id", _S),
        pa.field("flags", pa.list_(_S)),
        pa.field("metadata", _S),  # JSON
    ]
)


class Part(NamedTuple):
    """The finished annotation of consecutive files of one source."""

    file: InputFile  # the first of them
    key: str
    folder: str
    documents: int
    quarantined: int
    bytes: int  # of normalised text, UTF-8
    files: int = 1  # how many

    @property
    def source(self) -> str:
        """The source that all its files belong to."""
        return self.file.source


def annotate(plan: Plan, work: str, logs: str, workers: int, report: Callable[[Done], None]) -> list[Part]:
    """Makes the parts that are missing, on the recipe's engine, and returns all, in the plan's order.

    `report` is called about twice a second. Raises UserError where a file changes under the run, a worker dies or nothing
    can be written; finished parts stay and are reused.
    """
    folder = new_folder(logs)
    heads, missing = store_missing(tasks_of(plan.specs, plan.files, work), folder)
    if missing:
        run_tasks(missing, folder, plan.recipe, min(workers, len(missing)), report)
    return [read_part(head) for head in heads]


def new_folder(logs: str) -> str:
    """The name of a log folder for one run of the stage: no old completion marks of datatrove's are in it."""
    return f"{logs}/annotate-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"


def read_part(head: TaskHead) -> Part:
    """The finished part of a task."""
    record = manifest.read_record(f"{head.folder}/part.json", head.key)
    assert record is not None, head.folder
    return Part(head.file, head.key, head.folder, record["documents"], record["quarantined"], record["bytes"], head.files)


def pipeline(folder: str) -> list[PipelineStep]:
    """The datatrove pipeline over the tasks stored in a log folder."""
    return [SourceReader(folder), AnnotateWriter(folder)]


class SourceReader(PipelineStep):  # type: ignore[misc]
    """A datatrove reader: task number `rank` yields the documents of its files in order, rejected rows among them."""

    type = "READER"
    name = "twllm source"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Iterable[TroveDocument] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        task = load(self.folder, rank)
        reader = open_source(task.source, task.spec)
        for number, file in enumerate(task.files):
            for item in _items(file, reader):
                if isinstance(item, Rejected):
                    self.stat_update("quarantined")
                    yield TroveDocument(text="", id=f"{item.path}:{item.locator}", metadata={"rejected": asdict(item), "file": number})
                else:
                    self.stat_update("documents")
                    yield TroveDocument(text=item.text, id=item.id, metadata={"record": item, "file": number})


def _items(file: TaskFile, reader: Source) -> Iterator[Document | Rejected]:
    if file.content.fault is not None:
        yield Rejected(file.path, "file", file.content.fault)
        return
    try:
        yield from reader.read(file.path)
    except OSError as error:
        yield Rejected(file.path, "file", f"{type(error).__name__}: {error.strerror or error}")


class AnnotateWriter(PipelineStep):  # type: ignore[misc]
    """A datatrove writer: normalises, measures and stores a part; its record is written last."""

    type = "WRITER"
    name = "twllm annotate"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def run(self, data: Iterable[TroveDocument], rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        task = load(self.folder, rank)
        with Note(self.folder, rank) as note:
            self._make(task, data, note)
        yield from ()

    def _make(self, task: Task, data: Iterable[TroveDocument], note: Note) -> None:
        temporary = f"{task.folder}.{os.getpid()}-{secrets.token_hex(4)}.tmp"  # workers of several machines may share the folder
        try:
            os.makedirs(temporary)
            counts = _write(task, data, temporary, note)
            refuse_changed(task, open_source(task.source, task.spec))
            _publish(temporary, task.folder)
        except OSError as error:
            raise UserError(
                f"{task.folder}: cannot write: {error.strerror or error}. Free space or choose another output folder."
            ) from error
        except MemoryError as error:
            raise UserError(no_memory(task.head.title)) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        manifest.write_record(f"{task.folder}/part.json", task.key, _FILES, **record_of(task), **counts)


_FILES = ("documents.parquet", "features.parquet", "files.jsonl", "quarantine.jsonl")


def _write(task: Task, data: Iterable[TroveDocument], folder: str, note: Note) -> dict[str, int]:
    counts = {"documents": 0, "quarantined": 0, "bytes": 0}
    asked = forgotten(os.path.dirname(os.path.dirname(os.path.dirname(task.folder))))  # of the run: RUN/work/annotate/PART
    read = [[0, 0] for _ in task.files]  # documents and rejected rows of each file
    before = [0, *accumulate(file.bytes for file in task.files)]
    with (
        open(f"{folder}/quarantine.jsonl", "w", encoding="utf-8") as quarantine,
        pq.ParquetWriter(f"{folder}/documents.parquet", DOCUMENT_SCHEMA, compression="zstd") as documents,
        pq.ParquetWriter(f"{folder}/features.parquet", features.SCHEMA, compression="zstd") as rows,
    ):
        for batch, last in _batches(data, quarantine, read):
            texts, table = features.annotate(batch)
            stored, table = blanked(asked, document_table(batch, texts), table)
            documents.write_table(stored)
            rows.write_table(table)
            counts["documents"] += len(batch)
            counts["bytes"] += sum(table.column("bytes").to_pylist())
            note.write(counts["documents"], before[last] + position(task.files[last].path, task.files[last].bytes), counts["bytes"])
    counts["quarantined"] = sum(rejected for _, rejected in read)
    with open(f"{folder}/files.jsonl", "w", encoding="utf-8") as stream:
        for file, (found, rejected) in zip(task.files, read, strict=True):
            row = {"file": printable(file.name), "sha256": file.content.sha256, "documents": found, "quarantined": rejected}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    note.write(counts["documents"], before[-1], counts["bytes"])
    return counts


def _publish(temporary: str, folder: str) -> None:
    for name in os.listdir(temporary):
        with open(f"{temporary}/{name}", "rb") as stream:
            os.fsync(stream.fileno())
    for attempt in range(3):
        shutil.rmtree(folder, ignore_errors=True)  # files without a record, from a run that died here
        try:
            os.replace(temporary, folder)
            return
        except OSError as error:
            # a worker that was given up for lost may bring the same part in between; its bytes are the same
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == 2:
                raise


def _batches(data: Iterable[TroveDocument], quarantine: Any, read: list[list[int]]) -> Iterator[tuple[list[Document], int]]:
    """Batches of documents with the number of the file that the last one came from; counts what each file gave into `read`."""
    batch: list[Document] = []
    size, number = 0, 0
    for item in data:
        number = item.metadata["file"]
        rejected = item.metadata.get("rejected")
        read[number][0 if rejected is None else 1] += 1
        if rejected is not None:
            rejected["path"] = os.path.basename(rejected["path"])
            rejected["excerpt"] = redact(rejected["excerpt"], find(rejected["excerpt"]))
            quarantine.write(json.dumps(rejected, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n")
            continue
        batch.append(item.metadata["record"])
        size += 3 * len(item.text)
        if size >= BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
            yield batch, number
            batch, size = [], 0
    if batch:
        yield batch, number


def document_table(documents: list[Document], texts: list[str]) -> pa.Table:
    """Documents with their normalised texts as a table of DOCUMENT_SCHEMA."""
    columns: dict[str, list[Any]] = {
        name: [_storable(getattr(document, name)) for document in documents]
        for name in DOCUMENT_SCHEMA.names
        if name not in ("text", "metadata")
    }
    columns["text"] = texts
    columns["metadata"] = [
        _storable(json.dumps(document.metadata, ensure_ascii=False, sort_keys=True, default=str)) for document in documents
    ]
    return pa.Table.from_pydict(columns, schema=DOCUMENT_SCHEMA)


def _storable(value: Any) -> Any:
    """Lone surrogates, which Parquet cannot hold, become `?`."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    return list(value) if isinstance(value, tuple) else value
