"""A bad source is refused before anything is read, with one line that names the key and the remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from corpus.sources.spec import CLASSES, Source, SourceSpec, input_files, open_source
from factory.errors import UserError


def test_every_type_has_a_class_with_read() -> None:
    for name in CLASSES:
        source: Source = open_source("src", SourceSpec.model_validate({"type": name, "paths": ["x"]}))
        assert callable(source.read)


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 0},
        {"weight": -1},
        {"max_tokens": 0},
        {"paths": []},
        {"type": "gopher"},
        {"licence": "mit"},
        {"license": "free"},
        {"paths": [""]},
    ],
)
def test_bad_values_and_unknown_keys_are_errors(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SourceSpec.model_validate({"type": "rows", "paths": ["x"], **change})


def test_spec_is_frozen() -> None:
    spec = SourceSpec(type="rows", paths=["x"])
    with pytest.raises(ValidationError):
        spec.priority = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"type": "rows", "fields": {"txt": "a"}}, "fields.txt"),
        ({"type": "rows", "options": {"pushes": True}}, "options.pushes"),
        ({"type": "ptt", "options": {"pushes": "no"}}, "options.pushes"),
        ({"type": "forum", "options": {"comments": 1}}, "options.comments"),
        ({"type": "ptt", "pseudonym_key_env": "TWLLM_NO_SUCH_VARIABLE"}, "TWLLM_NO_SUCH_VARIABLE"),
    ],
)
def test_open_source_names_what_the_type_does_not_know(spec: dict[str, object], named: str) -> None:
    with pytest.raises(UserError) as caught:
        open_source("web", SourceSpec.model_validate({"paths": ["x"], **spec}))
    assert named in str(caught.value) and str(caught.value).startswith("sources.web.")
    assert "\n" not in str(caught.value)


def test_every_field_of_the_spec_is_described() -> None:
    assert all(field.description for field in SourceSpec.model_fields.values())


def test_input_files_lists_each_file_once_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    found = input_files("src", SourceSpec(type="rows", paths=[str(tmp_path), str(tmp_path / "*.jsonl")]))
    assert [Path(path).name for path in found] == ["a.jsonl", "b.jsonl"]
    with pytest.raises(UserError, match="nothing.jsonl"):
        input_files("src", SourceSpec(type="rows", paths=[str(tmp_path / "nothing.jsonl")]))


def test_a_data_set_folder_stays_one_path(tmp_path: Path) -> None:
    assert input_files("src", SourceSpec(type="datasets", paths=[str(tmp_path), "hf://datasets/o/n"])) == [
        str(tmp_path),
        "hf://datasets/o/n",
    ]


def test_importing_the_spec_imports_no_reader() -> None:
    code = "import sys, corpus.sources.spec; print([m for m in ('ijson', 'pyarrow', 'datasets', 'corpus.sources.law') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
