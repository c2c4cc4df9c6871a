"""The very files that a push uploads, in a folder of their own; nothing is in it unless all of it may leave."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from factory import storage
from factory.errors import UserError
from factory.hub import card, model, rows
from factory.hub.folder import Folder, Kind
from factory.hub.screen import Screen, kept_by_policy
from factory.hub.shards import SHARD_BYTES

_LISTING = ".sha256"
_REMEDIES = {
    Kind.CORPUS: "Build with '--use redistribute' and a policy that redacts these; what it keeps on purpose passes with --accept-kept.",
    Kind.ROWS: "State the licence of these rows or leave them out, replace what is named, and export again.",
    Kind.MODEL: "Take what is named out of these files.",
}


class Refused(Exception):
    """What stands against publishing, a line each, and the remedy."""

    def __init__(self, lines: list[str], remedy: str) -> None:
        super().__init__(f"{len(lines)} reasons")
        self.lines = lines
        self.remedy = remedy


class File(NamedTuple):
    """One file of a bundle."""

    path: str
    bytes: int
    sha256: str


class Bundle(NamedTuple):
    """A folder of files with their digests, sorted by path."""

    folder: str
    files: tuple[File, ...]
    rows: int | None  # None for a model
    left_out: tuple[str, ...]


class Wish(NamedTuple):
    """How the bundle is to be made."""

    repo: str
    contact: str | None = None
    accept_kept: bool = False
    token: str | None = None  # looked for in all files
    shard_bytes: int = SHARD_BYTES


def make(folder: Folder, into: str, wish: Wish, note: rows.Note) -> Bundle:
    """Writes a bundle into an empty folder. Raises Refused where something may not leave, UserError for what is malformed."""
    if wish.accept_kept and folder.kind is not Kind.CORPUS:
        raise UserError(f"{folder.path}: is no corpus, so no policy keeps personal data in it. Leave --accept-kept out.")
    screen = Screen(wish.token, kept_by_policy(folder.facts) if wish.accept_kept else {})
    tally = rows.Tally()
    left_out = list(folder.left_out)
    written: list[rows.Written] = []
    if folder.kind is Kind.MODEL:
        _, left_out = model.write(folder, into, screen)
    else:
        written = rows.write(folder, into, screen, tally, note, wish.shard_bytes)
    if screen.report():
        raise Refused(screen.report(), _REMEDIES[folder.kind])
    card.write(folder, into, wish.repo, written, tally, screen, wish.contact)
    if screen.report():
        raise Refused(screen.report(), _REMEDIES[folder.kind])
    names = sorted(os.path.relpath(os.path.join(parent, name), into) for parent, _, found in os.walk(into) for name in found)
    files = tuple(File(name, os.path.getsize(f"{into}/{name}"), storage.sha256_file(f"{into}/{name}")) for name in names)
    return Bundle(into, files, None if folder.kind is Kind.MODEL else tally.rows, tuple(left_out))


@contextmanager
def place(output: str | None) -> Iterator[str]:
    """An empty folder to write into, seen by its owner alone; gone afterwards unless `keep` gave it its name."""
    try:
        if output is None:
            into = tempfile.mkdtemp(prefix="twllm-publish-")
        else:
            parent = os.path.dirname(os.path.abspath(output))
            os.makedirs(parent, exist_ok=True)
            _check_replaceable(output)
            into = tempfile.mkdtemp(prefix=f".{os.path.basename(os.path.abspath(output))}-", dir=parent)
    except OSError as error:
        raise UserError(f"{output or tempfile.gettempdir()}: cannot write there: {error.strerror}. Choose another --output.") from error
    try:
        yield into
    finally:
        shutil.rmtree(into, ignore_errors=True)


def keep(bundle: Bundle, output: str) -> Bundle:
    """Gives a bundle its name, in the place of an earlier one, and writes its digests beside it (`sha256sum -c` reads them)."""
    output = os.path.abspath(output)
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(bundle.folder, 0o777 & ~umask)
    if os.path.lexists(output):
        shutil.rmtree(output)
    os.rename(bundle.folder, output)
    storage.atomic_write_text(f"{output}{_LISTING}", "".join(f"{file.sha256}  {file.path}\n" for file in bundle.files))
    return bundle._replace(folder=output)


def _check_replaceable(output: str) -> None:
    """An earlier bundle may be replaced, and nothing else: its listing names every file in it."""
    output = os.path.abspath(output)
    if not os.path.lexists(output):
        return
    if os.path.islink(output) or not os.path.isdir(output):
        raise UserError(f"{output}: is there already and is no folder. Choose another --output.")
    there = {os.path.relpath(os.path.join(parent, name), output) for parent, _, names in os.walk(output) for name in names}
    listed: set[str] = set()
    if os.path.isfile(f"{output}{_LISTING}"):
        with open(f"{output}{_LISTING}", encoding="utf-8") as stream:
            listed = {line.rstrip("\n")[66:] for line in stream if re.match(r"[0-9a-f]{64}  ", line)}
    if there - listed:
        raise UserError(f"{output}: holds {min(there - listed)!r}, which publishing did not write. Choose another --output.")
