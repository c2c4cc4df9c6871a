"""What a folder is taken for, and what hostile folders meet."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from factory.errors import UserError
from factory.hub.folder import Kind, read
from factory.storage import sha256_file
from tests.factory.hub.conftest import conversation, write_rows


def header(folder: Path, text: str) -> None:
    (folder / "README.md").write_text(f"---\n{text}\n---\nbody\n", "utf-8")


def test_a_synth_run(rows_folder: Path) -> None:
    found = read(str(rows_folder))
    assert found.kind is Kind.ROWS
    assert found.name == "demo"
    assert found.parts == (("default", "train", ("accepted.jsonl",)), ("preferences", "train", ("preferences.jsonl",)))
    assert found.left_out == ("rejected.jsonl", "summary.json")


def test_a_folder_without_a_card(rows_folder: Path) -> None:
    (rows_folder / "README.md").unlink()
    found = read(str(rows_folder))
    assert [part.config for part in found.parts] == ["accepted", "preferences"]
    assert "rejected.jsonl" in found.left_out
    (rows_folder / "preferences.jsonl").unlink()
    assert read(str(rows_folder)).parts == (("default", "train", ("accepted.jsonl",)),)


def test_a_review_export(rows_folder: Path) -> None:
    """Rows that were turned down, and labels for classifiers, stay even where the card names them."""
    write_rows(rows_folder / "labels-quality.jsonl", [{"id": "a", "text": "x", "quality": 0.5}])
    write_rows(rows_folder / "rejected.jsonl", [conversation(1, reason="verdict")])
    write_rows(rows_folder / "undecided.jsonl", [{"id": "a", "reason": "tie", "answers": 2}])
    names = {
        "sft": "accepted.jsonl",
        "preferences": "preferences.jsonl",
        "rejected": "rejected.jsonl",
        "labels-quality": "labels-quality.jsonl",
    }
    header(rows_folder, "configs:\n" + "".join(f"- config_name: {name}\n  data_files: {file}\n" for name, file in names.items()))
    found = read(str(rows_folder))
    assert [part.config for part in found.parts] == ["sft", "preferences"]
    assert found.left_out == ("labels-quality.jsonl", "rejected.jsonl", "summary.json", "undecided.jsonl")
    (rows_folder / "README.md").unlink()
    assert [part.config for part in read(str(rows_folder)).parts] == ["accepted", "preferences"]


def test_an_export_that_was_changed_afterwards(rows_folder: Path) -> None:
    facts = {"name": "demo", "files": {"accepted.jsonl": {"sha256": sha256_file(str(rows_folder / "accepted.jsonl"))}}}
    (rows_folder / "manifest.json").write_text(json.dumps(facts), "utf-8")
    read(str(rows_folder))
    write_rows(rows_folder / "accepted.jsonl", [conversation(1)])
    with pytest.raises(UserError, match=r"accepted\.jsonl: was changed after the export"):
        read(str(rows_folder))


def test_splits_that_a_card_names(rows_folder: Path) -> None:
    write_rows(rows_folder / "held.jsonl", [conversation(1)])
    header(
        rows_folder,
        "configs:\n- config_name: sft\n  data_files:\n  - split: train\n    path: [accepted.jsonl, preferences.jsonl]\n"
        "  - split: test\n    path: held.jsonl",
    )
    assert read(str(rows_folder)).parts == (
        ("sft", "train", ("accepted.jsonl", "preferences.jsonl")),
        ("sft", "test", ("held.jsonl",)),
    )


def test_a_corpus(corpus_run: Path) -> None:
    found = read(str(corpus_run))
    assert found.kind is Kind.CORPUS
    assert found.parts[0] == ("law", "train", ("data/law-00000.parquet",))
    assert len(found.parts) == 7
    assert {"decisions.parquet", "manifest.json", "report.html"} <= set(found.left_out)
    assert not [name for name in found.left_out if name.startswith("work")]


def test_a_model(model_folder: Path) -> None:
    assert read(str(model_folder)).kind is Kind.MODEL
    assert read(str(model_folder), "model").kind is Kind.MODEL


@pytest.mark.parametrize(
    "text",
    [
        "configs:\n- config_name: default\n  data_files: ../secret.jsonl",
        "configs:\n- config_name: default\n  data_files: /etc/passwd",
        "configs:\n- config_name: default\n  data_files: '*.jsonl'",
        "configs:\n- config_name: default\n  data_files: summary.json",
        "configs:\n- config_name: ../../up\n  data_files: accepted.jsonl",
        "configs:\n- config_name: default\n  data_files:\n  - split: ../up\n    path: accepted.jsonl",
        "configs:\n- config_name: a\n  data_files: accepted.jsonl\n- config_name: a\n  data_files: preferences.jsonl",
        "configs: 3",
        "configs: [3]",
        "configs:\n- config_name: default\n  data_files: {a: b}",
        "configs:\n- config_name: default",
    ],
)
def test_a_card_that_names_what_it_may_not(text: str, rows_folder: Path) -> None:
    header(rows_folder, text)
    with pytest.raises(UserError, match=r"configs:|configuration"):
        read(str(rows_folder))


@pytest.mark.parametrize("name", ["..jsonl", "a b.jsonl", "a..b.jsonl", "資料.jsonl", "-x.jsonl", "a\nb.jsonl"])
def test_files_whose_name_cannot_be_a_configuration(name: str, rows_folder: Path) -> None:
    (rows_folder / "README.md").unlink()
    write_rows(rows_folder / name, [conversation(1)])
    with pytest.raises(UserError, match="cannot be the name of a configuration"):
        read(str(rows_folder))


def test_links_are_not_followed(rows_folder: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "secret.jsonl", [conversation(1)])
    (rows_folder / "accepted.jsonl").unlink()
    (rows_folder / "accepted.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(UserError, match=r"'accepted.jsonl' is a link"):
        read(str(rows_folder))


def test_a_pipe_does_not_hang(rows_folder: Path) -> None:
    os.mkfifo(rows_folder / "more.jsonl")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        read(str(rows_folder))


@pytest.fixture
def own_corpus(corpus_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(corpus_run, tmp_path / "own")
    return tmp_path / "own"


def test_a_corpus_whose_shards_are_links(own_corpus: Path, tmp_path: Path) -> None:
    (own_corpus / "data").rename(tmp_path / "elsewhere")
    (own_corpus / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="data: is a link|'data' is a link"):
        read(str(own_corpus))


def test_a_corpus_that_was_changed_after_the_build(own_corpus: Path) -> None:
    with open(own_corpus / "data" / "law-00000.parquet", "ab") as stream:
        stream.write(b"x")
    with pytest.raises(UserError, match=r"law-00000.parquet: was changed after the build"):
        read(str(own_corpus))


def test_a_corpus_with_a_shard_too_many_or_too_few(own_corpus: Path) -> None:
    (own_corpus / "data" / "more-00000.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"more-00000.parquet: is not a shard"):
        read(str(own_corpus))
    (own_corpus / "data" / "more-00000.parquet").unlink()
    (own_corpus / "data" / "law-00000.parquet").unlink()
    with pytest.raises(UserError, match=r"law-00000.parquet: the build wrote it, and it is gone"):
        read(str(own_corpus))


def test_what_is_nothing_to_publish(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds nothing to publish"):
        read(str(tmp_path))
    with pytest.raises(UserError, match="is no folder"):
        read(str(tmp_path / "absent"))
    with pytest.raises(UserError, match="is not a local folder"):
        read("s3://bucket/run")


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_a_manifest_that_is_none(text: str, rows_folder: Path) -> None:
    (rows_folder / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"manifest\.json: is no"):
        read(str(rows_folder))


def test_a_card_that_is_too_large_or_not_utf8(rows_folder: Path) -> None:
    (rows_folder / "README.md").write_bytes("台".encode("big5") * 2)
    with pytest.raises(UserError, match="is not UTF-8"):
        read(str(rows_folder))
    (rows_folder / "README.md").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(UserError, match="larger than"):
        read(str(rows_folder))


def test_the_manifest_names_the_run(rows_folder: Path) -> None:
    (rows_folder / "manifest.json").write_text(json.dumps({"name": "reviewed"}), "utf-8")
    assert read(str(rows_folder)).name == "reviewed"
