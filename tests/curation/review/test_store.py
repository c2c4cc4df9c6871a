"""What a review keeps: everything once, changed by nobody, readable by its owner alone."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from curation.review.store import Pseudonyms, Response, Store
from factory.errors import UserError
from tests.curation.review.made import record


def said(status: str = "submitted", updated: str = "2026-11-30T08:00:00", response: str = "a", **answers: object) -> Response:
    return Response(response, "single", "r", "user-1", status, answers, "2026-11-30T07:59:00", updated)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "one", make=True)


def test_a_response_is_taken_once_and_an_edit_is_a_version(store: Store) -> None:
    assert store.add_responses([said(verdict="keep")]) == 1
    assert store.add_responses([said(verdict="keep")]) == 0
    assert store.add_responses([said(verdict="fix", updated="2026-11-30T09:00:00")]) == 1
    assert store.add_responses([said(verdict="keep", updated="2026-11-30T10:00:00")]) == 1  # back to what it was is a version, too
    assert [version.answers["verdict"] for version in store.versions()] == ["keep", "fix", "keep"]
    assert [row.answers["verdict"] for row in store.latest()] == ["keep"]


def test_an_older_version_that_comes_late_is_kept_and_does_not_count(store: Store) -> None:
    store.add_responses([said(verdict="keep", updated="2026-11-30T10:00:00")])
    store.add_responses([said(verdict="fix", updated="2026-11-30T09:00:00")])
    assert len(store.versions()) == 2 and store.latest()[0].answers == {"verdict": "keep"}


def test_a_deleted_response_stands_no_more_but_is_kept(store: Store) -> None:
    store.add_responses([said(verdict="keep")])
    store.add_responses([said("deleted", verdict="keep")])
    assert store.latest() == [] and len(store.versions()) == 2


@pytest.mark.parametrize("statement", ["UPDATE response SET status = 'x'", "DELETE FROM response"])
def test_responses_cannot_be_changed(store: Store, statement: str) -> None:
    store.add_responses([said()])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), sqlite3.connect(store.path) as connection:
        connection.execute(statement)


def test_a_change_is_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(RuntimeError), store.change():
        store.add_records([record("a")])
        store.set_fact("key", 1)
        raise RuntimeError
    assert store.records() == [] and store.fact("key") is None


def test_known_records_stay_as_they_are(store: Store) -> None:
    first = record("a", "shared", {"verdict": "keep"})
    assert store.add_records([first, record("b")]) == 2
    store.mark_pushed(["a"])
    assert store.add_records([record("a", "single"), record("c")]) == 1
    assert store.records()[0] == first
    assert store.record_ids() == {"a": True, "b": False, "c": False}


def test_files_are_the_owners_alone(store: Store, tmp_path: Path) -> None:
    names = Pseudonyms(tmp_path)
    for path in (store.path, tmp_path / "pseudonyms.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert names.of("user-1") == Pseudonyms(tmp_path).of("user-1") != names.of("user-2")
    other = tmp_path / "other"
    assert Pseudonyms(other).of("user-1") != names.of("user-1")  # another home, another key
    assert not list(tmp_path.glob(".pseudonyms*"))


@pytest.mark.parametrize("name", ["", "../up", "A", "-a", "a/b", "a" * 101, "審查"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="a name has small letters"):
        Store(tmp_path, name, make=True)


def test_an_unknown_review_is_told_with_those_there_are(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="review 'two': there is none in .*there are one"):
        Store(tmp_path, "two")


def test_a_file_of_another_version_is_not_touched(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(UserError, match="is a review of format 9"):
        Store(tmp_path, "one")


def test_a_full_disk_is_one_line_and_what_was_there_stays(store: Store, tmp_path: Path) -> None:
    with store.change():
        store.add_records([record("a")])
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # as SQLite meets a full disk
    with pytest.raises(UserError, match="cannot be written: database or disk is full. Free space"), store.change():
        store.add_records([record(f"b{number}", row={"id": "x", "text": "字" * 4_000}) for number in range(50)])
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert [row.id for row in store.records()] == ["a"]
    with store.change():
        store.add_records([record("b")])
    assert len(Store(tmp_path, "one").records()) == 2


def test_two_commands_at_once_wait_for_each_other_and_say_so(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path, "one")
    other._connection.execute("PRAGMA busy_timeout = 50")
    with store.change(), pytest.raises(UserError, match="cannot be written: database is locked"), other.change():
        pass
    with other.change():
        other.set_fact("key", 1)
    assert store.fact("key") == 1
