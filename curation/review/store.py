"""What a review keeps on this machine: which records it has, and every response ever seen, with who and when.

One SQLite file for each review, `reviews/<name>/review.sqlite` in the home, 0600. Responses are append-only by trigger: an edited
answer is a new version beside the old one. Records are redacted before they get here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from factory.errors import UserError

FORMAT = 1
Part = Literal["single", "shared", "adjudication"]
PARTS: tuple[Part, ...] = ("single", "shared", "adjudication")
SUBMITTED, DISCARDED, DELETED = "submitted", "discarded", "deleted"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
KEY_FILE = "pseudonyms.key"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS record (
  id TEXT PRIMARY KEY, part TEXT NOT NULL, place INTEGER NOT NULL, priority REAL NOT NULL, lane TEXT NOT NULL, category TEXT NOT NULL,
  swapped INTEGER NOT NULL, gold TEXT, row TEXT NOT NULL, shown TEXT NOT NULL, pushed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS quarantine (
  path TEXT NOT NULL, line INTEGER NOT NULL, error TEXT NOT NULL, excerpt TEXT NOT NULL, UNIQUE (path, line, error)
);
CREATE TABLE IF NOT EXISTS response (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  response TEXT NOT NULL, part TEXT NOT NULL, record TEXT NOT NULL, user TEXT NOT NULL, status TEXT NOT NULL, answers TEXT NOT NULL,
  inserted TEXT NOT NULL, updated TEXT NOT NULL, digest TEXT NOT NULL, UNIQUE (response, updated, digest)
);
CREATE INDEX IF NOT EXISTS response_record ON response (record);
CREATE TRIGGER IF NOT EXISTS response_keep BEFORE UPDATE ON response BEGIN SELECT RAISE(ABORT, 'responses are append-only'); END;
CREATE TRIGGER IF NOT EXISTS response_stay BEFORE DELETE ON response BEGIN SELECT RAISE(ABORT, 'responses are append-only'); END;
"""


class Record(NamedTuple):
    """A record of a review."""

    id: str
    part: Part
    place: int  # in the queue, 0 first
    priority: float
    lane: str
    category: str
    swapped: bool  # a preference's rejected answer stands on side A
    gold: dict[str, Any] | None
    row: dict[str, Any]
    shown: dict[str, Any]  # fields, hidden metadata and suggestions, as they are pushed


class Response(NamedTuple):
    """One version of one person's answer to one record."""

    response: str  # Argilla's id
    part: Part
    record: str
    user: str  # Argilla's id; `pseudonym` before it leaves the home
    status: str  # submitted, discarded, draft, deleted
    answers: dict[str, Any]
    inserted: str  # UTC, ISO 8601: when the answer was first saved
    updated: str  # when this version was


def folder(home: Path, name: str) -> Path:
    """Where a review's files lie. Raises UserError for a name that is no name."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"review {name!r}: a name has small letters, digits, '-' and '_' and begins with a letter or digit. Give another --name."
        )
    return home / "reviews" / name


class Store:
    """An open review. `make` allows a new one."""

    def __init__(self, home: Path, name: str, make: bool = False) -> None:
        place = folder(home, name)
        self.name, self.folder = name, place
        self.path = place / "review.sqlite"
        if not make and not self.path.exists():
            known = sorted(found.name for found in (home / "reviews").glob("*") if (found / "review.sqlite").exists())
            raise UserError(
                f"review {name!r}: there is none in {home}; there {'are ' + ', '.join(known) if known else 'is none yet'}. Push it first."
            )
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            (stated,) = self._connection.execute("PRAGMA user_version").fetchone()
            if stated not in (0, FORMAT):
                raise UserError(f"{self.path}: is a review of format {stated}; this version reads {FORMAT}. Use the version that wrote it.")
            self._connection.executescript(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"{self.path}: cannot be used: {error}. Correct the path, its permissions or the space left.") from error

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All of what is written inside, or nothing. Raises UserError where the disk is full or somebody else keeps writing."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself gives up where the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{self.path}: cannot be written: {error}. Free space, or wait for the other command, and run it again."
            ) from error

    def fact(self, key: str) -> Any:
        """A stored fact, None where there is none."""
        found = self._connection.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return json.loads(found[0]) if found else None

    def set_fact(self, key: str, value: Any) -> None:
        """Stores or replaces a fact (anything JSON)."""
        self._connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, json.dumps(value, ensure_ascii=False)))

    def add_records(self, records: Iterable[Record]) -> int:
        """Adds records that are not there yet; those that are stay as they are. Returns how many were new."""
        before = self._connection.total_changes
        self._connection.executemany(
            "INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            ((*r[:7], None if r.gold is None else _text(r.gold), _text(r.row), _text(r.shown)) for r in records),
        )
        return self._connection.total_changes - before

    def records(self) -> list[Record]:
        """Records in the order of the queue."""
        columns = "id, part, place, priority, lane, category, swapped, gold, row, shown"
        rows = self._connection.execute(f"SELECT {columns} FROM record ORDER BY place, id")  # noqa: S608 - no value from outside
        return [
            Record(r[0], r[1], r[2], r[3], r[4], r[5], bool(r[6]), r[7] and json.loads(r[7]), json.loads(r[8]), json.loads(r[9]))
            for r in rows
        ]

    def record_ids(self) -> dict[str, bool]:
        """id -> whether it is on the server."""
        return {row[0]: bool(row[1]) for row in self._connection.execute("SELECT id, pushed FROM record")}

    def mark_pushed(self, ids: Iterable[str], pushed: bool = True) -> None:
        """Notes that records are on the server, or that they are not."""
        self._connection.executemany("UPDATE record SET pushed = ? WHERE id = ?", ((int(pushed), name) for name in ids))

    def add_quarantined(self, rows: Iterable[tuple[str, int, str, str]]) -> None:
        """Notes rows that are not shown: path, line, error, redacted excerpt."""
        self._connection.executemany("INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?)", rows)

    def quarantined(self) -> list[tuple[str, int, str, str]]:
        """Rows that are not shown."""
        return self._connection.execute("SELECT path, line, error, excerpt FROM quarantine ORDER BY path, line").fetchall()

    def add_responses(self, responses: Iterable[Response]) -> int:
        """Appends the versions that have not been seen yet. Returns how many."""
        before = self._connection.total_changes
        self._connection.executemany(
            "INSERT OR IGNORE INTO response (response, part, record, user, status, answers, inserted, updated, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((*r[:5], _text(r.answers), r.inserted, r.updated, _digest(r)) for r in responses),
        )
        return self._connection.total_changes - before

    def versions(self) -> list[Response]:
        """Every version of every response, in the order in which they were seen."""
        columns = "response, part, record, user, status, answers, inserted, updated"
        rows = self._connection.execute(f"SELECT {columns} FROM response ORDER BY number")  # noqa: S608 - no value from outside
        return [Response(r[0], r[1], r[2], r[3], r[4], json.loads(r[5]), r[6], r[7]) for r in rows]

    def latest(self) -> list[Response]:
        """The newest version of each response, deleted ones left out, by record and then by person."""
        found: dict[str, Response] = {}
        for version in self.versions():
            before = found.get(version.response)
            if before is None or version.updated >= before.updated:
                found[version.response] = version
        return sorted((r for r in found.values() if r.status != DELETED), key=lambda r: (r.record, r.part, r.user))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _digest(response: Response) -> str:
    return hashlib.sha256(f"{response.status} {json.dumps(response.answers, sort_keys=True)}".encode()).hexdigest()


class Pseudonyms:
    """Names for people that tell nothing without the home's key, and are the same in every review of a home."""

    def __init__(self, home: Path) -> None:
        path = home / KEY_FILE
        if not path.exists():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = home / f".{KEY_FILE}.{os.getpid()}"
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(32))
            try:
                os.link(temporary, path)  # whoever comes second takes the first one's key
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        self._key = bytes.fromhex(path.read_text("ascii"))

    def of(self, user: str) -> str:
        """A person's pseudonym, such as `annotator-3fa2c1d09b`."""
        return "annotator-" + hmac.new(self._key, user.encode(), hashlib.sha256).hexdigest()[:10]
