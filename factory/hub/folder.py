"""What a folder holds that can be published: a corpus run, a set of instruction rows, or a model."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from factory import storage
from factory.errors import UserError
from factory.hub.metadata import CONFIG_NAME, SPLIT_NAME, split_card

MAX_CARD_BYTES = 1 << 20
MAX_LINE_BYTES = 64 << 20  # of a row
MAX_FACTS_BYTES = 64 << 20  # a manifest lists its parts
_SHARD = re.compile(r"(?P<source>[A-Za-z0-9_-]+)-\d{5,}\.parquet")
_NOT_PUBLISHED = ("rejected", "quarantine", "dropped")  # rows that a run turned down
_WEIGHTS = ".safetensors"


class Kind(StrEnum):
    """What is published, and so where on the Hub."""

    CORPUS = "corpus"
    ROWS = "rows"
    MODEL = "model"

    @property
    def repo_type(self) -> str:
        return "model" if self is Kind.MODEL else "dataset"


class Part(NamedTuple):
    """One split of one configuration, and the files that its rows come from, in order."""

    config: str
    split: str
    paths: tuple[str, ...]


class Folder(NamedTuple):
    """A folder as its own files describe it. `facts` is its manifest or summary, `header` and `body` are its card's."""

    path: str
    kind: Kind
    name: str
    parts: tuple[Part, ...]
    facts: dict[str, Any]
    header: dict[str, Any]
    body: str
    left_out: tuple[str, ...]  # files that stay behind


def read(path: str, asked: str | None = None) -> Folder:
    """Looks at a folder; `asked` is "dataset", "model" or None for what the files say.

    Raises UserError where it is no local folder, holds nothing to publish, or holds a link or a pipe.
    """
    if "://" in path:
        raise UserError(f"{storage.shown(path)}: is not a local folder. Copy the run to this machine and name that folder.")
    if not os.path.isdir(path):
        raise UserError(f"{path}: is no folder. Name the folder of a run, of an export or of a model.")
    names = _plain_files(path)
    card = _read_small(f"{path}/README.md", MAX_CARD_BYTES) if "README.md" in names else ""
    header, body = split_card(card, f"{path}/README.md")
    facts = _facts(path, names)
    weights = any(name.endswith(_WEIGHTS) for name in names)
    pickled = any(name.endswith((".bin", ".pt", ".pth")) for name in names) and "config.json" in names
    if asked == "model" or (asked is None and (weights or pickled)):
        parts: tuple[Part, ...] = ()
        kind = Kind.MODEL
    elif _is_corpus(facts, path):
        kind = Kind.CORPUS
        parts = _corpus_parts(path, facts)
    else:
        kind = Kind.ROWS
        parts = _row_parts(path, names, header, facts)
    taken = {"README.md", *(file for part in parts for file in part.paths)}
    stay = [name for name in names if kind is not Kind.MODEL and name not in taken]
    name = str(facts.get("name") or header.get("pretty_name") or os.path.basename(os.path.realpath(path)))
    return Folder(path, kind, " ".join(name.split()), parts, facts, header, body, tuple(stay))


def _plain_files(path: str) -> list[str]:
    """Names of the files in a folder, sorted. A link could lead out of it, a pipe would wait for ever: both are refused."""
    names = []
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}. Correct its permissions.") from error
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise UserError(f"{path}: {entry.name!r} is a link, which may lead out of the folder. Copy what it leads to (cp -rL).")
        if stat.S_ISREG(mode):
            names.append(entry.name)
        elif not stat.S_ISDIR(mode):
            raise UserError(f"{path}: {entry.name!r} is neither a file nor a folder. Remove it.")
    return names


def _read_small(path: str, limit: int) -> str:
    try:
        with open(path, "rb") as stream:
            blob = stream.read(limit + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}. Correct its permissions.") from error
    if len(blob) > limit:
        raise UserError(f"{path}: is larger than {limit:,} bytes. A card or manifest is not; remove it or name another folder.")
    try:
        return blob.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 at byte {error.start}. Save it as UTF-8.") from None


def _facts(path: str, names: list[str]) -> dict[str, Any]:
    """What the run says of itself: manifest.json, else summary.json, else nothing."""
    for name in ("manifest.json", "summary.json"):
        if name in names:
            try:
                facts = json.loads(_read_small(f"{path}/{name}", MAX_FACTS_BYTES))
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}/{name}: is not JSON: {error}. Make the run again, or remove the file.") from None
            if not isinstance(facts, dict):
                raise UserError(f"{path}/{name}: is no JSON object. Make the run again, or remove the file.")
            return facts
    return {}


def _is_corpus(facts: dict[str, Any], path: str) -> bool:
    stages = facts.get("stages")
    return isinstance(stages, dict) and "assemble" in stages and os.path.isdir(f"{path}/data")


def _corpus_parts(path: str, facts: dict[str, Any]) -> tuple[Part, ...]:
    """A configuration for each source, over the shards that the build recorded. Others are refused: the card's figures would be wrong."""
    if os.path.islink(f"{path}/data"):
        raise UserError(f"{path}/data: is a link, which may lead out of the folder. Copy what it leads to (cp -rL).")
    record = json.loads(_read_small(f"{path}/corpus.json", MAX_FACTS_BYTES)) if os.path.isfile(f"{path}/corpus.json") else {}
    entries = record.get("files", {}) if isinstance(record, dict) else {}
    shards: dict[str, list[str]] = {}
    for name in _plain_files(f"{path}/data"):
        match = _SHARD.fullmatch(name)
        entry = entries.get(f"data/{name}")
        if match is None or entry is None:
            raise UserError(f"{path}/data/{name}: is not a shard that the build wrote. Remove it, or build the corpus again.")
        if storage.sha256_file(f"{path}/data/{name}") != entry.get("sha256"):
            raise UserError(f"{path}/data/{name}: was changed after the build. Build the corpus again.")
        shards.setdefault(match["source"], []).append(f"data/{name}")
    missing = [name for name in entries if name.startswith("data/") and not os.path.isfile(f"{path}/{name}")]
    if missing:
        raise UserError(f"{path}/{missing[0]}: the build wrote it, and it is gone. Build the corpus again.")
    order = [source for source in facts.get("funnel", {}) if source in shards]
    return tuple(Part("source-default" if source == "default" else source, "train", tuple(shards[source])) for source in order)


def _row_parts(path: str, names: list[str], header: dict[str, Any], facts: dict[str, Any]) -> tuple[Part, ...]:
    """The splits that the card's header names, else a configuration for each JSONL file that is not what a run turned down."""
    named = list(_named_parts(header, path, names))
    parts = [part for part in named if not any(_stays(path, name) for name in part.paths)]
    if not named:
        kept = [name for name in names if name.endswith(".jsonl") and not _stays(path, name)]
        for name in kept:
            config = name.removesuffix(".jsonl")
            _check_name(config, name, path)
            parts.append(Part("default" if len(kept) == 1 else config, "train", (name,)))
    for number, part in enumerate(parts):
        _check_unchanged(part, path, facts)
        if part[:2] in [other[:2] for other in parts[:number]]:
            raise UserError(f"{path}/README.md: configs: {part.config!r} has the split {part.split!r} twice. List its files in one path.")
    if not parts:
        raise UserError(
            f"{path}: holds nothing to publish: no corpus run, no *.jsonl with conversations or preferences, no *.safetensors. Name a run."
        )
    return tuple(parts)


def _stays(path: str, name: str) -> bool:
    """Whether a file's rows were turned down, or are no turns of a conversation: labels for a classifier, say."""
    if name.startswith(_NOT_PUBLISHED):
        return True
    with open(f"{path}/{name}", "rb") as stream:
        lines = iter(lambda: stream.readline(MAX_LINE_BYTES), b"")
        first = next((line for line in lines if not line.isspace()), b"null")
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return False  # whoever reads the rows says what is wrong
    return isinstance(row, dict) and not row.keys() & {"messages", "prompt", "chosen"}


def _check_unchanged(part: Part, path: str, facts: dict[str, Any]) -> None:
    """The card's figures are of the files as they were exported."""
    listed = facts.get("files")
    for name in part.paths:
        stated = listed.get(name) if isinstance(listed, dict) else None
        if isinstance(stated, dict) and "sha256" in stated and storage.sha256_file(f"{path}/{name}") != stated["sha256"]:
            raise UserError(f"{path}/{name}: was changed after the export. Export again.")


def _named_parts(header: dict[str, Any], path: str, names: list[str]) -> Iterator[Part]:
    configs = header.get("configs") or []
    if not isinstance(configs, list):
        raise UserError(f"{path}/README.md: configs: is no list. Correct the header.")
    for config in configs:
        files = config.get("data_files") if isinstance(config, dict) else None
        name = str(config.get("config_name", "default")) if isinstance(config, dict) else ""
        _check_name(name, name, path)
        splits = files if isinstance(files, list) and all(isinstance(item, dict) for item in files) else [{"split": "train", "path": files}]
        for entry in splits:
            split, listed = str(entry.get("split", "train")), entry.get("path")
            chosen = [str(file) for file in (listed if isinstance(listed, list) else [listed])]
            if not SPLIT_NAME.fullmatch(split):
                raise UserError(f"{path}/README.md: configs: {split!r} is no name of a split. Use letters, digits and underscores.")
            for file in chosen:
                if file not in names or not file.endswith(".jsonl"):
                    raise UserError(f"{path}/README.md: configs: {file!r} is no JSONL file of that folder. Correct data_files.")
            yield Part(name, split, tuple(chosen))


def _check_name(config: str, name: str, path: str) -> None:
    if not CONFIG_NAME.fullmatch(config) or len(config) > 80:
        raise UserError(f"{path}: {name!r} cannot be the name of a configuration. Use letters, digits, '-', '_' and single dots.")
