"""A bad recipe is refused before the first byte, with one line that names the file, the key, the value and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from factory.errors import UserError
from factory.recipe import Strict, expand_path, load_model, parse_model, read_yaml


class Leaf(Strict):
    size: int = 1
    long_name: int = 0


class Branch(Strict):
    leaf: Leaf = Leaf()
    maybe: Leaf | None = None


class Tree(Strict):
    name: str
    branch: Branch | None = None
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    two_deep: dict[str, dict[str, Leaf]] = Field(default_factory=dict)
    perhaps: dict[str, Leaf] | None = None
    several: list[Leaf] = Field(default_factory=list)
    fixed: tuple[Leaf, ...] = ()
    either: Leaf | str = ""


def refusal(tmp_path: Path, content: str | bytes) -> str:
    """What follows the path in the message for a recipe with this content."""
    path = tmp_path / "run.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        load_model(str(path), Tree)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


def test_a_valid_recipe_becomes_its_model(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("name: 台灣\nbranch: {leaf: {size: 3}}\nby_name:\n  law: {long_name: 2}\n", encoding="utf-8")
    tree = load_model(str(path), Tree)
    assert tree == Tree(name="台灣", branch=Branch(leaf=Leaf(size=3)), by_name={"law": Leaf(long_name=2)})


def test_loaded_values_do_not_change(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("name: a", encoding="utf-8")
    with pytest.raises(ValidationError, match="frozen"):
        load_model(str(path), Tree).name = "b"  # type: ignore[misc]


def test_an_unknown_key_with_a_near_match_names_it(tmp_path: Path) -> None:
    message = refusal(tmp_path, "name: a\nbrunch: 3")
    assert message == " unknown key 'brunch' (value 3). Did you mean 'branch'?"


def test_an_unknown_key_without_a_near_match_lists_the_known_keys_in_order(tmp_path: Path) -> None:
    message = refusal(tmp_path, "name: a\nxyzzy: yes")
    assert message == " unknown key 'xyzzy' (value True). Known keys: branch, by_name, either, fixed, name, perhaps, several, two_deep."


def test_a_misspelt_required_key_is_called_misspelt_and_not_missing(tmp_path: Path) -> None:
    message = refusal(tmp_path, "nmae: a")
    assert message.startswith(" unknown key 'nmae' (value 'a'). Did you mean 'name'?")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("branch: {leaf: {long_nam: 7}}", "branch.leaf.long_nam"),
        ("branch: {maybe: {long_nam: 7}}", "branch.maybe.long_nam"),
        ("by_name: {law: {long_nam: 7}}", "by_name.law.long_nam"),
        ("two_deep: {a: {b: {long_nam: 7}}}", "two_deep.a.b.long_nam"),
        ("perhaps: {law: {long_nam: 7}}", "perhaps.law.long_nam"),
        ("several: [{}, {long_nam: 7}]", "several.1.long_nam"),
        ("fixed: [{long_nam: 7}]", "fixed.0.long_nam"),
        ("either: {long_nam: 7}", "either.Leaf.long_nam"),
    ],
)
def test_an_unknown_key_is_compared_with_the_keys_of_its_own_level(tmp_path: Path, content: str, key: str) -> None:
    assert f"unknown key {key!r} (value 7). Did you mean 'long_name'?" in refusal(tmp_path, f"name: a\n{content}")


def test_the_keys_of_a_level_between_are_those_of_that_level(tmp_path: Path) -> None:
    assert refusal(tmp_path, "name: a\nbranch: {zzz: 1}") == " unknown key 'branch.zzz' (value 1). Known keys: leaf, maybe."


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("name: 3", ["key 'name' has value 3", "valid string"]),
        ("name: a\nbranch: {leaf: {size: many}}", ["key 'branch.leaf.size' has value 'many'", "valid integer"]),
        ("name: a\nseveral: {}", ["key 'several' has value {}", "valid list"]),
        ("name: a\nby_name: {law: [1]}", ["key 'by_name.law' has value [1]"]),
        ("name: |\n  one\n  two\nbranch: 1", ["key 'branch' has value 1"]),
        ("name: a\n1: 2", ["key '1'", "Keys should be strings"]),
    ],
)
def test_a_wrong_type_names_key_and_value(tmp_path: Path, content: str, parts: list[str]) -> None:
    message = refusal(tmp_path, content)
    assert [part for part in parts if part not in message] == []


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "either: b") == " key 'name' is missing. Add it."


def test_further_faults_are_counted(tmp_path: Path) -> None:
    message = refusal(tmp_path, "name: a\nbranch: 1\nseveral: 2\nfixed: 3")
    assert "key 'branch' has value 1" in message
    assert "2 more fault(s)" in message


def test_a_value_of_several_lines_gives_a_message_of_one_line(tmp_path: Path) -> None:
    assert "\\n" in refusal(tmp_path, "name: a\nsize: |\n  one\n  two\n")


@pytest.mark.parametrize(
    ("content", "held"),
    [("", "nothing"), ("# only a comment\n", "nothing"), ("- a\n- b", "list"), ("just words", "str"), ("42", "int")],
)
def test_content_that_is_no_mapping_is_refused(tmp_path: Path, content: str, held: str) -> None:
    assert refusal(tmp_path, content).startswith(f" holds {held}, not keys and values.")


@pytest.mark.parametrize(
    ("content", "line", "key"),
    [
        ("name: a\nname: b", 2, "name"),
        ("name: a\nby_name:\n  law: {size: 1}\n  gazette: {}\n  law: {size: 2}\n", 5, "law"),
        ("name: a\nbranch: {leaf: {}, leaf: {}}", 2, "leaf"),
        ("name: a\nseveral:\n- size: 1\n  size: 1\n", 4, "size"),
    ],
)
def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path, content: str, line: int, key: str) -> None:
    assert refusal(tmp_path, content) == f"{line}: key {key!r} stands twice. Remove one of them."


def test_a_merge_key_inserts_the_keys_of_an_anchor(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("name: a\nby_name:\n  law: &law {size: 4, long_name: 5}\n  old: {<<: *law, size: 6}\n", encoding="utf-8")
    assert load_model(str(path), Tree).by_name == {"law": Leaf(size=4, long_name=5), "old": Leaf(size=6, long_name=5)}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("name: [1\nbranch: 2", 2),
        ("name: a\n\n\tbranch: 1", 3),
        ("name: a: b", 1),
        ("name: *nowhere", 1),
        ("name: a\n---\nname: b", 2),
        ("name: !!python/object/apply:os.getcwd []", 1),
    ],
)
def test_bad_yaml_is_refused_with_its_line(tmp_path: Path, content: str, line: int) -> None:
    assert refusal(tmp_path, content).startswith(f"{line}: is not valid YAML: ")


def test_a_list_as_key_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "name: a\n? [b, c]\n: 1").startswith("2: key ['b', 'c'] is a list or a mapping.")


@pytest.mark.parametrize("value", ["2026-02-30", "2026-13-01", "!!int twelve"])
def test_a_value_that_yaml_cannot_make_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    message = refusal(tmp_path, f"# heading\nname: {value}")
    assert message.startswith(f"2: value {value.split(' ')[-1]!r}: ")


def test_a_control_character_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "name: 台灣\neither: b\x07") == "2: holds the control character U+0007. Remove it."


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("name: 台灣".encode("big5"), 1),
        ("name: 台灣\n".encode() + b"either: \xff\n", 2),
        ("name: a".encode("utf-16"), 1),
    ],
)
def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    message = refusal(tmp_path, content)
    assert message.startswith(f"{line}: is not UTF-8 (")
    assert message.endswith("Save the file as UTF-8.")


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfname: a", b"name: a\r\neither: b\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    assert load_model(str(path), Tree).name == "a"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{folder}/absent.yaml", "no such file"),
        ("{folder}", "is a folder"),
        ("{folder}/file/run.yaml", "cannot be read"),
        ("memory://absent/run.yaml", "no such file"),
        ("nosuchprotocol://bucket/run.yaml", "cannot be reached"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "file").touch()
    path = path.format(folder=tmp_path)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_a_remote_recipe_is_read_and_its_faults_name_its_path() -> None:
    with fsspec.open("memory://recipes/run.yaml", "wb") as stream:
        stream.write(b"name: a\nname: b\n")
    with pytest.raises(UserError, match="^memory://recipes/run.yaml:2: key 'name' stands twice"):
        read_yaml("memory://recipes/run.yaml")


def test_already_parsed_content_is_refused_with_the_callers_words() -> None:
    with pytest.raises(UserError, match=r"^policy law\.yaml, rule 3: unknown key 'siez' \(value 1\)\. Did you mean 'size'\?$"):
        parse_model({"siez": 1}, Leaf, "policy law.yaml, rule 3")


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc台", min_size=1), inner, max_size=3))


@given(values)
def test_yaml_without_faults_is_read_as_yaml_reads_it(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    with fsspec.open("memory://written.yaml", "wb") as stream:
        stream.write(text.encode())
    assert read_yaml("memory://written.yaml") == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("path", "expanded"),
    [
        ("data/law.jsonl", "/recipes/data/law.jsonl"),
        ("../corpus", "/recipes/../corpus"),
        ("/abs/law.jsonl", "/abs/law.jsonl"),
        ("s3://bucket/law.jsonl", "s3://bucket/law.jsonl"),
        ("~/law.jsonl", "/home/reader/law.jsonl"),
        ("${TEXTS}/law.jsonl", "/mnt/texts/law.jsonl"),
        ("${REMOTE}/${YEAR}.jsonl", "hf://datasets/x/2026.jsonl"),
        ("${YEAR}/law.jsonl", "/recipes/2026/law.jsonl"),
        ("a$YEAR.jsonl", "/recipes/a$YEAR.jsonl"),
    ],
)
def test_paths_are_taken_from_the_recipes_folder(monkeypatch: pytest.MonkeyPatch, path: str, expanded: str) -> None:
    for name, value in {"TEXTS": "/mnt/texts", "REMOTE": "hf://datasets/x", "YEAR": "2026", "HOME": "/home/reader"}.items():
        monkeypatch.setenv(name, value)
    assert expand_path(path, "/recipes", "w") == expanded


def test_paths_of_a_remote_recipe_stay_remote() -> None:
    assert expand_path("data/law.jsonl", "s3://bucket/recipes", "w") == "s3://bucket/recipes/data/law.jsonl"


@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_or_empty_variable_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("TWLLM_NO_SUCH", raising=False)
    if value is not None:
        monkeypatch.setenv("TWLLM_NO_SUCH", value)
    with pytest.raises(UserError) as caught:
        expand_path("${TWLLM_NO_SUCH}/law.jsonl", "/recipes", "run.yaml: sources.law.paths")
    message = str(caught.value)
    assert message.startswith("run.yaml: sources.law.paths: path '${TWLLM_NO_SUCH}/law.jsonl'")
    assert "the environment variable TWLLM_NO_SUCH" in message
