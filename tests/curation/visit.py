"""A window of a real Chromium on a review server, and all that its pages asked for or complained about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from curation.server.instance import Instance

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TIMEOUT_MS = 30_000


@contextmanager
def chromium() -> Iterator[Any]:
    """Chromium of this machine. Absent: a skip on a laptop, a failure under CI."""
    path = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        message = "no chromium on the path, or no playwright; install both to run this test"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


class Visit:
    """A window; `options` are those of Playwright's `new_context`."""

    def __init__(self, browser: Any, server: Instance, **options: Any) -> None:
        self.server = server
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def log_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.server.url}/sign-in")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def left(self) -> list[str]:
        """Requests for anything outside."""
        inside = (f"{self.server.url}/", "data:", "blob:")
        return [url for url in self.requests if not url.startswith(inside)]
