"""Input files as sources see them: one plain or compressed file, or the members of a ZIP archive, which are hostile until checked."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO

from factory.records import Rejected
from factory.storage import READ_ERRORS, bare_suffix, open_binary, open_stored, stem

MAX_MEMBER_BYTES = 1 << 30  # decompressed size of one ZIP member
MAX_ARCHIVE_BYTES = 16 << 30  # decompressed size of all members that are read
MAX_TEXT_BYTES = 256 << 20  # a file that is read as one text
MAX_EXCERPT_CHARS = 200

_ARCHIVES = re.compile(r"\.(zip|7z|rar|tar|tgz|tbz2?|txz|jar|gz|bz2|xz|zst|lz4|cab|iso)$")
_DRIVE = re.compile(r"^[A-Za-z]:")


class InputError(Exception):
    """The rest of a file cannot be read; the message says why."""


FILE_ERRORS: tuple[type[Exception], ...] = (*READ_ERRORS, zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, InputError)


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read: the path of the recipe, the name whose suffix says the layout, and how to open it (again)."""

    path: str
    name: str
    member: bool
    open: Callable[[], AbstractContextManager[IO[bytes]]]

    @property
    def layout(self) -> str:
        """The suffix without compression, for example `.jsonl`."""
        return bare_suffix(self.name)

    @property
    def stem(self) -> str:
        """The file's name without folder and suffixes."""
        return stem(self.name)

    def locator(self, place: str = "") -> str:
        """Where something stands: `line 3`, `file`, `member a/b.json line 3`, `member a/b.json`."""
        if self.member:
            return f"member {self.name} {place}".rstrip()
        return place or "file"

    def rejected(self, error: str, place: str = "", excerpt: str = "") -> Rejected:
        """What could not be read of this file."""
        return Rejected(self.path, self.locator(place), error, excerpt[:MAX_EXCERPT_CHARS])

    def is_empty(self) -> bool:
        """Whether there is not one byte in it. Raises one of `FILE_ERRORS`."""
        with self.open() as stream:
            return not stream.read(1)


def describe(error: Exception) -> str:
    """An exception as one line for `Rejected.error`."""
    message = " ".join(str(error).split())
    return message if isinstance(error, InputError) and message else f"{type(error).__name__}: {message}".rstrip(": ")


def files_in(path: str) -> Iterator[InputFile | Rejected]:
    """The file itself, or each member of a ZIP archive; a member that is not safe to read is a `Rejected`.

    Members are read as streams and never written to disk. Refused: absolute and `..` paths, links, archives and
    compressed files inside the archive, encrypted members, more than `MAX_MEMBER_BYTES` in one member and more than
    `MAX_ARCHIVE_BYTES` in all. (zipfile reads no more of a member than the size that was checked here.)
    """
    if bare_suffix(path) != ".zip":
        yield InputFile(path, path, False, lambda: open_binary(path))
        return
    whole = InputFile(path, path, False, lambda: open_binary(path))
    if os.path.splitext(path.lower())[1] != ".zip":
        yield whole.rejected("a ZIP archive inside another compression; decompress the outer one")
        return
    try:
        if whole.is_empty():
            yield whole.rejected("empty file")
            return
        with open_stored(path) as raw, zipfile.ZipFile(raw) as archive:
            yield from _members(path, archive)
    except FILE_ERRORS as error:
        yield whole.rejected(describe(error))


def _members(path: str, archive: zipfile.ZipFile) -> Iterator[InputFile | Rejected]:
    total = 0
    found = False
    for info in archive.infolist():
        if info.filename.endswith("/") and not info.file_size:  # is_dir() fails on an empty name
            continue
        found = True
        member = InputFile(path, info.filename, True, _opener(archive, info))
        fault = member_fault(info, total)
        if fault:
            yield member.rejected(fault)
            continue
        total += info.file_size
        yield member
    if not found:
        yield Rejected(path, "file", "the archive has no members")


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    return lambda: archive.open(info)


def member_fault(info: zipfile.ZipInfo, total: int = 0) -> str | None:
    """Why a ZIP member is not safe to read, None where it is; `total` counts the decompressed bytes of the members read before it."""
    # zipfile cuts a name at a NUL byte and turns "\\" into "/" on Windows only; both spellings are judged.
    for name in (info.filename, info.orig_filename):
        parts = name.replace("\\", "/").split("/")
        if not parts[0] or _DRIVE.match(name) or ".." in parts or "\0" in name:
            return "unsafe member path: absolute, with '..' or with a NUL byte"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "the member is a symbolic link"
    if info.flag_bits & 0x1:
        return "the member is encrypted"
    if _ARCHIVES.search(info.filename.lower()):
        return "an archive or compressed file inside the archive"
    if info.file_size > MAX_MEMBER_BYTES:
        return f"the member is {info.file_size} bytes when decompressed; the bound is {MAX_MEMBER_BYTES}"
    if total + info.file_size > MAX_ARCHIVE_BYTES:
        return f"the archive's members exceed {MAX_ARCHIVE_BYTES} bytes when decompressed"
    return None


def read_text(file: InputFile) -> str:
    """A whole file as UTF-8 text without byte order mark, line ends as \\n. Raises one of `FILE_ERRORS`."""
    with file.open() as stream:
        content = stream.read(MAX_TEXT_BYTES + 1)
    if not content:
        raise InputError("empty file")
    if len(content) > MAX_TEXT_BYTES:
        raise InputError(f"the text is over {MAX_TEXT_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"invalid UTF-8: {error.reason} at byte {error.start}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def excerpt_of(content: object) -> str:
    """The first characters of a bad row for whoever repairs it."""
    if isinstance(content, bytes):
        content = content[: 4 * MAX_EXCERPT_CHARS].decode("utf-8", "backslashreplace")
    try:
        return str(content)[:MAX_EXCERPT_CHARS]
    except RecursionError:
        return "(nested too deep to show)"
    except ValueError:
        return "(holds an integer too long to show)"
