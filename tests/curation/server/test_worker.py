"""The worker does what is put into its queue: a webhook arrives, signed."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from curation.server.instance import Instance
from tests.curation.server import dataset


@pytest.fixture
def receiver() -> Iterator[tuple[str, queue.Queue[tuple[dict[str, str], Any]]]]:
    """An address, and what is sent to it."""
    received: queue.Queue[tuple[dict[str, str], Any]] = queue.Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        running = threading.Thread(target=server.serve_forever)
        running.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        running.join()


def test_a_webhook_arrives(argilla_server: Instance, receiver: tuple[str, queue.Queue[tuple[dict[str, str], Any]]]) -> None:
    address, received = receiver
    hook = dataset.api(argilla_server, "POST", "webhooks", json={"url": address, "events": ["dataset.published"]})
    try:
        made = dataset.make(argilla_server, "told by a webhook")
        headers, body = received.get(timeout=60)
        assert (body["type"], body["data"]["id"]) == ("dataset.published", made)
        assert headers["webhook-signature"].startswith("v1,")
    finally:
        dataset.api(argilla_server, "DELETE", f"webhooks/{hook['id']}")
