"""Reading and writing through fsspec: one open for every compression, and writes that appear whole or not at all."""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import os
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import zstandard
from fsspec.compression import compr
from fsspec.core import url_to_fs
from fsspec.utils import glob_translate

from factory.errors import UserError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz"}
PIECE = 1 << 14  # stored bytes at a time; zstd expands them at most 32,768 times, so that a bomb holds 512 MB of memory
_MAGIC = re.compile(r"[*?\[]")
READ_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def bare_suffix(path: str) -> str:
    """The suffix that names the layout: `.jsonl` for `a.jsonl.zst`, `.zip` for `a.zip`; lower case."""
    root, suffix = os.path.splitext(path.lower())
    return os.path.splitext(root)[1] if suffix in COMPRESSIONS else suffix


def stem(path: str) -> str:
    """The file's name without folder, layout suffix and compression suffix."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    root, suffix = os.path.splitext(name)
    return os.path.splitext(root)[0] if suffix.lower() in COMPRESSIONS else root


@contextmanager
def open_stored(path: str) -> Iterator[IO[bytes]]:
    """The bytes of a local or remote file as they are stored, with seek and tell.

    A local file raises OSError, a remote one that is not there FileNotFoundError. Anything else that goes wrong with a remote
    file, also in the middle of it, is a UserError: a file that cannot be reached now is no damaged file, and must stop a run
    instead of leaving half of it in the result.
    """
    fs, target = _filesystem(path)
    if _is_local(fs):
        with fs.open(target, "rb") as stream:
            yield stream
        return
    with _reaching(path):
        raw = fs.open(target, "rb")
    with io.BufferedReader(_Remote(raw, path), 1 << 16) as buffered:
        yield cast(IO[bytes], buffered)


class _Remote(io.RawIOBase):
    """A file of a remote file system whose failures, of as many kinds as there are services, become one UserError."""

    def __init__(self, raw: Any, path: str) -> None:
        self._raw = raw
        self._path = path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._raw.seekable())

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        with _reaching(self._path):
            piece = self._raw.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _reaching(self._path):
            return int(self._raw.seek(offset, whence))

    def tell(self) -> int:
        return int(self._raw.tell())

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


@contextmanager
def _reaching(path: str) -> Iterator[None]:
    """Turns what a remote file system raises into a UserError that names the path; FileNotFoundError stays what it is.

    botocore, aiohttp, httpx and the others have no base in common but Exception.
    """
    try:
        yield
    except (UserError, IsADirectoryError):
        raise
    except Exception as error:
        if isinstance(error, FileNotFoundError) and _is_answer(error.__cause__):
            raise
        told = error.__cause__ if isinstance(error, FileNotFoundError) else error
        reason = str(told).replace(path, shown(path)).strip() or type(told).__name__
        raise UserError(
            f"{shown(path)}: cannot be reached: {reason}. Check the address, the credentials and the network, and run the command again."
        ) from error


def _is_answer(cause: BaseException | None) -> bool:
    """Whether "no such file" is what a server said: fsspec's HTTP says it of a server that cannot be reached or forbids, too."""
    unreached = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    return not unreached and getattr(cause, "status", 404) in (404, 410)


def shown(path: str) -> str:
    """A path or URL as messages and records may show it: without user, password and, on the web, query (which may hold a signature)."""
    bare = re.sub(r"(?<=://)[^/@]*@", "", path)
    return re.sub(r"[?#].*", "", bare, flags=re.DOTALL) if bare.startswith(("http://", "https://")) else bare


@contextmanager
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """The decompressed bytes of a local or remote file. Damage shows as one of `READ_ERRORS` while reading.

    A zstd or gzip stream that ends early raises instead of ending quietly. A remote file may raise UserError at any time
    (see `open_stored`).
    """
    suffix = os.path.splitext(path.lower())[1]
    with open_stored(path) as raw:
        if suffix == ".zst":
            yield cast(IO[bytes], io.BufferedReader(_ZstdFrames(raw), 1 << 20))
        elif suffix in COMPRESSIONS:
            with compr[COMPRESSIONS[suffix]](raw, mode="rb") as stream:
                yield cast(IO[bytes], stream)
        else:
            yield raw


# A zstd block of 4 bytes can stand for 128 kB: reading little at a time bounds what one step of a hostile file takes (64 MB).
_ZSTD_READ = 2 << 10


class _ZstdFrames(io.RawIOBase):
    """All frames of a zstd file, and an EOFError where the last one is cut (zstandard's own reader ends quietly)."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._compressed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._plain:
            self._compressed = self._compressed or self._raw.read(_ZSTD_READ)
            if not self._compressed:
                if self._frame is not None:
                    raise EOFError("the zstd stream ends inside a frame")
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._plain = memoryview(self._frame.decompress(self._compressed))
            self._compressed = b""
            if self._frame.eof:
                self._compressed = self._frame.unused_data
                self._frame = None
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count


def expansion(path: str, head: bytes) -> float:
    """Decompressed bytes a stored byte, measured on the first frame in the first stored bytes of a compressed file."""
    suffix = os.path.splitext(path.lower())[1]
    frame: Any
    try:
        if suffix == ".zst":
            frame = zstandard.ZstdDecompressor().decompressobj()
        elif suffix == ".gz":
            frame = zlib.decompressobj(wbits=31)
        elif suffix == ".bz2":
            frame = bz2.BZ2Decompressor()
        else:
            frame = lzma.LZMADecompressor()
        plain = len(frame.decompress(head))
    except READ_ERRORS:
        return 1.0  # damaged: the build will say so
    return max(1.0, plain / max(1, len(head) - len(frame.unused_data)))


def list_files(pattern: str) -> list[str]:
    """Files that a path, folder or glob names, sorted; remote ones keep their protocol. Empty where nothing matches.

    Local folders: a link to a file is a file, a link to a folder is not followed, so that loops end. Pipes, sockets, broken
    links and folders that may not be listed are named, too: whoever opens them says what is wrong.
    Cost: one listing of each folder; a million local files take about 4 seconds.
    """
    fs, path = _filesystem(pattern)
    if not _is_local(fs):
        return _list_remote(fs, path, pattern)
    if os.path.isdir(path):
        return sorted(_walk(path))
    if os.path.lexists(path):
        return [path]
    if "**" in path:  # fsspec would follow links to folders
        root = path[: path.index("**")].rpartition("/")[0] or "/"
        root = root[: match.start()].rpartition("/")[0] or "/" if (match := _MAGIC.search(root)) else root
        matches = re.compile(glob_translate(path)).match
        return sorted(name for name in _walk(root) if matches(name))
    return sorted(str(name) for name in fs.glob(path) if not os.path.isdir(name))


def _list_remote(fs: Any, path: str, pattern: str) -> list[str]:
    try:
        with _reaching(pattern):
            # first: a file's own name may hold brackets; isdir() and exists() would say False of a place that may not be looked at
            kind = fs.info(path)["type"]
    except FileNotFoundError:
        kind = None
    try:
        with _reaching(pattern):
            entries = fs.find(path, detail=True) if kind == "directory" else {path: {}} if kind else fs.glob(path, detail=True)
    except FileNotFoundError:  # some file systems raise where others find nothing
        return []
    # the type comes with the listing; asking for each name would cost a request each. An object "a/" is a console's empty folder.
    files = [name for name, entry in entries.items() if entry.get("type") != "directory" and not name.endswith("/")]
    return sorted(fs.unstrip_protocol(name) for name in files)


def _walk(folder: str) -> Iterator[str]:
    denied: list[str] = []
    for parent, _, names in os.walk(folder, onerror=lambda error: denied.append(str(error.filename))):
        for name in names:
            yield os.path.join(parent, name)
    yield from denied


def _filesystem(path: str) -> tuple[Any, str]:
    """fsspec's file system of a path, and the path on it. Raises UserError where the protocol is unknown or not installed."""
    try:
        fs, inner = url_to_fs(path)
    except (ValueError, ImportError) as error:
        raise UserError(f"{shown(path)}: cannot be reached: {error}. Correct what stands before '://', or install that package.") from error
    return fs, str(inner)


def _is_local(fs: Any) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def sha256_file(path: str) -> str:
    """SHA-256 of a file's bytes as stored (compressed), in hex. Raises UserError where it cannot be read."""
    try:
        with open_stored(path) as stream:
            return hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"{shown(path)}: cannot be read: {error.strerror or 'no such file'}. Correct the path or its permissions."
        ) from error


def atomic_write(path: str, write: Callable[[IO[bytes]], object]) -> None:
    """Calls `write` with a stream and gives the file its name only when all of it is stored.

    Locally: a temporary file beside the target, fsync, rename; a crash leaves no file of that name. On an object store
    the upload itself is atomic, and begins once `write` is done: fsspec would store what a failing `write` had given it.
    Raises UserError where the place cannot be written or is full.
    """
    fs, target = _filesystem(path)
    if not _is_local(fs):
        with tempfile.TemporaryFile() as whole:
            write(whole)
            whole.seek(0)
            try:
                with _reaching(path), fs.open(target, "wb") as stream:
                    shutil.copyfileobj(whole, stream)
            except OSError as error:
                raise UserError(f"{shown(path)}: cannot write: {error}. Correct the address or create the place it names.") from error
        return
    temporary = f"{target}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        with open(temporary, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}. Free space or choose another output folder.") from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def atomic_write_text(path: str, text: str) -> None:
    """`atomic_write` of a UTF-8 text."""
    atomic_write(path, lambda stream: stream.write(text.encode("utf-8")))


def file_size(path: str) -> int | None:
    """Size in bytes, None where the file does not exist, is no file or, locally, cannot be looked at."""
    fs, target = _filesystem(path)
    if not _is_local(fs):
        try:
            with _reaching(path):
                entry = fs.info(target)  # isfile() would say False of a place that may not be looked at
        except FileNotFoundError:
            return None
        return int(entry["size"] or 0) if entry["type"] == "file" else None
    try:
        found = os.stat(target)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
