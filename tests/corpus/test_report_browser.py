"""The page in a real browser: quiet, self-contained, in both languages, on a desk and on a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corpus.report import write_report
from tests.corpus.test_report_data import documents, write_run

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


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
    """A page opened in a window of its own, with everything that it asked for or complained about."""

    def __init__(self, browser: Any, file: Path, size: str, locale: str, scheme: str = "light", script: bool = True) -> None:
        self.context = browser.new_context(viewport=SIZES[size], locale=locale, color_scheme=scheme, java_script_enabled=script)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def shows(self, text: str) -> bool:
        found = self.page.get_by_text(text, exact=True).first
        return bool(found.is_visible())

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("browser"), documents())
    write_report(str(folder))
    return folder / "report.html"


@pytest.fixture(params=["hostile", "sample"])
def file(request: pytest.FixtureRequest, report: Path) -> Path:
    """A run of texts that attack the page, and the bundled sample."""
    return report if request.param == "hostile" else request.getfixturevalue("sample_run") / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_quiet_self_contained_and_never_wider_than_the_window(browser: Any, file: Path, size: str, scheme: str) -> None:
    visit = Visit(browser, file, size, "zh-TW", scheme)
    visit.page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true; })")
    for language in ("English", "中文"):
        visit.page.get_by_text(language, exact=True).click()
        assert visit.overflow() <= 0
    assert visit.complaints == []
    assert visit.requests == [file.as_uri()]
    visit.context.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_language_follows_the_browser_and_the_switch(browser: Any, report: Path, size: str) -> None:
    for locale, first, other in (
        ("zh-TW", "輸入文件", "documents in"),
        ("en-US", "documents in", "輸入文件"),
        ("fr-FR", "documents in", "輸入文件"),
    ):
        visit = Visit(browser, report, size, locale)
        assert visit.shows(first) and not visit.shows(other)
        visit.page.get_by_text("English" if first == "輸入文件" else "中文", exact=True).click()
        assert visit.shows(other) and not visit.shows(first)
        assert visit.page.evaluate("document.documentElement.lang") == ("en" if other == "documents in" else "zh-Hant-TW")
        visit.context.close()


def test_the_switch_works_by_keyboard_and_without_script(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, "desk", "en-US", script=False)
    assert visit.shows("輸入文件") and not visit.shows("documents in")
    visit.page.locator("#lang-zh").focus()
    visit.page.keyboard.press("ArrowRight")
    assert visit.shows("documents in") and not visit.shows("輸入文件")
    visit.context.close()


def test_printing_opens_every_sample(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, "desk", "zh-TW")
    closed = "document.querySelectorAll('details:not([open])').length"
    before = visit.page.evaluate(closed)
    assert before > 0
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert visit.page.evaluate(closed) == 0
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert visit.page.evaluate(closed) == before
    visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Any, report: Path, scheme: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1 for text."""
    visit = Visit(browser, report, "desk", "zh-TW", scheme)
    colours = visit.page.evaluate(
        """() => Object.fromEntries(["paper", "ink", "muted", "accent", "tint", "mark"].map(name =>
             [name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()]))"""
    )
    for front, ground in (("ink", "paper"), ("muted", "paper"), ("accent", "paper"), ("ink", "tint"), ("ink", "mark")):
        assert _contrast(colours[front], colours[ground]) >= 4.5, (front, ground)
    visit.context.close()


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
