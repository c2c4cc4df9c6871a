"""A card's YAML header held against what the Hub accepts, without asking the Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from factory.errors import UserError

CONFIG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
SPLIT_NAME = re.compile(r"\w+(?:\.\w+)*", re.ASCII)  # as `datasets` has it
_BLOCK = re.compile(r"\A\s*---\r?\n(?P<yaml>(?:.*?\r?\n)??)---[ \t]*(?:\r?\n|\Z)(?P<body>.*)\Z", re.DOTALL)
_LANGUAGE = re.compile(r"[a-z]{2,3}")  # ISO 639-1 and 639-3; regions and scripts belong into language_bcp47
# RFC 5646: language, script, region, variants, extensions, private use
_TAG = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


@cache
def vocabulary() -> dict[str, list[str]]:
    """What the Hub knows by name: licenses, sizes, languages, tasks."""
    found: dict[str, list[str]] = yaml.safe_load((files("factory.hub") / "vocabulary.yaml").read_text(encoding="utf-8"))
    return found


def split_card(text: str, path: str) -> tuple[dict[str, Any], str]:
    """A card's header and body. Raises UserError where the header is no YAML mapping."""
    match = _BLOCK.match(text)
    if match is None:
        return {}, text.strip()
    try:
        header = yaml.safe_load(match["yaml"]) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{path}: the header between the '---' lines is not YAML: {error}. Correct it, or remove the file.") from None
    if not isinstance(header, dict):
        raise UserError(f"{path}: the header between the '---' lines is no mapping of names to values. Correct it, or remove the file.")
    return header, match["body"].strip()


def size_category(rows: int) -> str:
    """The Hub's name for a number of rows."""
    return next((name for power, name in enumerate(vocabulary()["sizes"], 3) if rows < 10**power), "n>1T")


def faults(header: dict[str, Any], names: Sequence[str]) -> list[str]:
    """What the Hub would not take in a header, one line each. `names` are the files that go with the card."""
    return [*_license_faults(header), *_language_faults(header), *_value_faults(header), *_config_faults(header, names)]


def _license_faults(header: dict[str, Any]) -> Iterator[str]:
    license = header.get("license")
    listed = license if isinstance(license, list) else [license]
    for name in listed:
        if name not in vocabulary()["licenses"]:
            yield f"license: {name!r} is not in the Hub's list; where none fits, write 'other' with a license_name"
    if "other" in listed:
        name = header.get("license_name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"license_name: {name!r} is no name of small letters, digits, dots and hyphens, which license 'other' needs"


def _language_faults(header: dict[str, Any]) -> Iterator[str]:
    languages, tags = _listed(header.get("language")), _listed(header.get("language_bcp47"))
    for name in languages:
        if not isinstance(name, str) or not (_LANGUAGE.fullmatch(name) or name in vocabulary()["languages"]):
            yield f"language: {name!r} is no ISO 639 code of two or three small letters; tags such as zh-Hant-TW belong into language_bcp47"
    for tag in tags:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            yield f"language_bcp47: {tag!r} is no BCP 47 tag such as zh-Hant-TW"
        elif tag.split("-")[0] not in languages:
            yield f"language_bcp47: {tag!r} has no {tag.split('-')[0]!r} among the values of language"


def _value_faults(header: dict[str, Any]) -> Iterator[str]:
    for key, allowed in (("size_categories", "sizes"), ("task_categories", "tasks"), ("pipeline_tag", "tasks")):
        for value in _listed(header.get(key)):
            if value not in vocabulary()[allowed]:
                yield f"{key}: {value!r} is not in the Hub's list"
    for key in ("pretty_name", "library_name", "tags", "base_model", "datasets"):
        values = _listed(header.get(key))
        if not all(isinstance(value, str) for value in values) or (key == "pretty_name" and len(values) > 1):
            yield f"{key}: {header[key]!r} is no text"


def _config_faults(header: dict[str, Any], names: Sequence[str]) -> Iterator[str]:
    seen = set()
    for config in header.get("configs") or []:
        name = config["config_name"]
        if not CONFIG_NAME.fullmatch(name) or name in seen:
            yield f"configs: {name!r} is no name of a configuration, or is there twice"
        seen.add(name)
        for entry in config["data_files"]:
            if not any(fnmatchcase(path, entry["path"]) for path in names):
                yield f"configs: {name}: {entry['path']!r} matches no file"


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
