"""Rows of any JSONL, JSON, Parquet or `datasets` data set, and the row reader that the other sources share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain
from typing import IO, Any, cast

import ijson
import orjson

from corpus.sources.inputs import FILE_ERRORS, InputError, InputFile, describe, excerpt_of, files_in
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError
from corpus.sources.spec import SourceSpec, check_spec
from factory.records import Document, Rejected
from factory.storage import stem

MAX_LINE_BYTES = 64 << 20  # a longer JSONL line is rejected without being held in memory
PARQUET_BATCH_ROWS = 256
MAX_DEPTH = 200  # of objects and arrays in a .json row; a builder of deeper ones ends the process (C stack). orjson bounds a line by 1,024

Rows = Iterator[Row | Rejected]
_BOM = b"\xef\xbb\xbf"
MAX_DIGITS = 4_000  # one after the other in a .json file
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_TOO_DEEP = object()  # stands for a value over MAX_DEPTH


def raw_rows(file: InputFile, list_keys: tuple[str, ...] = ()) -> Rows:
    """The rows of one file in order, and a `Rejected` for each that is none.

    `.json` is an array of objects. With `list_keys` it may also be an object: the array under the first of these keys is
    streamed and the scalars that stand before it are added to each row; an object with none of the keys is one row.
    After an error in the file the rows before it stand and one `Rejected` says after which row it stopped. Memory is
    bounded by the longest row; for Parquet by the largest row group.
    """
    count = 0
    try:
        if file.is_empty():
            yield file.rejected("empty file")
            return
        for row in _layout(file, list_keys):
            count += 1
            yield row
    except FILE_ERRORS as error:
        yield file.rejected(describe(error), f"after row {count}" if count else "")
        return
    if not count:
        yield file.rejected("the file has no rows")


def _layout(file: InputFile, list_keys: tuple[str, ...]) -> Rows:
    if file.layout in (".jsonl", ".ndjson"):
        return _jsonl(file)
    if file.layout == ".json":
        return _json(file, list_keys)
    if file.layout == ".parquet":
        return _parquet(file)
    raise InputError(f"unknown layout {file.layout!r}; this source reads .jsonl, .ndjson, .json and .parquet")


def _jsonl(file: InputFile) -> Rows:
    count = 0
    with file.open() as stream:
        for number, line in _lines(stream):
            place = f"line {number}"
            if line is None:
                count += 1
                yield file.rejected(f"the line is over {MAX_LINE_BYTES} bytes", place)
            elif line.strip():
                count += 1
                yield _json_row(file, place, count, line)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, None
        else:
            yield number, line


def _json_row(file: InputFile, place: str, number: int, line: bytes) -> Row | Rejected:
    try:
        line.decode("utf-8")
        data = orjson.loads(line)
    except UnicodeDecodeError as error:
        return file.rejected(f"invalid UTF-8: {error.reason} at byte {error.start} of the line", place, excerpt_of(line))
    except orjson.JSONDecodeError as error:
        # orjson has no other word for a shortage, which must end the run and not cost a row; it also says so of some deep nesting
        if "memory" in str(error) and not _nested_deeper(line, MAX_DEPTH):
            raise MemoryError(str(error)) from error
        return file.rejected(f"invalid JSON: {error}", place, excerpt_of(line))
    return _row(file, place, number, data)


def _nested_deeper(line: bytes, levels: int) -> bool:
    depth = 0
    for match in _JSON_TOKEN.finditer(line):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match[0], 0)
        if depth > levels:
            return True
    return False


def _row(file: InputFile, place: str, number: int, data: object) -> Row | Rejected:
    if isinstance(data, dict):
        return Row(place, number, data)
    if data is _TOO_DEEP:
        return file.rejected(f"the row is nested over {MAX_DEPTH} levels", place)
    return file.rejected(f"the row is {type(data).__name__}, not an object", place, excerpt_of(data))


class _Guarded:
    """A byte stream for ijson that skips a UTF-8 byte order mark, and ends at a number that Python would refuse to read.

    ijson 3.6 hides that refusal (over 4,300 digits), goes on, and ends the process a little later.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head = stream.read(len(_BOM)).removeprefix(_BOM)
        self._digits = b""  # at the end of what was read

    def read(self, size: int = -1) -> bytes:
        if self._head and size != 0:
            piece, self._head = self._head, b""
        else:
            piece = self._stream.read(size)
        joined = self._digits + piece
        match = _LONG_NUMBER.search(joined)
        if match:
            piece = piece[: max(0, match.start() - len(self._digits))]  # the rows before it stand
            if not piece:
                raise InputError(f"a number of over {MAX_DIGITS} digits")
            self._head, self._digits = joined[match.start() :], b""
            return piece
        self._digits = joined[len(joined.rstrip(b"0123456789")) :]
        return piece


def _json(file: InputFile, list_keys: tuple[str, ...]) -> Rows:
    with file.open() as stream:
        events = ijson.basic_parse(_Guarded(stream))
        try:
            for number, data in enumerate(_values(events, list_keys), 1):
                yield _row(file, f"row {number}", number, data)
        except ijson.JSONError as error:
            raise InputError(f"invalid JSON: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    message = error.args[0] if error.args else ""
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
    return (text.strip() or type(error).__name__).splitlines()[0]


def _values(events: Iterator[tuple[str, Any]], list_keys: tuple[str, ...]) -> Iterator[object]:
    """Items of a top-level array, or of the array under a key of `list_keys`, or the whole object; a scalar stands for itself."""
    first = next(events)
    if first[0] == "start_array":
        yield from _items(events)
    elif first[0] != "start_map":
        yield first[1]
    elif not list_keys:
        raise InputError("the top level is an object; this source reads an array of objects, or one object a line in .jsonl")
    else:
        yield from _from_object(events, list_keys)
    for _ in events:  # ijson reports what follows the value
        pass


def _from_object(events: Iterator[tuple[str, Any]], list_keys: tuple[str, ...]) -> Iterator[object]:
    whole: dict[str, Any] = {}
    streamed = False
    for kind, key in events:
        if kind == "end_map":
            break
        first = next(events)
        if not streamed and key in list_keys and first[0] == "start_array":
            streamed = True
            header = {name: value for name, value in whole.items() if not isinstance(value, dict | list)}
            for item in _items(events):
                yield {**header, **item} if isinstance(item, dict) else item
        else:
            value = _value(first, events)
            if not streamed:
                whole[key] = value
    if not streamed:
        yield whole


def _items(events: Iterator[tuple[str, Any]]) -> Iterator[object]:
    for event in events:
        if event[0] == "end_array":
            return
        yield _value(event, events)


def _value(first: tuple[str, Any], events: Iterator[tuple[str, Any]]) -> object:
    if first[0] not in ("start_map", "start_array"):
        return first[1]
    builder = ijson.ObjectBuilder()
    depth = deepest = 0
    for kind, value in chain([first], events):
        depth += kind in ("start_map", "start_array")
        depth -= kind in ("end_map", "end_array")
        deepest = max(deepest, depth)
        if deepest <= MAX_DEPTH:
            builder.event(kind, value)
        if not depth:
            break
    return builder.value if deepest <= MAX_DEPTH else _TOO_DEEP


def _parquet(file: InputFile) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    with file.open() as stream:
        if not stream.seekable():
            raise InputError("Parquet inside another compression; decompress it first")
        try:
            table = pq.ParquetFile(stream, pre_buffer=False)  # or whole row groups are read ahead
            total = table.metadata.num_rows
        except pa.ArrowException as error:
            raise InputError(f"invalid Parquet: {' '.join(str(error).split())[:200]}") from None
        try:
            for batch in table.iter_batches(batch_size=PARQUET_BATCH_ROWS, use_threads=False):
                for row in _batch_rows(file, batch, number):
                    number += 1
                    yield row
        except (pa.ArrowException, OSError) as error:
            message = " ".join(str(error).split())[:200]
            raise InputError(f"invalid Parquet: {message} ({total - number} of {total} rows were not read)") from None


def _batch_rows(file: InputFile, batch: Any, before: int) -> Rows:
    """Rows of one record batch; where a cell is not UTF-8, row by row so that only its own row is lost."""
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:
        rows = None
    for index in range(batch.num_rows):
        number = before + index + 1
        place = f"row {number}"
        try:
            yield Row(place, number, rows[index] if rows is not None else batch.slice(index, 1).to_pylist()[0])
        except UnicodeDecodeError as error:
            yield file.rejected(f"invalid UTF-8: {error.reason}", place)


def documents(
    file: InputFile, rows: Iterable[Row | Rejected], make: Callable[[InputFile, Row], Iterable[Document]]
) -> Iterator[Document | Rejected]:
    """Applies `make` to each row; a RowError rejects the row and the stream goes on."""
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            made = list(make(file, row))
        except RowError as error:
            yield file.rejected(str(error), row.locator, excerpt_of(row.data))
            continue
        yield from made


class RowsSource:
    """Type `rows`: each row of a JSONL, JSON or Parquet file is one document."""

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, RECORD_FIELDS, {})
        self._columns = Columns(name, spec, {"text": "text", **spec.fields})

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
            else:
                yield from documents(file, raw_rows(file), self._make)

    def _make(self, file: InputFile, row: Row) -> list[Document]:
        return [self._columns.document(row, file.stem, self._columns.text(row))]


class DatasetsSource:
    """Type `datasets`: a data set of the `datasets` library, from a local folder or `hf://datasets/owner/name[@revision]`.

    A local folder may be one that `save_to_disk` wrote or any that `load_dataset` understands; only `hf://` paths use
    the network. Options: `split` (default: all splits, in the data set's order) and `config` (the data set's
    configuration). An id that is not mapped is `<name>-<split>-<row>`, or `<name>-<row>` where there are no splits.
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, RECORD_FIELDS, {"split": str, "config": str})
        self._spec = spec
        self._columns = Columns(name, spec, {"text": "text", **spec.fields})

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one data set, in order."""
        from datasets.exceptions import DatasetsError
        from pyarrow import ArrowException

        whole = InputFile(path, path, False, _no_bytes)
        place = ""
        count = 0
        try:
            for split, rows in self._splits(path).items():
                name = "-".join(part for part in (stem(path.rstrip("/")), split) if part)
                file = InputFile(path, name, False, _no_bytes)
                for number, data in enumerate(rows, 1):
                    place = f"{split} row {number}".lstrip()
                    count += 1
                    yield from documents(file, [Row(place, number, dict(data))], self._make)
            if not count:
                yield whole.rejected("the data set has no rows")
        except (OSError, ValueError, KeyError, InputError, DatasetsError, ArrowException) as error:
            yield whole.rejected(describe(error), f"after {place}" if place else "")

    def _make(self, file: InputFile, row: Row) -> list[Document]:
        return [self._columns.document(row, file.name, self._columns.text(row))]

    def _splits(self, path: str) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        from datasets import load_dataset, load_from_disk

        config = cast(str | None, self._spec.options.get("config"))
        wanted = cast(str | None, self._spec.options.get("split"))
        if path.startswith("hf://"):
            repository, _, revision = path.removeprefix("hf://datasets/").partition("@")
            loaded = load_dataset(repository, name=config, revision=revision or None, streaming=True)
        elif not os.path.isdir(path):
            raise InputError("no such folder; give a local folder or hf://datasets/owner/name")  # a bare name would ask the hub
        elif any(os.path.exists(os.path.join(path, name)) for name in ("dataset_dict.json", "state.json")):
            loaded = load_from_disk(path)
        else:
            loaded = load_dataset(os.path.abspath(path), name=config, streaming=True)
        splits = dict(loaded) if isinstance(loaded, dict) else {"": loaded}
        if wanted is None:
            return splits
        if wanted not in splits:
            raise InputError(f"no split {wanted!r}; the data set has {', '.join(splits) or 'none'}")
        return {wanted: splits[wanted]}


def _no_bytes() -> AbstractContextManager[IO[bytes]]:
    raise InputError("a data set is not opened as bytes")
