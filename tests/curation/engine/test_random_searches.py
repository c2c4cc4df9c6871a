"""Any search over any records finds what the plain way finds (`reference.py`), on every engine of ours."""

# ruff: noqa: E501 (lists of what is drawn from)
from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.curation.engine import dataset as datasets
from tests.curation.engine import reference
from tests.curation.engine.cases import STATUS, metadata, record, response, suggestion
from tests.curation.engine.dataset import Row
from tests.curation.engine.door import Argilla, Process

RECORDS = 80
SEED = 20261130
PIECES = ["牛", "肉", "麵", "面", "的", "台灣", "臺", "ab", "Ab", "ＡＢ", "É", "ß", "㎏", "1", "%", "_", "\\", '"', "'", "*", "-", ":", "(", "\u3000", " ", "\n",
          "𠀋", "🍜", "ﬁ", "\u200b", "é", "OR"]  # fmt: skip
"""Few, so that words meet: variants of width and case, wildcards and quotes, characters outside the basic plane."""


def _text(draw: random.Random, longest: int) -> str:
    return "".join(draw.choice(PIECES) for _ in range(draw.randint(1, longest)))


def random_rows(count: int, seed: int) -> list[Row]:
    """Records with every part there or missing."""
    draw = random.Random(seed)

    def some(chance: float, make: Any) -> Any:
        return make() if draw.random() < chance else None

    def row(number: int) -> Row:
        chat = some(0.5, lambda: [{"role": "user", "content": _text(draw, 8)} for _ in range(draw.randint(1, 3))])
        extra = some(0.3, lambda: {"a": _text(draw, 6), "b": draw.randint(0, 30)})
        given = {
            "source": some(0.7, lambda: draw.choice("abc")),
            "size": some(0.7, lambda: draw.randint(-3, 3)),
            "ratio": some(0.7, lambda: draw.randint(-8, 8) / 4),
        }
        tags = draw.sample(["food", "law", "news"], draw.randint(1, 3))
        suggestions = {
            "verdict": some(
                0.6, lambda: {"value": draw.choice(["keep", "fix"]), "score": draw.randint(0, 4) / 4, "agent": draw.choice(["m", "n"])}
            ),
            "tags": some(0.5, lambda: {"value": tags, "score": [draw.randint(0, 4) / 4 for _ in tags]}),
            "stars": some(0.5, lambda: {"value": draw.randint(1, 5)}),
        }

        def answer() -> tuple[str, dict[str, Any]]:
            status = draw.choice(["submitted", "draft", "discarded"])
            values = {"stars": some(0.6, lambda: draw.randint(1, 5)), "tags": some(0.4, lambda: draw.sample(["food", "law", "news"], 2))}
            return status, {"verdict": draw.choice(["keep", "fix", "reject"])} | {
                name: value for name, value in values.items() if value is not None
            }

        responses = {user: some(0.4, answer) for user in ("one", "two")}
        fields = {"text": _text(draw, 12)} | ({"chat": chat} if chat else {}) | ({"extra": extra} if extra else {})
        return Row(
            f"r{number:03}",
            fields,
            {name: value for name, value in given.items() if value is not None},
            {name: value for name, value in suggestions.items() if value},
            {user: value for user, value in responses.items() if value},
        )

    return [row(number) for number in range(count)]


ROWS = random_rows(RECORDS, SEED)

_quarters = st.integers(-9, 9).map(lambda number: number / 4)
_words = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)
_known = st.builds(
    lambda row, start, length: row.fields["text"][start : start + length], st.sampled_from(ROWS), st.integers(0, 8), st.integers(1, 5)
)
_text_queries = st.fixed_dictionaries(
    {"q": st.lists(_words | _known, min_size=1, max_size=2).map(" ".join)}, optional={"field": st.sampled_from(["text", "chat", "extra"])}
)


def _terms(scope: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=1, max_size=3).map(lambda chosen: {"type": "terms", "scope": scope, "values": chosen})


def _range(scope: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    bounds = st.lists(values, min_size=2, max_size=2).map(sorted)
    shapes = st.sampled_from([("ge", "le"), ("ge",), ("le",)])
    return st.builds(
        lambda pair, names: {"type": "range", "scope": scope, **{name: pair[0 if name == "ge" else 1] for name in names}}, bounds, shapes
    )


_labels = st.sampled_from(["keep", "fix", "reject", "none"])
_tags = st.sampled_from(["food", "law", "news"])
_filters = st.one_of(
    _terms(metadata("source"), st.sampled_from(["a", "b", "z"])),
    _terms(metadata("size"), st.integers(-3, 4)),
    _range(metadata("size"), st.integers(-4, 4)),
    _range(metadata("ratio"), _quarters),
    _terms(suggestion("verdict"), _labels),
    _terms(suggestion("tags"), _tags),
    _range(suggestion("stars"), st.integers(0, 6)),
    _range(suggestion("verdict", "score"), _quarters),
    _range(suggestion("tags", "score"), _quarters),
    _terms(suggestion("verdict", "agent"), st.sampled_from(["m", "n", "o"])),
    _terms(STATUS, st.sampled_from(["pending", "draft", "submitted", "discarded"])),
    _terms(response("verdict"), _labels),
    _terms(response("tags"), _tags),
    _terms(response("stars"), st.integers(1, 5)),
    _range(response("stars"), st.integers(0, 6)),
    _terms(record("status"), st.sampled_from(["pending", "completed"])),
    _terms(record("external_id"), st.sampled_from([row.name for row in ROWS])),
)
_scopes = st.sampled_from([metadata(name) for name in datasets.METADATA] + [record("external_id"), record("status")]
    + [suggestion("verdict"), suggestion("verdict", "score"), suggestion("verdict", "agent"), suggestion("tags"), suggestion("tags", "score"), suggestion("stars")]
    + [response("verdict"), response("tags"), response("stars")])  # fmt: skip
_sorts = st.lists(st.fixed_dictionaries({"scope": _scopes, "order": st.sampled_from(["asc", "desc"])}), min_size=1, max_size=2)
searches = st.fixed_dictionaries(
    {},
    optional={
        "query": _text_queries.map(lambda query: {"text": query}),
        "filters": st.lists(_filters, min_size=1, max_size=3).map(lambda chosen: {"and": chosen}),
        "sort": _sorts,
    },
)


@pytest.fixture(scope="session")
def crowd(argilla: Argilla) -> datasets.Dataset:
    if not isinstance(argilla.door, Process):
        pytest.skip("the reference folds text and finds parts of words as our engine does")
    return datasets.make(argilla, "random", ROWS)


def _compare(crowd: datasets.Dataset, body: dict[str, Any], user: str | None) -> None:
    expected = reference.find(ROWS, body, user)
    total, found = crowd.argilla.search(crowd.id, body, user)
    if "sort" in body or (user is None and "query" not in body):
        assert found == expected
    else:
        assert sorted(found) == sorted(expected)
    assert total == len(expected)


_users = st.sampled_from([None, "one", "two"])
_checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@given(body=searches, user=_users)
@settings(max_examples=60, deadline=None, suppress_health_check=_checks, derandomize=True)
def test_searches(crowd: datasets.Dataset, body: dict[str, Any], user: str | None) -> None:
    _compare(crowd, body, user)


@pytest.mark.soak
@given(body=searches, user=_users)
@settings(max_examples=2000, deadline=None, suppress_health_check=_checks)
def test_many_searches(crowd: datasets.Dataset, body: dict[str, Any], user: str | None) -> None:
    _compare(crowd, body, user)
