"""Forgetting: what a document said leaves every file of a run; that it was there, and that it went, stays.

A request is written to `forgotten.jsonl` before anything else changes. From then on every build of the run blanks the
documents it names, in stored parts and in parts that it makes again, also under another id with the same text; so a kill at
any moment is mended by the next `forget` or `build`, and a forgotten document does not come back with the next snapshot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.why import read_manifest
from factory import manifest, storage
from factory.errors import UserError
from factory.records import Document

LIST, PROOF = "forgotten.jsonl", "forgotten-proof.json"
FLAG = "forgotten"
_KEPT_COLUMNS = ("id", "source", "license")  # of a blanked document


class Selectors(NamedTuple):
    """What is asked for; a document is meant that any of them names."""

    ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()

    def names(self, row: dict[str, Any]) -> bool:
        """Whether a row of `documents.parquet` is meant; of a split document by the parent's id, too."""
        if row["id"] in self.ids or row["parent_id"] in self.ids or row["rights_holder"] in self.holders or row["url"] in self.urls:
            return True
        host = host_of(row["url"]) if self.domains else None
        return host is not None and any(host == domain or host.endswith(f".{domain}") for domain in self.domains)


class Named(NamedTuple):
    """Documents that a request means, and copies of them under other ids."""

    ids: tuple[str, ...]
    copies: tuple[str, ...]


class Forgotten(NamedTuple):
    """All requests of a run together."""

    ids: frozenset[str]
    hashes: frozenset[bytes]  # of their texts without white space, as `exact_hash`


def host_of(url: str | None) -> str | None:
    """The host of an address in lower case, None where it has none."""
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:
        return None


def find(run: str, selectors: Selectors, with_copies: bool = True) -> Named:
    """The documents of a finished run that selectors name. Raises UserError where there are none."""
    ids = [
        row["id"]
        for folder in part_folders(run)
        for row in _rows(f"{folder}/documents.parquet", ["id", "parent_id", "url", "rights_holder"])
        if selectors.names(row)
    ]
    if not ids:
        asked = ", ".join(f"{name} {value}" for name, values in selectors._asdict().items() for value in values)
        raise UserError(
            f"{run}: no document matches {asked or 'nothing'}. Give an --id, --url, --domain or --holder that the run has seen."
        )
    named = frozenset(ids)
    return Named(tuple(sorted(named)), tuple(sorted(_copies(run, named) - named)) if with_copies else ())


def _copies(run: str, ids: frozenset[str]) -> frozenset[str]:
    """Documents that a run found to be copies of these, or these of them."""
    table = pq.read_table(f"{run}/decisions.parquet", columns=["id", "kept_id"]).to_pydict()
    kept_of = {name: kept for name, kept in zip(table["id"], table["kept_id"], strict=True) if kept is not None}
    heads = {kept_of.get(name, name) for name in ids}
    return frozenset(heads | {name for name, kept in kept_of.items() if kept in heads})


def part_folders(run: str) -> list[str]:
    """Folders of a finished run's parts."""
    return list(dict.fromkeys(f"{run}/work/annotate/{part['folder']}" for part in read_manifest(run)["parts"]))


def record(run: str, named: Named, selectors: Selectors) -> None:
    """Writes the request down: from now on its documents are forgotten."""
    ids = frozenset((*named.ids, *named.copies))
    hashes = {
        row["exact_hash"].hex()
        for folder in part_folders(run)
        for row in _rows(f"{folder}/features.parquet", ["id", "exact_hash", "chars"])
        if row["id"] in ids and row["chars"]
    }
    request = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "asked": {name: list(values) for name, values in selectors._asdict().items() if values},
        "ids": list(named.ids),
        "copies": list(named.copies),
        "exact_hashes": sorted(hashes),
        "before": {name: storage.sha256_file(f"{run}/{name}") for name in _holding(run, ids)},
    }
    lines = [*_requests(run), request]
    storage.atomic_write_text(f"{run}/{LIST}", "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines))


def _holding(run: str, ids: frozenset[str]) -> list[str]:
    """Files of a run that hold a text of these documents, or numbers made from one."""
    paths = [f"{folder}/{name}" for folder in part_folders(run) for name in ("documents.parquet", "features.parquet")]
    data = f"{run}/data"
    paths += [f"{data}/{name}" for name in sorted(os.listdir(data)) if name.endswith(".parquet")]
    return [os.path.relpath(path, run) for path in paths if any(row["id"] in ids for row in _rows(path, ["id"]))]


def _requests(run: str) -> list[dict[str, Any]]:
    try:
        with open(f"{run}/{LIST}", encoding="utf-8") as stream:
            return [json.loads(line) for line in stream if line.strip()]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise UserError(f"{run}/{LIST}: is no list of requests: {error}. It was changed by hand; restore it from a copy.") from None


def forgotten(run: str) -> Forgotten:
    """What a run has been asked to forget."""
    path = f"{run}/{LIST}"
    return _forgotten(run, storage.sha256_file(path) if os.path.exists(path) else "")


@lru_cache(maxsize=2)
def _forgotten(run: str, digest: str) -> Forgotten:
    requests = _requests(run) if digest else []
    ids = frozenset(name for request in requests for name in (*request["ids"], *request["copies"]))
    return Forgotten(ids, frozenset(bytes.fromhex(value) for request in requests for value in request["exact_hashes"]))


def key_of(run: str) -> list[list[str]]:
    """What the decisions depend on: nothing for a run without requests."""
    ids, hashes = forgotten(run)
    return [[*sorted(ids), *sorted(value.hex() for value in hashes)]] if ids else []


def blanked(asked: Forgotten, documents: pa.Table, features: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows of a part with the forgotten ones blank: id, source and licence stay, and the flag `forgotten`. A blank row stays as it is."""
    rows = [
        index
        for index, (name, value, flags) in enumerate(
            zip(
                documents.column("id").to_pylist(),
                features.column("exact_hash").to_pylist(),
                features.column("flags").to_pylist(),
                strict=True,
            )
        )
        if (name in asked.ids or value in asked.hashes) and FLAG not in flags
    ]
    if not rows:
        return documents, features
    return _with_rows(documents, _blank_documents(documents, rows), rows), _with_rows(features, _blank_features(documents, rows), rows)


def _blank_documents(documents: pa.Table, rows: Sequence[int]) -> pa.Table:
    blank = {"text": "", "metadata": "{}", "flags": [FLAG]}
    found = documents.take(pa.array(rows)).to_pylist()
    kept = [{name: blank.get(name) if name not in _KEPT_COLUMNS else row[name] for name in documents.schema.names} for row in found]
    return pa.Table.from_pylist(kept, schema=documents.schema)


def _blank_features(documents: pa.Table, rows: Sequence[int]) -> pa.Table:
    from corpus.features import annotate

    found = documents.take(pa.array(rows)).to_pylist()
    return annotate([Document(id=row["id"], text="", source=row["source"], flags=(FLAG,)) for row in found])[1]


def _with_rows(table: pa.Table, others: pa.Table, rows: Sequence[int]) -> pa.Table:
    """The table with some rows replaced."""
    order = list(range(table.num_rows))
    for number, row in enumerate(rows):
        order[row] = table.num_rows + number
    return pa.concat_tables([table, others]).take(pa.array(order)).combine_chunks()


def blank_parts(run: str, folders: Iterable[str]) -> int:
    """Blanks what is forgotten in stored parts and returns how many parts were changed. Killed and called again, it ends the same."""
    asked = forgotten(run)
    changed = 0
    for folder in folders if asked.ids else ():
        changed += _blank_part(asked, folder)
    return changed


def _blank_part(asked: Forgotten, folder: str) -> bool:
    """Features first: while they are whole, the documents can be found by their hash."""
    paths = [f"{folder}/{name}" for name in ("documents.parquet", "features.parquet")]
    stored = [_groups(folder, name) for name in ("documents", "features")]
    pairs = list(zip(*stored, strict=True))
    made = [blanked(asked, documents, features) for documents, features in pairs]
    texts = any(new[0] is not old[0] or _unblanked(*old) for new, old in zip(made, pairs, strict=True))
    if not texts:
        return False
    whole = [(_blank_again(documents, features), features) for documents, features in made]
    for index in (1, 0):
        storage.atomic_write(paths[index], lambda stream, index=index: _write(stream, [pair[index] for pair in whole]))  # type: ignore[misc]
    with open(f"{folder}/part.json", encoding="utf-8") as stream:
        part = json.load(stream)
    size = sum(sum(features.column("bytes").to_pylist()) for _, features in whole)
    facts = {name: value for name, value in part.items() if name not in ("key", "files")} | {"bytes": size}
    manifest.write_record(f"{folder}/part.json", part["key"], list(part["files"]), **facts)
    return True


def _unblanked(documents: pa.Table, features: pa.Table) -> bool:
    """Whether a text stands where the features are blank: a kill came between the two files."""
    return any(FLAG in flags and text for flags, text in _flags_and_texts(documents, features))


def _flags_and_texts(documents: pa.Table, features: pa.Table) -> Iterator[tuple[list[str], str]]:
    return zip(features.column("flags").to_pylist(), documents.column("text").to_pylist(), strict=True)


def _blank_again(documents: pa.Table, features: pa.Table) -> pa.Table:
    rows = [index for index, (flags, text) in enumerate(_flags_and_texts(documents, features)) if FLAG in flags and text]
    return _with_rows(documents, _blank_documents(documents, rows), rows) if rows else documents


def _groups(folder: str, name: str) -> list[pa.Table]:
    """Row groups with the schema that they were written with: reading gives the elements of lists another name."""
    from corpus.annotate import DOCUMENT_SCHEMA
    from corpus.features import SCHEMA

    schema = DOCUMENT_SCHEMA if name == "documents" else SCHEMA
    with pq.ParquetFile(f"{folder}/{name}.parquet") as stored:
        groups = (stored.read_row_group(number) for number in range(stored.num_row_groups))
        return [
            pa.Table.from_arrays([column.cast(field.type) for column, field in zip(group.columns, schema, strict=True)], schema=schema)
            for group in groups
        ]


def _write(stream: Any, tables: Sequence[pa.Table]) -> None:
    with pq.ParquetWriter(stream, tables[0].schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def _rows(path: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as stored:
        for batch in stored.iter_batches(batch_size=10_000, columns=columns):
            yield from batch.to_pylist()


def write_proof(run: str) -> None:
    """Writes which files held forgotten documents, with their SHA-256 before and after; null for a file that is gone."""
    requests = _requests(run)
    if not requests:
        return
    proof = [
        {
            "when": request["when"],
            "asked": request["asked"],
            "documents": len(request["ids"]),
            "copies": len(request["copies"]),
            "files": {
                name: {"before": digest, "after": storage.sha256_file(f"{run}/{name}") if os.path.exists(f"{run}/{name}") else None}
                for name, digest in request["before"].items()
            },
        }
        for request in requests
    ]
    storage.atomic_write_text(f"{run}/{PROOF}", json.dumps(proof, ensure_ascii=False, indent=1) + "\n")
