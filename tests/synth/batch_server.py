"""A local stand-in of the batch API: files, batches, their list. It writes down what it is paid for; its state lies in a folder."""

from __future__ import annotations

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.synth.server import content


class Handler(BaseHTTPRequestHandler):
    """POST /files and /batches, GET /batches, /batches/ID and /files/ID/content."""

    folder: Path
    polls = 1  # how often a batch is asked for until it is over

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("authorization") == "Bearer sk-bad":
            self._say(401, {"error": {"message": "bad key"}})
        elif self.path.endswith("/files"):
            name = f"file-{uuid.uuid4().hex[:12]}"
            start = body.index(b'{"custom_id"')
            (self.folder / name).write_bytes(body[start : body.rindex(b"\n") + 1].split(b"\r\n--")[0])
            self._say(
                200, {"id": name, "object": "file", "bytes": 1, "created_at": 0, "filename": "x", "purpose": "batch", "status": "uploaded"}
            )
        elif self.path.endswith("/batches"):
            asked = json.loads(body)
            name = f"batch_{uuid.uuid4().hex[:12]}"
            state = {
                "id": name, "object": "batch", "endpoint": asked["endpoint"], "input_file_id": asked["input_file_id"],
                "completion_window": "24h", "status": "in_progress", "created_at": 0, "metadata": asked.get("metadata"), "polls": 0,
            }  # fmt: skip
            (self.folder / f"{name}.json").write_text(json.dumps(state), "utf-8")
            with open(self.folder / "paid.log", "a", encoding="utf-8") as log:
                log.writelines(
                    json.loads(line)["custom_id"] + "\n"
                    for line in (self.folder / asked["input_file_id"]).read_bytes().splitlines()
                    if line.strip()
                )
            if (self.folder / "lose-the-reply").exists():  # created, but the client never hears of it
                (self.folder / "lose-the-reply").unlink()
                self.connection.close()
                return
            self._say(200, state)

    def do_GET(self) -> None:
        if self.path.split("?")[0].endswith("/batches"):
            states = [json.loads(path.read_text("utf-8")) for path in sorted(self.folder.glob("batch_*.json"))]
            self._say(200, {"object": "list", "data": states, "has_more": False})
        elif "/batches/" in self.path:
            path = self.folder / f"{self.path.rsplit('/', 1)[1]}.json"
            state = json.loads(path.read_text("utf-8"))
            state["polls"] += 1
            if state["status"] == "in_progress" and state["polls"] > self.polls:
                self._finish(state)
            path.write_text(json.dumps(state), "utf-8")
            self._say(200, state)
        else:
            name = self.path.split("/")[-2]
            self._send(200, (self.folder / name).read_bytes())

    def _finish(self, state: dict[str, Any]) -> None:
        answers, errors = [], []
        for line in (self.folder / state["input_file_id"]).read_bytes().splitlines():
            asked = json.loads(line)
            prompt = asked["body"]["messages"][-1]["content"]
            row: dict[str, Any] = {"id": "r", "custom_id": asked["custom_id"], "error": None}
            if "[[400]]" in prompt:
                errors.append({**row, "response": {"status_code": 400, "body": {"error": {"message": "refused"}}}})
                continue
            if "[[lost]]" in prompt:
                continue
            text = content(prompt, asked["body"].get("seed"))
            usage = {"prompt_tokens": len(prompt), "completion_tokens": len(text), "total_tokens": 0}
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            body = {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": asked["body"]["model"],
                "choices": [choice],
                "usage": usage,
            }
            answers.append({**row, "response": {"status_code": 200, "body": {**body, "choices": [choice], "usage": usage}}})
        state["status"] = "expired" if (self.folder / "expire").exists() else "completed"
        for key, rows in (("output_file_id", answers), ("error_file_id", errors)):
            if rows:
                state[key] = f"file-{uuid.uuid4().hex[:12]}"
                (self.folder / state[key]).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")

    def _say(self, status: int, value: Any) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
