"""The dataset card: valid metadata, escaped Markdown, and data that loads by the names it gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpus.card import license_of, plain, write_card
from factory.errors import UserError
from factory.records import License
from tests.corpus.test_report_data import document, documents, write_run


def card_of(folder: Path) -> tuple[dict[str, object], str]:
    """Header and body."""
    write_card(str(folder))
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_same_run_gives_the_same_bytes_without_places(tmp_path: Path) -> None:
    first = card_of(write_run(tmp_path / "a", documents()))
    assert first == card_of(write_run(tmp_path / "b" / "c", documents()))
    assert str(tmp_path) not in str(first) and "/secret/place" not in str(first)


def test_header(tmp_path: Path) -> None:
    head, _ = card_of(write_run(tmp_path, documents()))
    assert head["pretty_name"] == "miniature"
    assert head["language"] == ["zh", "nan"] and head["language_bcp47"] == ["zh-Hant-TW", "nan-Hant-TW"]
    assert (head["license"], head["license_name"]) == ("other", "mixed")
    assert head["task_categories"] == ["text-generation"] and head["size_categories"] == ["n<1K"]
    assert [config["config_name"] for config in head["configs"]] == ["default", "law", "web"]  # type: ignore[attr-defined]  # none for `empty`


def test_the_hub_accepts_the_header(tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    write_card(str(write_run(tmp_path, documents())))
    data = DatasetCard.load(str(tmp_path / "README.md")).data
    assert data.language == ["zh", "nan"] and data.license == "other"


@pytest.mark.parametrize(
    ("licenses", "expected"),
    [
        ({License.CC_BY_4}, {"license": "cc-by-4.0"}),
        ({License.UNKNOWN}, {"license": "unknown"}),
        ({License.CC_BY_4, License.CC0}, {"license": "other", "license_name": "mixed"}),
        ({License.PROPRIETARY}, {"license": "other", "license_name": "proprietary"}),
        (set(), {"license": "other", "license_name": "none"}),
    ],
)
def test_licence_of_the_whole(licenses: set[License], expected: dict[str, str]) -> None:
    assert license_of(licenses) == expected


def test_official_licences_carry_a_link() -> None:
    assert license_of({License.OGDL_TW_1})["license_link"].startswith("https://data.gov.tw/")
    assert license_of({License.PUBLIC_RECORD})["license_link"].startswith("https://law.moj.gov.tw/")


def test_sums_equal_the_funnel(tmp_path: Path) -> None:
    _, body = card_of(write_run(tmp_path, documents()))
    documents_in, kept, removed, quarantined = map(
        int, re.findall(r"(\d+) documents in = (\d+) kept \+ (\d+) removed \+ (\d+) quar", body)[0]
    )
    funnel = json.loads((tmp_path / "manifest.json").read_text())["funnel"].values()
    assert documents_in == kept + removed + quarantined == sum(entry["documents"] for entry in funnel)
    rows = [
        [cell.strip(" *") for cell in line.strip("|").split("|")] for line in body.splitlines() if re.match(r"\| (\*\*all|law|web)", line)
    ]
    wide = [row for row in rows if len(row) == 9]
    assert [row[0] for row in wide] == ["law", "web", "all"]
    assert all(int(row[1]) == sum(map(int, row[2:])) for row in wide)


def test_hostile_values_stay_in_their_cell(tmp_path: Path) -> None:
    rows = [document("a", rights_holder="| evil |\n\n# heading <script>alert(1)</script> [link](javascript:x) `code` ![i](u)")]
    _, body = card_of(write_run(tmp_path, rows))
    assert "<script>" not in body and "\n# heading" not in body and "](" not in body.replace(r"\](", "")
    (row,) = [line for line in body.splitlines() if line.startswith("| web | 1 |") and "evil" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 7


@given(st.text())
def test_plain_text_is_one_line_without_live_signs(value: str) -> None:
    text = str(plain(value))
    assert len(text.splitlines()) <= 1
    assert not re.search(r"(?<!\\)[`*_{}\[\]<>#|~]", text.replace("\\\\", ""))


def test_tables_hold_together(tmp_path: Path) -> None:
    _, body = card_of(write_run(tmp_path, documents()))
    width = 0
    for line in body.splitlines():
        columns = len(re.findall(r"(?<!\\)\|", line))
        if not line.startswith("|"):
            width = 0
        else:
            assert width in (0, columns), line
            width = columns


def test_loads_offline_by_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rows = [document("a"), document("b"), document("c", source="web-more"), document("d", source="default"), document("e", source="law")]
    folder = write_run(tmp_path / "run", rows)
    head, body = card_of(folder)
    found = {}
    for config in head["configs"]:  # type: ignore[attr-defined]
        name = config["config_name"]
        data = datasets.load_dataset(str(folder), name, split="train", cache_dir=str(tmp_path / "cache"))
        found[name] = sorted(data["id"])
    assert found == {
        "default": ["default:d", "law:e", "web-more:c", "web:a", "web:b"],
        "law": ["law:e"],
        "web": ["web:a", "web:b"],
        "web-more": ["web-more:c"],
        "source-default": ["default:d"],
    }
    assert len(datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))) == 5
    assert 'load_dataset("path/of/this/folder", "law", split="train")' in body


def test_a_rebuilt_folder_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    import datasets

    for place, names in (("one", ["a"]), ("other", ["a", "b"])):  # the cache knows both as `run`
        stages = {"annotate": "a", "decide": "b", "deduplicate": "c", "assemble": place}
        folder = write_run(tmp_path / place / "run", [document(name) for name in names], stages=stages)
        write_card(str(folder))
        assert datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))["id"][:] == [
            f"web:{name}" for name in names
        ]


def test_nothing_kept_makes_no_configuration(tmp_path: Path) -> None:
    head, body = card_of(write_run(tmp_path, [], agreement=None))
    assert "configs" not in head and "nothing to load" in body and "Agreement" not in body


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no manifest\.json"):
        write_card(str(tmp_path))


def test_the_sample_build_has_a_card(sample_run: Path, tmp_path: Path) -> None:
    import datasets

    head = yaml.safe_load((sample_run / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])
    assert head["license"] == "apache-2.0"
    funnel = json.loads((sample_run / "manifest.json").read_text())["funnel"]
    rows = datasets.load_dataset(str(sample_run), "law", split="train", cache_dir=str(tmp_path))
    assert rows.num_rows == funnel["law"]["kept"]
