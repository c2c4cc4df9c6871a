"""The ledger: every answer that was paid for, written once and never changed. What a run puts out is a pure function of it.

A SQLite file with one table. Triggers refuse changes and deletions, so that a mistake in code cannot lose a paid row. A request is
known by the hash of all that shapes its answer, prompt text included: an edited prompt never meets an old answer.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from factory.errors import UserError

FORMAT = 2  # 1 had no `finish`
ANSWERED, REFUSED, GAVE_UP = "answered", "refused", "gave_up"
INTENDED, CREATED, ENDED = "intended", "created", "ended"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('answered', 'refused', 'gave_up')),
  model TEXT NOT NULL,
  text TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost TEXT NOT NULL,
  finished TEXT NOT NULL,
  finish TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS calls_key ON calls (key);
CREATE TRIGGER IF NOT EXISTS calls_keep BEFORE UPDATE ON calls BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS calls_stay BEFORE DELETE ON calls BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  digest TEXT NOT NULL,
  event TEXT NOT NULL CHECK (event IN ('intended', 'created', 'ended')),
  id TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS batches_keep BEFORE UPDATE ON batches BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS batches_stay BEFORE DELETE ON batches BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


_COLUMNS = "key, status, model, text, prompt_tokens, completion_tokens, cost, finished, finish"
_FIND = f"SELECT {_COLUMNS} FROM calls WHERE key IN ({{}}) ORDER BY number"  # noqa: S608 - a constant


class Call(NamedTuple):
    """One request that came to an end. `text` is the answer, or why there is none."""

    key: str
    status: str  # answered; refused: asking again is of no use; gave_up: `retry` asks again
    model: str
    text: str
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal  # in the currency of the price table
    finished: str  # UTC, ISO 8601
    finish: str = ""  # why the model stopped, in the endpoint's words: stop, length


class BatchEvent(NamedTuple):
    """What happened to a batch: it is about to be created, was created under an id, or has come to its end and was read."""

    digest: str  # of its requests' keys
    event: str
    id: str  # the endpoint's; empty while only intended


class Ledger:
    """An open ledger. One process writes at a time; `synth.run` holds the lock."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            (stated,) = self._connection.execute("PRAGMA user_version").fetchone()
            if stated not in range(FORMAT + 1):
                raise UserError(f"{path}: is a ledger of format {stated}; this version reads {FORMAT}. Use the version that wrote it.")
            if stated == 1:
                self._connection.execute("ALTER TABLE calls ADD COLUMN finish TEXT NOT NULL DEFAULT ''")
            self._connection.executescript(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"{path}: is no ledger that can be written: {error}. Correct its path or its permissions.") from error

    def append(self, calls: Iterable[Call], batch: BatchEvent | None = None) -> None:
        """Writes calls, and what happened to a batch, in one transaction: all of it is on disk when this returns, or nothing. Raises
        UserError where it cannot."""
        rows = [(*call[:6], str(call.cost), *call[7:]) for call in calls]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                f"INSERT INTO calls ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608 - a constant
                rows,
            )
            if batch is not None:
                self._connection.execute("INSERT INTO batches (digest, event, id) VALUES (?,?,?)", batch)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise UserError(
                f"{self.path}: cannot be written: {error}. What is in it is safe; free space or correct permissions."
            ) from error

    def open_batches(self) -> list[BatchEvent]:
        """The last event of each batch that has not ended."""
        last = {row[0]: BatchEvent(*row) for row in self._connection.execute("SELECT digest, event, id FROM batches ORDER BY number")}
        return [event for event in last.values() if event.event != ENDED]

    def find(self, keys: Sequence[str]) -> dict[str, Call]:
        """The call of each key that has one: the first that was answered, else the last."""
        found: dict[str, Call] = {}
        for start in range(0, len(keys), 500):
            chunk = list(keys[start : start + 500])
            asked = _FIND.format(",".join("?" * len(chunk)))
            for row in self._connection.execute(asked, chunk):
                key, status, model, text, prompt, completion, charged, finished, finish = row
                call = Call(key, status, model, text, prompt, completion, Decimal(charged), finished, finish)
                if found.get(call.key) is None or found[call.key].status != ANSWERED:
                    found[call.key] = call
        return found

    def spent(self) -> Decimal:
        """The cost of all calls."""
        return sum((Decimal(cost) for (cost,) in self._connection.execute("SELECT cost FROM calls")), Decimal(0))

    def count(self) -> int:
        """Calls in the ledger."""
        return int(self._connection.execute("SELECT count(*) FROM calls").fetchone()[0])

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
