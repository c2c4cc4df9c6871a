"""Bundles: all or nothing, the same bytes twice, loadable, and never in the place of someone's files."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.errors import UserError
from factory.hub import bundle, folder
from factory.storage import sha256_file
from tests.factory.hub.conftest import conversation, preference, write_rows


def make(path: Path, output: Path, **wish: Any) -> bundle.Bundle:
    with bundle.place(str(output)) as into:
        made = bundle.make(folder.read(str(path)), into, bundle.Wish("org/demo", **wish), lambda count: None)
        return bundle.keep(made, str(output))


def files_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["rows_folder", "model_folder", "corpus_run"])
def test_two_dry_runs_write_the_same_bytes(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    first, second = make(path, tmp_path / "a"), make(path, tmp_path / "b")
    assert first.files == second.files
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert [file.path for file in first.files] == sorted(files_of(tmp_path / "a"))


_TEXT = st.text(st.characters(codec="utf-8", categories=["L", "P", "S", "Zs"]), min_size=1, max_size=8)
_ROWS = st.lists(
    st.builds(
        lambda number, text, extra: conversation(number, messages=[{"role": "user", "content": text}], **extra),
        st.integers(0, 99),
        _TEXT,
        st.dictionaries(
            st.sampled_from(["topic", "judge", "spans"]),
            st.none() | _TEXT | st.lists(_TEXT) | st.dictionaries(_TEXT, st.integers(0, 9)),
            max_size=2,
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS)
def test_two_dry_runs_of_any_rows_write_the_same_bytes(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    source = tmp_path / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    write_rows(source / "rows.jsonl", rows)
    try:
        first = make(source, tmp_path / "a")
    except bundle.Refused as refused:  # chance has written something that looks like personal data
        assert refused.lines
        return
    assert first.files == make(source, tmp_path / "b").files
    stored = pq.read_table(tmp_path / "a" / "data" / "train-00000-of-00001.parquet").column("messages").to_pylist()
    assert stored == [row["messages"] for row in rows]


def test_datasets_loads_rows(rows_folder: Path, tmp_path: Path) -> None:
    import datasets

    make(rows_folder, tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["messages"] for row in loaded] == [conversation(number)["messages"] for number in range(30)]
    pairs = datasets.load_dataset(str(tmp_path / "out"), "preferences", split="train", cache_dir=str(tmp_path / "cache"))
    assert pairs[3]["rejected"] == preference(3)["rejected"]
    write_rows(rows_folder / "accepted.jsonl", [conversation(77)])
    make(rows_folder, tmp_path / "out")
    again = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert again["id"] == ["synth-0077"]  # not what was cached for a folder of this name


def test_datasets_loads_a_corpus(corpus_run: Path, tmp_path: Path) -> None:
    import datasets

    make(corpus_run, tmp_path / "out")
    everything = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(everything) == 261
    law = datasets.load_dataset(str(tmp_path / "out"), "law", split="train", cache_dir=str(tmp_path / "cache"))
    assert set(law["source"]) == {"law"}


def test_shards_of_small_size_load_as_one(rows_folder: Path, tmp_path: Path) -> None:
    import datasets

    write_rows(rows_folder / "accepted.jsonl", [conversation(number, category=f"{number * 7919:x}" * 50) for number in range(200)])
    made = make(rows_folder, tmp_path / "out", shard_bytes=20_000)
    assert len([file for file in made.files if file.path.startswith("data/train-")]) > 1
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"] == [f"synth-{number:04d}" for number in range(200)]


@pytest.mark.parametrize(
    "changes",
    [
        {"license": "unknown"},
        {"license": None},
        {"license": "proprietary"},
        {"category": "打 0912-345-678"},
        {"category": "ghp" + "_" + "a1" * 18},
    ],
)
def test_one_row_stops_all_and_leaves_nothing(changes: dict[str, Any], rows_folder: Path, tmp_path: Path) -> None:
    write_rows(rows_folder / "accepted.jsonl", [conversation(1), conversation(2, **changes)])
    (tmp_path / "place").mkdir()
    with pytest.raises(bundle.Refused) as caught:
        make(rows_folder, tmp_path / "place" / "out")
    assert len(caught.value.lines) == 1
    assert list((tmp_path / "place").iterdir()) == []


def test_an_earlier_bundle_is_replaced_and_its_leftovers_go(rows_folder: Path, tmp_path: Path) -> None:
    make(rows_folder, tmp_path / "out")
    (rows_folder / "preferences.jsonl").write_text("", "utf-8")
    made = make(rows_folder, tmp_path / "out")
    assert sorted(files_of(tmp_path / "out")) == ["README.md", "data/train-00000-of-00001.parquet"]
    listing = (tmp_path / "out.sha256").read_text("utf-8")
    assert listing == "".join(f"{file.sha256}  {file.path}\n" for file in made.files)


def test_other_files_are_not_replaced(rows_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds 'README\.md'|holds 'accepted\.jsonl'"):
        make(rows_folder, rows_folder)
    make(rows_folder, tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("x", "utf-8")
    with pytest.raises(UserError, match=r"holds 'mine\.txt'"):
        make(rows_folder, tmp_path / "out")
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(UserError, match="is no folder"):
        make(rows_folder, tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(UserError, match="is no folder"):
        make(rows_folder, tmp_path / "link")


def test_what_a_policy_keeps_must_be_accepted(corpus_run: Path, tmp_path: Path) -> None:
    """The bundled policy keeps the telephones of offices that laws name."""
    own = tmp_path / "own"
    shutil.copytree(corpus_run, own)
    shard = own / "data" / "law-00000.parquet"
    table = pq.read_table(shard)
    texts = ["主管機關電話：(02) 2356-5000", *table.column("text").to_pylist()[1:]]
    pq.write_table(table.set_column(table.schema.get_field_index("text"), table.schema.field("text"), pa.array(texts)), shard)
    record = json.loads((own / "corpus.json").read_text("utf-8"))
    record["files"]["data/law-00000.parquet"]["sha256"] = sha256_file(str(shard))
    (own / "corpus.json").write_text(json.dumps(record), "utf-8")
    with pytest.raises(bundle.Refused) as caught:
        make(own, tmp_path / "out")
    assert caught.value.lines == ["law:Z0010001: landline"]
    assert "--accept-kept" in caught.value.remedy
    make(own, tmp_path / "out", accept_kept=True)
    assert "| law | landline | 1 |" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_only_a_corpus_has_a_policy(rows_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no corpus"):
        make(rows_folder, tmp_path / "out", accept_kept=True)


def test_a_dry_run_opens_no_connection(rows_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"a connection to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    make(rows_folder, tmp_path / "out")
