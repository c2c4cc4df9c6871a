"""Object stores: s3:// on a local moto server, hf:// on a server that answers the hub's routes. What goes wrong there is one line."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import sys
import threading
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from factory import storage
from factory.errors import UserError

pytest.importorskip("s3fs")
pytest.importorskip("moto")

SECRET = "do-not-show-this-secret"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTKEY", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
LINES = b"".join(b"%d \xe5\x8f\xb0\xe7\x81\xa3\n" % number for number in range(40_000))


class Gate:
    """moto's S3 with a door: what `closed(method, path)` holds true of is answered with AccessDenied, or with `code`."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Silent(WSGIRequestHandler):
            def log_request(self, *arguments: Any) -> None: ...

        self.closed: Callable[[str, str], bool] = lambda method, path: False
        self.code = "403 Forbidden"
        self.requests: list[tuple[str, str]] = []
        self._inner = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Silent)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        asked = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append(asked)
        if self.closed(*asked):
            start_response(self.code, [("Content-Type", "application/xml")])
            return [b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        return self._inner(environ, start_response)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@contextmanager
def s3_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """An empty S3 with the bucket `texts`, in the environment of this process and of those that it starts."""
    import s3fs

    gate = Gate()
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": gate.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    import requests

    requests.post(f"{gate.endpoint}/moto-api/reset", timeout=10)
    s3fs.S3FileSystem().mkdir("texts")
    try:
        yield gate
    finally:
        gate.stop()
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    # few tries: what is tested is what comes after the last one
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"retries": {"max_attempts": 1}}, "default_block_size": 5 << 20})
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    with s3_store(monkeypatch) as gate:
        yield gate


def put(path: str, content: bytes) -> None:
    with fsspec.open(path, "wb") as stream:
        stream.write(content)


# --- reading


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", lambda data: zstandard.ZstdCompressor().compress(data)),
    ],
)
def test_every_compression_is_read_from_a_bucket(s3: Gate, suffix: str, compress: Callable[[bytes], bytes]) -> None:
    path = f"s3://texts/a.jsonl{suffix}"
    stored = compress(LINES)
    put(path, stored)
    with storage.open_binary(path) as stream:
        assert list(stream) == LINES.splitlines(keepends=True)
    assert storage.sha256_file(path) == hashlib.sha256(stored).hexdigest()
    assert storage.file_size(path) == len(stored)


def test_a_zip_in_a_bucket_is_read_by_its_members(s3: Gate) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", LINES)
        archive.writestr("b.txt", "台灣")
    put("s3://texts/a.zip", whole.getvalue())
    with storage.open_stored("s3://texts/a.zip") as raw, zipfile.ZipFile(raw) as archive:
        assert archive.read("b.txt").decode() == "台灣" and archive.read("a.txt") == LINES


@given(st.lists(st.tuples(st.integers(0, len(LINES) + 10), st.integers(0, 200_000)), max_size=12))
def test_seeks_and_reads_of_a_remote_file_are_those_of_a_local_one(moves: list[tuple[int, int]]) -> None:
    put("memory://moves.bin", LINES)
    plain = io.BytesIO(LINES)
    with storage.open_stored("memory://moves.bin") as stream:
        for place, count in moves:
            assert stream.seek(place) == plain.seek(place)
            assert stream.read(count) == plain.read(count) and stream.tell() == plain.tell()


def test_a_bucket_is_listed_by_key_folder_and_glob(s3: Gate) -> None:
    for key in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "deep/deeper/d.txt", "新聞/甲.jsonl"):
        put(f"s3://texts/{key}", b"x")
    fsspec.filesystem("s3").pipe("texts/empty/", b"")  # what consoles leave as a "folder"
    fsspec.filesystem("s3").invalidate_cache()
    listed = {
        "s3://texts/a.jsonl": ["a.jsonl"],
        "s3://texts/*.jsonl": ["a.jsonl", "b.jsonl"],
        "s3://texts/deep": ["deep/c.jsonl", "deep/deeper/d.txt"],
        "s3://texts/deep/": ["deep/c.jsonl", "deep/deeper/d.txt"],
        "s3://texts/**/*.jsonl": ["a.jsonl", "b.jsonl", "deep/c.jsonl", "新聞/甲.jsonl"],
        "s3://texts/新聞": ["新聞/甲.jsonl"],
        "s3://texts/empty": [],
        "s3://texts": ["a.jsonl", "b.jsonl", "deep/c.jsonl", "deep/deeper/d.txt", "新聞/甲.jsonl"],
    }
    for pattern, names in listed.items():
        assert storage.list_files(pattern) == [f"s3://texts/{name}" for name in names], pattern


def test_listing_a_folder_of_many_keys_takes_few_requests(s3: Gate) -> None:
    for number in range(60):
        put(f"s3://texts/many/{number:02}.jsonl", b"x")
    fsspec.filesystem("s3").invalidate_cache()
    s3.requests.clear()
    assert len(storage.list_files("s3://texts/many")) == 60 and len(s3.requests) < 6


def test_a_result_is_written_to_a_bucket_whole_or_not_at_all(s3: Gate) -> None:
    def failing(stream: Any) -> None:
        stream.write(b"half")
        raise ZeroDivisionError

    storage.atomic_write_text("s3://texts/a.json", "舊")
    with pytest.raises(ZeroDivisionError):
        storage.atomic_write("s3://texts/a.json", failing)
    with storage.open_binary("s3://texts/a.json") as stream:
        assert stream.read().decode() == "舊"


# --- what goes wrong

USES: dict[str, Callable[[str], object]] = {
    "list_files": storage.list_files,
    "file_size": storage.file_size,
    "sha256_file": storage.sha256_file,
    "atomic_write": lambda path: storage.atomic_write_text(path, "x"),
}


def one_line(use: Callable[[str], object], path: str, pattern: str) -> None:
    with pytest.raises(UserError, match=pattern) as caught:
        use(path)
    message = str(caught.value)
    assert message.startswith(path) and "\n" not in message and SECRET not in message and KEYS["AWS_ACCESS_KEY_ID"] not in message


def test_what_is_not_there_is_not_found(s3: Gate) -> None:
    for path in ("s3://texts/absent.jsonl", "s3://texts/absent/*.jsonl", "s3://no-such-bucket/a.jsonl", "s3://no-such-bucket/*"):
        assert storage.list_files(path) == []
    assert storage.file_size("s3://texts/absent.jsonl") is None
    one_line(storage.sha256_file, "s3://texts/absent.jsonl", "cannot be read: no such file")
    one_line(storage.sha256_file, "s3://no-such-bucket/a.jsonl", "cannot be read: no such file|NoSuchBucket|cannot be reached")
    one_line(USES["atomic_write"], "s3://no-such-bucket/a.jsonl", "cannot write: .*does not exist")


@pytest.mark.parametrize("use", USES)
def test_a_denied_bucket_is_one_line(s3: Gate, use: str) -> None:
    put("s3://texts/a.jsonl", LINES)
    fsspec.filesystem("s3").invalidate_cache()
    s3.closed = lambda method, path: True
    one_line(USES[use], "s3://texts/a.jsonl", r"cannot be re(ached|ad): .*(Denied|Forbidden).* Check|Correct")


@pytest.mark.parametrize("use", USES)
def test_a_server_that_is_gone_is_one_line(s3: Gate, use: str) -> None:
    put("s3://texts/a.jsonl", LINES)
    fsspec.filesystem("s3").invalidate_cache()
    s3.server.shutdown()
    s3.server.server_close()
    one_line(USES[use], "s3://texts/a.jsonl", r"cannot be reached: Could not connect to the endpoint URL.* Check the address, the cred")


def test_a_file_that_breaks_off_while_it_is_read_is_no_shorter_file(s3: Gate) -> None:
    put("s3://texts/a.jsonl.gz", gzip.compress(hashlib.shake_256(b"noise").digest(12 << 20), 1))
    with storage.open_binary("s3://texts/a.jsonl.gz") as stream:
        assert len(stream.read(1_000)) == 1_000
        s3.closed = lambda method, path: True
        with pytest.raises(UserError, match=r"^s3://texts/a\.jsonl\.gz: cannot be reached: .* Check the address, the credentials"):
            stream.read()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("https://me:secret@host.example/a.jsonl?X-Amz-Signature=secret#secret", "https://host.example/a.jsonl"),
        ("http://host.example/a", "http://host.example/a"),
        ("ftp://me:secret@host.example/a?b", "ftp://host.example/a?b"),
        ("s3://bucket/a?.jsonl", "s3://bucket/a?.jsonl"),
        ("/data/a@b.jsonl", "/data/a@b.jsonl"),
        ("資料/甲.jsonl", "資料/甲.jsonl"),
    ],
)
def test_what_messages_show_of_a_path(path: str, seen: str) -> None:
    assert storage.shown(path) == seen


@pytest.mark.parametrize("use", USES)
def test_a_password_in_a_web_address_is_not_in_the_message(use: str) -> None:
    with pytest.raises(UserError) as caught:
        USES[use]("http://me:top-secret@127.0.0.1:9/a.jsonl?sig=hidden")
    assert "top-secret" not in str(caught.value) and "hidden" not in str(caught.value)
    assert str(caught.value).startswith("http://127.0.0.1:9/a.jsonl: cannot ") and "\n" not in str(caught.value)


# --- the Hugging Face hub


class Hub:
    """The routes of the hub that HfFileSystem asks, for one data set; files are served with ranges."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self, b"")

            def do_HEAD(self) -> None:
                hub.answer(self, b"")

            def do_POST(self) -> None:
                hub.answer(self, self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            def log_message(self, *arguments: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.http.server_port}"
        self._thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self._thread.join()

    def _entry(self, path: str) -> dict[str, Any]:
        return {"type": "file", "path": path, "size": len(self.files[path]), "oid": hashlib.sha1(self.files[path]).hexdigest()}

    def answer(self, request: Any, body: bytes) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.path).path)
        self.requests.append((request.command, path, {name.lower(): value for name, value in request.headers.items()}))
        api = "/api/datasets/lab/texts"
        if path.startswith("/datasets/lab/texts/resolve/main/"):
            self._file(request, path.removeprefix("/datasets/lab/texts/resolve/main/"))
        elif path == f"{api}/paths-info/main":
            asked = json.loads(body)["paths"] if body.startswith(b"{") else urllib.parse.parse_qs(body.decode())["paths"]
            folders = {"/".join(name.split("/")[:depth]) for name in self.files for depth in range(1, name.count("/") + 1)}
            found = [self._entry(name) for name in asked if name in self.files]
            found += [{"type": "directory", "path": name, "oid": "0" * 40} for name in asked if name in folders]
            self._json(request, found)
        elif path.startswith(f"{api}/tree/main"):
            inside = path.removeprefix(f"{api}/tree/main").strip("/")
            names = [name for name in sorted(self.files) if not inside or name.startswith(f"{inside}/")]
            recursive = "recursive=true" in request.path.lower()
            rows = [self._entry(name) for name in names if recursive or "/" not in name[len(inside) :].strip("/")]
            tops = {name[: name.index("/", len(inside) + 1)] for name in names if "/" in name[len(inside) + 1 :]}
            self._json(request, rows + [{"type": "directory", "path": name, "oid": "0" * 40} for name in sorted(tops)])
        elif path in (api, f"{api}/revision/main"):
            self._json(request, {"_id": "1", "id": "lab/texts", "sha": "0" * 40, "private": False, "tags": [], "siblings": []})
        else:
            self._json(request, {"error": "not found"}, 404)

    def _json(self, request: Any, value: Any, code: int = 200) -> None:
        content = json.dumps(value).encode()
        request.send_response(code)
        request.send_header("Content-Type", "application/json")
        if code == 404:
            request.send_header("X-Error-Code", "RepoNotFound")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _file(self, request: Any, name: str) -> None:
        content = self.files[name]
        asked = request.headers.get("Range")
        start, end = 0, len(content) - 1
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last or end), end)
        request.send_response(206 if asked else 200)
        if asked:
            request.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        request.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        request.send_header("Content-Length", str(end - start + 1))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content[start : end + 1])


HUB_FILES = {
    "README.md": b"# texts",
    "data/a.jsonl.gz": gzip.compress(LINES),
    "data/b.jsonl": LINES,
}


def on_the_hub(hub: Hub, *calls: tuple[str, str]) -> list[Any]:
    """What calls of `factory.storage` return, or say as they fail, in a process whose environment names the hub."""
    code = """
import hashlib, json, sys
from factory import storage
from factory.errors import UserError

def read(path):
    with storage.open_binary(path) as stream:
        return hashlib.sha256(stream.read()).hexdigest()

def answer(name, path):
    try:
        return read(path) if name == "read" else getattr(storage, name)(path)
    except UserError as error:
        return str(error)

print(json.dumps([answer(*call) for call in json.loads(sys.argv[1])]))
"""
    # HF_ENDPOINT is looked at when huggingface_hub is imported
    environ = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", code, json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub(HUB_FILES)
    yield made
    made.stop()


def test_files_on_the_hub_are_listed_measured_and_read(hub: Hub) -> None:
    base = "hf://datasets/lab/texts/data"
    found = on_the_hub(
        hub,
        ("list_files", base),
        ("list_files", f"{base}/*.jsonl"),
        ("list_files", f"{base}/b.jsonl"),
        ("file_size", f"{base}/b.jsonl"),
        ("read", f"{base}/b.jsonl"),
        ("read", f"{base}/a.jsonl.gz"),
        ("sha256_file", f"{base}/a.jsonl.gz"),
    )
    plain = hashlib.sha256(LINES).hexdigest()
    stored = hashlib.sha256(HUB_FILES["data/a.jsonl.gz"]).hexdigest()
    one = [f"{base}/b.jsonl"]
    assert found == [[f"{base}/a.jsonl.gz", *one], one, one, len(LINES), plain, plain, stored]
    assert any(headers.get("range") for method, path, headers in hub.requests if "/resolve/" in path)


def test_what_the_hub_does_not_have_is_nothing_and_a_data_set_that_it_does_not_have_is_one_line(hub: Hub) -> None:
    base = "hf://datasets/lab/texts"
    absent = (("list_files", f"{base}/data/absent.jsonl"), ("list_files", f"{base}/data/*.txt"), ("file_size", f"{base}/absent.jsonl"))
    assert on_the_hub(hub, *absent) == [[], [], None]
    path = "hf://datasets/lab/absent/a.jsonl"
    for message in on_the_hub(hub, ("list_files", path), ("sha256_file", path)):
        assert message.startswith(f"{path}: cannot be re") and "Repository Not Found" in message and "\n" not in message
