"""Tokens for each rights holder and contract of a finished run, so that those who wrote the texts can be paid."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.assemble import SHARD_NAME
from corpus.permissions import USES, allowed
from factory import storage
from factory.errors import UserError

_COLUMNS = ["id", "license", "rights_holder", "metadata", "tokens", "parent_id"]
BATCH_ROWS = 10_000


class Account(NamedTuple):
    """What one holder's texts under one contract and licence came to."""

    rights_holder: str | None
    contract_id: str | None
    license: str
    share: float | None  # the holder's share of revenue, 0 to 1
    books: int  # works: a document that was split counts once
    documents: int
    tokens: int


def account(run: str) -> list[Account]:
    """The kept documents of all sources of a run, by holder, contract, licence and share, sorted; those without a holder come last.

    Reads `RUN/data/*.parquet` without the texts. Memory: the ids of split documents. Raises UserError where `run` holds no data.
    """
    totals: dict[tuple[str | None, str | None, str, float | None], list[int]] = {}
    split: dict[str, None] = {}
    for name in _shards(run):
        for row in chain.from_iterable(_batches(f"{run}/data/{name}", _COLUMNS)):
            parent = row["parent_id"]
            contract, share = _contract(row["metadata"])
            total = totals.setdefault((row["rights_holder"], contract, row["license"], share), [0, 0, 0])
            if parent is None or parent not in split:
                total[0] += 1
            if parent is not None:
                split[parent] = None
            total[1] += 1
            total[2] += row["tokens"] or 0
    return [Account(*key, *totals[key]) for key in sorted(totals, key=_order)]


LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.string()) for name in ("source", "url", "rights_holder", "license", "contract_id", "retrieved")),
        *(pa.field(use, pa.bool_()) for use in USES),  # whether the document may be used so
        pa.field("tokens", pa.int64()),
    ]
)


def write_ledger(run: str, path: str) -> int:
    """Writes each kept document's rights as a Parquet table (LEDGER) and returns their number."""
    names = _shards(run)
    count = 0

    def write(stream: Any) -> None:
        nonlocal count
        with pq.ParquetWriter(stream, LEDGER, compression="zstd") as writer:
            for name in names:
                for rows in _batches(f"{run}/data/{name}", [*_COLUMNS, "source", "url", "retrieved"]):
                    count += len(rows)
                    writer.write_table(pa.Table.from_pylist([_ledger_row(row) for row in rows], schema=LEDGER))

    storage.atomic_write(path, write)
    return count


def _ledger_row(row: dict[str, Any]) -> dict[str, Any]:
    uses = allowed(row["license"], row["metadata"])
    contract, _ = _contract(row["metadata"])
    return {**{name: row[name] for name in LEDGER.names if name in row}, "contract_id": contract, **{use: use in uses for use in USES}}


def _shards(run: str) -> list[str]:
    folder = f"{run}/data"
    names = sorted(name for name in os.listdir(folder) if SHARD_NAME.fullmatch(name)) if os.path.isdir(folder) else []
    if not names:
        raise UserError(f"{run}: holds no corpus (no data/*.parquet). Build one, or name the folder of a finished run.")
    return names


def _order(key: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    return [(value is None, "" if value is None else value) for value in key]


def _batches(path: str, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
    try:
        with pq.ParquetFile(path) as stored:
            for batch in stored.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                yield batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: cannot be read: {reason}. The run was changed by hand; build it again.") from error


def _contract(metadata: str | None) -> tuple[str | None, float | None]:
    """Contract and share as a rights file stated them: where `permitted_use` stands, since any row may have a column `share`."""
    if metadata is None or '"permitted_use"' not in metadata:
        return None, None
    stated = json.loads(metadata)
    if not isinstance(stated, dict) or not isinstance(stated.get("permitted_use"), list):
        return None, None
    contract, share = stated.get("contract_id"), stated.get("share")
    return (contract if isinstance(contract, str) else None), (float(share) if isinstance(share, int | float) else None)
