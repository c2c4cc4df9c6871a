"""Reading and writing through fsspec: one open for every compression, and writes that appear whole or not at all."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import fsspec
import zstandard
from fsspec.core import url_to_fs

from factory.errors import UserError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".xz": "xz"}
PIECE = 1 << 14  # stored bytes at a time; zstd expands them at most 32,768 times, so that a bomb holds 512 MB of memory
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
def open_binary(path: str) -> Iterator[IO[bytes]]:
    """The decompressed bytes of a local or remote file. Damage shows as one of `READ_ERRORS` while reading.

    A zstd or gzip stream that ends early raises instead of ending quietly.
    """
    suffix = os.path.splitext(path.lower())[1]
    if suffix == ".zst":
        with fsspec.open(path, "rb") as raw:
            yield cast(IO[bytes], io.BufferedReader(_ZstdFrames(raw), 1 << 20))
    else:
        with fsspec.open(path, "rb", compression=COMPRESSIONS.get(suffix)) as stream:
            yield stream


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
    """Decompressed bytes a stored byte, measured on the first frame in the first stored bytes of a `.gz`, `.zst` or `.xz` file."""
    suffix = os.path.splitext(path.lower())[1]
    frame: Any
    try:
        if suffix == ".zst":
            frame = zstandard.ZstdDecompressor().decompressobj()
        elif suffix == ".gz":
            frame = zlib.decompressobj(wbits=31)
        else:
            frame = lzma.LZMADecompressor()
        plain = len(frame.decompress(head))
    except READ_ERRORS:
        return 1.0  # damaged: the build will say so
    return max(1.0, plain / max(1, len(head) - len(frame.unused_data)))


def list_files(pattern: str) -> list[str]:
    """Files that a path, folder or glob names, sorted; remote ones keep their protocol. Empty where nothing matches."""
    fs, path = _filesystem(pattern)
    if fs.isdir(path):
        found = fs.find(path)
    elif fs.exists(path):  # before globbing: a file's own name may hold brackets
        found = [path]
    else:
        found = fs.glob(path)
    return sorted(str(name) if _is_local(fs) else fs.unstrip_protocol(name) for name in found if not fs.isdir(name))


def _filesystem(path: str) -> tuple[Any, str]:
    """fsspec's file system of a path, and the path on it. Raises UserError where the protocol is unknown or not installed."""
    try:
        fs, inner = url_to_fs(path)
    except (ValueError, ImportError) as error:
        raise UserError(f"{path}: cannot be reached: {error}. Correct what stands before '://', or install that package.") from error
    return fs, str(inner)


def _is_local(fs: Any) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def sha256_file(path: str) -> str:
    """SHA-256 of a file's bytes as stored (compressed), in hex."""
    with fsspec.open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
            with fs.open(target, "wb") as stream:
                shutil.copyfileobj(whole, stream)
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
    """Size in bytes, None where the file does not exist."""
    fs, target = _filesystem(path)
    return int(fs.size(target)) if fs.isfile(target) else None
