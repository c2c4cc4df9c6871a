"""A server's records, answers, accounts and keys in one file with what its reviews keep beside it, and back. Redis holds only hints
on their way and is left out.

The file is a tar in Zstandard: manifest.json, then the files that it names. It opens the server to whoever has it, so it is 0600.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import zstandard

from curation.server import environment, health
from curation.server.instance import Home, read_accounts, read_settings, secret_of, write_private, write_settings
from factory.errors import UserError

FORMAT = 2
READABLE = (1, 2)  # a backup of format 1 holds nothing of reviews
MANIFEST = "manifest.json"
PRIVATE = ("secrets.json", "accounts.json", "instance.json")
DATABASE = "argilla.db"
PSEUDONYMS = "pseudonyms.key"
_REVIEW = re.compile(r"reviews/[a-z0-9][a-z0-9_-]{0,99}/review\.sqlite")
MAX_SMALL_BYTES = 1 << 20  # an account is 130 bytes
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20


class Saved(NamedTuple):
    path: str
    bytes: int
    database_bytes: int
    reviews: int


def save(place: Home, target: Path) -> Saved:
    """Writes the backup, whole or not at all; the server may run meanwhile, and pushes and pulls.

    Reviews are copied before the server's database, so that whatever they have as pushed is in it; what the database has beyond
    that, the next push and pull find. Raises UserError where there is nothing to save, or the file is there already.
    """
    if read_settings(place) is None or not place.database.exists():
        raise UserError(f"no review server in {place.path} to back up; choose its folder with --home")
    if target.exists():
        raise UserError(f"{target} is there already; choose another name, or delete it")
    if not target.parent.is_dir():
        raise UserError(f"{target.parent} is no folder; make it, or choose another place for the backup")
    read_accounts(place)
    secret_of(place)
    for left in place.path.glob(".backup.*"):  # by one that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".backup.", dir=place.path) as folder:
        databases = [*sorted(path.relative_to(place.path).as_posix() for path in place.path.glob("reviews/*/review.sqlite")), DATABASE]
        files: dict[str, Path] = {}
        for number, member in enumerate(databases):
            files[member] = _copied(place.path / member, Path(folder) / str(number))
        names = [*PRIVATE, *([PSEUDONYMS] if (place.path / PSEUDONYMS).exists() else [])]
        files = {DATABASE: files.pop(DATABASE), **{name: place.path / name for name in names}, **files}
        manifest = {
            "format": FORMAT,
            "argilla": environment.ARGILLA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for name, path in files.items()},
        }
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # 0600
        try:
            with os.fdopen(handle, "wb") as output:
                with (
                    zstandard.ZstdCompressor(level=9).stream_writer(output, closefd=False) as packed,
                    tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
                ):
                    _add(archive, MANIFEST, io.BytesIO(json.dumps(manifest, indent=1).encode()))
                    for member, path in files.items():
                        with path.open("rb") as stream:
                            _add(archive, member, stream)
                output.flush()
                os.fsync(output.fileno())
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
        return Saved(str(target), target.stat().st_size, files[DATABASE].stat().st_size, len(databases) - 1)


def _copied(live: Path, copy: Path) -> Path:
    """A consistent copy of a database that others may be writing to, what lies in its write-ahead log included, in one file."""
    with closing(sqlite3.connect(f"{live.as_uri()}?mode=ro", uri=True)) as opened, closing(sqlite3.connect(copy)) as saved:
        try:
            opened.backup(saved)
            saved.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:  # a full disk, which is no fault of the file's
            raise
        except sqlite3.DatabaseError as error:
            raise UserError(f"{live} cannot be read ({error}); restore the folder from an earlier backup, or move the file away") from None
    return copy


def restore(place: Home, source: Path, force: bool = False) -> str | None:
    """Makes the folder from a backup; with `force` what was there is set aside, and its new name returned.

    The archive is not trusted: only files that a backup of ours holds, as plain files, in bounded size, with the sums that its manifest
    states; nothing is put in place before all of it is right. Raises UserError, naming what is wrong.
    """
    if not source.is_file():
        raise UserError(f"{source} is no file; name a backup that `twllm review backup` wrote")
    occupied = place.path.exists() and any(place.path.iterdir())
    if occupied and not force:
        raise UserError(f"{place.path} is not empty; restore into another --home, or set it aside with --force")
    place.path.parent.mkdir(parents=True, exist_ok=True)
    made = Home(Path(tempfile.mkdtemp(prefix=f".{place.path.name}.", dir=place.path.parent)))
    try:
        _unpack(source, made.path)
        _check_database(made.database, source, "Argilla's", ("users", "alembic_version"))
        for review in made.path.glob("reviews/*/review.sqlite"):
            _check_database(review, source, "a review's", ("fact", "record", "response"))
        _check_pseudonyms(made.path / PSEUDONYMS, source)
        settings = read_settings(made)
        everyone = read_accounts(made)
        if settings is None:
            raise UserError(f"{source} is no backup of a review server: it states no port")
        key = secret_of(made)["auth_secret_key"]
        write_private(made.secrets, {"auth_secret_key": key, "mark": secrets.token_hex(16)})  # another folder, another mark
        names = (everyone[1].name, *(account.name for account in everyone[2]))
        write_settings(made, settings._replace(schema="", shown=names, renewed=()))  # the next `up` migrates, should it be newer
        aside = _set_aside(place.path) if occupied else None
        if place.path.exists():
            place.path.rmdir()
        made.path.rename(place.path)
        return aside
    finally:
        shutil.rmtree(made.path, ignore_errors=True)


def _set_aside(path: Path) -> str:
    number = 1
    while (aside := path.with_name(f"{path.name}.before-restore-{number}")).exists():
        number += 1
    path.rename(aside)
    return str(aside)


def _unpack(source: Path, folder: Path) -> None:
    """Reads the tar block by block, so that no header of a kind we do not write is ever followed or expanded."""
    try:
        with source.open("rb") as stored, zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(stored) as stream:
            members = _members(stream, source)
            manifest, size = next(members, ("", 0))
            if manifest != MANIFEST or size > MAX_SMALL_BYTES:
                raise UserError(f"{source} is no backup of a review server: it does not begin with {MANIFEST}")
            stated = _stated(stream.read(size), source)
            _skip(stream, size)
            for name, size in members:
                if name not in stated or (folder / name).exists():
                    raise UserError(f"{source} holds {name!r}, which no backup of ours does; nothing was restored")
                is_database = name == DATABASE or _REVIEW.fullmatch(name)
                limit = health.free_bytes(folder) - health.FREE_BYTES if is_database else MAX_SMALL_BYTES
                if size != stated[name]["bytes"] or size > limit:
                    raise UserError(f"{source}: {name} is {size:,} bytes, more than fits or not as stated; nothing was restored")
                for parent in reversed((folder / name).relative_to(folder).parents[:-1]):
                    (folder / parent).mkdir(mode=0o700, exist_ok=True)
                _copy(stream, size, folder / name)
                _skip(stream, size)
                if _sha256(folder / name) != stated[name]["sha256"]:
                    raise UserError(f"{source}: {name} is damaged, its SHA-256 is not the one stated; nothing was restored")
    except (zstandard.ZstdError, tarfile.HeaderError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{source} is damaged or no backup of a review server ({error}); nothing was restored") from None
    if missing := [name for name in stated if not (folder / name).exists()]:
        raise UserError(f"{source} lacks {', '.join(missing)}; nothing was restored")


def _members(stream: IO[bytes], source: Path) -> Iterator[tuple[str, int]]:
    """Name and size of each; whoever iterates reads the content in between."""
    while block := _exactly(stream, _BLOCK):
        if not block.strip(b"\0"):
            return
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.size < 0:
            raise UserError(f"{source} holds {member.name!r}, which is no plain file; nothing was restored")
        yield member.name, member.size


def _stated(manifest: bytes, source: Path) -> dict[str, Any]:
    try:
        found = json.loads(manifest)
        files, version = found["files"], (found["format"], found["argilla"])
        extra = {*files} - {DATABASE, *PRIVATE}
        right = {DATABASE, *PRIVATE} <= {*files} and all(set(file) == {"bytes", "sha256"} for file in files.values())
        right = right and all(name == PSEUDONYMS or _REVIEW.fullmatch(name) for name in extra)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{source}: its {MANIFEST} cannot be read; nothing was restored") from None
    if version[0] not in READABLE or version[1] != environment.ARGILLA:
        raise UserError(f"{source} is a backup of Argilla {version[1]} in format {version[0]}; this is {environment.ARGILLA} and {FORMAT}")
    if not right:
        raise UserError(f"{source}: its {MANIFEST} names other files than a backup holds; nothing was restored")
    return dict(files)


def _check_database(database: Path, source: Path, whose: str, tables: tuple[str, ...]) -> None:
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            opened.execute("PRAGMA trusted_schema = OFF")
            verdict = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
            for table in tables:
                opened.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - names are our own
    except sqlite3.DatabaseError as error:
        raise UserError(f"{source}: its {database.name} is not {whose} ({error}); nothing was restored") from None
    if verdict != "ok":
        raise UserError(f"{source}: its {database.name} is damaged ({verdict}); nothing was restored")


def _check_pseudonyms(path: Path, source: Path) -> None:
    if path.exists() and not re.fullmatch(rb"[0-9a-f]{64}", path.read_bytes()):
        raise UserError(f"{source}: its {PSEUDONYMS} is no key; nothing was restored")


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = stream.read(size - len(found))
        if not piece:
            raise EOFError("it ends too early")
        found += piece
    return found


def _copy(stream: IO[bytes], size: int, path: Path) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        while size:
            piece = _exactly(stream, min(size, _PIECE))
            output.write(piece)
            size -= len(piece)


def _skip(stream: IO[bytes], size: int) -> None:
    _exactly(stream, -size % _BLOCK)


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = stream.seek(0, os.SEEK_END)
    member.mode = 0o600
    stream.seek(0)
    archive.addfile(member, stream)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
