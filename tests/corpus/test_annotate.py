"""Annotate: what a part's key depends on, the same bytes each time, and parts that were left half done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus import features
from corpus.annotate import BATCH_DOCUMENTS, DOCUMENT_SCHEMA, Part, annotate, document_table, part_key
from corpus.recipe import InputFile, Plan, load_plan
from corpus.sources.spec import SourceSpec
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
    return annotate(plan, f"{folder}/work", f"{folder}/logs", workers, lambda done, total: None)


def times(part: Part) -> dict[str, int]:
    return {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(part.folder)}


@pytest.fixture
def plan_of(tmp_path: Path, rows_recipe: Callable[..., Path]) -> Callable[..., Plan]:
    """A plan over files of given rows, one source unless told otherwise."""

    def write(files: dict[str, list[dict[str, Any]]], **changes: Any) -> Plan:
        for name, rows in files.items():
            store(tmp_path / name, rows)
        sources = changes.pop("sources", {"web": {**SPEC, "paths": list(files)}})
        return load_plan(str(rows_recipe(sources=sources, **changes)))

    return write


# --- keys


@pytest.fixture
def key(tmp_path: Path) -> Callable[..., str]:
    """The key of one file with a changed source; `rows`, `name` and `source` change the file's content, name and source."""

    def of(rows: list[dict[str, Any]] = LINES, name: str = "a.jsonl", source: str = "web", **changes: Any) -> str:
        path = store(tmp_path / name, rows)
        return part_key(InputFile(source, path, os.path.getsize(path)), SourceSpec.model_validate({**SPEC, **changes}))

    return of


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": LINES[:3]},
        {"rows": [{**LINES[0], "id": "7"}, *LINES[1:]]},
        {"name": "b.jsonl"},
        {"name": "a.ndjson"},
        {"source": "news"},
        {"type": "news"},
        {"fields": {"id": "id", "text": "text", "title": "title"}},
        {"fields": {"text": "text"}},
        {"license": "cc0-1.0"},
        {"rights_holder": "someone"},
        {"licenses": {"CC0": "cc0-1.0"}},
        {"options": {"pushes": True}},
    ],
)
def test_what_a_part_is_made_of_changes_its_key(key: Callable[..., str], changes: dict[str, Any]) -> None:
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes", [{"weight": 3.0}, {"priority": 1}, {"max_tokens": 10}, {"paths": ["x", "y"]}, {"name": "elsewhere/deep/a.jsonl"}, {}]
)
def test_what_does_not_shape_a_part_leaves_its_key(key: Callable[..., str], changes: dict[str, Any]) -> None:
    assert key(**changes) == key()


def test_a_pseudonym_key_changes_the_key_and_does_not_stand_in_it(key: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for secret in ("one", "two", "one"):
        monkeypatch.setenv("TWLLM_TEST_PSEUDONYMS", secret)
        found.append(key(pseudonym_key_env="TWLLM_TEST_PSEUDONYMS"))
        assert secret not in found[-1]
    assert found[0] == found[2] != found[1]
    assert key() not in found


def test_a_data_set_folder_is_keyed_by_its_content(tmp_path: Path) -> None:
    spec = SourceSpec.model_validate({**SPEC, "type": "datasets"})
    file = InputFile("web", str(tmp_path / "set"), 0)
    for folder in ("set", "elsewhere/set"):
        store(tmp_path / folder / "train.jsonl", LINES)
    before = part_key(file, spec)
    assert part_key(file._replace(path=str(tmp_path / "elsewhere/set")), spec) == before
    store(tmp_path / "set/train.jsonl", LINES[:2])
    changed = part_key(file, spec)
    store(tmp_path / "set/more.jsonl", [])
    assert len({before, changed, part_key(file, spec)}) == 3


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
    assert (record["key"], record["documents"], record["quarantined"], record["source"], record["file"]) == (
        part.key,
        3,
        1,
        "web",
        "a.jsonl",
    )
    assert sorted(os.listdir(part.folder)) == ["documents.parquet", "features.parquet", "part.json", "quarantine.jsonl"]


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
    assert len(first) == 4 * 4
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
    shutil.copytree(part.folder, f"{part.folder}.{os.getpid()}.tmp")
    damage_record(Path(part.folder))
    (Path(part.folder) / "stray").write_text("x")
    make(plan, tmp_path)
    assert tree_bytes(tmp_path / "work") == whole


def test_equal_files_of_the_same_name_share_one_part(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    plan = plan_of({"2023/a.jsonl": LINES, "2024/a.jsonl": LINES, "2025/a.jsonl": LINES[:1]})
    parts = make(plan, tmp_path)
    assert [part.documents for part in parts] == [3, 3, 1]
    assert parts[0].folder == parts[1].folder != parts[2].folder
    assert len(os.listdir(tmp_path / "work/annotate")) == 2
    (log,) = [entry for entry in (tmp_path / "logs").iterdir() if entry.is_dir()]
    assert len(list((log / "completions").iterdir())) == 2  # two workers on one folder would take it from each other


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
