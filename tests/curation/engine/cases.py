"""What a search must find, by hand. Where Elasticsearch's answer is another by design, the case says why."""

# ruff: noqa: E501 (a case is a line)
from __future__ import annotations

from typing import Any, NamedTuple

CHARACTERS = "Elasticsearch's standard analyzer looks for the characters of a Chinese word, or whole words of English, in any order"
SYNTAX = "Elasticsearch reads operators in a query"
WIDTH = "Elasticsearch's standard analyzer does not fold width"
SORTING = "Elasticsearch cannot sort by the labels of responses"


class Case(NamedTuple):
    name: str
    body: dict[str, Any]
    found: list[str]
    user: str | None = None
    """None: the owner, over all responses."""
    ordered: bool = False
    elsewhere: str | None = None
    """Why Elasticsearch answers otherwise."""


def _text(query: str, field: str | None = None) -> dict[str, Any]:
    return {"query": {"text": {"q": query} | ({"field": field} if field else {})}}


def _terms(scope: dict[str, Any], *values: Any) -> dict[str, Any]:
    return {"filters": {"and": [{"type": "terms", "scope": scope, "values": list(values)}]}}


def _range(scope: dict[str, Any], **bounds: Any) -> dict[str, Any]:
    return {"filters": {"and": [{"type": "range", "scope": scope, **bounds}]}}


def _sort(scope: dict[str, Any], order: str) -> dict[str, Any]:
    return {"sort": [{"scope": scope, "order": order}]}


def metadata(name: str) -> dict[str, Any]:
    return {"entity": "metadata", "metadata_property": name}


def suggestion(question: str, part: str = "value") -> dict[str, Any]:
    return {"entity": "suggestion", "question": question, "property": part}


def response(question: str) -> dict[str, Any]:
    return {"entity": "response", "question": question}


def record(name: str) -> dict[str, Any]:
    return {"entity": "record", "property": name}


STATUS = {"entity": "response", "property": "status"}
ALL = ["noodles", "beef", "wide", "simplified", "english", "bare"]

CASES = [
    Case("everything, as it was added", {}, ALL, ordered=True),
    Case("a word of three characters", _text("牛肉麵"), ["noodles"], elsewhere=CHARACTERS),
    Case("a word of two", _text("牛肉"), ["noodles", "beef", "simplified"]),
    Case("a word of one", _text("麵"), ["noodles", "beef"]),
    Case("a very common one", _text("的"), ["noodles", "wide", "simplified", "bare"]),
    Case("a long word", _text("食品安全衛生管理法"), ["beef"]),
    Case("two words: both, anywhere", _text("牛肉 處罰"), ["beef"], elsewhere=CHARACTERS),
    Case("two words in different fields", _text("罰鍰 衛生"), ["beef"], elsewhere=CHARACTERS),
    Case("two words, one of them nowhere", _text("牛肉 電影"), []),
    Case("Traditional and Simplified differ", _text("台湾"), ["simplified"], elsewhere=CHARACTERS),
    Case("台 and 臺 differ", _text("臺灣"), ["wide"]),
    Case("case is folded", _text("BEEF"), ["english"]),
    Case("width is folded in the text", _text("abc"), ["wide"], elsewhere=WIDTH),
    Case("width is folded in the query", _text("ＢＥＥＦ　ｎｏｏｄｌｅ"), ["english"], elsewhere=WIDTH),
    Case("part of a word of English", _text("nood"), ["english"], elsewhere=CHARACTERS),
    Case("a message of a chat", _text("哪裡有"), ["noodles"], elsewhere=CHARACTERS),
    Case("a number in a custom field", _text("25", "extra"), ["beef"], elsewhere="Elasticsearch indexes a custom field as Python prints it"),
    Case("a field", _text("牛肉", "chat"), ["noodles"]),
    Case("a field that lacks the word", _text("食品", "text"), []),
    Case("a field, two words", _text("牛肉 麵粉", "text"), ["beef"], elsewhere=CHARACTERS),
    Case("an operator is text", _text("OR"), ["english"], elsewhere=SYNTAX),
    Case("OR joins nothing", _text("麵粉 OR 電影"), [], elsewhere=SYNTAX),
    Case("a minus is text", _text("Wi-Fi"), ["wide"], elsewhere=CHARACTERS),
    Case("a leading minus is text", _text("-牛肉"), [], elsewhere=SYNTAX),
    Case("quotation marks are text", _text('"ever"'), ["english"], elsewhere=SYNTAX),
    Case("one quotation mark", _text('"'), ["english"], elsewhere=SYNTAX),
    Case("a star is text", _text("牛*"), [], elsewhere=SYNTAX),
    Case("a percent sign is no wildcard", _text("%"), ["wide", "english"], elsewhere=SYNTAX),
    Case("an underscore is no wildcard", _text("e_1"), ["english"], elsewhere=CHARACTERS),
    Case("a backslash", _text("\\temp\\"), ["english"], elsewhere=CHARACTERS),
    Case("parentheses, colon and braces", _text("(100%) c:"), ["english"], elsewhere=SYNTAX),
    Case("FTS5's own syntax", _text("{c0} : NEAR(牛 肉)"), [], elsewhere=SYNTAX),
    Case("an apostrophe", _text("';--"), []),
    Case("white space finds nothing", _text(" 　\t"), []),
    Case("punctuation", _text("，"), ["noodles", "beef", "wide", "simplified"], elsewhere="Elasticsearch drops punctuation"),
    Case("text, sorted", _text("牛肉") | _sort(metadata("size"), "desc"), ["beef", "noodles", "simplified"], ordered=True),
    Case("terms", _terms(metadata("source"), "ptt", "law"), ["noodles", "beef", "simplified"]),
    Case("terms that nothing has", _terms(metadata("source"), "none"), []),
    Case("terms of integers", _terms(metadata("size"), 3, "10"), ["noodles", "beef", "english"]),
    Case("integers from", _range(metadata("size"), ge=3), ["noodles", "beef", "english"]),
    Case("integers to", _range(metadata("size"), le=-5), ["wide"]),
    Case("decimals between", _range(metadata("ratio"), ge=-1.5, le=0.5), ["noodles", "beef", "english"]),
    Case("a suggestion", _terms(suggestion("verdict"), "keep", "fix"), ["noodles", "beef"]),
    Case("one of several labels suggested", _terms(suggestion("tags"), "law"), ["beef"]),
    Case("a rating suggested", _terms(suggestion("stars"), 5), ["noodles"]),
    Case("ratings suggested between", _range(suggestion("stars"), ge=3, le=4), ["wide"]),
    Case("a score", _range(suggestion("verdict", "score"), ge=0.4), ["noodles", "beef"]),
    Case("a score of one of several labels", _range(suggestion("tags", "score"), ge=0.2, le=0.5), ["beef"]),
    Case("an agent", _terms(suggestion("verdict", "agent"), "judge"), ["noodles"]),
    Case("an agent of another question", _terms(suggestion("stars", "agent"), "judge"), ["wide"]),
    Case("pending for one", _terms(STATUS, "pending"), ["wide", "simplified", "bare"], "one"),
    Case("pending for two", _terms(STATUS, "pending"), ["noodles", "wide", "bare"], "two"),
    Case("pending for all", _terms(STATUS, "pending"), ["wide", "bare"]),
    Case("drafts of one", _terms(STATUS, "draft"), ["beef"], "one"),
    Case("submitted by two", _terms(STATUS, "submitted"), ["beef", "english"], "two"),
    Case("discarded by anyone", _terms(STATUS, "discarded"), ["simplified"]),
    Case("discarded by one", _terms(STATUS, "discarded"), [], "one"),
    Case("pending or draft for one", _terms(STATUS, "pending", "draft"), ["beef", "wide", "simplified", "bare"], "one"),
    Case("an answer of one", _terms(response("verdict"), "keep"), ["noodles"], "one"),
    Case("an answer of two", _terms(response("verdict"), "keep"), ["english"], "two"),
    Case("an answer of anyone", _terms(response("verdict"), "keep"), ["noodles", "english"]),
    Case("a rating of anyone", _range(response("stars"), ge=4), ["noodles", "english"]),
    Case("a rating of one", _range(response("stars"), ge=1, le=2), ["english"], "one"),
    Case("one of several labels answered", _terms(response("tags"), "food"), ["english"]),
    Case("free text is not filtered by value", _terms(response("comment"), "fine"), []),
    Case("completed records", _terms(record("status"), "completed"), ["noodles", "beef", "english"]),
    Case("external ids", _terms(record("external_id"), "bare", "wide", "none"), ["wide", "bare"]),
    Case("added in this century", _range(record("inserted_at"), ge="2001-01-01", le="2100-12-31"), ALL),
    Case("added before", _range(record("inserted_at"), le="2001-01-01T00:00:00"), []),
    Case("filters together", {"filters": {"and": [
        {"type": "terms", "scope": metadata("source"), "values": ["news", "ptt"]}, {"type": "range", "scope": metadata("size"), "ge": 0},
        {"type": "terms", "scope": STATUS, "values": ["submitted"]}]}}, ["noodles", "english"]),
    Case("text and filter", _text("牛肉") | _terms(metadata("source"), "ptt"), ["noodles", "simplified"]),
    Case("text and what is pending", _text("牛肉") | _terms(STATUS, "pending"), ["simplified"], "one"),
    Case("by integers, what lacks them last", _sort(metadata("size"), "asc"), ["wide", "noodles", "english", "beef", "simplified", "bare"], ordered=True),
    Case("by integers downwards, what lacks them last", _sort(metadata("size"), "desc"), ["beef", "noodles", "english", "wide", "simplified", "bare"], ordered=True),
    Case("by terms", _sort(metadata("source"), "asc"), ["beef", "wide", "english", "noodles", "simplified", "bare"], ordered=True),
    Case("by a score", _sort(suggestion("verdict", "score"), "desc"), ["noodles", "beef", "wide", "simplified", "english", "bare"], ordered=True),
    Case("by a suggested rating", _sort(suggestion("stars"), "asc"), ["wide", "noodles", "beef", "simplified", "english", "bare"], ordered=True),
    Case("by the mean of ratings", _sort(response("stars"), "desc"), ["noodles", "english", "beef", "wide", "simplified", "bare"], ordered=True),
    Case("by one's ratings", _sort(response("stars"), "asc"), ["english", "noodles", "beef", "wide", "simplified", "bare"], "one", ordered=True),
    Case("by labels answered", _sort(response("verdict"), "asc"), ["beef", "noodles", "english", "wide", "simplified", "bare"], ordered=True, elsewhere=SORTING),
    Case("by two keys", {"sort": [{"scope": metadata("size"), "order": "desc"}, {"scope": metadata("ratio"), "order": "asc"}]},
         ["beef", "english", "noodles", "wide", "simplified", "bare"], ordered=True),
    Case("latest first", _sort(record("inserted_at"), "desc"), ALL[::-1], ordered=True),
    Case("earliest first", _sort(record("inserted_at"), "asc"), ALL, "two", ordered=True),
    Case("by external id", _sort(record("external_id"), "asc"), sorted(ALL), ordered=True),
    Case("by a record's status, then its name", {"sort": [{"scope": record("status"), "order": "asc"}, {"scope": record("external_id"), "order": "asc"}]},
         ["beef", "english", "noodles", "bare", "simplified", "wide"], ordered=True),
]  # fmt: skip
