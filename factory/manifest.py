"""Stage keys and the run manifest: what made an output, so that it is reused exactly when the same things would make it.

A key is a SHA-256 over the code and data files that a stage depends on, its part of the recipe, its inputs' content and the
versions of the libraries that shape its output. A stage's record is written last, after its files have their names;
a run that dies between the two does the stage again and ends with the same bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import fsspec

from factory import storage
from factory.errors import UserError

KEY_LENGTH = 16  # hex digits of a key in file names


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def code_digest(packages: tuple[str, ...], distributions: tuple[str, ...]) -> str:
    """Digest of the source and data files of some packages or modules, and of the versions of libraries.

    `packages` holds dotted names: a package stands for everything below it, a module for its one file.
    """
    contents = {name: hashlib.sha256(blob).hexdigest() for package in packages for name, blob in _files_of(package)}
    return digest([contents, {name: version(name) for name in distributions}])


def _files_of(dotted: str) -> Iterator[tuple[str, bytes]]:
    parent, _, last = dotted.rpartition(".")
    if parent:
        module = files(parent) / f"{last}.py"
        if module.is_file():
            yield dotted, module.read_bytes()
            return
    yield from _walk(files(dotted), dotted)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, f"{prefix}/{entry.name}")
        elif not entry.name.endswith((".pyc", ".nbi", ".nbc")):
            yield f"{prefix}/{entry.name}", entry.read_bytes()


def read_record(path: str, key: str) -> dict[str, Any] | None:
    """The record at `path` if it carries `key` and every file it names is still there with its size; else None."""
    try:
        with fsspec.open(path, "rt", encoding="utf-8") as stream:
            record = json.load(stream)
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    if not isinstance(record, dict) or record.get("key") != key:
        return None
    folder = path.rsplit("/", 1)[0]
    for name, entry in record.get("files", {}).items():
        if storage.file_size(f"{folder}/{name}") != entry["bytes"]:
            return None
    return record


def write_record(path: str, key: str, names: Iterable[str], **facts: Any) -> dict[str, Any]:
    """Writes a stage's record: its key, its files (relative to the record) with size and SHA-256, and facts."""
    folder = path.rsplit("/", 1)[0]
    entries = {
        name: {"bytes": storage.file_size(f"{folder}/{name}"), "sha256": storage.sha256_file(f"{folder}/{name}")} for name in sorted(names)
    }
    record = {"key": key, "files": entries, **facts}
    storage.atomic_write_text(path, json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return record


@contextmanager
def exclusive(folder: str) -> Iterator[None]:
    """Holds the folder for one run. Raises UserError where another run holds it or it cannot be written."""
    path = os.path.join(folder, ".lock")
    try:
        os.makedirs(folder, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UserError(f"{folder}: cannot write there: {error.strerror}. Choose another 'output' or --output.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another run is writing there. Wait for it, or choose another output.") from None
        yield
    finally:
        os.close(handle)
