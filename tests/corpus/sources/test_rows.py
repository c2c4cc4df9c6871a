"""Rows of every layout: documents plus rejects are the rows, and damage costs only what it touches."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.sources import rows
from corpus.sources.inputs import InputFile
from corpus.sources.mapping import Row
from corpus.sources.rows import raw_rows
from corpus.sources.spec import SourceSpec, open_source
from factory.records import Document, Rejected

Write = Callable[[str, bytes | str], str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]
ROWS = [{"id": f"k{number}", "text": f"第{number}篇"} for number in range(1, 6)]
JSONL = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def _file(content: bytes, name: str) -> InputFile:
    return InputFile(name, name, False, lambda: io.BytesIO(content))


def _parquet(table: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".xz"])
@pytest.mark.parametrize("layout", [".jsonl", ".ndjson", ".json"])
def test_layouts_and_compressions(write: Write, read: Read, layout: str, suffix: str) -> None:
    content = json.dumps(ROWS, ensure_ascii=False) if layout == ".json" else JSONL
    documents, rejected = read(write(f"a{layout}{suffix}", content), "rows", fields={"id": "id"})
    assert [document.id for document in documents] == [f"src:k{number}" for number in range(1, 6)]
    assert not rejected


def test_parquet(write: Write, read: Read) -> None:
    table = pa.table({"text": ["甲", None, "丙"], "year": [2001, 2002, 2003], "tags": [["x"], [], None]})
    documents, rejected = read(write("a.parquet", _parquet(table)), "rows")
    assert [(document.id, document.metadata) for document in documents] == [("src:a-1", {"year": 2001}), ("src:a-3", {"year": 2003})]
    assert [(reject.locator, reject.error) for reject in rejected] == [("row 2", "missing field text (column 'text')")]


def test_parquet_with_one_cell_that_is_not_utf8_loses_that_row(write: Write, read: Read) -> None:
    cells = pa.array([b"a", b"\xff\xfe", b"c"], pa.binary()).view(pa.string())
    documents, rejected = read(write("a.parquet", _parquet(pa.table({"text": cells}))), "rows")
    assert [document.text for document in documents] == ["a", "c"]
    assert [reject.locator for reject in rejected] == ["row 2"] and "UTF-8" in rejected[0].error


def test_damaged_parquet_is_one_reject_that_counts_what_was_lost(write: Write, read: Read) -> None:
    content = _parquet(pa.table({"text": ["甲"] * 10}))
    documents, rejected = read(write("a.parquet", content[:-10]), "rows")
    assert not documents and [reject.locator for reject in rejected] == ["file"] and "Parquet" in rejected[0].error


def test_parquet_in_a_stream_that_cannot_seek_says_what_to_do(write: Write, read: Read) -> None:
    _, rejected = read(write("a.parquet.zst", _parquet(pa.table({"text": ["甲"]}))), "rows")
    assert "decompress" in rejected[0].error


def test_zip_members_are_files_of_their_layout(write_zip: Callable[..., str], read: Read) -> None:
    parquet = _parquet(pa.table({"text": ["丁"]}))
    members = [
        ("a.jsonl", '{"text": "甲"}\nno\n'),
        ("d/b.json", '[{"text": "乙"}]'),
        ("c.parquet", parquet),
        ("n.md", "#"),
        ("../x.json", "[]"),
    ]
    documents, rejected = read(write_zip(members), "rows")
    assert [document.id for document in documents] == ["src:a-1", "src:b-1", "src:c-1"]
    assert [reject.locator for reject in rejected] == ["member a.jsonl line 2", "member n.md", "member ../x.json"]


def test_a_truncated_gzip_gives_what_came_before_the_cut(write: Write, read: Read, tmp_path: Path) -> None:
    import random

    rng = random.Random(5)
    lines = "".join(
        json.dumps({"text": "".join(rng.choices("一二三四五六七八九十", k=400))}, ensure_ascii=False) + "\n" for _ in range(2000)
    )
    content = gzip.compress(lines.encode("utf-8"))
    (tmp_path / "a.jsonl.gz").write_bytes(content[: len(content) // 2])
    documents, rejected = read(str(tmp_path / "a.jsonl.gz"), "rows")
    assert 500 < len(documents) < 1500
    assert [reject.locator for reject in rejected] == [f"after row {len(documents)}"]
    assert "EOFError" in rejected[0].error


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".xz"])
def test_a_stream_cut_in_its_head_is_one_reject(write: Write, read: Read, tmp_path: Path, suffix: str) -> None:
    path = Path(write(f"a.jsonl{suffix}", JSONL))
    path.write_bytes(path.read_bytes()[:20])
    documents, rejected = read(str(path), "rows")
    assert not documents and [reject.locator for reject in rejected] == ["file"]


def test_what_is_not_compressed_at_all_is_one_reject(write: Write, read: Read, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_text(JSONL, encoding="utf-8")
    documents, rejected = read(str(tmp_path / "a.jsonl.gz"), "rows")
    assert not documents and [reject.locator for reject in rejected] == ["file"]


def test_invalid_utf8_costs_its_line(write: Write, read: Read) -> None:
    documents, rejected = read(write("a.jsonl", b'{"text": "a"}\n{"text": "\xa4\xa4"}\n{"text": "c"}\n'), "rows")
    assert [document.text for document in documents] == ["a", "c"]
    assert [(reject.locator, reject.error.split(":")[0]) for reject in rejected] == [("line 2", "invalid UTF-8")]
    assert rejected[0].excerpt.startswith('{"text": "\\xa4')


@pytest.mark.parametrize("line", ["[1]", '"text"', "3", "null", "{", '{"text": "\\ud800"}', "not json"])
def test_a_bad_line_costs_itself(write: Write, read: Read, line: str) -> None:
    documents, rejected = read(write("a.jsonl", f'{{"text": "a"}}\n\n{line}\n  \n{{"text": "c"}}'), "rows")
    assert [document.id for document in documents] == ["src:a-1", "src:a-3"]
    assert [reject.locator for reject in rejected] == ["line 3"]


@pytest.mark.parametrize("row", ["{}", '{"text": null}', '{"text": " "}', '{"id": "x"}'])
def test_a_missing_field_is_named(write: Write, read: Read, row: str) -> None:
    _, rejected = read(write("a.jsonl", row), "rows")
    assert rejected[0].error == "missing field text (column 'text')"
    _, rejected = read(write("b.jsonl", '{"text": "a"}'), "rows", fields={"id": "key"})
    assert rejected[0].error == "missing field id (column 'key')"


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", ""), ("a.json", ""), ("a.jsonl.gz", ""), ("a.parquet", ""), ("a.jsonl.zst", "")])
def test_an_empty_file_is_one_reject(write: Write, read: Read, name: str, content: str) -> None:
    documents, rejected = read(write(name, content), "rows")
    assert not documents and [(reject.locator, reject.error) for reject in rejected] == [("file", "empty file")]


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", "\n \n"), ("a.json", "[]")])
def test_a_file_without_rows_is_never_silent(write: Write, read: Read, name: str, content: str) -> None:
    documents, rejected = read(write(name, content), "rows")
    assert not documents and [(reject.locator, reject.error) for reject in rejected] == [("file", "the file has no rows")]


@pytest.mark.parametrize(
    ("content", "count", "locator"),
    [
        (b'[{"text": "a"}, {"text": "b"}, {"te', 2, "after row 2"),
        (b'[{"text": "a"}, {"text": "\xff"}]', 1, "after row 1"),
        (b'[{"text": "a"}] x', 1, "after row 1"),
        (b"[", 0, "file"),
        (b"  ", 0, "file"),
        (b'{"text": "a"}', 0, "file"),
    ],
)
def test_a_broken_json_array_gives_the_rows_before(write: Write, read: Read, content: bytes, count: int, locator: str) -> None:
    documents, rejected = read(write("a.json", content), "rows")
    assert len(documents) == count and [reject.locator for reject in rejected] == [locator]


def test_json_rows_that_are_no_objects_and_a_byte_order_mark(write: Write, read: Read) -> None:
    documents, rejected = read(write("a.json", b"\xef\xbb\xbf" + '[{"text": "甲", "n": 1.5}, 7, [], {"text": "丁"}]'.encode()), "rows")
    assert [(document.id, document.metadata) for document in documents] == [("src:a-1", {"n": 1.5}), ("src:a-4", {})]
    assert [reject.locator for reject in rejected] == ["row 2", "row 3"]
    documents, _ = read(write("b.jsonl", b"\xef\xbb\xbf" + JSONL.encode()), "rows")
    assert len(documents) == 5


def test_an_unknown_layout_and_a_missing_file_are_rejects(write: Write, read: Read, tmp_path: Path) -> None:
    assert "unknown layout '.csv'" in read(write("a.csv", "text\n"), "rows")[1][0].error
    assert "FileNotFoundError" in read(str(tmp_path / "none.jsonl"), "rows")[1][0].error


def test_paths_are_fsspec_paths(read: Read) -> None:
    import fsspec

    with fsspec.open("memory://twllm/a.jsonl.gz", "wb", compression="gzip") as stream:
        stream.write(JSONL.encode())
    assert len(read("memory://twllm/a.jsonl.gz", "rows")[0]) == 5


def test_a_line_over_the_bound_is_rejected_without_being_held(monkeypatch: pytest.MonkeyPatch, write: Write, read: Read) -> None:
    monkeypatch.setattr(rows, "MAX_LINE_BYTES", 100)
    documents, rejected = read(write("a.jsonl", '{"text": "a"}\n' + "x" * 1000 + '\n{"text": "c"}\n'), "rows")
    assert [document.text for document in documents] == ["a", "c"]
    assert [reject.locator for reject in rejected] == ["line 2"]


def test_an_array_below_a_key_is_streamed_with_the_scalars_before_it() -> None:
    content = b'{"v": 1, "x": {"y": 2}, "rows": [{"a": 1}, {"a": 2, "v": 3}, 5], "rows2": [{"a": 9}]}'
    items = list(raw_rows(_file(content, "a.json"), ("rows",)))
    assert items[:2] == [Row("row 1", 1, {"v": 1, "a": 1}), Row("row 2", 2, {"v": 3, "a": 2})]
    assert isinstance(items[2], Rejected) and len(items) == 3


def test_an_object_without_the_key_is_one_row() -> None:
    assert list(raw_rows(_file(b'{"a": [1, {"b": null}]}', "a.json"), ("rows",))) == [Row("row 1", 1, {"a": [1, {"b": None}]})]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=12))
def test_json_and_jsonl_give_the_same_rows(values: list[Any]) -> None:
    array = list(raw_rows(_file(json.dumps(values).encode(), "a.json")))
    lines = list(raw_rows(_file("\n".join(map(json.dumps, values)).encode(), "a.jsonl")))
    assert len(array) == len(lines) == len(values)
    for value, one, other in zip(values, array, lines, strict=True):
        if isinstance(value, dict):
            assert isinstance(one, Row) and isinstance(other, Row) and one.data == other.data == value
        else:
            assert isinstance(one, Rejected) and isinstance(other, Rejected)


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_read_are_documents_plus_rejects(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "any.jsonl"
    path.write_bytes(b'{"text": "x"}\n' + b"\n".join(lines))
    items = list(open_source("src", SourceSpec(type="rows", paths=["x"])).read(str(path)))
    assert len(items) == 1 + sum(bool(line.strip()) for line in lines)


class TestDatasets:
    """Type `datasets`, with local data sets only."""

    @pytest.fixture
    def saved(self, tmp_path: Path) -> str:
        from datasets import Dataset, DatasetDict

        splits = {"train": Dataset.from_list([{"t": "甲", "n": 1}, {"t": "", "n": 2}]), "test": Dataset.from_list([{"t": "丙", "n": 3}])}
        DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
        return str(tmp_path / "saved")

    def test_all_splits_in_order(self, saved: str, read: Read) -> None:
        documents, rejected = read(saved, "datasets", fields={"text": "t"})
        assert [(document.id, document.metadata) for document in documents] == [
            ("src:saved-train-1", {"n": 1}),
            ("src:saved-test-1", {"n": 3}),
        ]
        assert [reject.locator for reject in rejected] == ["train row 2"]

    def test_one_split_and_a_mapped_id(self, saved: str, read: Read) -> None:
        documents, _ = read(saved, "datasets", fields={"text": "t", "id": "n"}, options={"split": "test"})
        assert [document.id for document in documents] == ["src:3"]
        assert "no split 'dev'" in read(saved, "datasets", options={"split": "dev"})[1][0].error

    def test_a_single_data_set(self, tmp_path: Path, read: Read) -> None:
        from datasets import Dataset

        Dataset.from_list([{"text": "甲"}]).save_to_disk(str(tmp_path / "one"))
        assert [document.id for document in read(str(tmp_path / "one"), "datasets")[0]] == ["src:one-1"]

    def test_a_folder_of_files(self, tmp_path: Path, read: Read) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "train.jsonl").write_text(JSONL, encoding="utf-8")
        documents, rejected = read(str(tmp_path / "folder"), "datasets", fields={"id": "id"})
        assert len(documents) == 5 and not rejected

    def test_a_bare_name_never_asks_the_hub(self, read: Read) -> None:
        documents, rejected = read("owner/name", "datasets")
        assert not documents and "no such folder" in rejected[0].error


def test_a_deep_row_of_a_json_file_is_rejected_alone(write: Callable[..., str], read: Read) -> None:
    """Found by fuzzing: a builder of such a row ended the process."""
    for deep in (b"[" * 150_000 + b"]" * 150_000, b'{"a":' * 150_000 + b"1" + b"}" * 150_000):
        documents, rejected = read(write("a.json", b'[{"text": "\xe8\x8c\xb6"}, ' + deep + b', {"text": "b"}]'), "rows")
        assert [document.text for document in documents] == ["茶", "b"]
        assert [(reject.locator, "nested over" in reject.error) for reject in rejected] == [("row 2", True)]


@pytest.mark.parametrize("levels", [500, 900, 1_000, 1_020, 1_100, 3_000, 30_000])
@pytest.mark.parametrize("brackets", [b"[]", b"[ "])
def test_a_deep_line_is_rejected_and_is_no_want_of_memory(write: Callable[..., str], read: Read, levels: int, brackets: bytes) -> None:
    """Found by fuzzing: its excerpt raised RecursionError, and orjson says "failed to allocate memory" of some of these lines."""
    deep = b'{"a": ' + brackets[:1] * levels + brackets[1:].strip() * levels + b"}"
    documents, rejected = read(write("a.jsonl", deep + b'\n{"text": "b"}\n'), "rows")
    assert [document.text for document in documents] == ["b"]
    assert [reject.locator for reject in rejected] == ["line 1"]


@pytest.mark.parametrize("digits", [4_001, 5_000, 70_000, 300_000])
def test_a_number_that_python_refuses_ends_a_json_file_with_a_reject(write: Callable[..., str], read: Read, digits: int) -> None:
    """Found by fuzzing: ijson goes on with the exception set, which ended the process."""
    number = b"9" * digits
    documents, rejected = read(write("a.json", b'[{"text": "a"}, {"text": "b", "n": ' + number + b"}]"), "rows")
    assert [document.text for document in documents] == ["a"]
    assert [(reject.locator, reject.error) for reject in rejected] == [("after row 1", "a number of over 4000 digits")]
    (document,), _ = read(write("b.json", b'[{"text": "a", "n": ' + number[:4_000] + b"}]"), "rows")
    assert document.metadata == {"n": "9" * 4_000}
