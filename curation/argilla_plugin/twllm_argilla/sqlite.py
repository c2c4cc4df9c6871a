"""The index on SQLite: triggers keep a table of records and a queue of changed texts, in the transaction that changes them.

The triggers are plain SQL, so any program may write to the database. Texts need folding, which SQL cannot: they are
indexed from the queue by whoever searches or writes next. A process killed at any moment leaves the queue as it stands.

Each dataset has an FTS5 table with a column for each field and a token for each character; a word of any length is a
phrase. FTS5's trigrams were larger and slower to make, and know no words of one and two characters
(benchmarks/review_indexes.py).
"""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text as sql

from . import text
from .sqlite_schema import MIRRORED, TABLES, TRIGGERS, VERSION
from .store import PREFIX, Clause, Index, Match

BATCH_RECORDS = 500
"""Records indexed in one transaction: some tenths of a second."""
PAUSE_SECONDS = 0.02
"""Between two of them, so that those who wait to write get their turn: SQLite has no queue for them."""

_GAP = "\x01"
"""The token for white space; folding leaves no control character in a text."""
_TOKENS = "".join(chr(code) for code in range(1, 128) if chr(code) != " " and not chr(code).isalnum()).replace("'", "''").replace('"', '""')
_TOKENIZER = f"\"ascii tokenchars '{_TOKENS}'\""


class Sqlite:
    """The store on SQLite."""

    records = f"{PREFIX}record"
    tie = "d.doc"

    def prepare(self, connection: Any) -> None:
        """Makes tables and triggers; makes all anew where a trigger is missing or edited, or the version is another."""
        with _writing(connection):
            for table in TABLES:
                connection.execute(sql(table))
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, :length) = :prefix"
            found = dict(connection.execute(sql(query), {"length": len(PREFIX), "prefix": PREFIX}).all())
            known = connection.execute(sql(f"SELECT value FROM {PREFIX}meta WHERE name = 'version'")).scalar()
            if known != VERSION or found != TRIGGERS:
                self._rebuild(connection, list(found))

    def _rebuild(self, connection: Any, triggers: list[str]) -> None:
        for name in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for dataset_id in connection.execute(sql(f"SELECT dataset_id FROM {PREFIX}index")).scalars().all():
            self._drop(connection, dataset_id)
        connection.execute(sql(f"DELETE FROM {PREFIX}queue"))
        connection.execute(sql(f"DELETE FROM {PREFIX}record"))
        valid = MIRRORED.replace("metadata", "CASE WHEN json_valid(metadata) THEN metadata END")
        connection.execute(sql(f"INSERT INTO {PREFIX}record ({MIRRORED}) SELECT {valid} FROM records ORDER BY inserted_at, rowid"))
        connection.execute(sql(f"INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record"))
        for body in TRIGGERS.values():
            connection.exec_driver_sql(body)
        connection.execute(sql(f"INSERT OR REPLACE INTO {PREFIX}meta VALUES ('version', :version)"), {"version": VERSION})

    def begin(self, connection: Any) -> None:
        """SQLite holds the state from the first read of the transaction on."""
        connection.execute(sql("BEGIN"))

    def pending(self, connection: Any, dataset_id: str) -> bool:
        """Whether the queue holds a record of the dataset."""
        query = sql(f"SELECT 1 FROM {PREFIX}queue WHERE dataset_id = :dataset LIMIT 1")
        return connection.execute(query, {"dataset": self.key(dataset_id)}).first() is not None

    def index(self, connection: Any, dataset_id: str) -> Index | None:
        """The dataset's index, where its fields are still those."""
        index = self._stored(connection, self.key(dataset_id))
        return index if index and index.fields == self._fields(connection, self.key(dataset_id)) else None

    def drain(self, connection: Any, dataset_id: str) -> None:
        """Makes the index where there is none, then empties the queue of this dataset."""
        while self._drain_batch(connection, self.key(dataset_id)):
            time.sleep(PAUSE_SECONDS)

    def drop(self, connection: Any, dataset_id: str) -> None:
        """Drops the dataset's table; records that it still has are queued."""
        with _writing(connection):
            self._drop(connection, self.key(dataset_id))

    def _drain_batch(self, connection: Any, dataset_id: str) -> bool:
        """Whether there may be more."""
        with _writing(connection):
            index, fields = self._stored(connection, dataset_id), self._fields(connection, dataset_id)
            if index is None or index.fields != fields:
                self._drop(connection, dataset_id)
                index = self._create(connection, dataset_id, fields)
            rows = connection.execute(
                sql(f"""SELECT q.doc, d.doc IS NOT NULL, r.fields FROM {PREFIX}queue q LEFT JOIN {PREFIX}record d ON d.doc = q.doc
                    LEFT JOIN records r ON r.id = d.id WHERE q.dataset_id = :dataset ORDER BY q.doc LIMIT :count"""),
                {"dataset": dataset_id, "count": BATCH_RECORDS},
            ).all()
            if rows:
                self._write(connection, index, rows)
        return len(rows) == BATCH_RECORDS

    def _write(self, connection: Any, index: Index, rows: list[Any]) -> None:
        docs = [{"doc": doc} for doc, _, _ in rows]
        connection.execute(sql(f"DELETE FROM {index.text_table} WHERE rowid = :doc"), docs)
        columns = _columns(index.fields)
        texts = [
            {"doc": doc, **dict(zip(columns, map(_tokens, text.of_record(fields, index.fields)), strict=True))}
            for doc, kept, fields in rows
            if kept
        ]
        if texts:
            names = ", ".join(["rowid", *columns])
            values = ", ".join([":doc", *(f":{column}" for column in columns)])
            connection.execute(sql(f"INSERT INTO {index.text_table} ({names}) VALUES ({values})"), texts)
        connection.execute(sql(f"DELETE FROM {PREFIX}queue WHERE doc = :doc"), docs)

    def _create(self, connection: Any, dataset_id: str, fields: list[str]) -> Index:
        query = sql(f"INSERT INTO {PREFIX}index (dataset_id, fields) VALUES (:dataset, :fields) RETURNING number")
        number = connection.execute(query, {"dataset": dataset_id, "fields": json.dumps(fields)}).scalar()
        index = Index(number, dataset_id, fields)
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE {index.text_table} USING fts5({', '.join(_columns(fields) or ['c0'])}, tokenize = {_TOKENIZER})"
        )
        return index

    def _drop(self, connection: Any, dataset_id: str) -> None:
        index = self._stored(connection, dataset_id)
        values = {"dataset": dataset_id}
        if index is not None:
            connection.execute(sql(f"DROP TABLE IF EXISTS {index.text_table}"))
        connection.execute(sql(f"DELETE FROM {PREFIX}index WHERE dataset_id = :dataset"), values)
        connection.execute(sql(f"DELETE FROM {PREFIX}queue WHERE dataset_id = :dataset"), values)
        connection.execute(sql(f"INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record WHERE dataset_id = :dataset"), values)

    @staticmethod
    def _stored(connection: Any, dataset_id: str) -> Index | None:
        query = sql(f"SELECT number, fields FROM {PREFIX}index WHERE dataset_id = :dataset")
        row = connection.execute(query, {"dataset": dataset_id}).first()
        return Index(row[0], dataset_id, json.loads(row[1])) if row else None

    @staticmethod
    def _fields(connection: Any, dataset_id: str) -> list[str]:
        query = sql("SELECT name, settings FROM fields WHERE dataset_id = :dataset ORDER BY name")
        rows = connection.execute(query, {"dataset": dataset_id}).all()
        return [name for name, settings in rows if json.loads(settings)["type"] in text.SEARCHED]

    def matches(self, index: Index, words: list[str], field: str | None) -> Match:
        """One look-up in FTS5. Words are quoted there, so that no character is an operator."""
        columns = [f"c{i}" for i, name in enumerate(index.fields) if field in (None, name)]
        source = f"{index.text_table} CROSS JOIN {self.records} d ON d.doc = {index.text_table}.rowid"
        if not words or not columns:
            return Match(source, source, "0 = 1", None, {})
        phrases = " AND ".join('"' + _tokens(word).replace('"', '""') + '"' for word in words)
        match = phrases if field is None else f"{{{' '.join(columns)}}} : ({phrases})"
        return Match(source, index.text_table, f"{index.text_table} MATCH :words", f"-{index.text_table}.rank", {"words": match})

    def vectors_version(self, connection: Any, settings_id: str) -> int | None:
        """Counted by triggers."""
        query = sql(f"SELECT version FROM {PREFIX}vectors WHERE settings_id = :settings")
        return int(connection.execute(query, {"settings": self.key(settings_id)}).scalar() or 0)

    def shuffled(self, user_id: str) -> Clause:
        """Squares modulo a prime of the record's number, with a factor and a start of the user's own."""
        seed = int(user_id.replace("-", ""), 16)
        values = {"factor": seed % 2_147_483_629 + 1, "start": (seed >> 64) % 2_147_483_647}
        linear = "((d.doc * :factor + :start) % 2147483647)"
        return Clause(f"{linear} * {linear} % 2147483647", values)

    def key(self, identifier: str) -> str:
        """Argilla's tables hold UUIDs as 32 hexadecimal digits."""
        return identifier.replace("-", "")

    def moment(self, text: str) -> str:
        """Argilla's tables hold dates as text."""
        return text

    def elements(self, column: str, path: list[str], alias: str) -> str:
        """SQLite's json_each; a name in the path is quoted and cannot hold a quote."""
        steps = "".join('."' + step.replace('"', "") + '"' for step in path).replace("'", "''").replace(":", "\\:")
        return f"json_each({column}, '${steps}') {alias}"

    def as_text(self, alias: str) -> str:
        """Strings as they are; SQLite orders them by bytes."""
        return f"CASE WHEN {alias}.type = 'text' THEN {alias}.value END"

    def as_number(self, alias: str) -> str:
        """Integers and decimals."""
        return f"CASE WHEN {alias}.type IN ('integer', 'real') THEN {alias}.value END"

    def plain(self, column: str) -> str:
        """Text already."""
        return column


@contextmanager
def _writing(connection: Any) -> Iterator[None]:
    connection.execute(sql("BEGIN IMMEDIATE"))
    try:
        yield
        connection.execute(sql("COMMIT"))
    except BaseException:
        connection.execute(sql("ROLLBACK"))
        raise


def _columns(fields: list[str]) -> list[str]:
    return [f"c{i}" for i in range(len(fields))]


def _tokens(folded: str) -> str:
    """A token for each character, as FTS5's tokenizer will see them."""
    return " ".join(_GAP if character == " " else character for character in folded)
