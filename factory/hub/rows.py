"""Reads the rows of a folder, looks at each, and writes them as shards; counts what the card will say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import UserError
from factory.hub import shards
from factory.hub.folder import MAX_LINE_BYTES, Folder, Kind, Part
from factory.hub.screen import Screen
from factory.records import License
from factory.zh.pii import find

DOCUMENT_COLUMNS = ("id", "text", "source", "license")

Note = Callable[[int], None]  # called with the number of rows so far


@dataclass(slots=True)
class Tally:
    """Counts over all rows that were written."""

    rows: int = 0
    licenses: Counter[tuple[str, License]] = field(default_factory=Counter)  # by source
    models: Counter[str] = field(default_factory=Counter)
    prompts: Counter[str] = field(default_factory=Counter)
    reviewed: int = 0
    traced: int = 0  # rows with lineage
    forms: set[str] = field(default_factory=set)  # documents, conversations, preferences


class Written(NamedTuple):
    """One split as shards."""

    part: Part
    rows: int
    names: tuple[str, ...]


def write(folder: Folder, into: str, screen: Screen, tally: Tally, note: Note, shard_bytes: int = shards.SHARD_BYTES) -> list[Written]:
    """Writes all splits below `into/data`. Raises UserError for a row that is in no form known, and where there are no rows at all."""
    written = []
    read = _documents if folder.kind is Kind.CORPUS else _conversations
    several = len({part.config for part in folder.parts}) > 1 or folder.kind is Kind.CORPUS
    for part, (tables, schema) in read(folder, screen, tally, note):
        before = tally.rows
        home = f"data/{part.config}" if several and part.config != "default" else "data"
        names = shards.write(tables, schema, into, f"{home}/{part.split}", shard_bytes)
        if names:
            written.append(Written(part, tally.rows - before, tuple(names)))
    if not tally.rows:
        raise UserError(f"{folder.path}: holds no rows. Nothing is published; make the run again with input that passes.")
    return written


_Split = tuple[Part, tuple[Iterator[pa.Table], pa.Schema]]


def _documents(folder: Folder, screen: Screen, tally: Tally, note: Note) -> Iterator[_Split]:
    """A corpus's shards as they are, a batch at a time."""
    tally.forms.add("documents")
    schema: pa.Schema | None = None
    for part in folder.parts:
        for path in part.paths:
            try:
                own = pq.read_schema(f"{folder.path}/{path}").remove_metadata()
            except (pa.ArrowException, OSError) as error:
                raise UserError(f"{folder.path}/{path}: is no Parquet file: {error}. Build the corpus again.") from None
            missing = [name for name in DOCUMENT_COLUMNS if name not in own.names]
            if missing or (schema is not None and own != schema):
                what = f"lacks the column {missing[0]!r}" if missing else "has other columns than the shards before it"
                raise UserError(f"{folder.path}/{path}: {what}. Build the corpus again.")
            schema = own
        assert schema is not None  # a part has at least one file
        yield part, (_document_tables(folder, part, schema, screen, tally, note), schema)


def _document_tables(folder: Folder, part: Part, schema: pa.Schema, screen: Screen, tally: Tally, note: Note) -> Iterator[pa.Table]:
    for path in part.paths:
        with pq.ParquetFile(f"{folder.path}/{path}") as stored:
            for batch in stored.iter_batches(batch_size=shards.BATCH_ROWS):
                for row in batch.to_pylist():
                    tally.rows += 1
                    source = str(row["source"])
                    place = _shown(row["id"]) or f"{path}: one of the rows up to {tally.rows:,}"
                    tally.licenses[source, screen.row(row, place, source)] += 1
                note(tally.rows)
                yield pa.Table.from_batches([batch.cast(schema)] if batch.schema != schema else [batch])


def _conversations(folder: Folder, screen: Screen, tally: Tally, note: Note) -> Iterator[_Split]:
    """JSONL in TRL's forms: read once for the columns, and once to look at each row and write it."""
    columns: dict[str, shards.Columns] = {}
    for part in folder.parts:
        own = columns.setdefault(part.config, shards.Columns())
        for batch in _batches(folder, part):
            own.add([row for _, row in batch])
    for part in folder.parts:
        yield part, (_row_tables(folder, part, columns[part.config], screen, tally, note), columns[part.config].schema())


def _row_tables(folder: Folder, part: Part, columns: shards.Columns, screen: Screen, tally: Tally, note: Note) -> Iterator[pa.Table]:
    for batch in _batches(folder, part):
        for place, row in batch:
            source = _source(row, part)
            own = _shown(row.get("id"))
            tally.licenses[source, screen.row(row, f"{place} ({own})" if own else place, source)] += 1
            _count(row, tally)
        tally.rows += len(batch)
        note(tally.rows)
        try:
            yield columns.table([row for _, row in batch])
        except (pa.ArrowException, OverflowError) as error:
            raise UserError(f"{folder.path}: {batch[0][0]} and following: {error}. Was the file changed? Run the command again.") from None


def _shown(id: object) -> str | None:
    """A row's id where it can be told: one that holds personal data itself, or what moves a terminal's cursor, cannot."""
    return id if isinstance(id, str) and 0 < len(id) <= 80 and id.isprintable() and not find(id) else None


def _source(row: dict[str, Any], part: Part) -> str:
    """What a row is counted under: the source or task that its lineage names, else its file."""
    lineage = row.get("lineage")
    for value in (row.get("source"), *((lineage.get("source"), lineage.get("task")) if isinstance(lineage, dict) else ())):
        if isinstance(value, str) and value:
            return value[:80]
    return part.paths[0].removesuffix(".jsonl")


def _count(row: dict[str, Any], tally: Tally) -> None:
    tally.forms.add("conversations" if "messages" in row else "preferences")
    tally.reviewed += bool(row.get("review"))
    lineage = row.get("lineage")
    tally.traced += bool(lineage)
    if isinstance(lineage, dict):
        for name, counts in (("model", tally.models), ("prompt", tally.prompts)):
            if isinstance(lineage.get(name), str):
                counts[lineage[name]] += 1


def _batches(folder: Folder, part: Part) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Rows with their places, up to BATCH_ROWS and about BATCH_BYTES at a time."""
    batch: list[tuple[str, dict[str, Any]]] = []
    size = 0
    for name in part.paths:
        with open(f"{folder.path}/{name}", "rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if line.isspace():
                    continue
                batch.append((f"{name}:{number}", _row(line, f"{folder.path}/{name}:{number}")))
                size += len(line)
                if len(batch) >= shards.BATCH_ROWS or size >= shards.BATCH_BYTES:
                    yield batch
                    batch, size = [], 0
    if batch:
        yield batch


def _row(line: bytes, place: str) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise UserError(f"{place}: the line is longer than {MAX_LINE_BYTES:,} bytes. Split that row.")
    try:
        row = json.loads(line, parse_constant=_refuse_constant)
        line.decode("utf-8")
        json.dumps(row, ensure_ascii=False).encode("utf-8")  # an escaped half of a character would pass until Parquet
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: is not JSON in UTF-8: {error}. Correct that line.") from None
    fault = _fault(row)
    if fault:
        raise UserError(f"{place}: {fault}. Correct that row, or take the file out of the folder.")
    return dict(row)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _fault(row: Any) -> str | None:
    """Why a row is in none of TRL's forms; None where it is."""
    if not isinstance(row, dict):
        return "is no JSON object"
    lists = ("messages",) if "messages" in row else ("prompt", "chosen", "rejected")
    for name in lists:
        turns = row.get(name)
        if not isinstance(turns, list) or not turns:
            return f"has no {name!r}: it is neither a conversation (messages) nor a preference (prompt, chosen, rejected)"
        for turn in turns:
            if not isinstance(turn, dict) or not isinstance(turn.get("role"), str) or not isinstance(turn.get("content"), str):
                return f"has a turn in {name!r} without role and content as text"
    return None
