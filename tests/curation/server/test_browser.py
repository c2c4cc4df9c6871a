"""The pages in a real browser: they work, they complain of nothing, and no request leaves the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from curation.argilla_plugin.twllm_argilla import throttle
from curation.server.instance import Instance
from tests.curation.server import dataset
from tests.curation.visit import Visit, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


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
