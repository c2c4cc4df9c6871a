"""Rows of a folder as shards, each looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.errors import UserError
from factory.hub import folder, rows
from factory.hub.screen import Screen
from factory.records import License
from tests.factory.hub.conftest import conversation, preference, write_rows


def written(path: Path, into: Path) -> tuple[list[rows.Written], rows.Tally, Screen]:
    into.mkdir()
    tally, screen = rows.Tally(), Screen(None, {})
    return rows.write(folder.read(str(path)), str(into), screen, tally, lambda count: None), tally, screen


def test_rows_arrive_as_they_were(rows_folder: Path, tmp_path: Path) -> None:
    splits, tally, screen = written(rows_folder, tmp_path / "out")
    assert [(split.part.config, split.rows, split.names) for split in splits] == [
        ("default", 30, ("data/train-00000-of-00001.parquet",)),
        ("preferences", 20, ("data/preferences/train-00000-of-00001.parquet",)),
    ]
    assert pq.read_table(tmp_path / "out" / splits[0].names[0]).to_pylist() == [conversation(number) for number in range(30)]
    assert tally.rows == 50
    assert tally.licenses == {("paraphrase", License.APACHE_2): 30, ("preference", License.APACHE_2): 20}
    assert tally.models == {"writer-7b": 50}
    assert tally.forms == {"conversations", "preferences"}
    assert screen.report() == []


def test_a_corpus_arrives_as_it_was(corpus_run: Path, tmp_path: Path) -> None:
    splits, tally, screen = written(corpus_run, tmp_path / "out")
    assert screen.report() == []
    for split in splits:
        before = pq.read_table(corpus_run / split.part.paths[0])
        assert pq.read_table(tmp_path / "out" / split.names[0]).equals(before.replace_schema_metadata(None))
    assert tally.rows == sum(split.rows for split in splits) == 261


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([1], "is no JSON object"),
        ({"id": "a", "text": "x"}, "neither a conversation"),
        (conversation(1, messages=[]), "has no 'messages'"),
        (conversation(1, messages=[{"role": "user"}]), "without role and content"),
        (conversation(1, messages=[{"role": "user", "content": ["part"]}]), "without role and content"),
        (preference(1, chosen="good"), "has no 'chosen'"),
        (conversation(1, category=float("nan")), "NaN is no JSON number"),
        (conversation(1, category="\ud83d"), "is not JSON in UTF-8"),
    ],
)
def test_a_row_in_no_form_is_named(row: Any, said: str, rows_folder: Path, tmp_path: Path) -> None:
    text = json.dumps(conversation(0), ensure_ascii=False) + "\n\n" + json.dumps(row) + "\n"
    (rows_folder / "accepted.jsonl").write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"accepted\.jsonl:3: ") as caught:
        written(rows_folder, tmp_path / "out")
    assert said in str(caught.value)


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b'{"a":' * 20_000, b"\x00"])
def test_a_line_that_is_no_json(line: bytes, rows_folder: Path, tmp_path: Path) -> None:
    (rows_folder / "accepted.jsonl").write_bytes(line + b"\n")
    with pytest.raises(UserError, match=r"accepted\.jsonl:1: is not JSON in UTF-8"):
        written(rows_folder, tmp_path / "out")


def test_a_line_without_end(rows_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE_BYTES", 100)
    with pytest.raises(UserError, match="longer than 100 bytes"):
        written(rows_folder, tmp_path / "out")


def test_no_rows(rows_folder: Path, tmp_path: Path) -> None:
    for name in ("accepted.jsonl", "preferences.jsonl"):
        (rows_folder / name).write_text("\n", "utf-8")
    with pytest.raises(UserError, match="holds no rows"):
        written(rows_folder, tmp_path / "out")


def test_a_split_without_rows_is_left_away(rows_folder: Path, tmp_path: Path) -> None:
    (rows_folder / "preferences.jsonl").write_text("", "utf-8")
    splits, _, _ = written(rows_folder, tmp_path / "out")
    assert [split.part.config for split in splits] == ["default"]


def test_splits_of_one_configuration_have_the_same_columns(rows_folder: Path, tmp_path: Path) -> None:
    write_rows(rows_folder / "held.jsonl", [conversation(1, review={"verdict": "keep"}, judge={"correct": 5})])
    (rows_folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - {split: train, path: accepted.jsonl}\n  - {split: test, path: held.jsonl}\n---\n",
        "utf-8",
    )
    splits, tally, _ = written(rows_folder, tmp_path / "out")
    first, second = (pq.read_schema(tmp_path / "out" / split.names[0]) for split in splits)
    assert first.equals(second)
    assert tally.reviewed == 1


def test_an_id_that_would_move_the_cursor_is_not_told(rows_folder: Path, tmp_path: Path) -> None:
    write_rows(rows_folder / "accepted.jsonl", [conversation(1, id="\x1b[2Jx", category="打 0912-345-678")])
    assert written(rows_folder, tmp_path / "out")[2].report() == ["accepted.jsonl:1: mobile"]


def test_findings_name_place_and_id_and_never_the_value(rows_folder: Path, tmp_path: Path) -> None:
    number = "0912-345-678"
    write_rows(
        rows_folder / "accepted.jsonl",
        [
            conversation(1),
            conversation(2, messages=[{"role": "user", "content": f"打 {number}"}]),
            conversation(3, id=f"打電話給我 {number}"),
        ],
    )
    _, _, screen = written(rows_folder, tmp_path / "out")
    assert screen.report() == ["accepted.jsonl:2 (synth-0002): mobile", "accepted.jsonl:3: mobile"]
