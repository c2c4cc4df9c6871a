"""One file over HTTP: resumed after any interruption, checked while it comes, and given its name when it is whole.

Ranges and validators follow RFC 9110, sections 13 and 14.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from corpus.connection import Connection, Cut, Patience, new_session
from factory import storage
from factory.errors import UserError

if TYPE_CHECKING:
    import requests

MAX_WAIT_SECONDS = 60.0
MAX_TEXT_BYTES = 4 << 20  # of a list of checksums
ADVANCE_BYTES = 1 << 20  # so many new bytes make the tries count from the beginning again
REPORT_SECONDS = 0.5
FREE_BYTES = 64 << 20  # left over on the disk
_MAGIC = {".zip": b"PK", ".bz2": b"BZh", ".gz": b"\x1f\x8b", ".xz": b"\xfd7zXZ", ".zst": b"\x28\xb5\x2f\xfd", ".parquet": b"PAR1"}

Event = dict[str, Any]
Report = Callable[[Event], None]
Result = TypeVar("Result")


class Checksum(NamedTuple):
    """What a file must hash to."""

    algorithm: str  # sha1 or sha256
    value: str  # hex, lower case


class Version(NamedTuple):
    """Which state of a file a server has, as far as it tells."""

    etag: str | None
    last_modified: str | None
    bytes: int | None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may hold: a weak ETag does not promise equal bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Part:
    """`TARGET.part`, the bytes that are here, and `TARGET.part.json`, the URL and version they belong to.

    Without a validator (ETag or Last-Modified) what is here cannot be continued: it might be another state of the file.
    """

    def __init__(self, target: str, url: str) -> None:
        """Finds what an interrupted download left; hashing it again costs one reading."""
        self.target = target
        self.path = f"{target}.part"
        self._note = f"{target}.part.json"
        self._url = hashlib.sha256(url.encode()).hexdigest()  # a hash: the URL may hold a password
        self.version: Version | None = None
        self.done = 0
        self.ended = False
        self._empty()
        noted = self._read_note()
        if noted is not None and noted.validator and os.path.exists(self.path):
            with open(self.path, "rb") as stream:
                while piece := stream.read(1 << 20):
                    self._count(piece)
            if noted.bytes is not None and self.done > noted.bytes:
                self._empty()
            else:
                self.version = noted

    def _empty(self) -> None:
        self.version = None
        self.done = 0
        self.ended = False
        self._hashes = {"sha1": hashlib.sha1(usedforsecurity=False), "sha256": hashlib.sha256()}

    def _read_note(self) -> Version | None:
        try:
            with open(self._note, encoding="utf-8") as stream:
                note = json.load(stream)
            return Version(note["etag"], note["last_modified"], note["bytes"]) if note["url_sha256"] == self._url else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _count(self, piece: bytes) -> None:
        self.done += len(piece)
        for known in self._hashes.values():
            known.update(piece)

    @property
    def complete(self) -> bool:
        return self.ended or (self.version is not None and self.version.bytes == self.done)

    def digest(self, algorithm: str) -> str:
        """Hex digest of the bytes that are here: sha1 or sha256."""
        return self._hashes[algorithm].hexdigest()

    def begin(self, version: Version) -> None:
        """Starts over with another version. The old bytes go first: they must never stand beside the new note."""
        self.discard()
        self.version = version
        storage.atomic_write_text(self._note, json.dumps({"url_sha256": self._url, **version._asdict()}) + "\n")

    def append(self, pieces: Callable[[], bytes], after: Callable[[], None]) -> None:
        """Stores `pieces()` until one is empty. Raises UserError where the disk does not take them."""
        try:
            stream = open(self.path, "ab")  # noqa: SIM115 - closed below, where a full disk shows as well
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            while piece := pieces():
                try:
                    stream.write(piece)
                except OSError as error:
                    raise self._unwritable(error) from error
                self._count(piece)
                after()
        finally:
            try:
                stream.close()
            except OSError as error:
                raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"{self.path}: cannot write: {error.strerror or error}. Free space or choose another --output, and run it again.")

    def discard(self) -> None:
        """Removes what is here."""
        for path in (self.path, self._note):
            if os.path.lexists(path):
                os.unlink(path)
        self._empty()

    def publish(self) -> None:
        """Gives the whole file its name."""
        try:
            with open(self.path, "rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(self.path, self.target)
        except OSError as error:
            raise self._unwritable(error) from error
        if os.path.exists(self._note):
            os.unlink(self._note)


def download(
    url: str,
    target: str,
    checksum: Checksum | None = None,
    patience: Patience | None = None,
    unless: Version | None = None,
    report: Report = lambda event: None,
) -> Part | None:
    """Brings the file at `url` to `TARGET.part`, whole and checked; None where the server still has version `unless`.

    A part that a killed or failed download left is continued from where it stands if the server still has that version.
    Redirects are followed `MAX_REDIRECTS` times, over http and https only, never from https to http, and not from a public
    address to a private one (names are looked up before the request: one that changes its address between the two is not
    caught). Memory is bounded by one piece of 64 kB. Raises UserError, one line, where it cannot be done; what has come is
    kept for the next call unless its checksum or its first bytes are wrong.
    """
    patience = patience or Patience()
    part = Part(target, url)
    if part.done and not part.complete:
        report({"event": "resume", "bytes": part.done, "total": part.version.bytes if part.version else None})
    with new_session() as session:
        connection = Connection(session, url, patience)

        def advance() -> bool:
            return _transfer(connection, part, unless, report)

        if not part.complete and not _insist(connection, advance, report, part):
            return None
    _check(part, url, checksum)
    return part


def read_text(url: str, patience: Patience | None = None, report: Report = lambda event: None) -> str:
    """A small text file (a list of checksums) as text; at most `MAX_TEXT_BYTES`. Raises UserError like `download`."""
    with new_session() as session:
        connection = Connection(session, url, patience or Patience())

        def once() -> str:
            with connection.get({}) as response:
                if response.status_code != HTTPStatus.OK:
                    raise connection.refusal(response)
                pieces, size = [], 0
                while piece := connection.read(response):
                    pieces.append(piece)
                    size += len(piece)
                    if size > MAX_TEXT_BYTES:
                        raise UserError(f"{storage.shown(url)}: is over {MAX_TEXT_BYTES} bytes, too long for a list of checksums.")
                length = _version(response).bytes
                if length is not None and size < length:
                    raise Cut(f"the connection ended after {size} of {length} bytes")
                return b"".join(pieces).decode("utf-8", "replace")

        return _insist(connection, once, report, None)


def _insist(connection: Connection, action: Callable[[], Result], report: Report, part: Part | None) -> Result:
    """The action's result; after a Cut another try, until `attempts` of them in a row brought nothing."""
    patience, failures, best = connection.patience, 0, part.done if part else 0
    while True:
        try:
            return action()
        except Cut as cut:
            done = part.done if part else 0
            failures = 1 if done - best >= ADVANCE_BYTES else failures + 1
            best = max(best, done)
            if failures >= patience.attempts:
                kept = f" {done} bytes are kept in {part.path}." if part and done else ""
                raise UserError(
                    f"{storage.shown(connection.url)}: {cut}; tried {failures} times.{kept} Run the same command later to go on."
                ) from cut
            wait = patience.backoff_seconds * 2 ** (failures - 1) if cut.wait_seconds is None else cut.wait_seconds
            wait = min(wait, MAX_WAIT_SECONDS)
            report({"event": "retry", "reason": str(cut), "bytes": done, "wait_seconds": wait})
            time.sleep(wait)


def _transfer(connection: Connection, part: Part, unless: Version | None, report: Report) -> bool:
    """One request: brings the rest of the part, or all of it. False where the server still has version `unless`."""
    asked = part.done if part.version is not None and part.version.validator else 0
    headers = {}
    if asked and part.version is not None and part.version.validator:
        headers = {"Range": f"bytes={asked}-", "If-Range": part.version.validator}
    elif unless is not None and unless.validator:
        headers = {"If-None-Match": unless.etag} if unless.etag else {"If-Modified-Since": unless.validator}
    with connection.get(headers) as response:
        if response.status_code == HTTPStatus.NOT_MODIFIED and unless is not None:
            return False
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and asked:
            if response.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{asked}":
                part.ended = True  # all had come when the last run ended; its length was not known then
                return True
            part.discard()
            raise Cut("the server does not have the rest of this part; starting over")
        if response.status_code == HTTPStatus.PARTIAL_CONTENT and asked:
            if not _continues(response, part):
                part.discard()
                raise Cut("the file changed on the server; starting over")
        elif response.status_code == HTTPStatus.OK:
            version = _version(response)
            if unless is not None and unless.validator and version[:2] == unless[:2] and version.bytes in (None, unless.bytes):
                return False
            if asked:
                changed = part.version is None or part.version[:2] != version[:2]
                report({"event": "restart", "reason": "the file changed on the server" if changed else "the server cannot resume"})
            part.begin(version)
        else:
            raise connection.refusal(response)
        _receive(connection, response, part, report)
    return True


def _version(response: requests.Response) -> Version:
    length = response.headers.get("Content-Length", "")
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    known = int(length) if length.isdecimal() and len(length) < 19 and not chunked else None
    return Version(response.headers.get("ETag"), response.headers.get("Last-Modified"), known)


def _continues(response: requests.Response, part: Part) -> bool:
    """Whether a partial answer is the rest of the part, of the same version."""
    assert part.version is not None
    match = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", response.headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != part.done:
        return False
    if match[2] != "*" and part.version.bytes is not None and int(match[2]) != part.version.bytes:
        return False
    etag = response.headers.get("ETag")
    return etag is None or part.version.etag is None or etag == part.version.etag


def _receive(connection: Connection, response: requests.Response, part: Part, report: Report) -> None:
    assert part.version is not None
    total, last = part.version.bytes, time.monotonic()
    free = shutil.disk_usage(os.path.dirname(part.path) or ".").free
    if total is not None and total - part.done > free - FREE_BYTES:
        sizes = f"needs {(total - part.done) / 1e6:,.1f} MB more and the disk has {free / 1e6:,.1f} MB"
        raise UserError(f"{part.path}: {sizes}. Free space or choose another --output.")
    report({"event": "progress", "bytes": part.done, "total": total})

    def after() -> None:
        nonlocal last
        if total is not None and part.done > total:
            raise Cut(f"the server sent more than the {total} bytes it had announced")
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            report({"event": "progress", "bytes": part.done, "total": total})

    part.append(lambda: connection.read(response), after)
    if total is not None and part.done < total:
        raise Cut(f"the connection ended after {part.done} of {total} bytes")
    part.ended = True
    report({"event": "progress", "bytes": part.done, "total": total})
    if total is None and "chunked" not in response.headers.get("Transfer-Encoding", "").lower():
        report({"event": "note", "message": "the server tells no length: whether the file is whole shows only when it is read"})


def _check(part: Part, url: str, checksum: Checksum | None) -> None:
    """Raises UserError, and removes the part, where it is not what was asked for."""
    magic = _MAGIC.get(os.path.splitext(part.target.lower())[1], b"")
    with open(part.path, "rb") as stream:
        head = stream.read(len(magic))
    if head != magic:
        part.discard()
        raise UserError(
            f"{storage.shown(url)}: is no {os.path.splitext(part.target)[1]} file, perhaps a web page. Removed; try again later."
        )
    if checksum is not None and part.digest(checksum.algorithm) != checksum.value:
        found = part.digest(checksum.algorithm)
        part.discard()
        raise UserError(
            f"{storage.shown(url)}: {checksum.algorithm} is {found}, published is {checksum.value}. Removed; "
            "run it again, later if the publisher is just replacing the file."
        )
