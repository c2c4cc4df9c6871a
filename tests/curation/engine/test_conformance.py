"""The same searches, with the same answers, on every engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.curation.engine import dataset as datasets
from tests.curation.engine.cases import ALL, CASES, STATUS, Case, metadata
from tests.curation.engine.dataset import Dataset
from tests.curation.engine.door import Refused


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_search(dataset: Dataset, embedded: bool, case: Case) -> None:
    if case.elsewhere and not embedded:
        pytest.skip(case.elsewhere)
    total, found = dataset.argilla.search(dataset.id, case.body, case.user)
    assert (found if case.ordered else sorted(found)) == (case.found if case.ordered else sorted(case.found))
    assert total == len(case.found)


def test_pages(dataset: Dataset) -> None:
    """Pages are cut from one order, and the total is always of all."""
    body = {"sort": [{"scope": metadata("size"), "order": "asc"}]}
    _, whole = dataset.argilla.search(dataset.id, body)
    pages = [dataset.argilla.search(dataset.id, body, page=f"offset={offset}&limit=2") for offset in (0, 2, 4, 6)]
    assert [name for _, names in pages for name in names] == whole
    assert [total for total, _ in pages] == [len(ALL)] * 4


def test_each_annotator_has_a_lasting_order(dataset: Dataset) -> None:
    one, again = (dataset.argilla.search(dataset.id, {}, "one") for _ in range(2))
    _, two = dataset.argilla.search(dataset.id, {}, "two")
    assert one == again
    assert sorted(one[1]) == sorted(two) == sorted(ALL)


def test_scores(dataset: Dataset, embedded: bool) -> None:
    """Found by text alone, a record has a score where the engine knows one, and the first has the best."""
    answer = dataset.argilla.call("POST", f"/datasets/{dataset.id}/records/search", {"query": {"text": {"q": "牛肉"}}})
    scores = [item["query_score"] for item in answer["items"]]
    assert len(scores) == 3
    assert scores == [None] * 3 or scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("vector", "found"),
    [
        ({"value": [1, 0, 0]}, ["noodles", "wide", "beef", "english", "simplified"]),
        ({"value": [2, 0, 0], "order": "least_similar"}, ["simplified", "beef", "english", "wide", "noodles"]),
        ({"record": "noodles"}, ["wide", "beef", "english", "simplified"]),
    ],
)
def test_similar(dataset: Dataset, vector: dict[str, Any], found: list[str]) -> None:
    asked = {"name": "meaning", **vector}
    if "record" in asked:
        asked["record_id"] = dataset.records[asked.pop("record")]
    total, names = dataset.argilla.search(dataset.id, {"query": {"vector": asked}}, page="limit=100")
    assert sorted(names) == sorted(found)
    assert names[0] == found[0] and names[-1] == found[-1]
    assert total == len(found)


def test_similar_scores(dataset: Dataset) -> None:
    """(1 + cosine) / 2, of as many as asked for."""
    body = {"query": {"vector": {"name": "meaning", "value": [0.0, 3.0, 0.0]}}}
    answer = dataset.argilla.call("POST", f"/datasets/{dataset.id}/records/search?limit=3", body)
    assert [(item["record"]["external_id"], pytest.approx(item["query_score"], abs=1e-3)) for item in answer["items"]] == [
        ("beef", 1.0),
        ("wide", 0.9),
        ("english", 0.8),
    ]


def test_similar_with_filter_and_text(dataset: Dataset) -> None:
    filters = {"and": [{"type": "terms", "scope": STATUS, "values": ["pending"]}]}
    body = {"query": {"vector": {"name": "meaning", "value": [1.0, 0.0, 0.0]}, "text": {"q": "牛肉"}}, "filters": filters}
    assert dataset.argilla.search(dataset.id, body, "one", "limit=100") == (1, ["simplified"])


def test_progress(dataset: Dataset) -> None:
    call = dataset.argilla.call
    progress = call("GET", f"/datasets/{dataset.id}/progress")
    assert {name: progress[name] for name in ("total", "completed", "pending")} == {"total": 6, "completed": 3, "pending": 3}
    mine = call("GET", f"/me/datasets/{dataset.id}/metrics", user="one")["responses"]
    assert mine == {"total": 6, "submitted": 2, "discarded": 0, "draft": 1, "pending": 3}


def test_users_progress_counts_ones_own(dataset: Dataset, embedded: bool) -> None:
    if not embedded:
        pytest.skip("Argilla's Elasticsearch engine counts, for each record that a user answered, the statuses of all who did")
    mine = dataset.argilla.call("GET", f"/me/datasets/{dataset.id}/metrics", user="two")["responses"]
    assert mine == {"total": 6, "submitted": 2, "discarded": 1, "draft": 0, "pending": 3}


def test_metrics(dataset: Dataset) -> None:
    call = dataset.argilla.call
    properties = {item["name"]: item["id"] for item in call("GET", f"/me/datasets/{dataset.id}/metadata-properties")["items"]}
    metrics = {name: call("GET", f"/metadata-properties/{identifier}/metrics") for name, identifier in properties.items()}
    counts = [{"term": "news", "count": 2}, {"term": "ptt", "count": 2}, {"term": "law", "count": 1}]
    assert metrics["source"] == {"type": "terms", "total": 5, "values": counts}
    assert metrics["size"] == {"type": "integer", "min": -5, "max": 10}
    assert metrics["ratio"] == {"type": "float", "min": -1.5, "max": 2.5}


def test_changes_are_found_at_once(dataset: Dataset) -> None:
    """What is added, edited, answered and deleted through Argilla shows in the next search."""
    argilla = dataset.argilla
    made = datasets.make(argilla, "changes", [datasets.Row("a", {"text": "第一版"}), datasets.Row("b", {"text": "第二筆"})])

    def texts(query: str) -> list[str]:
        return argilla.search(made.id, {"query": {"text": {"q": query}}})[1]

    argilla.call("PATCH", f"/records/{made.records['a']}", {"fields": {"text": "改過的"}})
    assert (texts("第一"), texts("改過"), texts("第")) == ([], ["a"], ["b"])
    datasets.add(made, [datasets.Row("b", {"text": "也改了"}, {"size": 7}), datasets.Row("c", {"text": "新的"})])
    assert sorted(texts("改")) == ["a", "b"]
    pending = {"filters": {"and": [{"type": "terms", "scope": STATUS, "values": ["pending"]}]}}
    argilla.call(
        "POST", f"/records/{made.records['a']}/responses", {"status": "submitted", "values": {"verdict": {"value": "keep"}}}, "one"
    )
    assert sorted(argilla.search(made.id, pending, "one")[1]) == ["b", "c"]
    question = made.questions["verdict"]
    argilla.call("PUT", f"/records/{made.records['b']}/suggestions", {"question_id": question, "value": "fix", "score": 0.1})
    suggested = {
        "filters": {"and": [{"type": "range", "scope": {"entity": "suggestion", "question": "verdict", "property": "score"}, "le": 0.5}]}
    }
    assert argilla.search(made.id, suggested)[1] == ["b"]
    argilla.call("DELETE", f"/datasets/{made.id}/records?ids={made.records['b']}")
    assert (texts("改"), argilla.search(made.id, suggested)[0]) == (["a"], 0)
    argilla.call("DELETE", f"/datasets/{made.id}")
    with pytest.raises(Refused):
        argilla.search(made.id, {})


@pytest.mark.parametrize(
    ("scope", "bounds", "why"),
    [
        ({"entity": "record", "property": "inserted_at"}, {"ge": "yesterday"}, "'yesterday' is no date"),
        ({"entity": "record", "property": "id"}, {"ge": "0"}, "range of ids"),
        (STATUS, {"le": 3.0}, "by a question or by its status"),
    ],
)
def test_what_makes_no_sense_is_refused(dataset: Dataset, embedded: bool, scope: dict[str, Any], bounds: dict[str, Any], why: str) -> None:
    if not embedded:
        pytest.skip("Elasticsearch's errors are Argilla's 500")
    with pytest.raises(Refused, match=f"422.*{why}"):
        dataset.argilla.search(dataset.id, {"filters": {"and": [{"type": "range", "scope": scope, **bounds}]}})


def test_an_unknown_field_is_refused(dataset: Dataset) -> None:
    with pytest.raises(Refused, match="422"):
        dataset.argilla.search(dataset.id, {"query": {"text": {"q": "牛肉", "field": "nowhere"}}})
