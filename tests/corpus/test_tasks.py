"""Tasks: where parts end, what their keys depend on, and what survives the way to a worker."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.recipe import InputFile
from corpus.sources.spec import SourceSpec, open_source
from corpus.tasks import (
    LEAST_FILES,
    MEAN_FILES,
    PART_BYTES,
    PART_FILES,
    Content,
    TaskFile,
    changed,
    content_of,
    grouped,
    load,
    part_key,
    store_missing,
    tasks_of,
)
from tests.corpus.conftest import twllm

SPEC: dict[str, Any] = {"type": "rows", "paths": ["x"], "fields": {"id": "id", "text": "text"}}
LINES: list[dict[str, Any]] = [{"id": "1", "text": "茶園在山坡上。"}, {"id": "2", "text": "漁港清晨開市。"}]


def spec_of(**changes: Any) -> SourceSpec:
    return SourceSpec.model_validate({**SPEC, **changes})


def store(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def listed(count: int, size: int = 1_000, source: str = "web") -> list[tuple[InputFile, Content]]:
    return [(InputFile(source, f"/in/{number:07d}.txt", size), Content(f"{number:064x}", "")) for number in range(count)]


# --- where parts end

files = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40 << 20)), max_size=200)


@settings(max_examples=50, deadline=None)
@given(files)
def test_no_file_is_lost_or_moved_and_no_bound_is_passed(drawn: list[tuple[str, int]]) -> None:
    given = [(InputFile(source, f"/{n}", size), Content(f"{n:064x}", "")) for n, (source, size) in enumerate(sorted(drawn))]
    groups = list(grouped(given, {"c"}))
    assert [item for group in groups for item in group] == given
    for group in groups:
        assert len({file.source for file, _ in group}) == 1 and len(group) <= PART_FILES
        assert len(group) == 1 or (sum(file.bytes for file, _ in group) <= PART_BYTES and group[0][0].source != "c")


def test_a_million_small_files_are_about_a_thousand_parts() -> None:
    sizes = [len(group) for group in grouped(listed(100_000))]
    assert 100_000 / PART_FILES <= len(sizes) <= 100_000 / MEAN_FILES * 1.3
    assert min(sizes[:-1]) >= LEAST_FILES


def test_a_file_more_or_less_moves_no_part_but_its_neighbours() -> None:
    before = listed(40_000)
    extra = InputFile("web", "/in/0020000b.txt", 1_000), Content("f" * 64, "")
    for after in ([*before[:20_000], extra, *before[20_000:]], before[1:], before[:20_000] + before[20_001:]):
        old, new = ({tuple(file.path for file, _ in group) for group in grouped(these)} for these in (before, after))
        assert len(new - old) <= 3 < len(new)


def test_files_alike_do_not_become_a_part_each() -> None:
    alike = [(InputFile("web", "/in/index.html", 0), Content("0" * 64, "")) for _ in range(10_000)]
    assert len(list(grouped(alike))) <= 10_000 / LEAST_FILES


# --- keys


@pytest.fixture
def key(tmp_path: Path) -> Callable[..., str]:
    """The key of one file with a changed source; `rows`, `name` and `source` change the file's content, name and source."""

    def of(rows: list[dict[str, Any]] = LINES, name: str = "a.jsonl", source: str = "web", more: bool = False, **changes: Any) -> str:
        spec = spec_of(**changes)
        path = store(tmp_path / name, rows)
        content = content_of(path, spec, open_source(source, spec_of()))
        return part_key(source, [TaskFile(path, os.path.getsize(path), content)] * (1 + more), spec)

    return of


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": LINES[:1]},
        {"rows": [{**LINES[0], "id": "7"}, *LINES[1:]]},
        {"name": "b.jsonl"},
        {"more": True},
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
    spec = spec_of(type="datasets")
    reader = open_source("web", spec)
    for folder in ("set", "elsewhere/set"):
        store(tmp_path / folder / "train.jsonl", LINES)
    before = content_of(str(tmp_path / "set"), spec, reader).sha256
    assert content_of(str(tmp_path / "elsewhere/set"), spec, reader).sha256 == before
    store(tmp_path / "set/train.jsonl", LINES[:1])
    one = content_of(str(tmp_path / "set"), spec, reader).sha256
    store(tmp_path / "set/more.jsonl", [])
    assert len({before, one, content_of(str(tmp_path / "set"), spec, reader).sha256}) == 3


class Beside:
    """A source whose files have rights in a file beside them."""

    def read(self, path: str) -> Any:
        return iter(())

    def side_files(self, path: str) -> list[str]:
        return [f"{path}.rights"]


def test_files_beside_a_file_count_and_so_does_their_absence(tmp_path: Path) -> None:
    path = store(tmp_path / "a.jsonl", LINES)
    found = []
    assert "No such file" in (content_of(path, spec_of(), Beside()).fault or "")
    for text in ("all", "none"):
        (tmp_path / "a.jsonl.rights").write_text(text)
        content = content_of(path, spec_of(), Beside())
        found.append(content.sha256)
        assert not changed(TaskFile(path, 1, content), spec_of(), Beside())
    (tmp_path / "a.jsonl.rights").write_text("other")
    assert changed(TaskFile(path, 1, content), spec_of(), Beside())
    assert len({*found, content_of(path, spec_of(), open_source("web", spec_of())).sha256}) == 3


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda path: None, False),
        (lambda path: os.utime(path, ns=(1, 1)), False),
        (lambda path: path.write_text("other"), True),
        (lambda path: path.unlink(), True),
        (lambda path: (path.unlink(), path.mkdir()), True),
    ],
)
def test_a_file_has_changed_where_its_content_has(tmp_path: Path, act: Callable[[Path], Any], expected: bool) -> None:
    path = tmp_path / "a.jsonl"
    store(path, LINES)
    reader = open_source("web", spec_of())
    file = TaskFile(str(path), 1, content_of(str(path), spec_of(), reader))
    act(path)
    assert changed(file, spec_of(), reader) is expected


# --- to the workers and back


def test_a_task_comes_back_as_it_was_whatever_its_files_are_called(tmp_path: Path) -> None:
    names = [b"plain.jsonl", "空 格\"'$(x).jsonl".encode(), b"not-utf8-\xff.jsonl"]
    for number, name in enumerate(names):
        Path(os.fsdecode(bytes(tmp_path / "in") + b"/" + name)).parent.mkdir(exist_ok=True)
        Path(os.fsdecode(bytes(tmp_path / "in") + b"/" + name)).write_text("x" * (number + 1))
    found = [InputFile(f"s{n}", os.fsdecode(bytes(tmp_path / "in") + b"/" + name), n + 1) for n, name in enumerate(names)]
    specs = {f"s{number}": spec_of(license="cc0-1.0") for number in range(3)}
    tasks = list(tasks_of(specs, found, "work"))
    heads, missing = store_missing(tasks, str(tmp_path / "logs"))
    assert heads == [task.head for task in tasks] and missing == sorted(heads, key=lambda head: -head.bytes)
    assert [load(str(tmp_path / "logs"), rank) for rank in range(3)] == tasks[::-1]
    assert all(head.title.encode() for head in heads)


@pytest.mark.parametrize(("stated", "found"), [({}, "public-record"), ({"license": "unknown"}, "unknown"), ({"license": "mit"}, "mit")])
def test_a_silent_recipe_leaves_the_licence_to_the_type(rows_recipe: Callable[..., Path], tmp_path: Path, stated: Any, found: str) -> None:
    """Tasks travel to workers as JSON: what the recipe did not say must not come out as said."""
    rows = [{"id": "1", "text": "第 1 條\n本辦法依海洋保護法第十二條第三項規定訂定之，其主管機關為海洋委員會，施行日期由主管機關定之。"}]
    source = {"type": "law", "paths": ["rows.jsonl"], "fields": {"id": "id", "text": "text"}, **stated}
    done = twllm("corpus", "build", str(rows_recipe(rows, sources={"law": source})))
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "run" / "data").column("license").to_pylist() == [found]
