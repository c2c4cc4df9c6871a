"""A download is whole or says in one line what is missing; what came before a failure is not asked for again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import connection, download, fetch, show_fetch
from corpus.connection import Patience, is_private, redirected
from corpus.fetch import Entry, Fetched, checksum_in, load_catalogue
from corpus.sources import spec
from factory.errors import UserError
from tests.corpus.conftest import REPOSITORY, twllm

CONTENT = b"PK" + hashlib.shake_256(b"a file").digest(300_000)
OTHER = b"PK" + hashlib.shake_256(b"another state of it").digest(260_000)
QUICK = Patience(connect_seconds=5, stall_seconds=5, attempts=3, backoff_seconds=0)


class Quiet(ThreadingHTTPServer):
    """A server that does not tell the terminal of connections that a test breaks."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class Server:
    """A real HTTP server on 127.0.0.1 whose answers a test writes; it keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Callable[[Any], None]] = []  # taken in turn; then `usual`
        self.usual: Callable[[Any], None] = serve(CONTENT)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sent = 0  # bytes of bodies
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                answer = server.answers.pop(0) if server.answers else server.usual
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    answer(self)

            def body(self, data: bytes) -> None:
                server.sent += len(data)
                self.wfile.write(data)
                self.wfile.flush()

            def log_message(self, *arguments: Any) -> None: ...

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/file"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.open = threading.Event()  # set when the test ends: lets stalled answers go

    def ranges(self) -> list[str | None]:
        return [headers.get("range") for _, headers in self.requests]

    def close(self) -> None:
        self.open.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def serve(
    content: bytes,
    etag: str | None = '"one"',
    modified: str | None = None,
    cut: int | None = None,
    resume: bool = True,
    length: int | None = None,
    then: Callable[[Any], None] | None = None,
    headers: dict[str, str] | None = None,
) -> Callable[[Any], None]:
    """Answers as a file server does; `cut` ends the connection after so many bytes, `length` is a false Content-Length."""

    def answer(request: Any) -> None:
        asked = request.headers.get("Range")
        valid = request.headers.get("If-Range") in (etag, modified)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and resume and valid else 0
        named = request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")
        if (etag and named[0] == etag) or (modified and named[1] == modified):
            return status(304)(request)
        if start >= len(content):
            return status(416, {"Content-Range": f"bytes */{len(content)}"})(request)
        request.send_response(206 if start else 200)
        rest = content[start:]
        request.send_header("Content-Length", str(length if length is not None else len(rest)))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for name, value in {"ETag": etag, "Last-Modified": modified, **(headers or {})}.items():
            if value is not None:
                request.send_header(name, value)
        request.end_headers()
        request.body(rest[:cut])
        if then is not None:
            then(request)
        request.close_connection = cut is not None or length is not None

    return answer


def status(code: int, headers: dict[str, str] | None = None) -> Callable[[Any], None]:
    def answer(request: Any) -> None:
        request.send_response(code)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()

    return answer


def redirect(location: str) -> Callable[[Any], None]:
    return status(302, {"Location": location})


def drop(request: Any) -> None:
    request.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def entry(server: Server, **changes: Any) -> Entry:
    facts: dict[str, Any] = {
        "title": "試用檔",
        "url": server.url,
        "file": "Laws.zip",
        "license": "ogdl-taiwan-1.0",
        "license_text": "政府資料開放授權條款第 1 版",
        "rights_holder": "某機關",
        "publisher_page": "https://data.example/laws",
        "type": "law",
    }
    return Entry.model_validate({**facts, **changes})


class Fetcher:
    """`fetch` into one folder, with the events it reported."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.events: list[dict[str, Any]] = []

    def __call__(self, patience: Patience = QUICK, force: bool = False, **changes: Any) -> Fetched:
        self.events.clear()
        return fetch.fetch("laws", entry(self.server, **changes), str(self.folder), force, patience, self.events.append)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != ".lock")

    def kinds(self) -> list[str]:
        return [event["event"] for event in self.events if event["event"] not in ("progress", "start")]


@pytest.fixture
def get(server: Server, tmp_path: Path) -> Fetcher:
    return Fetcher(server, tmp_path / "laws")


WHOLE = ["Laws.zip", "Laws.zip.source.json"]


def fails(get: Fetcher, pattern: str, **options: Any) -> str:
    with pytest.raises(UserError, match=pattern) as caught:
        get(**options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- the whole file


def test_a_file_is_fetched_whole_with_a_record_of_where_it_is_from(get: Fetcher, server: Server) -> None:
    found = get()
    assert Path(found.path).read_bytes() == CONTENT and get.names() == WHOLE
    assert found.fetched and found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    record = json.loads(Path(found.source).read_text(encoding="utf-8"))
    assert (record["url"], record["bytes"], record["sha256"]) == (server.url, len(CONTENT), found.sha256)
    assert (record["license"], record["rights_holder"], record["etag"]) == ("ogdl-taiwan-1.0", "某機關", '"one"')
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record["retrieved"])


def test_the_request_names_the_program_and_asks_for_the_bytes_as_they_are(
    get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWLLM_CONTACT", "mailto:lab@example.org\r\nX-Evil: 1")
    get()
    ((_, headers),) = server.requests
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("twllm/") and "(mailto:lab@example.org X-Evil: 1)" in headers["user-agent"]
    assert "x-evil" not in headers


def test_a_chunked_body_without_length_is_fetched(get: Fetcher, server: Server) -> None:
    def chunked(request: Any) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for start in range(0, len(CONTENT), 50_000):
            piece = CONTENT[start : start + 50_000]
            request.body(b"%x\r\n%s\r\n" % (len(piece), piece))
        request.body(b"0\r\n\r\n")

    server.usual = chunked
    assert Path(get().path).read_bytes() == CONTENT and get.kinds() == []


def test_a_chunked_body_that_is_cut_is_no_whole_file(get: Fetcher, server: Server) -> None:
    def chunked(request: Any) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.body(b"%x\r\n%s\r\n" % (50_000, CONTENT[:50_000]))
        request.close_connection = True

    server.usual = chunked
    fails(get, "the connection broke; tried 3 times")
    assert "Laws.zip" not in get.names()


def test_a_body_whose_end_only_the_connection_tells_is_fetched_with_a_warning(get: Fetcher, server: Server) -> None:
    def bare(request: Any) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.body(CONTENT)

    server.usual = bare
    assert Path(get().path).read_bytes() == CONTENT
    assert get.kinds() == ["note"] and "tells no length" in get.events[-1]["message"]


# --- interruptions


@pytest.mark.parametrize("validator", [{"etag": '"one"'}, {"etag": None, "modified": "Mon, 02 Nov 2026 03:04:05 GMT"}])
def test_a_cut_connection_is_continued_with_the_missing_bytes_only(get: Fetcher, server: Server, validator: dict[str, Any]) -> None:
    server.answers = [serve(CONTENT, cut=100_000, **validator), serve(CONTENT, cut=50_000, **validator)]
    server.usual = serve(CONTENT, **validator)
    assert Path(get().path).read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=100000-", "bytes=150000-"] and server.sent == len(CONTENT)
    assert get.kinds() == ["retry", "retry"]
    assert [name for name in get.names() if ".part" in name] == []


def test_an_answer_that_stalls_is_given_up_and_continued(get: Fetcher, server: Server) -> None:
    server.answers = [serve(CONTENT, cut=70_000, then=lambda request: server.open.wait(20))]
    assert Path(get(patience=Patience(5, 0.3, 3, 0)).path).read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=70000-"]
    assert [event["reason"] for event in get.events if event["event"] == "retry"] == ["no byte for 0.3 seconds"]


def test_a_server_that_accepts_and_says_nothing_is_given_up(get: Fetcher, server: Server) -> None:
    server.usual = lambda request: server.open.wait(20) and None
    fails(get, r"no answer in 0\.2 seconds; tried 2 times", patience=Patience(5, 0.2, 2, 0))


def test_a_dropped_connection_is_tried_again(get: Fetcher, server: Server) -> None:
    server.answers = [drop]
    assert Path(get().path).read_bytes() == CONTENT and get.kinds() == ["retry"]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_passing_refusal_is_tried_again(get: Fetcher, server: Server, code: int) -> None:
    server.answers = [status(code, {"Retry-After": "0"}), status(code)]
    assert Path(get().path).read_bytes() == CONTENT and len(server.requests) == 3


def test_the_wait_that_the_server_asks_for_is_kept_within_a_bound(get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(download.time, "sleep", waits.append)
    server.answers = [status(503, {"Retry-After": "7"}), status(503, {"Retry-After": "99999"}), status(503, {"Retry-After": "soon"})]
    get(patience=Patience(attempts=5, backoff_seconds=1))
    assert waits == [7, download.MAX_WAIT_SECONDS, 4]


@pytest.mark.parametrize(("code", "phrase"), [(404, "Not Found"), (403, "Forbidden"), (401, "Unauthorized"), (299, "")])
def test_a_lasting_refusal_ends_at_once(get: Fetcher, server: Server, code: int, phrase: str) -> None:
    server.usual = status(code)
    fails(get, f"/file: the server answered {code} {phrase}")
    assert len(server.requests) == 1


def test_a_server_that_always_cuts_ends_the_command_and_the_next_run_goes_on(get: Fetcher, server: Server) -> None:
    server.usual = serve(CONTENT, cut=30_000)
    message = fails(get, "tried 3 times")
    assert f"90000 bytes are kept in {get.folder}/Laws.zip.part" in message and "Run the same command" in message
    server.requests.clear()
    server.usual = serve(CONTENT)
    assert Path(get().path).read_bytes() == CONTENT
    assert server.ranges() == ["bytes=90000-"] and get.kinds() == ["resume"]


def test_tries_count_anew_after_real_progress(get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ADVANCE_BYTES", 20_000)
    server.usual = serve(CONTENT, cut=30_000)
    assert Path(get().path).read_bytes() == CONTENT and len(server.requests) == 11


def test_a_server_that_sends_the_same_half_again_and_again_is_given_up(
    get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "ADVANCE_BYTES", 20_000)
    server.usual = serve(CONTENT, cut=150_000, resume=False)
    fails(get, "tried 3 times")
    assert len(server.requests) == 3


def test_a_server_that_cannot_resume_is_asked_for_the_whole_again(get: Fetcher, server: Server) -> None:
    server.answers = [serve(CONTENT, cut=100_000, resume=False)]
    server.usual = serve(CONTENT, resume=False)
    assert Path(get().path).read_bytes() == CONTENT
    assert [event["reason"] for event in get.events if event["event"] == "restart"] == ["the server cannot resume"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(get: Fetcher, server: Server) -> None:
    server.answers = [serve(CONTENT, cut=100_000)]
    server.usual = serve(OTHER, etag='"two"')
    assert Path(get().path).read_bytes() == OTHER
    assert [event["reason"] for event in get.events if event["event"] == "restart"] == ["the file changed on the server"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Content-Range": "bytes 0-299999/300002"},
        {"Content-Range": "bytes 100000-300001/999999"},
        {"Content-Range": "nonsense"},
        {"Content-Range": "bytes 100000-300001/300002", "ETag": '"two"'},
    ],
)
def test_a_part_of_something_else_is_never_joined(get: Fetcher, server: Server, wrong: dict[str, str]) -> None:
    def other(request: Any) -> None:
        request.send_response(206)
        for name, value in {"Content-Length": "200002", **wrong}.items():
            request.send_header(name, value)
        request.end_headers()
        request.body(OTHER[:200_002])

    server.answers = [serve(CONTENT, cut=100_000), other]
    assert Path(get().path).read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=100000-", None]


def test_without_etag_or_date_nothing_is_joined(get: Fetcher, server: Server) -> None:
    server.answers = [serve(CONTENT, etag=None, cut=100_000)]
    server.usual = serve(OTHER, etag=None)
    assert Path(get().path).read_bytes() == OTHER and server.ranges() == [None, None]


def test_a_weak_etag_does_not_promise_equal_bytes(get: Fetcher, server: Server) -> None:
    server.answers = [serve(CONTENT, etag='W/"one"', cut=100_000)]
    server.usual = serve(CONTENT, etag='W/"one"')
    assert Path(get().path).read_bytes() == CONTENT and server.ranges() == [None, None]


def test_a_content_length_beyond_the_file_ends_in_one_line(get: Fetcher, server: Server) -> None:
    server.usual = serve(CONTENT, length=len(CONTENT) + 10, resume=False)
    fails(get, f"ended after {len(CONTENT)} of {len(CONTENT) + 10} bytes; tried 3 times|the connection broke; tried 3 times")
    assert "Laws.zip" not in get.names()


def test_a_false_content_length_is_put_right_by_the_answer_to_the_rest(get: Fetcher, server: Server) -> None:
    server.answers = [serve(CONTENT, length=len(CONTENT) + 10)]
    assert Path(get().path).read_bytes() == CONTENT and server.ranges() == [None, f"bytes={len(CONTENT)}-"]


def test_a_length_that_is_no_number_is_not_believed(get: Fetcher, server: Server) -> None:
    def strange(request: Any) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "-5")
        request.send_header("Connection", "close")
        request.end_headers()
        request.body(CONTENT)

    server.usual = strange
    assert Path(get().path).read_bytes() == CONTENT


def test_a_part_that_is_whole_is_not_asked_for_again(get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(part: download.Part) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(download.Part, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            get()
    assert "Laws.zip" not in get.names() and "Laws.zip.source.json" in get.names()
    assert Path(get().path).read_bytes() == CONTENT and len(server.requests) == 1 and get.names() == WHOLE


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 120_000), max_size=6), kinds=st.lists(st.sampled_from(["cut", "drop", "503", "ignore"]), max_size=6))
def test_whatever_happens_on_the_way_the_file_is_the_servers(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], kinds: list[str]
) -> None:
    server = Server()
    try:
        for kind, cut in zip(kinds, cuts, strict=False):
            answers = {"cut": serve(CONTENT, cut=cut), "drop": drop, "503": status(503), "ignore": serve(CONTENT, resume=False, cut=cut)}
            server.answers.append(answers[kind])
        get = Fetcher(server, tmp_path_factory.mktemp("any"))
        assert Path(get(patience=Patience(5, 5, 10, 0)).path).read_bytes() == CONTENT and get.names() == WHOLE
    finally:
        server.close()


# --- what is not the file


def test_a_compressed_answer_is_refused(get: Fetcher, server: Server) -> None:
    server.usual = serve(CONTENT, headers={"Content-Encoding": "gzip"})
    fails(get, "is sent compressed")


def test_a_web_page_in_place_of_the_file_is_removed(get: Fetcher, server: Server) -> None:
    server.usual = serve("<html>系統維護中</html>".encode())
    fails(get, r"is no \.zip file, perhaps a web page\. Removed")
    assert get.names() == []


def test_a_wrong_checksum_removes_the_part_so_that_the_next_run_starts_anew(get: Fetcher, server: Server) -> None:
    checksum = {"sha256": hashlib.sha256(CONTENT).hexdigest()}
    server.answers = [serve(OTHER)]
    message = fails(get, "sha256 is .*, published is", checksum=checksum)
    assert hashlib.sha256(OTHER).hexdigest() in message and checksum["sha256"] in message
    assert get.names() == []
    assert get(checksum=checksum).fetched and server.ranges() == [None, None]


def test_a_checksum_holds_for_a_file_that_came_in_pieces(get: Fetcher, server: Server) -> None:
    server.usual = serve(CONTENT, cut=110_000)
    with pytest.raises(UserError):
        get(patience=Patience(attempts=1, backoff_seconds=0))
    server.usual = serve(CONTENT)
    assert get(checksum={"sha256": hashlib.sha256(CONTENT).hexdigest()}).bytes == len(CONTENT)


def with_sums(server: Server, listing: str) -> dict[str, Any]:
    server.answers = [serve(listing.encode())]
    return {"url": server.url.replace("/file", "/x/zhwiki-latest-a.zip"), "checksum": {"sha1sums": server.url + "/sums.txt"}}


def test_the_published_list_of_sums_is_compared_with(get: Fetcher, server: Server) -> None:
    sha1 = hashlib.sha1(CONTENT).hexdigest()
    found = get(**with_sums(server, f"{'0' * 40}  zhwiki-20261101-b.zip\n{sha1}  zhwiki-20261101-a.zip\n"))
    assert [path for path, _ in server.requests] == ["/file/sums.txt", "/x/zhwiki-latest-a.zip"]
    assert json.loads(Path(found.source).read_text())["checked_against"] == {"algorithm": "sha1", "value": sha1}


def test_a_file_that_the_sums_do_not_list_is_fetched_with_a_warning(get: Fetcher, server: Server) -> None:
    found = get(**with_sums(server, f"{'0' * 40}  zhwiki-20261101-b.zip\n"))
    assert "does not list zhwiki-latest-a.zip" in get.events[0]["message"]
    assert json.loads(Path(found.source).read_text())["checked_against"] is None


def test_sums_that_cannot_be_had_end_the_command_before_the_file_is_asked_for(get: Fetcher, server: Server) -> None:
    options = with_sums(server, "")
    server.answers = [status(404)]
    fails(get, "sums.txt: the server answered 404", **options)
    assert len(server.requests) == 1


def test_sums_without_end_are_refused(get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_TEXT_BYTES", 1_000)
    fails(get, "too long for a list of checksums", **with_sums(server, "x" * 5_000))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("zhwiki-latest-a.xml.bz2", "a" * 40),
        ("zhwiki-20261101-a.xml.bz2", "a" * 40),
        ("hakwiki-latest-a.xml.bz2", None),
        ("zhwiki-latest-aXxml.bz2", None),
        ("plain.zip", "b" * 40),
        ("-latest-", None),
    ],
)
def test_the_sum_of_a_name(name: str, found: str | None) -> None:
    listing = f"{'A' * 40}  zhwiki-20261101-a.xml.bz2\r\nnonsense\n{'b' * 40} *plain.zip\n{'c' * 39}  {name}\n"
    assert checksum_in(listing, name) == found


# --- redirects


def test_a_redirect_is_followed(get: Fetcher, server: Server) -> None:
    server.answers = [redirect("/elsewhere"), redirect(server.url.replace("/file", "/at-last"))]
    assert Path(get().path).read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/file", "/elsewhere", "/at-last"]


def test_the_body_of_a_redirect_is_not_read(get: Fetcher, server: Server) -> None:
    def endless(request: Any) -> None:
        request.send_response(302)
        request.send_header("Location", "/elsewhere")
        request.send_header("Connection", "close")
        request.end_headers()
        while True:  # until the other side has had enough
            request.body(bytes(1 << 20))

    server.answers = [endless]
    assert Path(get().path).read_bytes() == CONTENT


def test_a_loop_of_redirects_ends(get: Fetcher, server: Server) -> None:
    server.usual = redirect("/file")
    fails(get, "redirects more than 5 times")
    assert len(server.requests) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://example.org/a", "data:,PK", "http://[::1", "javascript:1"])
def test_a_redirect_to_another_kind_of_address_is_refused(get: Fetcher, server: Server, location: str) -> None:
    server.usual = redirect(location)
    fails(get, "redirects to .*which is no web address")
    assert get.names() == []


@pytest.mark.parametrize(
    ("first", "url", "location", "why"),
    [
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "http://1.1.1.1/a", "not encrypted"),
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "https://127.0.0.1/a", "private"),
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "https://localhost/a", "private"),
        ("https://1.1.1.1/a", "https://8.8.8.8/a", "https://169.254.169.254/latest/meta-data", "private"),
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "https://[::1]/", "private"),
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "https://[::ffff:10.0.0.1]/", "private"),
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "https://2130706433/", "private"),
        ("https://1.1.1.1/a", "https://1.1.1.1/a", "//192.168.1.1/", "private"),
        ("https://no-such-host.invalid/a", "https://no-such-host.invalid/a", "https://10.0.0.1/", "private"),
    ],
)
def test_a_redirect_inwards_or_out_of_encryption_is_refused(first: str, url: str, location: str, why: str) -> None:
    with pytest.raises(UserError, match=f"redirects to .*which is .*{why}.* Refused"):
        redirected(first, url, location)


def test_a_redirect_within_bounds_leads_on() -> None:
    assert redirected("http://1.1.1.1/a/b", "http://1.1.1.1/a/b", "../c?d") == "http://1.1.1.1/c?d"
    assert redirected("http://1.1.1.1/", "http://1.1.1.1/", "https://8.8.8.8/x") == "https://8.8.8.8/x"
    assert redirected("http://10.0.0.1/", "http://10.0.0.1/", "http://10.0.0.2/") == "http://10.0.0.2/"
    assert is_private("http://127.0.0.1:80/") and not is_private("http://8.8.8.8/")


# --- the file that is already here


def test_a_current_file_is_not_fetched_again(get: Fetcher, server: Server) -> None:
    get()
    found = get()
    assert not found.fetched and found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert server.sent == len(CONTENT) and server.requests[1][1]["if-none-match"] == '"one"'


def test_a_server_that_ignores_the_condition_is_not_read_twice(get: Fetcher, server: Server) -> None:
    get()

    def whole(request: Any) -> None:
        del request.headers["If-None-Match"]
        serve(CONTENT)(request)

    server.usual = whole
    assert not get().fetched and get.names() == WHOLE


def test_a_current_checksum_needs_no_request(get: Fetcher, server: Server) -> None:
    checksum = {"sha256": hashlib.sha256(CONTENT).hexdigest()}
    get(checksum=checksum)
    assert not get(checksum=checksum).fetched and len(server.requests) == 1


def test_a_new_version_replaces_the_old_one_when_it_is_whole(get: Fetcher, server: Server) -> None:
    get()
    server.usual = serve(OTHER, etag='"two"', cut=50_000)
    fails(get, "are kept")
    assert (get.folder / "Laws.zip").read_bytes() == CONTENT
    server.usual = serve(OTHER, etag='"two"')
    found = get()
    assert Path(found.path).read_bytes() == OTHER and json.loads(Path(found.source).read_text())["etag"] == '"two"'


def test_a_damaged_file_is_noticed_and_fetched_anew(get: Fetcher, server: Server) -> None:
    path = Path(get().path)
    path.write_bytes(CONTENT[:-1] + b"?")
    assert get().fetched and path.read_bytes() == CONTENT and "damaged or changed" in get.events[0]["message"]


def test_force_fetches_again(get: Fetcher, server: Server) -> None:
    get()
    assert get(force=True).fetched and server.sent == 2 * len(CONTENT)


def test_a_file_of_someone_else_is_not_replaced(get: Fetcher, server: Server) -> None:
    get.folder.mkdir()
    (get.folder / "Laws.zip").write_bytes(b"mine")
    fails(get, r"is here without Laws\.zip\.source\.json, so it was not fetched\. Move it, or replace it with --force\.")
    assert (get.folder / "Laws.zip").read_bytes() == b"mine" and server.requests == []
    assert get(force=True).fetched


# --- places that cannot take it


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_a_full_disk_is_one_line(get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = download.Part.begin

    def on_a_full_disk(part: download.Part, version: download.Version) -> None:
        begin(part, version)
        os.symlink("/dev/full", part.path)

    monkeypatch.setattr(download.Part, "begin", on_a_full_disk)
    fails(get, r"Laws\.zip\.part: cannot write: No space left on device\. Free space")
    assert "Laws.zip" not in get.names()


def test_a_file_that_the_disk_cannot_hold_is_not_begun(get: Fetcher, server: Server) -> None:
    server.usual = serve(CONTENT, length=10**17)
    fails(get, r"needs 100,000,000,000\.0 MB more and the disk has .* Free space")
    assert "Laws.zip" not in get.names()


def test_a_folder_that_cannot_be_written_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write there"):
        Fetcher(server, tmp_path / "file" / "laws")()
    with pytest.raises(UserError, match="fetched files are stored locally"):
        fetch.fetch("laws", entry(server), "s3://bucket/laws")


# --- no network, and secrets


def test_without_a_network_it_ends_at_once(server: Server, tmp_path: Path) -> None:
    server.close()
    with pytest.raises(UserError, match=r"127\.0\.0\.1 cannot be reached: Connection refused\. Check the network") as caught:
        fetch.fetch("laws", entry(server), str(tmp_path))  # the usual patience
    assert "\n" not in str(caught.value)


def test_a_name_that_does_not_resolve_is_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no-such-host\.invalid cannot be reached: "):
        fetch.fetch("laws", entry(server, url="https://no-such-host.invalid/a"), str(tmp_path))


def test_a_proxy_is_used_and_its_password_not_shown(get: Fetcher, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = server.url.replace("http://", "http://user:proxy-secret@").removesuffix("/file")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    assert get(url="http://laws.example/file").bytes == len(CONTENT)
    assert server.requests[0][0] == "http://laws.example/file"
    monkeypatch.setenv("http_proxy", "http://user:proxy-secret@127.0.0.1:9")
    assert "proxy-secret" not in fails(get, "the proxy cannot be reached", url="http://laws.example/other")


def test_a_password_in_the_address_reaches_the_server_and_nothing_else(get: Fetcher, server: Server) -> None:
    url = server.url.replace("http://", "http://me:top-secret@") + "?sig=also-secret"
    server.answers = [serve(CONTENT, cut=1_000), status(404)]
    message = fails(get, "404", url=url)
    found = get(url=url)
    assert all(headers["authorization"].startswith("Basic ") for _, headers in server.requests)
    said = message + json.dumps(get.events) + str(found) + "".join(path.read_text("latin-1") for path in get.folder.iterdir())
    assert "secret" not in said


# --- the catalogue


def test_the_catalogue_names_official_addresses_and_types_that_exist() -> None:
    catalogue = load_catalogue()
    assert {"law", "orders", "wikipedia", "wikipedia-nan", "wikipedia-hak"} <= catalogue.keys()
    for item in catalogue.values():
        assert item.type in spec.CLASSES and item.license.value != "unknown"
        host = re.fullmatch(r"https://([^/]+)/.*", item.url)
        assert host and host[1] in ("law.moj.gov.tw", "dumps.wikimedia.org")
        if "dumps.wikimedia.org" in item.url:
            assert item.checksum is not None and item.checksum.sha1sums is not None
            assert item.checksum.sha1sums.rsplit("/", 1)[0] == item.url.rsplit("/", 1)[0] and item.url.endswith("/" + item.file)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"file": "../Laws.zip"}, "file"),
        ({"file": ".hidden"}, "file"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"license": "free"}, "license"),
        ({"checksum": {}}, "checksum"),
        ({"checksum": {"sha256": "0" * 64, "sha1sums": "https://a.example/s"}}, "checksum"),
        ({"sise": 1}, "sise"),
    ],
)
def test_a_faulty_catalogue_is_refused_by_key(server: Server, tmp_path: Path, change: dict[str, Any], key: str) -> None:
    facts = {**entry(server).model_dump(mode="json", exclude_none=True), **change}
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"sources": {"laws": facts}}), encoding="utf-8")
    with pytest.raises(UserError, match=f"c.yaml: .*{key}"):
        load_catalogue(str(path))


# --- the command


@pytest.fixture
def catalogue(server: Server, tmp_path: Path) -> str:
    path = tmp_path / "catalogue.yaml"
    facts = entry(server).model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump({"sources": {"laws": facts}}, allow_unicode=True), encoding="utf-8")
    return str(path)


def test_the_catalogue_is_listed() -> None:
    for arguments in ((), ("--list",), ("law", "--list")):
        done = twllm("corpus", "fetch", *arguments)
        assert done.returncode == 0 and "wikipedia-hak" in done.stdout and "ogdl-taiwan-1.0" in done.stdout
    listed = json.loads(twllm("corpus", "fetch", "--json").stdout)
    assert listed["law"]["url"] == "https://law.moj.gov.tw/api/ch/law/json"


def test_the_command_prints_where_the_file_is_and_how_a_recipe_reads_it(catalogue: str, tmp_path: Path) -> None:
    done = twllm("corpus", "fetch", "laws", "--catalogue", catalogue, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "laws" / "Laws.zip").read_bytes() == CONTENT
    assert "type: law" in done.stdout and "paths: [data/laws/Laws.zip]" in done.stdout
    assert "0.3 of 0.3 MB (100%)" in done.stderr


def test_the_command_speaks_json_line_by_line(catalogue: str, tmp_path: Path, server: Server) -> None:
    server.answers = [serve(CONTENT, cut=100_000)]
    done = twllm("corpus", "fetch", "laws", "--catalogue", catalogue, "--output", str(tmp_path / "out"), "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "progress"] == ["start", "retry", "done"]
    assert events[-1]["sha256"] == hashlib.sha256(CONTENT).hexdigest() and events[-1]["bytes"] == len(CONTENT)
    assert done.stderr == "" and done.returncode == 0


def test_a_name_that_is_not_in_the_catalogue_is_exit_code_2() -> None:
    done = twllm("corpus", "fetch", "lawz")
    assert done.returncode == 2 and "lawz: no such source to fetch; there are law, orders" in done.stderr and "Traceback" not in done.stderr


def test_a_failed_command_is_one_line_and_exit_code_2(catalogue: str, tmp_path: Path, server: Server) -> None:
    server.usual = status(404)
    done = twllm("corpus", "fetch", "laws", "--catalogue", catalogue, "--output", str(tmp_path / "out"), "--json")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "404" in done.stderr


@pytest.mark.parametrize("after", [20_000, 65_536, 200_000])
def test_a_killed_command_goes_on_with_the_missing_bytes(catalogue: str, tmp_path: Path, server: Server, after: int) -> None:
    here = threading.Event()
    server.answers = [serve(CONTENT, cut=after, then=lambda request: here.set() or server.open.wait(60))]
    arguments = ["corpus", "fetch", "laws", "--catalogue", catalogue, "--output", str(tmp_path / "out")]
    process = subprocess.Popen(
        [sys.executable, "-c", "from factory.cli import main; main()", *arguments], cwd=REPOSITORY, stderr=subprocess.DEVNULL
    )
    assert here.wait(30)
    part = tmp_path / "out" / "Laws.zip.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size):
        pass  # until some of it is stored
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = part.stat().st_size
    assert 0 < kept <= after and not (tmp_path / "out" / "Laws.zip").exists()
    server.requests.clear()
    server.sent = 0
    done = twllm(*arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "Laws.zip").read_bytes() == CONTENT
    assert server.ranges() == [f"bytes={kept}-"] and server.sent == len(CONTENT) - kept
    assert "going on after" in done.stderr


def test_two_at_once_do_not_write_the_same_file(catalogue: str, tmp_path: Path, server: Server) -> None:
    seen: list[subprocess.CompletedProcess[str]] = []
    arguments = ("corpus", "fetch", "laws", "--catalogue", catalogue, "--output", str(tmp_path / "out"))
    server.answers = [serve(CONTENT, cut=1_000, then=lambda request: seen.append(twllm(*arguments)))]
    assert twllm(*arguments).returncode == 0
    assert seen[0].returncode == 2 and "another run is writing there" in seen[0].stderr


def test_the_bar_on_a_terminal_shows_name_and_bytes() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    with show_fetch.watching(False, screen) as report:
        report({"event": "start", "name": "laws", "url": "https://a.example/x", "path": "data/laws/x.zip"})
        report({"event": "progress", "bytes": 1_000_000, "total": 4_000_000})
        report({"event": "retry", "reason": "the connection broke", "bytes": 5, "wait_seconds": 2.0})
    assert "https://a.example/x" in screen.getvalue() and "1.0/4.0 MB" in screen.getvalue() and "trying again in 2 s" in screen.getvalue()


def test_long_downloads_without_a_terminal_print_a_line_for_each_tenth() -> None:
    stream = io.StringIO()
    with show_fetch.watching(False, stream) as report:
        for done in range(0, 1001):
            report({"event": "progress", "bytes": done * 1_000_000, "total": 1_000_000_000})
    assert len(stream.getvalue().splitlines()) == 10


def test_the_module_of_requests_is_not_loaded_by_importing() -> None:
    code = "import sys, corpus.fetch, corpus.download, corpus.connection; print('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True).stdout == "False\n"
    assert connection.MAX_REDIRECTS == 5
