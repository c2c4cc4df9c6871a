"""The index stays in step with Argilla's SQLite database, whoever writes there, whatever is lost, and whenever it is killed."""

from __future__ import annotations

import json
import random
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.curation.engine import dataset as datasets
from tests.curation.engine.cases import metadata
from tests.curation.engine.dataset import Dataset, Row
from tests.curation.engine.door import Argilla, Process

RECORDS_KILLED = 3000


@pytest.fixture
def made(sqlite: Process) -> Dataset:
    rows = [Row("a", {"text": "牛肉麵"}, {"size": 1}), Row("b", {"text": "滷肉飯"}, {"size": 2}), Row("c", {"text": "蚵仔煎"}, {"size": 3})]
    return datasets.make(Argilla(sqlite), f"index-{uuid.uuid4().hex[:8]}", rows)


@contextmanager
def _database(process: Process) -> Iterator[sqlite3.Connection]:
    """Another program's connection: it knows nothing of the engine."""
    with closing(sqlite3.connect(process.database, timeout=30)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def _texts(dataset: Dataset, query: str) -> list[str]:
    total, found = dataset.argilla.search(dataset.id, {"query": {"text": {"q": query}}})
    assert total == len(found)
    return sorted(found)


def _fields(text: str) -> str:
    return json.dumps({"text": text})


def test_another_program_writes(sqlite: Process, made: Dataset) -> None:
    key = {name: identifier.replace("-", "") for name, identifier in made.records.items()}
    with _database(sqlite) as connection:
        connection.execute("UPDATE records SET fields = ? WHERE id = ?", (_fields("乾麵"), key["a"]))
        connection.execute("DELETE FROM records WHERE id = ?", (key["b"],))
        copied = "external_id, dataset_id, inserted_at, updated_at, metadata, status"
        given = copied.replace("external_id", "'d'")
        connection.execute(
            f"INSERT INTO records (id, fields, {copied}) SELECT ?, ?, {given} FROM records WHERE id = ?",
            (uuid.uuid4().hex, _fields("大腸麵線"), key["c"]),
        )
        connection.execute("UPDATE records SET metadata = '{\"size\": 9}', status = 'completed' WHERE id = ?", (key["c"],))
    assert (_texts(made, "麵"), _texts(made, "牛肉"), _texts(made, "飯")) == (["a", "d"], [], [])
    body = {"sort": [{"scope": metadata("size"), "order": "desc"}]}
    assert made.argilla.search(made.id, body)[1] == ["c", "d", "a"]
    assert made.argilla.call("GET", f"/datasets/{made.id}/progress")["completed"] == 1


def test_a_record_is_replaced(sqlite: Process, made: Dataset) -> None:
    """INSERT OR REPLACE fires no delete trigger."""
    key = made.records["a"].replace("-", "")
    with _database(sqlite) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(records)")]
        values = dict(zip(names, connection.execute("SELECT * FROM records WHERE id = ?", (key,)).fetchone(), strict=True))
        values["fields"] = _fields("涼麵")
        places = ", ".join(f":{name}" for name in names)
        connection.execute(f"INSERT OR REPLACE INTO records ({', '.join(names)}) VALUES ({places})", values)
    assert (_texts(made, "涼"), _texts(made, "牛肉")) == (["a"], [])
    assert made.argilla.search(made.id, {})[0] == 3


def test_a_record_moves_to_another_dataset(sqlite: Process, made: Dataset) -> None:
    other = datasets.make(made.argilla, "index-other", [Row("x", {"text": "牛排"})])
    with _database(sqlite) as connection:
        connection.execute(
            "UPDATE records SET dataset_id = ? WHERE id = ?", (other.id.replace("-", ""), made.records["a"].replace("-", ""))
        )
    assert (_texts(made, "牛"), _texts(other, "牛")) == ([], ["a", "x"])


def test_a_transaction_rolled_back_leaves_no_trace(sqlite: Process, made: Dataset) -> None:
    with closing(sqlite3.connect(sqlite.database, timeout=30)) as connection:
        connection.execute("UPDATE records SET fields = ? WHERE id = ?", (_fields("乾麵"), made.records["a"].replace("-", "")))
        connection.rollback()
    assert (_texts(made, "牛肉麵"), _texts(made, "乾")) == (["a"], [])


def test_vacuum_renumbers_nothing(sqlite: Process, made: Dataset) -> None:
    made.argilla.call("DELETE", f"/datasets/{made.id}/records?ids={made.records['a']}")
    with closing(sqlite3.connect(sqlite.database, timeout=30)) as connection:
        connection.execute("VACUUM")
    assert (_texts(made, "肉"), _texts(made, "蚵仔")) == (["b"], ["c"])


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TRIGGER twllm_search_text",
        "UPDATE twllm_search_meta SET value = '0.0'",
        "DELETE FROM twllm_search_meta",
    ],
)
def test_a_lost_part_is_made_anew(sqlite: Process, made: Dataset, damage: str) -> None:
    """What was written while a trigger was gone is found after the next start."""
    with _database(sqlite) as connection:
        connection.execute(damage)
        connection.execute("UPDATE records SET fields = ? WHERE id = ?", (_fields("乾麵"), made.records["a"].replace("-", "")))
    sqlite.restart_engine()
    assert (_texts(made, "乾麵"), _texts(made, "牛肉"), _texts(made, "肉")) == (["a"], [], ["b"])


def test_all_parts_are_made_anew(sqlite: Process, made: Dataset) -> None:
    with _database(sqlite) as connection:
        found = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE name GLOB 'twllm_search_*' AND type IN ('trigger', 'table')"
        ).fetchall()
        shadows = ("_data", "_idx", "_content", "_docsize", "_config")
        for kind, name in sorted(found, reverse=True):
            if not name.endswith(shadows):
                connection.execute(f"DROP {kind} {name}")
    sqlite.restart_engine()
    assert _texts(made, "肉") == ["a", "b"]


def test_fields_that_are_renamed_are_indexed_under_their_new_name(sqlite: Process, made: Dataset) -> None:
    with _database(sqlite) as connection:
        connection.execute("UPDATE fields SET name = 'body' WHERE name = 'text' AND dataset_id = ?", (made.id.replace("-", ""),))
        connection.execute(
            "UPDATE records SET fields = ? WHERE id = ?", (json.dumps({"body": "牛肉湯"}), made.records["a"].replace("-", ""))
        )
    body = {"query": {"text": {"q": "牛肉湯", "field": "body"}}}
    assert made.argilla.search(made.id, body) == (1, ["a"])


def test_what_is_no_json_is_passed_over(sqlite: Process, made: Dataset) -> None:
    """A search sorted and filtered by metadata goes on where one record's is broken, and so does indexing."""
    with _database(sqlite) as connection:
        connection.execute("UPDATE records SET metadata = '{\"size\": NaN' WHERE id = ?", (made.records["a"].replace("-", ""),))
        connection.execute("UPDATE records SET fields = '{\"text\": ' WHERE id = ?", (made.records["a"].replace("-", ""),))
        rows = connection.execute("SELECT id FROM twllm_search_record WHERE metadata IS NULL").fetchall()
    assert rows == [(made.records["a"].replace("-", ""),)]
    assert _texts(made, "肉") == ["b"]
    body = {"filters": {"and": [{"type": "range", "scope": metadata("size"), "ge": 0}]}}
    assert sorted(made.argilla.search(made.id, body)[1]) == ["b", "c"]


def test_nothing_stays_of_a_deleted_dataset(sqlite: Process, made: Dataset) -> None:
    key = made.id.replace("-", "")
    with _database(sqlite) as connection:
        (number,) = connection.execute("SELECT number FROM twllm_search_index WHERE dataset_id = ?", (key,)).fetchone()
    made.argilla.call("DELETE", f"/datasets/{made.id}")
    with _database(sqlite) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name GLOB ?", (f"twllm_search_text_{number}*",)).fetchall()
        for table in ("record", "queue", "index"):
            assert not connection.execute(f"SELECT 1 FROM twllm_search_{table} WHERE dataset_id = ?", (key,)).fetchall()


def test_many_words_and_long_words(made: Dataset) -> None:
    long = "牛肉麵" * 3000
    datasets.add(made, [Row("long", {"text": f"開頭{long}結尾 " + " ".join(f"w{n}" for n in range(800))})])
    assert _texts(made, f"開頭{long}結尾") == ["long"]
    assert _texts(made, " ".join(f"w{n}" for n in range(800))) == ["long"]
    assert _texts(made, " ".join(f"w{n}" for n in range(801))) == []


def _check_whole(database: Path, dataset: Dataset) -> tuple[int, int]:
    """Each record is indexed or waits to be, nothing else is, and FTS5's own check passes. Records in all, and waiting."""
    key = dataset.id.replace("-", "")
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = connection.execute("SELECT 'twllm_search_text_' || number FROM twllm_search_index WHERE dataset_id = ?", (key,)).fetchall()
        indexed: set[int] = set()
        for (name,) in names:
            connection.execute(f"INSERT INTO {name} ({name}) VALUES ('integrity-check')")
            indexed = {doc for (doc,) in connection.execute(f"SELECT rowid FROM {name}")}
        waiting = {doc for (doc,) in connection.execute("SELECT doc FROM twllm_search_queue WHERE dataset_id = ?", (key,))}
        mirrored = dict(connection.execute("SELECT id, doc FROM twllm_search_record WHERE dataset_id = ?", (key,)))
        records = {identifier for (identifier,) in connection.execute("SELECT id FROM records WHERE dataset_id = ?", (key,))}
    assert set(mirrored) == records
    assert set(mirrored.values()) - indexed <= waiting and indexed - set(mirrored.values()) <= waiting
    return len(records), len(waiting)


def _kill_while_indexing(python: Path, home: Path, kills: int) -> None:
    process = Process(python, home)
    dataset = datasets.make(Argilla(process), "killed", [])
    with _database(process) as connection:
        connection.executemany(
            "INSERT INTO records (id, fields, external_id, dataset_id, inserted_at, updated_at) "
            "VALUES (?, ?, ?, ?, datetime(), datetime())",
            (
                (uuid.uuid4().hex, _fields(f"第{n}筆，牛肉麵與{'滷肉飯' * (n % 40)}"), f"k{n}", dataset.id.replace("-", ""))
                for n in range(RECORDS_KILLED)
            ),
        )

    def start_over() -> None:
        with _database(process) as connection:
            for (number,) in connection.execute("SELECT number FROM twllm_search_index").fetchall():
                connection.execute(f"DROP TABLE twllm_search_text_{number}")
            connection.execute("DELETE FROM twllm_search_index")
            connection.execute("DELETE FROM twllm_search_queue")
            connection.execute("INSERT INTO twllm_search_queue SELECT doc, dataset_id FROM twllm_search_record")

    def begin() -> Process:
        indexing = Process(python, home, only_index=dataset.id)
        assert indexing.process.stdout and indexing.process.stdout.readline() == "begun\n"
        return indexing

    start_over()
    unkilled = begin()
    began = time.monotonic()
    assert unkilled.process.stdout and unkilled.process.stdout.readline() == "done\n"
    whole_seconds = time.monotonic() - began
    unkilled.close()
    draw, remained = random.Random(7), []
    for n in range(kills):
        start_over()
        begin().kill(whole_seconds * (n + draw.random()) / kills)
        records, waiting = _check_whole(process.database, dataset)
        assert records == RECORDS_KILLED
        remained.append(waiting)
    assert any(0 < waiting < RECORDS_KILLED for waiting in remained), f"no kill fell amid the work: {remained}"
    assert len(_texts_of(process, dataset, "滷肉飯滷肉飯")) == sum(n % 40 >= 2 for n in range(RECORDS_KILLED))
    assert _check_whole(process.database, dataset) == (RECORDS_KILLED, 0)
    process.close()


def _texts_of(process: Process, dataset: Dataset, query: str) -> set[str]:
    found: set[str] = set()
    for offset in range(0, RECORDS_KILLED, 1000):
        total, names = dataset.argilla.search(dataset.id, {"query": {"text": {"q": query}}}, page=f"limit=1000&offset={offset}")
        found |= set(names)
    assert total == len(found)
    return found


def test_killed_while_indexing(argilla_python: Path, tmp_path: Path) -> None:
    _kill_while_indexing(argilla_python, tmp_path, 4)


@pytest.mark.soak
def test_killed_often_while_indexing(argilla_python: Path, tmp_path: Path) -> None:
    _kill_while_indexing(argilla_python, tmp_path, 60)


def _kill_while_pushing(python: Path, home: Path, kills: int) -> None:
    process = Process(python, home)
    dataset = datasets.make(Argilla(process), "pushed", [Row("first", {"text": "牛肉麵"})])
    draw = random.Random(11)
    pushed = 0
    for n in range(kills):
        items = [{"external_id": f"p{n}-{m}", "fields": {"text": f"第{n}批第{m}筆滷肉飯"}} for m in range(500)]
        process.send("POST", f"/datasets/{dataset.id}/records/bulk", {"items": items})
        process.kill(draw.uniform(0.05, 1.2))
        records, _ = _check_whole(process.database, dataset)
        process = Process(python, home)
        again = dataset._replace(argilla=dataset.argilla)
        again.argilla.door = process
        total, _ = again.argilla.search(dataset.id, {"query": {"text": {"q": "滷肉飯"}}})
        assert total == records - 1, "what a push has stored is found, and nothing else"
        pushed = total
        assert _check_whole(process.database, dataset) == (records, 0)
    assert pushed % 500 == 0
    process.close()


def test_killed_while_pushing(argilla_python: Path, tmp_path: Path) -> None:
    _kill_while_pushing(argilla_python, tmp_path, 2)


@pytest.mark.soak
def test_killed_often_while_pushing(argilla_python: Path, tmp_path: Path) -> None:
    _kill_while_pushing(argilla_python, tmp_path, 20)
