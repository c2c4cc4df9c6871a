"""The index on SQLite: triggers keep a table of records and a queue of changed texts, in the transaction that changes them.

The triggers are plain SQL, so any program may write to the database. Texts need folding, which SQL cannot: they are
indexed from the queue by whoever searches or writes next. A process killed at any moment leaves the queue as it stands.
"""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text as sql

from . import text
from .store import PREFIX, Clause, Index

BATCH_RECORDS = 500
"""Records indexed in one transaction: the longest that a writer waits, some tenths of a second."""

_SCHEMA = 1
_MIRRORED = "id, dataset_id, external_id, status, inserted_at, updated_at, metadata"
_NEW = "NEW.id, NEW.dataset_id, NEW.external_id, NEW.status, NEW.inserted_at, NEW.updated_at, NEW.metadata"

_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {PREFIX}meta (name TEXT PRIMARY KEY, value TEXT)",
    f"""CREATE TABLE IF NOT EXISTS {PREFIX}record (doc INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, dataset_id TEXT NOT NULL,
        external_id TEXT, status TEXT, inserted_at TEXT, updated_at TEXT, metadata TEXT)""",
    f"CREATE INDEX IF NOT EXISTS {PREFIX}record_dataset ON {PREFIX}record (dataset_id)",
    f"CREATE TABLE IF NOT EXISTS {PREFIX}queue (doc INTEGER PRIMARY KEY, dataset_id TEXT NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS {PREFIX}queue_dataset ON {PREFIX}queue (dataset_id)",
    f"CREATE TABLE IF NOT EXISTS {PREFIX}index (number INTEGER PRIMARY KEY AUTOINCREMENT, dataset_id TEXT NOT NULL UNIQUE, fields TEXT NOT NULL)",
)

# An outer INSERT OR REPLACE fires no delete trigger, so the insert trigger clears what stood there; and its conflict
# clause would govern the statements here, so none of them can conflict.
_FORGET = """DELETE FROM {p}queue WHERE doc IN (SELECT doc FROM {p}record WHERE id = {row}.id);
    INSERT INTO {p}queue SELECT doc, dataset_id FROM {p}record WHERE id = {row}.id;
    DELETE FROM {p}record WHERE id = {row}.id;"""
_ADD = f"""INSERT INTO {{p}}record ({_MIRRORED}) VALUES ({_NEW});
    INSERT INTO {{p}}queue SELECT doc, dataset_id FROM {{p}}record WHERE id = NEW.id;"""
_TRIGGERS = {
    "insert": "AFTER INSERT ON records BEGIN " + _FORGET.format(p=PREFIX, row="NEW") + _ADD.format(p=PREFIX) + " END",
    "delete": "AFTER DELETE ON records BEGIN " + _FORGET.format(p=PREFIX, row="OLD") + " END",
    "moved": "AFTER UPDATE OF id, dataset_id ON records WHEN OLD.id <> NEW.id OR OLD.dataset_id <> NEW.dataset_id BEGIN "
    + _FORGET.format(p=PREFIX, row="OLD")
    + _FORGET.format(p=PREFIX, row="NEW")
    + _ADD.format(p=PREFIX)
    + " END",
    "update": f"""AFTER UPDATE OF external_id, status, inserted_at, updated_at, metadata ON records BEGIN
    UPDATE {PREFIX}record SET external_id = NEW.external_id, status = NEW.status, inserted_at = NEW.inserted_at,
        updated_at = NEW.updated_at, metadata = NEW.metadata WHERE id = NEW.id; END""",
    "text": f"""AFTER UPDATE OF fields ON records BEGIN
    DELETE FROM {PREFIX}queue WHERE doc IN (SELECT doc FROM {PREFIX}record WHERE id = NEW.id);
    INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record WHERE id = NEW.id; END""",
}


class Sqlite:
    """The store on SQLite."""

    records = f"{PREFIX}record"
    tie = "d.doc"

    def prepare(self, connection: Any) -> None:
        """Makes tables and triggers; makes all anew where a trigger is missing or edited, or the version is another."""
        wanted = {f"{PREFIX}{name}": f"CREATE TRIGGER {PREFIX}{name} {body}" for name, body in _TRIGGERS.items()}
        version = f"{_SCHEMA}.{text.VERSION}"
        connection.execute(sql("BEGIN IMMEDIATE"))
        try:
            for table in _TABLES:
                connection.execute(sql(table))
            found = dict(
                connection.execute(sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'records'")).all()
            )
            known = connection.execute(sql(f"SELECT value FROM {PREFIX}meta WHERE name = 'version'")).scalar()
            if known != version or {name: body for name, body in found.items() if name.startswith(PREFIX)} != wanted:
                self._rebuild(connection, found, wanted, version)
            connection.execute(sql("COMMIT"))
        except BaseException:
            connection.execute(sql("ROLLBACK"))
            raise

    def _rebuild(self, connection: Any, found: dict[str, str], wanted: dict[str, str], version: str) -> None:
        for name in found:
            if name.startswith(PREFIX):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for dataset_id in connection.execute(sql(f"SELECT dataset_id FROM {PREFIX}index")).scalars().all():
            self._drop(connection, dataset_id)
        connection.execute(sql(f"DELETE FROM {PREFIX}queue"))
        connection.execute(sql(f"DELETE FROM {PREFIX}record"))
        connection.execute(sql(f"INSERT INTO {PREFIX}record ({_MIRRORED}) SELECT {_MIRRORED} FROM records ORDER BY inserted_at, rowid"))
        connection.execute(sql(f"INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record"))
        for body in wanted.values():
            connection.exec_driver_sql(body)
        connection.execute(sql(f"INSERT OR REPLACE INTO {PREFIX}meta VALUES ('version', :version)"), {"version": version})

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
            pass

    def drop(self, connection: Any, dataset_id: str) -> None:
        """Drops the dataset's tables; records that it still has are queued."""
        connection.execute(sql("BEGIN IMMEDIATE"))
        try:
            self._drop(connection, self.key(dataset_id))
            connection.execute(sql("COMMIT"))
        except BaseException:
            connection.execute(sql("ROLLBACK"))
            raise

    def _drain_batch(self, connection: Any, dataset_id: str) -> bool:
        connection.execute(sql("BEGIN IMMEDIATE"))
        try:
            index = self._stored(connection, dataset_id)
            fields = self._fields(connection, dataset_id)
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
            connection.execute(sql("COMMIT"))
        except BaseException:
            connection.execute(sql("ROLLBACK"))
            raise
        return len(rows) == BATCH_RECORDS

    def _write(self, connection: Any, index: Index, rows: list[Any]) -> None:
        docs = [{"doc": doc} for doc, _, _ in rows]
        connection.execute(sql(f"DELETE FROM {index.text_table} WHERE doc = :doc"), docs)
        columns = [f"c{i}" for i in range(len(index.fields))]
        texts = [
            {"doc": doc, **dict(zip(columns, text.of_record(fields, index.fields), strict=True))} for doc, kept, fields in rows if kept
        ]
        if texts:
            insert = f"INSERT INTO {index.text_table} (doc{''.join(', ' + c for c in columns)}) VALUES (:doc{''.join(', :' + c for c in columns)})"
            connection.execute(sql(insert), texts)
        connection.execute(sql(f"DELETE FROM {PREFIX}queue WHERE doc = :doc"), docs)

    def _create(self, connection: Any, dataset_id: str, fields: list[str]) -> Index:
        query = sql(f"INSERT INTO {PREFIX}index (dataset_id, fields) VALUES (:dataset, :fields) RETURNING number")
        number = connection.execute(query, {"dataset": dataset_id, "fields": json.dumps(fields)}).scalar()
        index = Index(number, dataset_id, fields)
        columns = "".join(f", c{i} TEXT NOT NULL" for i in range(len(fields)))
        connection.execute(sql(f"CREATE TABLE {index.text_table} (doc INTEGER PRIMARY KEY{columns})"))
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

    def matches(self, index: Index, words: list[str], field: str | None) -> Clause:
        """Each word stands in the folded text of a field."""
        columns = [f"c{i}" for i, name in enumerate(index.fields) if field in (None, name)]
        if not words or not columns:
            return Clause("0 = 1", {})
        conditions = [" OR ".join(f"instr({column}, :word{n}) > 0" for column in columns) for n in range(len(words))]
        joined = " AND ".join(f"({condition})" for condition in conditions)
        return Clause(f"d.doc IN (SELECT doc FROM {index.text_table} WHERE {joined})", {f"word{n}": word for n, word in enumerate(words)})

    def shuffled(self, user_id: str) -> Clause:
        """The remainders of multiples of the record's number, with a factor and a start of the user's own."""
        seed = int(user_id.replace("-", ""), 16)
        values = {"factor": seed % 2_147_483_629 + 1, "start": (seed >> 64) % 2_147_483_647}
        return Clause("(d.doc * :factor + :start) % 2147483647", values)

    def key(self, identifier: str) -> str:
        """Argilla's tables hold UUIDs as 32 hexadecimal digits."""
        return identifier.replace("-", "")

    def moment(self, text: str) -> str:
        """Argilla's tables hold dates as text."""
        return text

    def elements(self, column: str, path: list[str], alias: str) -> str:
        """SQLite's json_each; a name in the path is quoted and cannot hold a quote."""
        steps = "".join('."' + step.replace('"', "") + '"' for step in path)
        return f"json_each({column}, '${steps.replace(chr(39), chr(39) * 2)}') {alias}"

    def as_text(self, alias: str) -> str:
        """Strings as they are; SQLite orders them by bytes."""
        return f"CASE WHEN {alias}.type = 'text' THEN {alias}.value END"

    def as_number(self, alias: str) -> str:
        """Integers and decimals."""
        return f"CASE WHEN {alias}.type IN ('integer', 'real') THEN {alias}.value END"

    def plain(self, column: str) -> str:
        """Text already."""
        return column
