"""What a search finds, written the plain way: rows one after the other in Python. Random searches are compared with it."""

from __future__ import annotations

import unicodedata
from typing import Any

from tests.curation.engine.dataset import METADATA, QUESTIONS, Row

NUMERIC = ("integer", "float", "rating")


def find(rows: list[Row], body: dict[str, Any], user: str | None) -> list[str]:
    """Names of the rows found, in their order; a text query without a sort has none of its own, and comes as added."""
    text = (body.get("query") or {}).get("text")
    filters = (body.get("filters") or {}).get("and") or []
    found = [row for row in rows if (text is None or _holds(row, text)) and all(_passes(row, one, user) for one in filters)]
    for order in reversed(body.get("sort") or []):
        down = order["order"] == "desc"
        keyed = [(_key(row, order["scope"], user, down), row) for row in found]
        present = sorted(
            (pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=down
        )  # equal ones stay in order
        found = [row for _, row in present] + [row for key, row in keyed if key is None]
    return [row.name for row in found]


def _fold(text: str) -> str:
    once = unicodedata.normalize("NFKC", "".join(character for character in text if character != "\u200b"))
    return " ".join(unicodedata.normalize("NFKC", once.casefold()).split())


def _holds(row: Row, text: dict[str, Any]) -> bool:
    wanted = _fold(text["q"]).split()
    shown = {
        "text": row.fields["text"],
        "chat": "\n".join(message["content"] for message in row.fields.get("chat", [])),
        "extra": "\n".join(str(value) for value in row.fields.get("extra", {}).values()),
    }
    places = [_fold(value) for name, value in shown.items() if text.get("field") in (None, name)]
    return bool(wanted) and all(any(word in place for place in places) for word in wanted)


def _values(row: Row, scope: dict[str, Any], user: str | None) -> list[Any]:
    """All values that stand where a scope points."""
    if scope["entity"] == "metadata":
        found = [row.metadata.get(scope["metadata_property"])]
    elif scope["entity"] == "suggestion":
        found = [row.suggestions.get(scope["question"], {}).get(scope["property"])]
    else:
        found = [values.get(scope["question"]) for who, (_, values) in row.responses.items() if user in (None, who)]
    return [one for value in found if value is not None for one in (value if isinstance(value, list) else [value])]


def _passes(row: Row, wanted: dict[str, Any], user: str | None) -> bool:
    scope = wanted["scope"]
    if scope["entity"] == "record":
        value = row.name if scope["property"] == "external_id" else _status(row)
        return value in wanted["values"]
    if scope.get("property") == "status":
        given = [status for who, (status, _) in row.responses.items() if user in (None, who)]
        return ("pending" in wanted["values"] and not given) or any(status in wanted["values"] for status in given)
    values = _values(row, scope, user)
    if wanted["type"] == "terms":
        numeric = _kind(scope) in NUMERIC
        terms = [float(value) if numeric else str(value) for value in wanted["values"]]
        return any(value in terms for value in values)
    least, greatest = wanted.get("ge"), wanted.get("le")
    return any((least is None or value >= least) and (greatest is None or value <= greatest) for value in values)


def _status(row: Row) -> str:
    return "completed" if any(status == "submitted" for status, _ in row.responses.values()) else "pending"


def _kind(scope: dict[str, Any]) -> str:
    if scope["entity"] == "metadata":
        return METADATA[scope["metadata_property"]]
    if scope["entity"] == "suggestion" and scope["property"] != "value":
        return "float" if scope["property"] == "score" else "terms"
    return str(QUESTIONS[scope["question"]]["type"])


def _key(row: Row, scope: dict[str, Any], user: str | None, down: bool) -> Any:
    if scope["entity"] == "record":
        return row.name if scope["property"] == "external_id" else _status(row)
    values = _values(row, scope, user)
    if not values:
        return None
    if scope["entity"] == "response" and _kind(scope) == "rating":
        return sum(values) / len(values)
    return max(values) if down else min(values)
