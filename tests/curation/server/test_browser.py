"""The pages in a real browser: they work, they complain of nothing, and no request leaves the server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from curation.argilla_plugin.twllm_argilla import throttle
from curation.server.instance import Instance
from tests.curation.server import dataset

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
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
    """A window with all that its pages asked for or complained about."""

    def __init__(self, browser: Any, server: Instance) -> None:
        self.server = server
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
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


@pytest.fixture
def visit(browser: Any, argilla_server: Instance) -> Iterator[Visit]:
    opened = Visit(browser, argilla_server)
    yield opened
    opened.context.close()


def test_an_annotator_logs_in_and_answers(visit: Visit, argilla_server: Instance) -> None:
    made = dataset.make(argilla_server, "瀏覽器裡的一筆")
    amei = argilla_server.annotators[0]
    visit.log_in(amei.name, amei.password)
    visit.page.get_by_text("瀏覽器裡的一筆").first.wait_for()
    visit.page.goto(f"{argilla_server.url}/dataset/{made}/annotation-mode")
    visit.page.get_by_text("判斷").first.wait_for()
    visit.page.get_by_text("保留").first.click()
    with visit.page.expect_response(lambda answer: answer.url.endswith("/responses") and answer.request.method == "POST") as sent:
        visit.page.get_by_role("button", name="Submit").click()
    assert sent.value.status == 201
    assert visit.left() == []
    assert visit.complaints == []
    assert len(visit.requests) > 20


def test_the_policy_and_not_only_the_pages_keeps_requests_inside(visit: Visit, argilla_server: Instance) -> None:
    """What a script in a record would try, were there one."""
    visit.page.goto(f"{argilla_server.url}/sign-in")
    visit.page.get_by_label("Username").wait_for()
    tried = visit.page.evaluate(
        """async () => {
            const outcomes = [];
            try { await fetch('http://127.0.0.2:9/'); outcomes.push('fetch'); } catch (error) { outcomes.push(error.name); }
            const script = document.createElement('script');
            script.textContent = 'window.inlined = "ran"';
            document.body.append(script);
            outcomes.push(String(window.inlined));
            const image = new Image();
            outcomes.push(await new Promise((done) => {
                image.onload = () => done('loaded'); image.onerror = () => done('refused'); image.src = 'http://127.0.0.2:9/x.png';
            }));
            return outcomes;
        }"""
    )
    assert tried == ["TypeError", "undefined", "refused"]
    assert sum("Content Security Policy" in complaint for complaint in visit.complaints) >= 3


def test_a_wrong_password_and_too_many_are_told(visit: Visit, argilla_server: Instance) -> None:
    for _ in range(throttle.ACCOUNT_FAILURES):
        visit.log_in("nobody-in-a-browser", "wrong")
        visit.page.get_by_text("Wrong username or password").first.wait_for()
    visit.log_in("nobody-in-a-browser", "wrong")
    visit.page.get_by_text("Too many failed logins. Try again in").first.wait_for()
    assert visit.left() == []
