"""Rows as Parquet shards: the same rows and the same library give the same bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

SHARD_BYTES = 490_000_000  # a footer of at most a few MB comes on top, and a file should stay below 500 MB
BATCH_ROWS = 1_000
BATCH_BYTES = 32 << 20  # of Arrow memory; one row may be larger


class Columns:
    """Finds a schema that holds all rows of a configuration.

    Objects become structs, where a row lacks a key that others have it is null there. A column whose values have no common type,
    or whose objects are always empty, becomes JSON text.
    """

    def __init__(self) -> None:
        self._types: dict[str, pa.DataType | None] = {}  # None: as JSON

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Widens the schema so that it holds these rows, too."""
        for name in {name: None for row in rows for name in row}:
            known = self._types.get(name, pa.null())
            if known is None:
                continue
            try:
                found = pa.array([row.get(name) for row in rows]).type
                both = [pa.schema([(name, known)]), pa.schema([(name, found)])]
                self._types[name] = pa.unify_schemas(both, promote_options="permissive").field(0).type
            except (pa.ArrowException, OverflowError):
                self._types[name] = None

    def schema(self) -> pa.Schema:
        """The schema so far."""
        return pa.schema([(name, pa.string() if kind is None or _is_empty(kind) else _settled(kind)) for name, kind in self._types.items()])

    def table(self, rows: list[dict[str, Any]]) -> pa.Table:
        """Rows that were added before, as a table of the schema."""
        schema = self.schema()
        as_json = [name for name, kind in self._types.items() if kind is None or _is_empty(kind)]
        if as_json:
            rows = [{**row, **{name: _json(row.get(name)) for name in as_json}} for row in rows]
        return pa.Table.from_pylist(rows, schema=schema)


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _is_empty(kind: pa.DataType) -> bool:
    """Whether Parquet cannot store it: a struct without fields, somewhere inside."""
    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(_is_empty(field.type) for field in kind)
    return pa.types.is_list(kind) and _is_empty(kind.value_type)


def _settled(kind: pa.DataType) -> pa.DataType:
    """The type with text where all values were null, so that a later set with values has the same type."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_settled(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_settled(kind.value_type))
    return pa.string() if pa.types.is_null(kind) else kind


def write(tables: Iterable[pa.Table], schema: pa.Schema, folder: str, prefix: str, most_bytes: int = SHARD_BYTES) -> list[str]:
    """Writes `<prefix>-00000-of-00001.parquet` ... below a folder and returns the names; none where there are no rows.

    A shard ends before the batch that could make it larger than `most_bytes`; only a single batch that compresses badly can be larger.
    """
    parts: list[str] = []
    os.makedirs(os.path.dirname(f"{folder}/{prefix}"), exist_ok=True)
    stream: IO[bytes] | None = None
    writer: Any = None
    try:
        for table in _cut(tables, most_bytes):
            if stream is not None and stream.tell() + table.nbytes > most_bytes:
                writer.close()
                stream.close()
                stream = None
            if stream is None:
                parts.append(f"{prefix}.{len(parts)}.part")
                stream = open(f"{folder}/{parts[-1]}", "wb")  # noqa: SIM115 - closed below, or with the next shard
                writer = pq.ParquetWriter(stream, schema, compression="zstd")
            writer.write_table(table)
    finally:
        if stream is not None:
            writer.close()
            stream.close()
    names = [f"{prefix}-{number:05d}-of-{len(parts):05d}.parquet" for number in range(len(parts))]
    for part, name in zip(parts, names, strict=True):
        os.rename(f"{folder}/{part}", f"{folder}/{name}")
    return names


def _cut(tables: Iterable[pa.Table], most_bytes: int) -> Iterator[pa.Table]:
    """Tables of at most BATCH_ROWS rows and BATCH_BYTES, or of one row."""
    limit = min(BATCH_BYTES, most_bytes)
    for table in tables:
        waiting = [table]
        while waiting:
            first = waiting.pop(0)
            if first.num_rows > 1 and (first.num_rows > BATCH_ROWS or first.nbytes > limit):
                half = first.num_rows // 2
                waiting[:0] = [first.slice(0, half), first.slice(half)]
            elif first.num_rows:
                yield first
