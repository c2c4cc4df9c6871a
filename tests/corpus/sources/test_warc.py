"""WARC records: what is a response, how its coding comes off, and that damage costs only the records it hit."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources import warc
from corpus.sources.inputs import InputError, InputFile
from corpus.sources.warc import Response, content, responses
from factory.records import Rejected

PAGE = "<html><head><title>茶</title></head><body><p>今天的茶很香。</p></body></html>".encode()


def record(
    number: int,
    payload: bytes = PAGE,
    *,
    headers: str = "Content-Type: text/html\r\n",
    status: str = "200 OK",
    kind: str = "response",
    length: int | None = None,
    warc_headers: str = "",
) -> bytes:
    block = f"HTTP/1.1 {status}\r\n{headers}\r\n".encode() + payload
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: https://site.example/{number}\r\nWARC-Date: 2024-03-05T06:07:08Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"{warc_headers}Content-Length: {len(block) if length is None else length}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


COMPRESS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gz": gzip.compress, "zst": zstandard.compress}


def read(data: bytes) -> tuple[list[Response], list[Rejected]]:
    items = list(responses(InputFile("a.warc", "a.warc", False, lambda: io.BytesIO(data)), io.BytesIO(data)))
    return [item for item in items if isinstance(item, Response)], [item for item in items if isinstance(item, Rejected)]


def numbers(found: list[Response]) -> list[int]:
    return [int(response.url.rpartition("/")[2]) for response in found]


@pytest.mark.parametrize("layout", COMPRESS)
def test_records_in_order_with_their_headers(layout: str) -> None:
    found, rejected = read(b"".join(COMPRESS[layout](record(number)) for number in range(1, 5)))
    assert not rejected and numbers(found) == [1, 2, 3, 4]
    first = found[0]
    assert (first.number, first.place, first.date, first.uuid) == (
        1, "record 1 at byte 0", "2024-03-05T06:07:08Z", "00000000-0000-4000-8000-000000000001",
    )  # fmt: skip
    assert first.media_type == "text/html" and content(first) == PAGE


def test_what_is_no_response_with_status_200_is_passed_over() -> None:
    data = (
        record(1, kind="request")
        + record(2, status="404 Not Found")
        + record(3, status="301 Moved")
        + record(4)
        + record(5, kind="warcinfo")
    )
    found, rejected = read(data)
    assert not rejected and numbers(found) == [4] and found[0].number == 4


@pytest.mark.parametrize("layout", ["gz", "zst"])
def test_a_broken_member_costs_its_own_record(layout: str) -> None:
    members = [COMPRESS[layout](record(number, PAGE * 50)) for number in range(1, 5)]
    middle = len(members[1]) // 2
    members[1] = members[1][:middle] + bytes(byte ^ 0x5A for byte in members[1][middle : middle + 20]) + members[1][middle + 20 :]
    found, rejected = read(b"".join(members))
    assert numbers(found) == [1, 3, 4]
    assert rejected[0].locator == f"record 2 at byte {len(members[0])}"
    assert [response.number for response in found] == [1, 3, 4]


def test_a_cut_member_costs_its_own_record() -> None:
    members = [gzip.compress(record(number)) for number in range(1, 4)]
    found, rejected = read(members[0] + members[1][:-30] + members[2])
    assert numbers(found) == [1, 3] and len(rejected) == 1


@pytest.mark.parametrize("layout", COMPRESS)
def test_a_cut_file_keeps_what_stands_before(layout: str) -> None:
    members = [COMPRESS[layout](record(number, PAGE * 20)) for number in range(1, 4)]
    found, rejected = read(b"".join(members)[:-40])
    assert numbers(found) == [1, 2] and len(rejected) == 1 and "record 3" in rejected[0].locator


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (record(2, length=5_000_000), "ends"),
        (record(2, length=100_000_000), "the bound is"),
        (record(2, length=len(record(2))), "another record begins inside it"),
        (record(2).replace(b"Content-Length", b"Content-Len"), "no Content-Length"),
        (record(2).replace(b"WARC/1.0", b"WARX/1.0"), "damaged"),
        (b"nonsense\r\n\r\n", "damaged"),
        (record(2).replace(b"WARC-Target-URI", b"X-Target"), "no WARC-Target-URI"),
        (record(2).replace(b"HTTP/1.1 200", b"what is this"), "no HTTP header"),
        (record(2).replace(b"HTTP/1.1 200", b"HTTP/1.1 xyz"), "no status"),
        (record(2, headers="X: " + "y" * 100_000 + "\r\n"), "no HTTP header"),
        (record(2, warc_headers="X: " + "y" * 100_000 + "\r\n"), "damaged"),
    ],
)
def test_a_bad_record_costs_itself(second: bytes, error: str) -> None:
    found, rejected = read(record(1) + second + record(3) + record(4))
    assert numbers(found) == [1, 3, 4]
    assert error in rejected[0].error and all("record 1 " not in reject.locator for reject in rejected)
    assert all(len(reject.error) < 400 and len(reject.excerpt) <= 200 for reject in rejected)


def test_a_length_that_is_too_short_says_where_reading_broke() -> None:
    found, rejected = read(record(1) + record(2, length=90) + record(3))
    assert numbers(found) == [1, 2, 3] and len(rejected) == 1


def test_a_large_record_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_PAYLOAD_BYTES", 1000)
    monkeypatch.setattr(warc, "MAX_HEADER_BYTES", 1000)
    found, rejected = read(record(1) + record(2, b"x" * 100_000) + record(3))
    assert numbers(found) == [1, 3] and "the bound is 1000" in rejected[0].error


def test_a_digest_that_does_not_match_is_a_reject() -> None:
    block = record(2)[record(2).index(b"HTTP/") : -4]
    right = "sha1:" + base64.b32encode(hashlib.sha1(block).digest()).decode()
    found, rejected = read(record(2, warc_headers=f"WARC-Block-Digest: {right}\r\n"))
    assert numbers(found) == [2] and not rejected
    found, rejected = read(record(1) + record(2, PAGE + b"x", warc_headers=f"WARC-Block-Digest: {right}\r\n") + record(3))
    assert numbers(found) == [1, 3] and "WARC-Block-Digest" in rejected[0].error


def test_what_is_no_warc_is_one_reject() -> None:
    found, rejected = read(b"<html>" * 100)
    assert not found and len(rejected) == 1 and "no WARC" in rejected[0].error


def test_a_file_of_magic_numbers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_DAMAGES", 5)
    found, rejected = read((b"\x1f\x8b\x08\x00" + b"\xff" * 30) * 1000)
    assert not found and len(rejected) == 6 and "over 5 places" in rejected[-1].error


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(COMPRESS)), st.integers(0, 10_000), st.binary(min_size=1, max_size=40), st.booleans())
def test_no_damage_raises_or_touches_the_records_before_it(layout: str, position: int, noise: bytes, insert: bool) -> None:
    members = [COMPRESS[layout](record(number)) for number in range(1, 5)]
    data = b"".join(members)
    position %= len(data)
    damaged = data[:position] + noise + data[position + (0 if insert else len(noise)) :]
    found, rejected = read(damaged)
    whole = [number for number in range(1, 5) if sum(map(len, members[:number])) <= position]
    if rejected:  # damage right behind a record makes it doubtful; then that is said
        whole = whole[:-1]
    assert [response.payload for response in found[: len(whole)]] == [PAGE] * len(whole)
    assert (numbers(found[: len(whole)]) == whole and found) or rejected


def chunked(payload: bytes) -> bytes:
    halves = payload[: len(payload) // 2], payload[len(payload) // 2 :]
    return b"".join(b"%x;note=1\r\n%s\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"


def brotli(payload: bytes) -> bytes:
    return bytes(__import__("brotli").compress(payload))


def raw_deflate(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(payload) + compressor.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("", bytes),
    "gzip": ("Content-Encoding: gzip\r\n", gzip.compress),
    "two members": ("Content-Encoding: gzip\r\n", lambda payload: gzip.compress(payload[:9]) + gzip.compress(payload[9:])),
    "deflate": ("Content-Encoding: deflate\r\n", zlib.compress),
    "raw deflate": ("Content-Encoding: deflate\r\n", raw_deflate),
    "br": ("Content-Encoding: br\r\n", brotli),
    "zstd": ("Content-Encoding: zstd\r\n", zstandard.compress),
    "chunked": ("Transfer-Encoding: chunked\r\n", chunked),
    "chunked gzip": ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n", lambda payload: chunked(gzip.compress(payload))),
    "twice": ("Content-Encoding: gzip, br\r\n", lambda payload: brotli(gzip.compress(payload))),
    "decoded by the crawler": ("Content-Encoding: gzip\r\n", bytes),
    "joined by the crawler": ("Transfer-Encoding: chunked\r\n", bytes),
}


def response(headers: str, payload: bytes) -> Response:
    (found,), rejected = read(record(1, payload, headers=headers))
    assert not rejected
    return found


@pytest.mark.parametrize("name", CODINGS)
def test_codings_come_off(name: str) -> None:
    headers, encode = CODINGS[name]
    if "br" in headers:
        pytest.importorskip("brotli", reason="only the test compresses with it")
    assert content(response(headers, encode(PAGE))) == PAGE


@pytest.mark.parametrize(
    ("headers", "payload", "error"),
    [
        ("Content-Encoding: gzip\r\n", gzip.compress(PAGE)[:-12], "damaged gzip"),
        ("Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\x00rubbish", "damaged gzip"),
        ("Content-Encoding: br\r\n", b"rubbish", "damaged br"),
        ("Content-Encoding: zstd\r\n", zstandard.compress(PAGE)[:-4], "damaged zstd"),
        ("Content-Encoding: deflate\r\n", b"\xff\xff", "damaged deflate"),
        ("Content-Encoding: compress\r\n", b"\x1f\x9d", "unknown content encoding"),
        ("Content-Encoding: gzip, gzip, gzip, gzip\r\n", b"x", "encoded 4 times"),
        ("Transfer-Encoding: chunked\r\n", chunked(PAGE)[:-40], "the last chunk is cut"),
        ("Transfer-Encoding: chunked\r\n", b"5\r\nabcdeXX", "no chunk at byte"),
        ("Transfer-Encoding: chunked\r\n", b"rubbish", "no chunk at its beginning"),
        ("", b" \r\n", "empty payload"),
    ],
)
def test_damaged_codings_are_said(headers: str, payload: bytes, error: str) -> None:
    with pytest.raises(InputError, match=error):
        content(response(headers, payload))


@pytest.mark.parametrize("coding", ["gzip", "zstd", "deflate"])
def test_bombs_stop_at_the_bound(monkeypatch: pytest.MonkeyPatch, coding: str) -> None:
    headers, encode = CODINGS[coding]
    found = response(headers, encode(b"0" * 100_000))
    monkeypatch.setattr(warc, "MAX_PAYLOAD_BYTES", 10_000)
    with pytest.raises(InputError, match="over 10000 bytes"):
        content(found)


def test_a_thousand_members_are_refused() -> None:
    with pytest.raises(InputError, match="gzip members"):
        content(response("Content-Encoding: gzip\r\n", gzip.compress(b"a") * 1000))


@pytest.mark.parametrize("kept", [12, 30, 60, 200])
def test_a_record_whose_header_is_cut_is_no_empty_record(kept: int) -> None:
    """Found by fuzzing: a file cut in its first header had neither responses nor rejects."""
    found, rejected = read(record(1)[:kept])
    assert not found and len(rejected) == 1 and "header has no" in rejected[0].error
    found, rejected = read(record(1).replace(b"WARC-Type: response\r\n", b"") + record(2))
    assert numbers(found) == [2] and [reject.error for reject in rejected] == ["the record's header has no WARC-Type"]
    found, rejected = read(record(1).replace(b"WARC-Type", b"warc-TYPE") + record(2))
    assert numbers(found) == [2] and len(rejected) == 1  # fastwarc does not know it by that spelling
