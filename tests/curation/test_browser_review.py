"""A review in a real browser, from push to pull: the queue, its guidelines, search, filter, answer; and the report's page.

With TWLLM_REVIEW_IMAGES=docs/images it makes the pictures of docs/review.md again. All that is shown is handwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from curation.review import queue, report
from curation.review.answers import load
from curation.review.pull import pull
from curation.review.push import Link, push
from curation.review.store import SUBMITTED, Record, Store
from curation.server.instance import Instance
from tests.curation.review.scripted import Row, annotators, conversation, owner_door, read_rows, write_rows
from tests.curation.visit import Visit, chromium

ROOT = Path(__file__).resolve().parents[2]
NAME, WORD, CATEGORY = "taiwan-qa", "牛肉麵", "creative_writing"
WIDTH = 1_400
SEED = 7


class Pushed(NamedTuple):
    home: Path
    links: list[Link]
    single: list[Record]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Any, argilla_server: Instance) -> Iterator[Visit]:
    opened = Visit(browser, argilla_server, viewport={"width": WIDTH, "height": 900}, locale="zh-TW")
    yield opened
    opened.context.close()


@pytest.fixture(scope="module")
def pushed(argilla_server: Instance, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    """The bundled seeds, rows on noodles, and questions with known answers, before three annotators."""
    folder, home = tmp_path_factory.mktemp("rows"), Path(argilla_server.home)
    own = read_rows(Path(__file__).parent / "noodles.jsonl")
    seeds = [row for path in sorted((ROOT / "synth" / "seeds").glob("*.jsonl")) for row in read_rows(path)]
    dataset = write_rows(folder / "rows.jsonl", [*map(_conversation, seeds, range(len(seeds))), *(r for r in own if "gold" not in r)])
    gold = write_rows(folder / "gold.jsonl", [row for row in own if "gold" in row])
    found = push(owner_door(argilla_server), home, dataset, NAME, gold=gold)
    assert (found.new, found.gold, found.redacted) == (len(seeds) + 10, 4, {"mobile": 2})
    return Pushed(home, found.links, [record for record in load(home, NAME).records if record.part == "single"])


def _conversation(seed: Row, number: int) -> Row:
    messages = [{"role": "user", "content": seed["question"]}, {"role": "assistant", "content": seed["answer"]}]
    facts = {"messages": messages, "category": seed["category"], "license": "apache-2.0", "lineage": {"task": "handwritten"}}
    return conversation(seed["id"], "", number) | facts


def test_an_annotators_answer_comes_back(visit: Visit, pushed: Pushed, argilla_server: Instance) -> None:
    amei, page = argilla_server.annotators[0], visit.page
    visit.log_in(amei.name, amei.password)
    page.get_by_text(NAME, exact=True).first.click()
    _is_in_taiwans_chinese(page)

    about = {record.id for record in pushed.single if WORD in json.dumps(record.shown["fields"], ensure_ascii=False)}
    assert 3 <= len(about) < len(pushed.single)
    page.locator("[data-title=Search]").click()
    field = page.get_by_placeholder("Introduce a query")
    field.fill(WORD)
    assert {record["external_id"] for record in _listed(page, lambda: field.press("Enter"))} == about
    page.get_by_text(f"1 of {len(about)}").wait_for()
    page.mouse.move(WIDTH / 2, 10)
    _picture(page, "queue", page.get_by_text("選「改後收」一定要"))
    assert "0912" not in page.content()

    written = {record.id for record in pushed.single if record.id in about and record.category == CATEGORY}
    assert 1 <= len(written) < len(about)
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("Metadata").click()
    page.get_by_text("類別").first.click()
    listed = _listed(page, lambda: page.get_by_text(CATEGORY, exact=True).first.click())
    assert {record["external_id"] for record in listed} == written
    page.get_by_text(f"1 of {len(written)}").wait_for()
    page.keyboard.press("Escape")

    said = {"verdict": "fix", "fluency": 4, "taiwaneseness": 4, "factuality": 3, "safety": 5, "corrected": "一、慢火：湯要慢慢熬。"}
    _answer(page, said)
    with page.expect_response(lambda answer: answer.url.endswith("/responses") and answer.request.method == "POST") as sent:
        page.get_by_role("button", name="Submit").click()
    assert sent.value.status == 201
    found = pull(owner_door(argilla_server), pushed.home, NAME)
    assert (found.new, found.submitted) == (1, 1)
    store = Store(pushed.home, NAME)
    (response,) = store.versions()
    store.close()
    me = annotators(argilla_server)[0].call("GET", "/me")["id"]
    assert (response.record, response.user, response.status, response.answers) == (listed[0]["external_id"], me, SUBMITTED, said)
    assert visit.left() == []
    assert visit.complaints == []
    assert len(visit.requests) > 20


def _is_in_taiwans_chinese(page: Any) -> None:
    """Titles, answers and guidelines stand on the page."""
    for text in ("這段對話可以拿來教模型嗎？", "改後收", "像不像臺灣人寫的", "修改後的回答"):
        page.get_by_text(text).first.wait_for()
    page.get_by_role("button", name="Expand Panel").first.click()
    page.get_by_text("你的判斷決定模型學什麼").wait_for()
    assert page.locator("table").count() == 0  # whose cells Argilla's page draws without a gap


def _listed(page: Any, act: Any) -> list[Row]:
    """The records that the page was given for what `act` did."""
    with page.expect_response(lambda answer: "/records/search" in answer.url and answer.request.method == "POST") as answer:
        act()
    return [item["record"] for item in answer.value.json()["items"]]


def _answer(page: Any, values: Row) -> None:
    for name, value in values.items():
        question = page.locator(f"[aria-label='Question: {name}']")
        if name == "corrected":
            question.click()
            page.keyboard.type(value)
        else:
            question.get_by_text("改後收" if value == "fix" else str(value), exact=True).first.click()


def test_the_report_is_drawn_whole(browser: Any, visit: Visit, pushed: Pushed, argilla_server: Instance, tmp_path: Path) -> None:
    """Three annotators answer what they are asked; at a desk's and a telephone's width nothing stands out of the page."""
    known = {record.id: record.gold for record in load(pushed.home, NAME).records}
    shared, *lanes = [link.url.split("/dataset/")[1].split("/")[0] for link in pushed.links]
    given = 0
    for who, person in enumerate(annotators(argilla_server)):
        waiting = [*person.seen(shared), *person.seen(lanes[who], lane=str(who + 1))]
        given += person.submit([(r["id"], _said(who, r["external_id"], known)) for r in waiting if r["status"] == "pending"])
    assert pull(owner_door(argilla_server), pushed.home, NAME).new == given > len(pushed.single)
    path = Path(report.write(pushed.home, NAME, str(tmp_path / "review-report.html"))).as_uri()
    for width in (390, WIDTH):
        page = visit.page
        page.set_viewport_size({"width": width, "height": 1_250})
        page.goto(path)
        page.get_by_text("金題正確率").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert {url for url in visit.requests if not url.startswith("data:")} == {path}
    assert visit.complaints == []
    _picture(page, "report", page.get_by_text("金題正確率").first)


def _said(who: int, record: str, known: dict[str, Any]) -> Row:
    """What most would say, from which each departs now and then; known answers are mostly known."""
    strays = queue.draw(record, f"strays-{who}", SEED) < 0.08
    own = int(10 * queue.draw(record, f"own-{who}" if strays else "all", SEED))
    verdict = known[record]["verdict"] if known.get(record) and not strays else ("keep", "fix", "reject")[(own > 5) + (own > 7)]
    grade = {"keep": 5 - own % 2, "fix": 3, "reject": 2 - own % 2}[verdict]
    values: Row = {"verdict": verdict, "fluency": grade, "taiwaneseness": min(5, grade + 1), "factuality": grade}
    values["safety"] = 5 if grade > 1 else 3
    return values | ({"corrected": f"改寫過的回答（{record[:6]}）。"} if verdict == "fix" else {})


def _picture(page: Any, name: str, shown: Any) -> None:
    """Stores a picture for the pages of docs/, where it is asked for; `shown` must stand on it."""
    shown.wait_for()
    folder = os.environ.get("TWLLM_REVIEW_IMAGES")
    if folder:
        page.wait_for_load_state("networkidle")
        page.screenshot(path=str(Path(folder) / f"review-{name}.png"), animations="disabled")
