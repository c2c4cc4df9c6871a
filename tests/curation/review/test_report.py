"""The page, in a real browser where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curation.review.agreement import measure
from curation.review.report import render
from tests.curation.review.made import answer, record, review

CHROMIUM = "/usr/bin/chromium"
FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"


def page() -> str:
    gold = [record(f"g{n}", "shared", {"verdict": "keep"}) for n in range(9)]
    shared = [record(f"s{n}", "shared") for n in range(12)]
    single = [record(f"r{n}") for n in range(5)]
    said = []
    for n, row in enumerate([*gold, *shared]):
        for by in ("annotator-aaaa", "annotator-bbbb", "annotator-<b>"):
            verdict = "keep" if n % 3 or by == "annotator-<b>" else "reject"
            said.append(answer(row.id, by, n, verdict=verdict, fluency=4, taiwaneseness=3 + n % 2, factuality=5, safety=5))
    said += [answer(row.id, "annotator-aaaa", 30 + n, verdict="reject") for n, row in enumerate(single[:3])]
    made = review([*gold, *shared, *single], said)
    return render(made, measure(made))


def test_the_page_says_what_was_measured() -> None:
    text = page()
    assert "26 筆紀錄，3 位標註者，66 份回答" in text
    assert "annotator-&lt;b&gt;" in text and "annotator-<b>" not in text
    assert text == page()  # the same answers, the same bytes
    assert "http" not in text.replace("http-equiv", "") and "<script" not in text


def test_a_review_without_answers_has_a_page() -> None:
    made = review([record("a")], [])
    text = render(made, measure(made))
    assert "還沒有兩人都回答過的紀錄" in text and "還沒有人回答" in text


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_in_a_browser(tmp_path: Path, width: int) -> None:
    if not Path(CHROMIUM).exists():
        message = f"no {CHROMIUM}; install chromium to run this test"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(page(), "utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        tab = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        faults: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("section").count() == 7
        assert asked == [path.as_uri()] and not faults
        browser.close()
