"""Headers held against what the Hub takes."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from factory.errors import UserError
from factory.hub.metadata import faults, size_category, split_card, vocabulary

GOOD: dict[str, Any] = {
    "pretty_name": "示範",
    "license": "apache-2.0",
    "language": ["zh", "nan", "hak"],
    "language_bcp47": ["zh-Hant-TW", "nan-Hant-TW", "hak-Hant-TW"],
    "task_categories": ["text-generation"],
    "size_categories": ["1K<n<10K"],
    "tags": ["taiwan"],
    "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}],
}
NAMES = ["data/train-00000-of-00001.parquet"]


def test_a_good_header() -> None:
    assert faults(GOOD, NAMES) == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("license", None, "license: None"),
        ("license", "Apache 2.0", "'Apache 2.0'"),
        ("license", "other", "license_name: None"),
        ("license", ["mit", "nothing"], "'nothing'"),
        ("language", ["zh-Hant-TW"], "belong into language_bcp47"),
        ("language", ["zh-tw"], "belong into language_bcp47"),
        ("language", ["Chinese"], "no ISO 639 code"),
        ("language", [True], "no ISO 639 code"),
        ("language_bcp47", ["zh_TW"], "no BCP 47 tag"),
        ("language_bcp47", ["zh-hant-tw"], "no BCP 47 tag"),
        ("language_bcp47", ["ja-JP"], "no 'ja' among"),
        ("size_categories", ["many"], "size_categories: 'many'"),
        ("task_categories", ["chatting"], "task_categories: 'chatting'"),
        ("pipeline_tag", "chatting", "pipeline_tag: 'chatting'"),
        ("tags", ["a", 3], "tags:"),
        ("pretty_name", 3, "pretty_name: 3"),
        ("pretty_name", ["a", "b"], "pretty_name:"),
    ],
)
def test_what_the_hub_would_not_take(key: str, value: Any, said: str) -> None:
    assert any(said in fault for fault in faults({**GOOD, key: value}, NAMES))


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a..b", "with space"])
def test_names_of_configurations(name: str) -> None:
    config = {"config_name": name, "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}
    assert faults({**GOOD, "configs": [config]}, NAMES) == [f"configs: {name!r} is no name of a configuration, or is there twice"]


def test_a_configuration_twice_and_one_without_files() -> None:
    good = GOOD["configs"][0]
    assert "twice" in faults({**GOOD, "configs": [good, good]}, NAMES)[0]
    assert "matches no file" in faults(GOOD, ["README.md"])[0]


@pytest.mark.parametrize(
    ("rows", "name"), [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (10**6 - 1, "100K<n<1M"), (10**12, "n>1T"), (10**15, "n>1T")]
)
def test_size_categories(rows: int, name: str) -> None:
    assert size_category(rows) == name


def test_names_agree_with_what_datasets_carries() -> None:
    resources = files("datasets.utils") / "resources"
    sizes = json.loads((resources / "size_categories.json").read_text(encoding="utf-8"))
    assert [size for size in sizes if size != "unknown"] == vocabulary()["sizes"]
    languages = json.loads((resources / "languages.json").read_text(encoding="utf-8"))
    assert {"zh", "nan", "hak"} <= set(languages)


def test_a_card_in_parts() -> None:
    assert split_card("---\nlicense: mit\n---\n\n# x\n\n---\nrule\n", "p") == ({"license": "mit"}, "# x\n\n---\nrule")
    assert split_card("---\r\nlicense: mit\r\n---\r\n# x\r\n", "p") == ({"license": "mit"}, "# x")
    assert split_card("---\n---\nbody", "p") == ({}, "body")
    assert split_card("# no header", "p") == ({}, "# no header")
    assert split_card("", "p") == ({}, "")
    assert split_card("---\na: 'x\n\n  ---\n  y'\n---\nbody", "p") == ({"a": "x\n--- y"}, "body")


@pytest.mark.parametrize("header", ["a: [", "- a", "!!python/object:os.system x"])
def test_a_header_that_is_no_mapping(header: str) -> None:
    with pytest.raises(UserError, match="header between"):
        split_card(f"---\n{header}\n---\n", "p")
