"""The part of the Hub's HTTP interface that publishing uses, on loopback; it keeps what it is sent, for tests must not reach the Hub."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WRITER, READER, WRONG = (
    f"hf{'_'}{name}{'0' * 20}" for name in ("writer", "reader", "nobody")
)  # not written out, so that no scanner takes them for real
_LFS = (".parquet", ".safetensors")


@dataclass
class Repo:
    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(json.dumps([len(self.commits), self.commits]).encode()).hexdigest()


class Hub:
    """State of the stand-in, and the faults that it plays: `fault(method, path)` answers "before", "after", a status, or None."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.fault: Callable[[str, str], str | int | None] = lambda method, path: None
        hub = self

        class Handler(_Handler):
            state = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fail_once(self, method: str, pattern: str, what: str | int) -> None:
        left = [what]
        self.fault = lambda asked, path: left.pop() if left and asked == method and re.search(pattern, path) else None


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def _handle(self) -> None:
        path = self.path.split("?")[0]
        body = self._body()
        self.state.requests.append(f"{self.command} {path}")
        fault = self.state.fault(self.command, path)
        if fault == "before":
            self._cut()
            return
        if isinstance(fault, int):
            self._send(fault, {"error": f"played fault, see {self.state.url}/x?signature=secret"})
            return
        status, answer, headers = self._route(path, body)
        if fault == "after":
            self._cut()
            return
        self._send(status, answer, headers)

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            whole = b""
            while length := int(self.rfile.readline(), 16):
                whole += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        blob = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(blob)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(blob)

    def _route(self, path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if match := re.fullmatch(r"/blobs/([0-9a-f]{64})", path):
            self.state.blobs[match[1]] = body
            return 200, {}, {}
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (WRITER, READER):
            return 401, {"error": "Invalid credentials"}, {"X-Error-Message": "Invalid credentials in Authorization header"}
        if path == "/api/whoami-v2":
            return 200, {"name": "tester", "type": "user"}, {}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        if path == "/api/repos/create":
            asked = json.loads(body)
            key = f"{asked['type']}s/{asked['organization']}/{asked['name']}"
            if token == READER:
                return 403, {"error": "You don't have the rights to create a dataset under this namespace"}, {}
            if key in self.state.repos:
                return 409, {"error": "You already created this dataset repo", "url": f"{self.state.url}/{key}"}, {}
            self.state.repos[key] = Repo(asked.get("visibility") == "private")
            return 200, {"url": f"{self.state.url}/{key}"}, {}
        match = re.fullmatch(r"/api/((?:dataset|model)s/[^/]+/[^/]+)(?:/(revision|preupload|commit)/main)?", path) or re.fullmatch(
            r"/((?:datasets/)?[^/]+/[^/]+)\.git/info/lfs/objects/(batch)", path
        )
        if match is None:
            return 404, {"error": f"no such address: {path}"}, {}
        key = match[1] if match[1].count("/") == 2 else f"models/{match[1]}"
        repo = self.state.repos.get(key)
        if repo is None:
            return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        if match[2] in ("preupload", "batch", "commit") and token == READER:
            return 403, {"error": "Forbidden: pass a token with write access"}, {}
        if match[2] in (None, "revision"):
            siblings = [{"rfilename": name} for name in sorted(repo.files)]
            return 200, {"id": key.split("/", 1)[1], "sha": repo.sha, "private": repo.private, "siblings": siblings, "tags": []}, {}
        if match[2] == "commit":
            return self._commit(repo, body, f"{self.state.url}/{key.removeprefix('models/')}")
        return {"preupload": self._preupload, "batch": self._batch}[match[2]](repo, body)

    def _preupload(self, repo: Repo, body: bytes) -> tuple[int, Any, dict[str, str]]:
        found = []
        for file in json.loads(body)["files"]:
            lfs = file["path"].endswith(_LFS)
            there = repo.files.get(file["path"])
            git = None if there is None else hashlib.sha1(b"blob %d\0" % len(there) + there).hexdigest()
            oid = git if there is None or not lfs else hashlib.sha256(there).hexdigest()
            found.append({"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": oid})
        return 200, {"files": found}, {}

    def _batch(self, repo: Repo, body: bytes) -> tuple[int, Any, dict[str, str]]:
        objects = []
        for item in json.loads(body)["objects"]:
            upload = {"actions": {"upload": {"href": f"{self.state.url}/blobs/{item['oid']}?signature=secret"}}}
            objects.append({**item, **({} if item["oid"] in self.state.blobs else upload)})
        return 200, {"transfer": "basic", "objects": objects}, {}

    def _commit(self, repo: Repo, body: bytes, url: str) -> tuple[int, Any, dict[str, str]]:
        lines = [json.loads(line) for line in body.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit", repo.sha) != repo.sha:
            return 412, {"error": "A commit has happened since. Please refresh and try again."}, {}
        files = dict(repo.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                blob = self.state.blobs.get(value["oid"])
                if blob is None or hashlib.sha256(blob).hexdigest() != value["oid"] or len(blob) != value["size"]:
                    return 400, {"error": f"LFS object {value['oid']} was not uploaded whole"}, {}
                files[value["path"]] = blob
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        repo.files = files
        repo.commits.append(header["summary"])
        return 200, {"commitUrl": f"{url}/commit/{repo.sha}", "commitOid": repo.sha, "success": True}, {}
