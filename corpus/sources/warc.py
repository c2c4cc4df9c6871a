"""WARC files to HTTP responses, record by record: damage costs the records it hit, and what decompresses too far is not held."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NamedTuple

from corpus.sources.html import looks_like_html
from corpus.sources.inputs import MAX_EXCERPT_CHARS, InputError, InputFile, excerpt_of
from factory.records import Rejected

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

MAX_PAYLOAD_BYTES = 16 << 20  # of one page, as stored and as decompressed
MAX_HEADER_BYTES = 64 << 10
MAX_DAMAGES = 1_000  # places where reading starts again; a file with more is given up
_PIECE = 1 << 20
_MAX_CODINGS = 3
_MAX_MEMBERS = 100
# What a record begins with, plain or as its own gzip member or zstd frame, is what reading goes on from after damage.
_STARTS = {
    b"\x1f\x8b": re.compile(rb"\x1f\x8b\x08"),
    b"\x28\xb5": re.compile(rb"\x28\xb5\x2f\xfd"),
    b"WA": re.compile(rb"(?<=\n)WARC/1\.[01]\r?\n"),
}
_LONGEST_START = 12
_MANDATORY = ("WARC-Type", "Content-Length")
_INNER_START = re.compile(rb"\n\r?\nWARC/1\.[01]\r\nWARC-")
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,500})?\r?\n")


@dataclass(frozen=True)
class Response:
    """One HTTP response with status 200. `number` counts all records of the file from 1, `headers` keeps order and repeats."""

    number: int
    place: str  # "record 3 at byte 1234"
    url: str
    date: str | None
    uuid: str | None
    truncated: str | None  # why the crawler stopped, where it did
    headers: tuple[tuple[str, str], ...]
    payload: bytes  # as transferred: chunks and compression are still on it; `content` takes them off

    def header(self, name: str) -> str:
        """The first header of that name, stripped; empty where there is none."""
        return next((value.strip() for key, value in self.headers if key.lower() == name), "")

    @property
    def media_type(self) -> str:
        """The content type in lower case without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The encoding that the content type names."""
        match = re.search(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", self.header("content-type"), re.IGNORECASE)
        return match[1] if match else None


class _Damage(Exception):
    """The record's length or its bytes are wrong, so that what follows it must be looked for."""


class _Bad(NamedTuple):
    error: str
    excerpt: bytes = b""


def responses(file: InputFile, stream: IO[bytes]) -> Iterator[Response | Rejected]:
    """The responses with status 200 of a seekable stream of stored bytes (.warc, .warc.gz, .warc.zst), and what cannot be read.

    Records of other types and responses with another status are no documents and are passed over. After damage (a broken
    gzip member or zstd frame, a record without end, a wrong length) reading goes on at the next record that begins with
    its own member, frame or version line; records before and after stand. A response whose block is over 16 MB is
    rejected without being held. Memory: one record, 16 MB, and fastwarc's buffers.
    """
    stream.seek(0)
    head = stream.read(2)
    if head not in _STARTS:
        yield file.rejected("no WARC file: it begins with no record, gzip member or zstd frame", "", excerpt_of(head + stream.read(200)))
        return
    start: int | None = 0
    number = 0
    pending: Rejected | None = None  # damage whose own record may still be found, and then says it itself
    for _ in range(MAX_DAMAGES):
        assert start is not None
        seen = _Position(start, number)
        try:
            for item in _undamaged(file, stream, seen):
                if pending is not None:
                    yield pending
                    pending = None
                yield item
            if pending is not None:
                yield pending
            if _ends_inside(stream, _STARTS[head], seen):
                yield file.rejected("the file ends inside it", f"record {seen.number + 1}")
            return
        except _Damage:  # said by the record that it hit; the next ones begin inside what it took for its own
            number = seen.number
        except OSError as error:
            number = seen.number
            if number == seen.number_at_start:  # nothing could be read from here
                number += 1
                pending = None
                yield file.rejected(f"damaged: {_short(error)}", f"record {number} at byte {start}")
            else:
                if pending is not None:
                    yield pending
                pending = file.rejected(f"damaged: {_short(error)}", f"after record {number}")
        start = _next_start(stream, _STARTS[head], seen.offset + 1)
        if start is None:
            if pending is not None:
                yield pending
            return
    yield file.rejected(f"damaged in over {MAX_DAMAGES} places; the rest was not read", f"after record {number}")


def _ends_inside(stream: IO[bytes], pattern: re.Pattern[bytes], seen: _Position) -> bool:
    """Whether a record begins behind the last one that was read and its header is cut off, which fastwarc takes for the end."""
    from fastwarc.warc import ArchiveIterator

    start = _next_start(stream, pattern, seen.offset + (seen.number > seen.number_at_start))
    if start is None:
        return False
    stream.seek(start)
    try:
        return next(iter(ArchiveIterator(stream, parse_http=False, fsspec_args=False)), None) is None
    except OSError:
        return False  # by chance, inside compressed data


class _Position:
    """How far one pass over the stream has come."""

    def __init__(self, start: int, number: int) -> None:
        self.start = self.offset = start
        self.number = self.number_at_start = number


def _undamaged(file: InputFile, stream: IO[bytes], seen: _Position) -> Iterator[Response | Rejected]:
    """The responses up to the first damage. Each is held until its member is known to have ended well: what a broken gzip
    member gives can be as long as it should be and wrong.
    """
    held: Response | None = None
    try:
        for item in _records(file, stream, seen):
            if held is not None:
                yield held
                held = None
            if isinstance(item, Rejected):
                yield item
            else:
                held = item
    except OSError:
        if held is not None and not _is_whole_member(stream, seen.offset):
            yield file.rejected("damaged: its gzip member is broken", held.place)
            raise _Damage from None
        if held is not None:
            yield held
        raise
    if held is not None:
        whole = _is_whole_member(stream, seen.offset)
        yield held if whole else file.rejected("damaged: its gzip member is cut", held.place)


def _is_whole_member(stream: IO[bytes], offset: int) -> bool:
    """Whether the gzip member that begins at `offset` decompresses to its end with the right checksum; so does what is none."""
    stream.seek(offset)
    member = zlib.decompressobj(31)
    piece = stream.read(_PIECE)
    if not piece.startswith(b"\x1f\x8b"):
        return True
    try:
        while piece:
            member.decompress(piece, _PIECE)
            if member.eof:
                return True
            piece = member.unconsumed_tail or stream.read(_PIECE)
    except zlib.error:
        return False
    return False


def _records(file: InputFile, stream: IO[bytes], seen: _Position) -> Iterator[Response | Rejected]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    stream.seek(seen.start)
    for record in ArchiveIterator(stream, parse_http=False, fsspec_args=False):
        seen.number += 1
        seen.offset = max(seen.offset, seen.start + record.stream_pos)
        place = f"record {seen.number} at byte {seen.start + record.stream_pos}"
        stated = {name for name, _ in record.headers.items()}  # fastwarc reads these two in this spelling alone
        missing = [name for name in _MANDATORY if name not in stated]
        if missing:  # a record type that nobody knows is to be ignored, but this is damage
            yield file.rejected(f"the record's header has no {missing[0]}", place)
        wanted = not missing and record.record_type == WarcRecordType.response
        length = record.content_length
        if not wanted or length > MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES:
            if wanted:
                yield file.rejected(f"the record is {length} bytes; the bound is {MAX_PAYLOAD_BYTES}", place)
            try:
                rest = _skip(record, length)
            except OSError as error:
                yield file.rejected(f"damaged: {_short(error)}", place)
                raise _Damage from error
            if rest:
                yield file.rejected(f"the record ends {rest} bytes early", place)
                raise _Damage
            continue
        try:
            block = record.reader.read(length)
        except OSError as error:
            yield file.rejected(f"damaged: {_short(error)}", place)
            raise _Damage from error
        fault = None
        if len(block) < length:
            fault = f"the record ends {length - len(block)} bytes early"
        elif _INNER_START.search(block):
            fault = "another record begins inside it: its Content-Length is wrong"
        if fault:
            yield file.rejected(fault, place, excerpt_of(block))
            raise _Damage
        made = _response(record, block, seen.number, place)
        if isinstance(made, _Bad):
            yield file.rejected(made.error, place, excerpt_of(made.excerpt))
        elif made is not None:
            yield made


def _skip(record: WarcRecord, length: int) -> int:
    """Reads over a record; the number of bytes that were missing."""
    while length > 0 and (piece := record.reader.read(min(_PIECE, length))):
        length -= len(piece)
    return max(0, length)


def _response(record: WarcRecord, block: bytes, number: int, place: str) -> Response | _Bad | None:
    """The response in a record's block, None where its status is another, or what is wrong with it."""
    headers = {name.lower(): value for name, value in record.headers.items()}
    digest = headers.get("warc-block-digest", "").strip()
    if (
        digest.lower().startswith("sha1:")
        and digest[5:].upper() != base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()
    ):
        return _Bad("its bytes do not have its WARC-Block-Digest", block)
    if not block and "content-length" not in headers:
        return _Bad("no Content-Length in the record's header")
    kind = headers.get("content-type", "application/http").partition(";")[0].strip().lower()
    if kind not in ("application/http", "message/http"):
        return None  # the answer of another protocol, DNS for example
    end = re.compile(rb"\r?\n\r?\n").search(block, 0, MAX_HEADER_BYTES)
    if not block.startswith(b"HTTP/") or end is None:
        return _Bad("no HTTP header in the record", block)
    lines = block[: end.start()].decode("latin-1").splitlines()
    status = lines[0].split(None, 2)[1:2]
    if status != ["200"]:
        return None if status and status[0].isdigit() else _Bad("no status in the HTTP header", block)
    url = headers.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")
    if not url:
        return _Bad("no WARC-Target-URI in the record's header", block)
    uuid = re.search(r"urn:uuid:([0-9a-fA-F-]{36})", headers.get("warc-record-id", ""))
    pairs = tuple((name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in lines[1:]) if colon)
    truncated = headers.get("warc-truncated")
    return Response(number, place, url, headers.get("warc-date"), uuid[1].lower() if uuid else None, truncated, pairs, block[end.end() :])


def content(response: Response) -> bytes:
    """The payload without transfer and content coding: chunks, gzip, deflate, br, zstd.

    Crawlers often store what they decoded and leave the header as it was: a payload that does not begin as its coding must,
    and does begin as a page, is taken as it is. Raises InputError for a coding that is damaged, cut, unknown, or gives over 16 MB.
    """
    payload = response.payload
    if "chunked" in response.header("transfer-encoding").lower():
        payload = _joined_chunks(payload)
    codings = [coding.strip().lower() for coding in response.header("content-encoding").split(",")]
    codings = [coding for coding in codings if coding not in ("", "identity", "none")]
    if len(codings) > _MAX_CODINGS:
        raise InputError(f"content encoded {len(codings)} times")
    for coding in reversed(codings):
        payload = _decoded(payload, coding)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InputError(f"the payload is over {MAX_PAYLOAD_BYTES} bytes")
    if not payload.strip():
        raise InputError("empty payload")
    return payload


def _joined_chunks(payload: bytes) -> bytes:
    if not _CHUNK.match(payload):
        if _stands_as_it_is(payload):
            return payload
        raise InputError("damaged chunked transfer: no chunk at its beginning")
    pieces: list[bytes] = []
    position = 0
    while match := _CHUNK.match(payload, position):
        size = int(match[1], 16)
        if not size:
            return b"".join(pieces)
        piece = payload[match.end() : match.end() + size]
        if len(piece) < size:
            raise InputError("damaged chunked transfer: the last chunk is cut")
        pieces.append(piece)
        position = match.end() + size
        position += 2 if payload[position : position + 2] == b"\r\n" else payload[position : position + 1] == b"\n"
    raise InputError(f"damaged chunked transfer: no chunk at byte {position}")


def _decoded(payload: bytes, coding: str) -> bytes:
    readers = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _inflate, "br": _unbrotli, "zstd": _unzstd}
    if coding not in readers:
        if _stands_as_it_is(payload):
            return payload
        raise InputError(f"unknown content encoding {coding[:40]!r}")
    try:
        made = readers[coding](payload)
    except (OSError, EOFError, zlib.error) as error:
        if _stands_as_it_is(payload):
            return payload
        raise InputError(f"damaged {coding} content: {_short(error)}") from error
    if len(made) > MAX_PAYLOAD_BYTES:
        raise InputError(f"the {coding} content is over {MAX_PAYLOAD_BYTES} bytes when decompressed")
    return made


def _stands_as_it_is(payload: bytes) -> bool:
    return looks_like_html(payload)


def _gunzip(payload: bytes, wbits: int = 31) -> bytes:
    made = bytearray()
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(wbits)
        made += member.decompress(payload, MAX_PAYLOAD_BYTES + 1 - len(made))
        if not member.eof:
            if len(made) > MAX_PAYLOAD_BYTES:
                return bytes(made)
            raise EOFError("it is cut")
        payload = member.unused_data
        if not payload.startswith(b"\x1f\x8b") or len(made) > MAX_PAYLOAD_BYTES:
            return bytes(made)
    raise InputError(f"the content is over {_MAX_MEMBERS} gzip members")


def _inflate(payload: bytes) -> bytes:
    try:
        return _gunzip(payload, 15)
    except zlib.error:
        return _gunzip(payload, -15)  # some servers send the bare stream (RFC 9110, 8.4.1.2)


def _unbrotli(payload: bytes) -> bytes:
    from fastwarc.stream_io import BrotliReader

    return bytes(BrotliReader(io.BytesIO(payload)).read(MAX_PAYLOAD_BYTES + 1))


def _unzstd(payload: bytes) -> bytes:
    from fastwarc.stream_io import ZstdReader

    return bytes(ZstdReader(io.BytesIO(payload)).read(MAX_PAYLOAD_BYTES + 1))


def _next_start(stream: IO[bytes], pattern: re.Pattern[bytes], position: int) -> int | None:
    """Where the next record may begin, from `position` on."""
    position = max(0, position - 1)  # a version line is known by the line end before it
    stream.seek(position)
    held = b""
    while piece := stream.read(_PIECE):
        held += piece
        match = pattern.search(held, 1)
        if match:
            return position + match.start()
        kept = held[-_LONGEST_START:]
        position += len(held) - len(kept)
        held = kept
    return None


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:MAX_EXCERPT_CHARS] or type(error).__name__
