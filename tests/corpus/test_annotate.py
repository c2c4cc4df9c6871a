"""Annotate: what a part's key depends on, the same bytes each time, and parts that were left half done."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus import features
from corpus.annotate import BATCH_DOCUMENTS, DOCUMENT_SCHEMA, Part, annotate, document_table
from corpus.recipe import Plan, load_plan
from corpus.tasks import PART_FILES
from factory.errors import UserError
from factory.records import Document, License
from tests.corpus.conftest import tree_bytes

SPEC: dict[str, Any] = {"type": "rows", "paths": ["x"], "fields": {"id": "id", "text": "text"}}
LINES: list[dict[str, Any]] = [
    {"id": "1", "text": "茶園在山坡上，每年春天採收。", "title": "茶", "likes": 3},
    {"id": "2", "text": "漁港清晨開市。\r\n\r\n\r\n魚販大聲叫賣。"},
    {"id": "3", "text": ""},
    {"id": "4", "text": "老街\u200b賣豆花。"},
]


def store(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def make(plan: Plan, folder: Path, workers: int = 1) -> list[Part]:
    return annotate(plan, f"{folder}/work", f"{folder}/logs", workers, lambda done: None)


def times(part: Part) -> dict[str, int]:
    return {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(part.folder)}


@pytest.fixture
def plan_of(tmp_path: Path, rows_recipe: Callable[..., Path]) -> Callable[..., Plan]:
    """A plan over files of given rows, each a source of its own (and so a part) unless told otherwise."""

    def write(files: dict[str, list[dict[str, Any]]], **changes: Any) -> Plan:
        for name, rows in files.items():
            store(tmp_path / name, rows)
        each = {f"web{number or ''}": {**SPEC, "paths": [name]} for number, name in enumerate(files)}
        sources = changes.pop("sources", each)
        return load_plan(str(rows_recipe(sources=sources, **changes)))

    return write


# --- parts


def test_a_part_holds_each_document_with_its_features_in_order(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    plan = plan_of({"a.jsonl": LINES})
    (part,) = make(plan, tmp_path)
    texts = ["茶園在山坡上，每年春天採收。", "漁港清晨開市。\n\n魚販大聲叫賣。", "老街賣豆花。"]
    documents = pq.read_table(f"{part.folder}/documents.parquet").to_pylist()
    assert [(row["id"], row["text"]) for row in documents] == list(zip(["web:1", "web:2", "web:4"], texts, strict=True))
    assert documents[0]["metadata"] == '{"likes": 3, "title": "茶"}'
    rows = pq.read_table(f"{part.folder}/features.parquet")
    raw = [row["text"] for row in LINES if row["text"]]
    sent = [Document(f"web:{number}", text, "web") for number, text in zip((1, 2, 4), raw, strict=True)]
    assert rows.to_pylist() == features.annotate(sent)[1].to_pylist()
    (rejected,) = [json.loads(line) for line in Path(f"{part.folder}/quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (rejected["path"], rejected["locator"]) == ("a.jsonl", "line 3")
    assert (part.documents, part.quarantined, part.bytes) == (3, 1, sum(len(text.encode()) for text in texts))
    record = json.loads(Path(f"{part.folder}/part.json").read_text(encoding="utf-8"))
    found = [record[name] for name in ("key", "documents", "quarantined", "source", "file", "input_files")]
    assert found == [part.key, 3, 1, "web", "a.jsonl", 1]
    names = ["documents.parquet", "features.parquet", "files.jsonl", "part.json", "quarantine.jsonl"]
    assert sorted(os.listdir(part.folder)) == names


def test_parts_come_in_the_order_of_the_plan(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    long = [{"id": str(number), "text": "字" * 50} for number in range(30)]
    plan = plan_of({"small.jsonl": LINES[:1], "large.jsonl": long, "empty.jsonl": []})
    parts = make(plan, tmp_path)
    assert [os.path.basename(part.file.path) for part in parts] == ["small.jsonl", "large.jsonl", "empty.jsonl"]
    assert [(part.documents, part.quarantined) for part in parts] == [(1, 0), (30, 0), (0, 1)]


@pytest.mark.parametrize("count", [BATCH_DOCUMENTS - 1, BATCH_DOCUMENTS, BATCH_DOCUMENTS + 1])
def test_no_document_is_lost_where_batches_meet(plan_of: Callable[..., Plan], tmp_path: Path, count: int) -> None:
    plan = plan_of({"a.jsonl": [{"id": str(number), "text": f"第{number}篇"} for number in range(count)]})
    (part,) = make(plan, tmp_path)
    expected = [f"web:{number}" for number in range(count)]
    for name in ("documents", "features"):
        assert pq.read_table(f"{part.folder}/{name}.parquet", columns=["id"]).column("id").to_pylist() == expected
    assert part.documents == count


def test_the_same_bytes_with_one_worker_and_with_two(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    files = {f"{number}.jsonl": [{**row, "id": f"{number}-{row['id']}"} for row in LINES * (number + 1)] for number in range(4)}
    plan = plan_of(files)
    for name, workers in (("first", 1), ("again", 1), ("two", 2)):
        make(plan, tmp_path / name, workers)
    first = tree_bytes(tmp_path / "first")
    assert len(first) == 4 * 5
    assert first == tree_bytes(tmp_path / "again") == tree_bytes(tmp_path / "two")


def test_a_finished_part_is_not_made_again(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    plan = plan_of({"a.jsonl": LINES, "b.jsonl": LINES[:2]})
    first = make(plan, tmp_path)
    before = [times(part) for part in first]
    store(tmp_path / "b.jsonl", LINES[1:])
    second = make(plan, tmp_path)
    assert second[0] == first[0] and times(second[0]) == before[0]
    assert second[1].key != first[1].key and second[1].documents == 2


def damage_record(folder: Path) -> None:
    (folder / "part.json").unlink()


def damage_key(folder: Path) -> None:
    record = json.loads((folder / "part.json").read_text())
    (folder / "part.json").write_text(json.dumps({**record, "key": "0" * 16}))


def damage_json(folder: Path) -> None:
    (folder / "part.json").write_text("{")


def damage_file(folder: Path) -> None:
    (folder / "features.parquet").write_bytes(b"PAR1")


def damage_absent(folder: Path) -> None:
    (folder / "quarantine.jsonl").unlink()


@pytest.mark.parametrize("damage", [damage_record, damage_key, damage_json, damage_file, damage_absent])
def test_a_part_that_is_not_whole_is_made_again(plan_of: Callable[..., Plan], tmp_path: Path, damage: Callable[[Path], None]) -> None:
    plan = plan_of({"a.jsonl": LINES, "b.jsonl": LINES[:2]})
    parts = make(plan, tmp_path)
    whole, untouched = tree_bytes(tmp_path / "work"), times(parts[1])
    damage(Path(parts[0].folder))
    assert tree_bytes(tmp_path / "work") != whole
    assert make(plan, tmp_path) == parts
    assert tree_bytes(tmp_path / "work") == whole
    assert times(parts[1]) == untouched


def test_what_a_killed_run_left_does_not_matter(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    plan = plan_of({"a.jsonl": LINES})
    (part,) = make(plan, tmp_path)
    whole = tree_bytes(tmp_path / "work")
    damage_record(Path(part.folder))
    (Path(part.folder) / "stray").write_text("x")
    make(plan, tmp_path)
    assert tree_bytes(tmp_path / "work") == whole


def test_equal_files_of_one_name_share_a_part(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    folders = ("2023", "2024", "2025")
    for folder in folders:
        for number in range(PART_FILES + 1):  # one more than a part takes: they lie in several
            store(tmp_path / folder / f"{number}.jsonl", LINES[:1] if folder != "2025" else LINES[1:2])
    plan = plan_of({}, sources={"web": {**SPEC, "paths": ["2023"]}, "same": {**SPEC, "paths": ["2024"]}})
    parts = make(plan, tmp_path)
    assert sum(part.documents for part in parts) == 2 * (PART_FILES + 1) and len(parts) >= 4
    twice = plan_of({}, sources={"web": {**SPEC, "paths": ["2023/*", "2025/*"]}})
    again = make(twice, tmp_path)
    assert {part.folder for part in again} & {part.folder for part in parts}  # what is known of a source is not made again


def test_files_of_one_source_make_a_part_that_tells_them_apart(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    files = {"b.jsonl": LINES[:2], "a.jsonl": LINES[2:], "empty.jsonl": []}
    (part,) = make(plan_of(files, sources={"web": {**SPEC, "paths": list(files)}}), tmp_path)
    assert (part.source, os.path.basename(part.file.path), part.files, part.documents, part.quarantined) == ("web", "b.jsonl", 3, 3, 2)
    rows = [json.loads(line) for line in Path(f"{part.folder}/files.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["file"], row["documents"], row["quarantined"]) for row in rows] == [
        ("b.jsonl", 2, 0), ("a.jsonl", 1, 1), ("empty.jsonl", 0, 1),
    ]  # fmt: skip
    assert [row["sha256"] for row in rows] == [hashlib.sha256((tmp_path / row["file"]).read_bytes()).hexdigest() for row in rows]
    ids = pq.read_table(f"{part.folder}/documents.parquet", columns=["id"]).column("id").to_pylist()
    assert ids == ["web:1", "web:2", "web:4"]


# --- input that cannot be read or does not hold still


def test_what_cannot_be_opened_is_quarantined_and_the_rest_is_read(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    store(tmp_path / "in/good.jsonl", LINES[:2])
    os.mkfifo(tmp_path / "in/pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "in/socket.jsonl"))
    (tmp_path / "in/loop.jsonl").symlink_to("loop.jsonl")
    (tmp_path / "in/gone.jsonl").symlink_to("nowhere.jsonl")
    (tmp_path / "in/link.jsonl").symlink_to("good.jsonl")
    (tmp_path / "in/round").symlink_to(".")  # a folder that holds itself
    (part,) = make(plan_of({}, sources={"web": {**SPEC, "paths": ["in"]}}), tmp_path)
    rows = [json.loads(line) for line in Path(f"{part.folder}/quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["path"]: row["error"] for row in rows} == {
        "gone.jsonl": "FileNotFoundError: No such file or directory",
        "loop.jsonl": "OSError: Too many levels of symbolic links",
        "pipe.jsonl": "OSError: is no file but a pipe",
        "socket.jsonl": "OSError: is no file but a socket",
    }
    assert part.documents == 4  # the file and the link to it
    (tmp_path / "in/gone.jsonl").unlink()
    store(tmp_path / "in/gone.jsonl", LINES[3:])
    (whole,) = make(plan_of({}, sources={"web": {**SPEC, "paths": ["in"]}}), tmp_path)
    assert whole.key != part.key and whole.documents == 5


def test_a_file_that_changes_while_it_is_read_ends_the_run(
    plan_of: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of({"a.jsonl": LINES})
    measure = features.annotate

    def grow(batch: list[Document]) -> Any:
        store(tmp_path / "a.jsonl", [*LINES, {"id": "5", "text": "後來加的一行"}])
        return measure(batch)

    monkeypatch.setattr(features, "annotate", grow)
    with pytest.raises(UserError, match=r"a\.jsonl: changed while it was read"):
        make(plan, tmp_path)
    assert os.listdir(tmp_path / "work/annotate") == []
    monkeypatch.undo()
    assert make(plan_of({}, sources={"web": {**SPEC, "paths": ["a.jsonl"]}}), tmp_path)[0].documents == 4


def test_a_file_that_is_only_touched_is_no_other_file(
    plan_of: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of({"a.jsonl": LINES})
    measure = features.annotate

    def touch(batch: list[Document]) -> Any:
        os.utime(tmp_path / "a.jsonl", ns=(0, 0))
        return measure(batch)

    monkeypatch.setattr(features, "annotate", touch)
    assert make(plan, tmp_path)[0].documents == 3


# --- documents as a table


def test_a_document_as_a_table_keeps_everything() -> None:
    document = Document(
        "web:1", "raw", "web", License.CC0, "holder", "https://a.example", "題", "2024-03", "2024-03-05", "web:0", ("abolished",),
        {"b": 1, "a": "二", "when": {"x": None}},
    )  # fmt: skip
    bare = Document("web:2", "raw", "web")
    table = document_table([document, bare], ["好", "字"])
    assert table.schema == DOCUMENT_SCHEMA
    assert table.to_pylist() == [
        {
            "id": "web:1", "text": "好", "source": "web", "url": "https://a.example", "title": "題", "published": "2024-03",
            "retrieved": "2024-03-05", "license": "cc0-1.0", "rights_holder": "holder", "parent_id": "web:0", "flags": ["abolished"],
            "metadata": '{"a": "二", "b": 1, "when": {"x": null}}',
        },
        {
            "id": "web:2", "text": "字", "source": "web", "url": None, "title": None, "published": None, "retrieved": None,
            "license": "unknown", "rights_holder": None, "parent_id": None, "flags": [], "metadata": "{}",
        },
    ]  # fmt: skip


def test_what_parquet_cannot_hold_becomes_a_question_mark() -> None:
    document = Document("web:1", "raw", "web", title="題\ud800目", metadata={"note": "\udfff"})
    (row,) = document_table([document], ["好"]).to_pylist()
    assert (row["title"], row["metadata"]) == ("題?目", '{"note": "?"}')
