"""The index on PostgreSQL: triggers queue the records whose text changed, in the transaction that changes it.

Each dataset has a table of folded texts. With the extension `pg_trgm` (which the database's owner may create) words of
three characters and more are looked up in a trigram index; shorter ones, and all words without it, are found by reading the texts.
Whoever drains a queue holds a lock on the dataset's index; a row of the queue is removed by the one who saw it.
"""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError

from . import text
from .store import PREFIX, Clause, Index, Match

BATCH_RECORDS = 500
"""Records indexed in one transaction."""

VERSION = f"1.{text.VERSION}"
"""An index of another version is made anew."""

_LOCK = 0x74776C6C
"""Class of the advisory locks."""

_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {PREFIX}meta (name text PRIMARY KEY, value text)",
    f"CREATE TABLE IF NOT EXISTS {PREFIX}queue (place bigserial PRIMARY KEY, id uuid NOT NULL, dataset_id uuid NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS {PREFIX}queue_dataset ON {PREFIX}queue (dataset_id)",
    f"CREATE TABLE IF NOT EXISTS {PREFIX}index (number serial PRIMARY KEY, dataset_id uuid NOT NULL UNIQUE, fields text NOT NULL)",
)

_TRIGGERS = {
    "insert": "AFTER INSERT ON records FOR EACH ROW",
    "delete": "AFTER DELETE ON records FOR EACH ROW",
    "text": "AFTER UPDATE OF id, dataset_id, fields ON records FOR EACH ROW",
}
_FUNCTION = f"""CREATE OR REPLACE FUNCTION {PREFIX}enqueue() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN
    IF TG_OP <> 'INSERT' THEN INSERT INTO {PREFIX}queue (id, dataset_id) VALUES (OLD.id, OLD.dataset_id); END IF;
    IF TG_OP <> 'DELETE' THEN INSERT INTO {PREFIX}queue (id, dataset_id) VALUES (NEW.id, NEW.dataset_id); END IF;
    RETURN NULL; END $body$"""


class Postgres:
    """The store on PostgreSQL, from version 12 on."""

    records = "records"
    tie = "d.inserted_at, d.id"

    def prepare(self, connection: Any) -> None:
        """Makes tables and triggers; makes all anew where a trigger is missing or the version is another."""
        with _writing(connection):
            connection.execute(sql("SELECT pg_advisory_xact_lock(:kind, 0)"), {"kind": _LOCK})
            for table in _TABLES:
                connection.execute(sql(table))
            known = connection.execute(sql(f"SELECT value FROM {PREFIX}meta WHERE name = 'version'")).scalar()
            query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'records'\\:\\:regclass AND tgenabled <> 'D' AND NOT tgisinternal"
            missing = {f"{PREFIX}{name}" for name in _TRIGGERS} - set(connection.execute(sql(query)).scalars())
            if known != VERSION or missing:
                self._rebuild(connection)

    def _rebuild(self, connection: Any) -> None:
        connection.execute(sql("LOCK TABLE records IN SHARE ROW EXCLUSIVE MODE"))
        for number in connection.execute(sql(f"SELECT number FROM {PREFIX}index")).scalars().all():
            connection.execute(sql(f"DROP TABLE IF EXISTS {PREFIX}text_{number}"))
        connection.execute(sql(f"DELETE FROM {PREFIX}index"))
        connection.execute(sql(f"DELETE FROM {PREFIX}queue"))
        connection.exec_driver_sql(_FUNCTION)
        for name, when in _TRIGGERS.items():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {PREFIX}{name} ON records")
            connection.exec_driver_sql(f"CREATE TRIGGER {PREFIX}{name} {when} EXECUTE FUNCTION {PREFIX}enqueue()")
        connection.execute(sql(f"INSERT INTO {PREFIX}queue (id, dataset_id) SELECT id, dataset_id FROM records ORDER BY inserted_at"))
        upsert = f"INSERT INTO {PREFIX}meta VALUES ('version', :version) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        connection.execute(sql(upsert), {"version": VERSION})

    def begin(self, connection: Any) -> None:
        """A snapshot."""
        connection.execute(sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))

    def pending(self, connection: Any, dataset_id: str) -> bool:
        """Whether the queue holds a record of the dataset."""
        query = sql(f"SELECT 1 FROM {PREFIX}queue WHERE dataset_id = :dataset LIMIT 1")
        return connection.execute(query, {"dataset": dataset_id}).first() is not None

    def index(self, connection: Any, dataset_id: str) -> Index | None:
        """The dataset's index, where its fields are still those."""
        index = self._stored(connection, dataset_id)
        return index if index and index.fields == self._fields(connection, dataset_id) else None

    def drain(self, connection: Any, dataset_id: str) -> None:
        """Makes the index where there is none, then empties the queue of this dataset."""
        while self._drain_batch(connection, dataset_id):
            pass

    def drop(self, connection: Any, dataset_id: str) -> None:
        """Drops the dataset's table; records that it still has are queued."""
        with _writing(connection):
            self._lock(connection, dataset_id)
            self._drop(connection, dataset_id)

    def _drain_batch(self, connection: Any, dataset_id: str) -> bool:
        """Whether there may be more."""
        with _writing(connection):
            self._lock(connection, dataset_id)
            index, fields = self._stored(connection, dataset_id), self._fields(connection, dataset_id)
            if index is None or index.fields != fields:
                self._drop(connection, dataset_id)
                index = self._create(connection, dataset_id, fields)
            query = f"SELECT place, id FROM {PREFIX}queue WHERE dataset_id = :dataset ORDER BY place LIMIT :count"
            rows = connection.execute(sql(query), {"dataset": dataset_id, "count": BATCH_RECORDS}).all()
            if rows:
                self._write(connection, index, sorted({str(identifier) for _, identifier in rows}))
                connection.execute(sql(f"DELETE FROM {PREFIX}queue WHERE place = ANY(:places)"), {"places": [place for place, _ in rows]})
        return len(rows) == BATCH_RECORDS

    def _write(self, connection: Any, index: Index, ids: list[str]) -> None:
        values = {"ids": ids, "dataset": index.dataset_id}
        query = "SELECT id, fields FROM records WHERE id = ANY(CAST(:ids AS uuid[])) AND dataset_id = :dataset"
        found = connection.execute(sql(query), values).all()
        connection.execute(sql(f"DELETE FROM {index.text_table} WHERE id = ANY(CAST(:ids AS uuid[]))"), values)
        columns = [f"c{i}" for i in range(len(index.fields))]
        texts = [
            {"id": str(identifier), **dict(zip(columns, text.of_record(fields, index.fields), strict=True))} for identifier, fields in found
        ]
        if texts:
            values_sql = ", ".join([":id", *(f":{column}" for column in columns)])
            connection.execute(sql(f"INSERT INTO {index.text_table} ({', '.join(['id', *columns])}) VALUES ({values_sql})"), texts)

    def _create(self, connection: Any, dataset_id: str, fields: list[str]) -> Index:
        query = sql(f"INSERT INTO {PREFIX}index (dataset_id, fields) VALUES (:dataset, :fields) RETURNING number")
        number = connection.execute(query, {"dataset": dataset_id, "fields": json.dumps(fields)}).scalar()
        index = Index(number, dataset_id, fields)
        columns = "".join(f", c{i} text NOT NULL" for i in range(len(fields)))
        connection.execute(sql(f"CREATE TABLE {index.text_table} (id uuid PRIMARY KEY{columns})"))
        if fields and self._trigrams(connection):
            for i in range(len(fields)):
                connection.execute(sql(f"CREATE INDEX {index.text_table}_c{i} ON {index.text_table} USING gin (c{i} gin_trgm_ops)"))
        return index

    @staticmethod
    def _trigrams(connection: Any) -> bool:
        connection.execute(sql("SAVEPOINT trigrams"))
        try:
            connection.execute(sql("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        except DBAPIError:
            connection.execute(sql("ROLLBACK TO SAVEPOINT trigrams"))
            return False
        return True

    def _drop(self, connection: Any, dataset_id: str) -> None:
        index = self._stored(connection, dataset_id)
        values = {"dataset": dataset_id}
        if index is not None:
            connection.execute(sql(f"DROP TABLE IF EXISTS {index.text_table}"))
        connection.execute(sql(f"DELETE FROM {PREFIX}index WHERE dataset_id = :dataset"), values)
        connection.execute(sql(f"DELETE FROM {PREFIX}queue WHERE dataset_id = :dataset"), values)
        again = f"INSERT INTO {PREFIX}queue (id, dataset_id) SELECT id, dataset_id FROM records WHERE dataset_id = :dataset"
        connection.execute(sql(again), values)

    @staticmethod
    def _lock(connection: Any, dataset_id: str) -> None:
        query = "SELECT pg_advisory_xact_lock(:kind, hashtext(:dataset))"
        connection.execute(sql(query), {"kind": _LOCK, "dataset": dataset_id})

    @staticmethod
    def _stored(connection: Any, dataset_id: str) -> Index | None:
        query = sql(f"SELECT number, fields FROM {PREFIX}index WHERE dataset_id = :dataset")
        row = connection.execute(query, {"dataset": dataset_id}).first()
        return Index(row[0], dataset_id, json.loads(row[1])) if row else None

    @staticmethod
    def _fields(connection: Any, dataset_id: str) -> list[str]:
        query = sql("SELECT name, settings ->> 'type' FROM fields WHERE dataset_id = :dataset ORDER BY name COLLATE \"C\"")
        return [name for name, kind in connection.execute(query, {"dataset": dataset_id}).all() if kind in text.SEARCHED]

    def matches(self, index: Index, words: list[str], field: str | None) -> Match:
        """LIKE, which the trigram index helps; no character of a word is a wildcard."""
        columns = [f"t.c{i}" for i, name in enumerate(index.fields) if field in (None, name)]
        source = f"{index.text_table} t JOIN records d ON d.id = t.id"
        if not words or not columns:
            return Match(source, source, "0 = 1", None, {})
        conditions = [" OR ".join(f"{column} LIKE :word{n}" for column in columns) for n in range(len(words))]
        joined = " AND ".join(f"({condition})" for condition in conditions)
        return Match(source, f"{index.text_table} t", joined, None, {f"word{n}": _pattern(word) for n, word in enumerate(words)})

    def vectors_version(self, connection: Any, settings_id: str) -> int | None:
        """Not kept: a counter would make all who write vectors wait for each other."""
        return None

    def shuffled(self, user_id: str) -> Clause:
        """A hash of the record's id, with a seed of the user's own."""
        return Clause("hashtextextended(CAST(d.id AS text), CAST(:seed AS bigint))", {"seed": int(user_id.replace("-", ""), 16) % 2**63})

    def key(self, identifier: str) -> str:
        """As it is; PostgreSQL reads it as a UUID."""
        return identifier

    def moment(self, text: str) -> str:
        """As it is; PostgreSQL reads it as a timestamp."""
        return text

    def elements(self, column: str, path: list[str], alias: str) -> str:
        """json_array_elements, of the value made a list where it is none."""
        steps = ", ".join("'" + step.replace("'", "''").replace(":", "\\:") + "'" for step in path)
        value = f"({column} #> ARRAY[{steps}])" if path else column
        listed = f"CASE json_typeof({value}) WHEN 'array' THEN {value} ELSE json_build_array({value}) END"
        return f"json_array_elements({listed}) AS {alias}(value)"

    def as_text(self, alias: str) -> str:
        """Strings by code point, whatever the database's collation."""
        return f"(CASE WHEN json_typeof({alias}.value) = 'string' THEN {alias}.value #>> '{{}}' END) COLLATE \"C\""

    def as_number(self, alias: str) -> str:
        """Numbers in double precision."""
        return f"CASE WHEN json_typeof({alias}.value) = 'number' THEN CAST({alias}.value #>> '{{}}' AS double precision) END"

    def plain(self, column: str) -> str:
        """Enumerations as their names."""
        return f'CAST({column} AS text) COLLATE "C"'


@contextmanager
def _writing(connection: Any) -> Iterator[None]:
    connection.execute(sql("BEGIN"))
    try:
        yield
        connection.execute(sql("COMMIT"))
    except BaseException:
        connection.execute(sql("ROLLBACK"))
        raise


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
