"""A pull that is woken. Argilla's webhooks are hints: each one sets off a pull, which reads what is true. Between hints it pulls now and
then all the same, so that a lost hint costs time and no answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from curation.review.client import Client, Door
from curation.review.pull import Pulled, pull
from factory.errors import UserError

EVENTS = ("response.created", "response.updated", "response.deleted")
EVERY_SECONDS = 60.0
LOOPBACK = "127.0.0.1"
MAX_HINT_BYTES = 1_000_000


def watch(door: Door, home: Path, name: str, told: Callable[[Pulled], None], stop: Event, every_seconds: float = EVERY_SECONDS) -> None:
    """Pulls at once, on each hint, and every so many seconds, until `stop` is set; `told` hears of pulls that brought something.

    The listener is on loopback, so hints come from a server on this machine; from another one there is only the clock. Raises what
    `pull` raises at the first pull; a later failure waits for the next.
    """
    told(pull(door, home, name))
    hint = Event()
    with _listening(hint, stop) as url, _registered(door, name, url):
        while not stop.is_set():
            hint.wait(every_seconds)
            hint.clear()
            if stop.is_set():
                return
            try:
                found = pull(door, home, name)
            except UserError:
                continue  # a server that is being started anew is not the end of the watch
            if found.new:
                told(found)


@contextmanager
def _listening(hint: Event, stop: Event) -> Iterator[str]:
    """A listener that looks at nothing but its secret path; what a hint says is not believed."""
    path = f"/{secrets.token_urlsafe(24)}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            self.rfile.read(min(int(length), MAX_HINT_BYTES) if length.isdecimal() else 0)
            known = secrets.compare_digest(self.path.encode(), path.encode())
            if known:
                hint.set()
            self.send_response(204 if known else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    Thread(target=_wake, args=(stop, hint), daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}{path}"
    finally:
        server.shutdown()
        server.server_close()


def _wake(stop: Event, hint: Event) -> None:
    """Whoever stops the watch does not wait for the clock."""
    stop.wait()
    hint.set()


@contextmanager
def _registered(door: Door, name: str, url: str) -> Iterator[None]:
    """A webhook for the time of the watch. Left-overs of killed watches of the same review go; without a webhook there is the clock."""
    client = Client(door)
    described = f"twllm review pull {name} --watch"
    made: str | None = None
    try:
        if urlsplit(door.url).hostname in (LOOPBACK, "localhost"):
            for row in client.call("GET", "/webhooks")["items"]:
                if row["description"] == described:
                    client.call("DELETE", f"/webhooks/{row['id']}")
            made = client.call("POST", "/webhooks", json={"url": url, "events": list(EVENTS), "description": described})["id"]
        yield
    finally:
        if made is not None:
            with suppress(UserError):  # where the server is down, the next watch removes it
                client.call("DELETE", f"/webhooks/{made}")
