"""The card: its header is one that the Hub takes, its figures are the run's, hostile names stay text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard

from factory.errors import UserError
from factory.hub import bundle, folder
from factory.hub.metadata import faults, split_card
from tests.factory.hub.conftest import conversation, write_rows
from tests.factory.hub.test_review import REVIEW


def card(path: Path, into: Path, **wish: Any) -> tuple[dict[str, Any], str]:
    into.mkdir()
    bundle.make(folder.read(str(path)), str(into), bundle.Wish("org/demo", **wish), lambda count: None)
    return split_card((into / "README.md").read_text("utf-8"), "README.md")


def manifest(path: Path, **facts: Any) -> None:
    (path / "manifest.json").write_text(json.dumps({"name": "demo", **facts}), "utf-8")


def test_of_rows(rows_folder: Path, tmp_path: Path) -> None:
    header, body = card(rows_folder, tmp_path / "out")
    assert header["license"] == "apache-2.0"
    assert header["language"] == ["zh"]
    assert header["language_bcp47"] == ["zh-Hant-TW"]
    assert header["size_categories"] == ["n<1K"]
    assert header["task_categories"] == ["text-generation"]
    assert [config["data_files"] for config in header["configs"]] == [
        [{"split": "train", "path": "data/train-*.parquet"}],
        [{"split": "train", "path": "data/preferences/train-*.parquet"}],
    ]
    assert body.startswith("# demo\n\nFifty rows.")
    assert "| paraphrase | [apache-2.0](https://www.apache.org/licenses/LICENSE-2.0) | 30 |" in body
    assert "50 of 50 rows name in `lineage` what they came from. Written by writer-7b." in body
    assert "Not reviewed: no person has judged these rows." in body
    assert 'load_dataset("org/demo", "preferences", split="train")' in body
    assert "https://huggingface.co/datasets/org/demo/discussions" in body
    assert faults(header, [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")]) == []
    assert DatasetCard.load(tmp_path / "out" / "README.md").data.to_dict() == header  # type: ignore[no-untyped-call]


def test_of_a_corpus(corpus_run: Path, tmp_path: Path) -> None:
    header, body = card(corpus_run, tmp_path / "out")
    assert header["language_bcp47"] == ["zh-Hant-TW", "nan-Hant-TW", "hak-Hant-TW"]
    assert header["configs"][0]["data_files"] == [{"split": "train", "path": "data/*/train-*.parquet"}]
    assert [config["config_name"] for config in header["configs"]][:2] == ["default", "law"]
    own = split_card((corpus_run / "README.md").read_text("utf-8"), "README.md")[1]
    assert body.startswith(own.replace("path/of/this/folder", "org/demo"))
    headings = [line for line in body.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings))
    assert "| law | train | 33 | 1 |" in body
    assert "nobody has read them all" in body
    assert "twllm corpus forget" in body
    assert str(tmp_path) not in body


def test_of_a_model(model_folder: Path, tmp_path: Path) -> None:
    header, body = card(model_folder, tmp_path / "out")
    assert header["license"] == "apache-2.0"
    assert header["base_model"] == "someone/base"
    assert header["pipeline_tag"] == "text-generation"
    assert "configs" not in header
    assert "Licences by source" not in body
    assert ModelCard.load(tmp_path / "out" / "README.md").data.to_dict() == header  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("license", [None, "unknown", "Apache 2.0"])
def test_a_model_without_a_licence(license: str | None, model_folder: Path, tmp_path: Path) -> None:
    (model_folder / "README.md").write_text("" if license is None else f"---\nlicense: {license}\n---\n", "utf-8")
    with pytest.raises(UserError, match="licen[cs]e"):
        card(model_folder, tmp_path / "out")


def test_a_review_is_told_with_its_flag(rows_folder: Path, tmp_path: Path) -> None:
    manifest(rows_folder, **REVIEW)
    body = card(rows_folder, tmp_path / "out")[1]
    assert "| verdict | 0.712 (0.600 to 0.800) | 100 |" in body
    assert "| fluency | not measured | 0 |" in body
    assert "| annotator-1 | 19 | 20 |" in body
    assert "**People agreed too little on fluency.**" in body
    assert "Not reviewed" not in body


def test_a_review_that_the_run_tells_itself_is_not_told_twice(rows_folder: Path, tmp_path: Path) -> None:
    manifest(rows_folder, **REVIEW)
    with open(rows_folder / "README.md", "a", encoding="utf-8") as stream:
        stream.write("\n## How it was reviewed\n\nBy three, with `--accept-low-agreement`.\n")
    body = card(rows_folder, tmp_path / "out")[1]
    assert body.count("## How it was reviewed") == 1
    assert body.count("accept-low-agreement") == 1
    text = (rows_folder / "README.md").read_text("utf-8")
    (rows_folder / "README.md").write_text(text.replace("with `--accept-low-agreement`", "well"), "utf-8")
    assert "**People agreed too little on fluency.**" in card(rows_folder, tmp_path / "again")[1]


def test_verdicts_in_rows_without_a_manifest(rows_folder: Path, tmp_path: Path) -> None:
    write_rows(rows_folder / "accepted.jsonl", [conversation(1, review={"who": "a1", "verdict": "keep"}), conversation(2)])
    assert "1 of 22 rows carry a verdict" in card(rows_folder, tmp_path / "out")[1]


def test_hostile_names_stay_text(rows_folder: Path, tmp_path: Path) -> None:
    name = "x\n---\nlicense: mit\n# <script>|"
    manifest(rows_folder, name=name)
    (rows_folder / "README.md").unlink()
    write_rows(rows_folder / "accepted.jsonl", [conversation(1, source="a | b\n## c <b>")])
    header, body = card(rows_folder, tmp_path / "out")
    assert header["pretty_name"] == "x --- license: mit # <script>|"
    assert header["license"] == "apache-2.0"
    assert body.startswith("# x --- license: mit \\# \\<script\\>\\|")
    assert "| a \\| b \\#\\# c \\<b\\> |" in body


def test_a_header_that_the_hub_would_not_take(rows_folder: Path, tmp_path: Path) -> None:
    text = (rows_folder / "README.md").read_text("utf-8")
    (rows_folder / "README.md").write_text(text.replace("language: [zh]", "language: [zh-TW]"), "utf-8")
    with pytest.raises(UserError, match="belong into language_bcp47"):
        card(rows_folder, tmp_path / "out")


def test_what_a_header_may_not_bring(rows_folder: Path, tmp_path: Path) -> None:
    text = (rows_folder / "README.md").read_text("utf-8")
    (rows_folder / "README.md").write_text(
        text.replace("license: apache-2.0", "license: mit\nextra_gated_prompt: x\ntags: [mine]"), "utf-8"
    )
    header = card(rows_folder, tmp_path / "out")[0]
    assert header["license"] == "apache-2.0"  # of the rows
    assert "extra_gated_prompt" not in header
    assert header["tags"] == ["mine", "taiwan", "traditional-chinese"]


def test_personal_data_and_secrets_in_the_card(rows_folder: Path, tmp_path: Path) -> None:
    with open(rows_folder / "README.md", "a", encoding="utf-8") as stream:
        stream.write("聯絡 0912-345-678，金鑰 hf" + "_" + "aB3" * 12)
    with pytest.raises(bundle.Refused) as caught:
        card(rows_folder, tmp_path / "out")
    assert caught.value.lines == ["README.md: mobile", "README.md: Hugging Face token"]


def test_a_contact_may_be_an_address(rows_folder: Path, tmp_path: Path) -> None:
    assert "removal: data@example.org." in card(rows_folder, tmp_path / "out", contact="data@example.org")[1]


def test_the_header_is_yaml_of_plain_values(rows_folder: Path, tmp_path: Path) -> None:
    card(rows_folder, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "!!" not in text.split("---")[1]
    assert next(iter(yaml.safe_load(text.split("---\n")[1]))) == "pretty_name"
