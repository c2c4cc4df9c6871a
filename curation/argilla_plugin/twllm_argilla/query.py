"""Filters and orders as SQL, of records with the alias `d`. They mean what they mean to Argilla's Elasticsearch engine;
docs/review_search.md tells the differences.
"""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from argilla_server.search_engine.base import (
    AndFilter,
    MetadataFilterScope,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)

from .store import Clause, Store

NEVER = "0 = 1"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_SECOND = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}")


class BadSearch(ValueError):
    """A search that cannot be understood; the message says what of it."""


class Schema(NamedTuple):
    """What a dataset says of the names that filters use."""

    metadata: dict[str, str]
    """Type (terms, integer, float) of each metadata property."""
    questions: dict[str, tuple[str, str]]
    """Id and type of each question."""


class Query:
    """Collects conditions and the values they bind."""

    def __init__(self, store: Store, schema: Schema) -> None:
        self.store = store
        self.schema = schema
        self.values: dict[str, Any] = {}
        self._numbers = itertools.count()

    def bind(self, value: Any) -> str:
        """A fresh parameter's name in SQL."""
        name = f"v{next(self._numbers)}"
        self.values[name] = value
        return f":{name}"

    def add(self, clause: Clause) -> str:
        """A store's condition; its values are bound under its own names."""
        self.values.update(clause.values)
        return clause.sql

    def condition(self, wanted: Any) -> str:
        """SQL of a filter. Raises BadSearch for one that no engine knows."""
        if isinstance(wanted, AndFilter):
            return " AND ".join(f"({self.condition(one)})" for one in wanted.filters) or "1 = 1"
        scope = wanted.scope
        if isinstance(scope, RecordFilterScope):
            return self._record(wanted, str(scope.property))
        if isinstance(scope, MetadataFilterScope):
            kind = self.schema.metadata.get(scope.metadata_property)
            return self._exists(self.store.elements("d.metadata", [scope.metadata_property], "j"), self._element(wanted, kind))
        if isinstance(scope, SuggestionFilterScope):
            return self._suggestion(wanted, scope)
        if isinstance(scope, ResponseFilterScope):
            return self._response(wanted, scope)
        raise BadSearch(f"no engine knows the filter scope {scope!r}")

    def order(self, wanted: Any) -> tuple[str, str]:
        """A sort key and its direction. What a record lacks comes last either way; of several values the nearest to the top counts."""
        scope, descending = wanted.scope, str(wanted.order) == "desc"
        best = "max" if descending else "min"
        if isinstance(scope, RecordFilterScope):
            key = self._column(str(scope.property))
        elif isinstance(scope, MetadataFilterScope):
            value = self._value(self.schema.metadata.get(scope.metadata_property))
            key = f"(SELECT {best}({value}) FROM {self.store.elements('d.metadata', [scope.metadata_property], 'j')})"
        elif isinstance(scope, SuggestionFilterScope):
            source, value = self._suggestion_source(scope)
            key = f"(SELECT {best}({value}) FROM {source})"
        elif isinstance(scope, ResponseFilterScope):
            source, value, kind = self._response_source(scope)
            key = f"(SELECT {'avg' if kind == 'rating' else best}({value}) FROM {source})"
        else:
            raise BadSearch(f"no engine knows the sort scope {scope!r}")
        return key, "DESC NULLS LAST" if descending else "ASC NULLS LAST"

    def _record(self, wanted: Any, name: str) -> str:
        column = self._column(name)
        if name in ("inserted_at", "updated_at"):
            if isinstance(wanted, TermsFilter):
                return self._any(column, [self.store.moment(moment(value)) for value in wanted.values])
            return self._between(column, _bound(wanted.ge, self.store), _bound(wanted.le, self.store, last=True))
        if isinstance(wanted, RangeFilter):
            if name == "id":
                raise BadSearch("records are not filtered by a range of ids")
            return self._between(column, _text(wanted.ge), _text(wanted.le))
        values = [str(value) for value in wanted.values]
        return self._any(column, [self.store.key(value) for value in values if _is_uuid(value)] if name == "id" else values)

    def _suggestion(self, wanted: Any, scope: Any) -> str:
        source, _ = self._suggestion_source(scope)
        if scope.property in ("agent", "type"):
            column = self.store.plain(f"s.{scope.property}")
            if isinstance(wanted, RangeFilter):
                return self._exists(source, self._between(column, _text(wanted.ge), _text(wanted.le)))
            return self._exists(source, self._any(column, [str(value) for value in wanted.values]))
        return self._exists(source, self._element(wanted, self._kind(scope.question, scope.property)))

    def _suggestion_source(self, scope: Any) -> tuple[str, str]:
        question_id, _ = self.schema.questions.get(scope.question, ("", ""))
        source = "suggestions s"
        value = self.store.plain(f"s.{scope.property}") if scope.property in ("agent", "type") else ""
        if not value:
            column = "s.score" if scope.property == "score" else "s.value"
            source += f", {self.store.elements(column, [], 'j')}"
            value = self._value(self._kind(scope.question, scope.property))
        return f"{source} WHERE s.record_id = d.id AND s.question_id = {self.bind(self.store.key(question_id))}", value

    def _response(self, wanted: Any, scope: Any) -> str:
        if scope.question is None and isinstance(wanted, TermsFilter) and scope.property == "status":
            return self._response_status(wanted, scope)
        if scope.question is None:
            raise BadSearch("a response is filtered by a question or by its status")
        source, _, kind = self._response_source(scope)
        return self._exists(source, self._element(wanted, kind))

    def _response_status(self, wanted: Any, scope: Any) -> str:
        mine = f" AND s.user_id = {self.bind(self.store.key(str(scope.user.id)))}" if scope.user else ""
        statuses = [str(value) for value in wanted.values]
        parts = []
        if "pending" in statuses:
            parts.append(f"NOT EXISTS (SELECT 1 FROM responses s WHERE s.record_id = d.id{mine})")
        given = [status for status in statuses if status != "pending"]
        if given:
            chosen = self._any(self.store.plain("s.status"), given)
            parts.append(f"EXISTS (SELECT 1 FROM responses s WHERE s.record_id = d.id{mine} AND {chosen})")
        return " OR ".join(parts) or NEVER

    def _response_source(self, scope: Any) -> tuple[str, str, str]:
        mine = f" AND s.user_id = {self.bind(self.store.key(str(scope.user.id)))}" if scope.user else ""
        if scope.question is None:
            return f"responses s WHERE s.record_id = d.id{mine}", self.store.plain("s.status"), "status"
        kind = self._kind(scope.question, "value")
        elements = self.store.elements('s."values"', [scope.question, "value"], "j")
        return f"responses s, {elements} WHERE s.record_id = d.id{mine}", self._value(kind), kind

    def _kind(self, question: str, part: str) -> str:
        if part == "score":
            return "float"
        return self.schema.questions.get(question, ("", ""))[1] if part == "value" else ""

    def _value(self, kind: str | None) -> str:
        if kind in ("integer", "float", "rating"):
            return self.store.as_number("j")
        return self.store.as_text("j") if kind in ("terms", "label_selection", "multi_label_selection") else "NULL"

    def _element(self, wanted: Any, kind: str | None) -> str:
        """A condition on the elements `j`; free text, rankings and spans are not filtered by value (nor does Elasticsearch)."""
        value = self._value(kind)
        if value == "NULL":
            return NEVER
        numeric = kind in ("integer", "float", "rating")
        if isinstance(wanted, RangeFilter):
            least, greatest = map(_number if numeric else _text, (wanted.ge, wanted.le))
            unread = (least is None) != (wanted.ge is None) or (greatest is None) != (wanted.le is None)
            return NEVER if unread else self._between(value, least, greatest)
        if not isinstance(wanted, TermsFilter):
            raise BadSearch(f"no engine knows the filter {wanted!r}")
        values = [_number(one) for one in wanted.values] if numeric else [str(one) for one in wanted.values]
        return self._any(value, [one for one in values if one is not None])

    def _column(self, name: str) -> str:
        if name in ("external_id", "status"):
            return self.store.plain(f"d.{name}")
        if name in ("id", "inserted_at", "updated_at"):
            return f"d.{name}"
        raise BadSearch(f"records have no property {name!r} to filter or sort by")

    def _any(self, expression: str, values: list[Any]) -> str:
        return f"{expression} IN ({', '.join(map(self.bind, values))})" if values else NEVER

    def _between(self, expression: str, least: Any, greatest: Any) -> str:
        parts = [f"{expression} >= {self.bind(least)}"] if least is not None else []
        parts += [f"{expression} <= {self.bind(greatest)}"] if greatest is not None else []
        return " AND ".join(parts) or NEVER

    @staticmethod
    def _exists(source: str, condition: str) -> str:
        joined = f"{source} AND {condition}" if " WHERE " in source else f"{source} WHERE {condition}"
        return NEVER if condition == NEVER else f"EXISTS (SELECT 1 FROM {joined})"


def moment(value: Any, last: bool = False) -> str:
    """A date and time as Argilla's tables hold it (UTC, microseconds). What is left out is the first of its kind, or with `last` the last.

    Raises BadSearch where it is neither an ISO date nor milliseconds since 1970.
    """
    text = str(value).strip()
    try:
        if re.fullmatch(r"-?\d+(\.0*)?", text) and len(text) > 8:
            found = datetime.fromtimestamp(float(text) / 1000, UTC)
        else:
            found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise BadSearch(f"{text!r} is no date: write 2026-01-31 or 2026-01-31T08:00:00") from error
    found = found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    if last and _DAY.fullmatch(text):
        found = found.replace(hour=23, minute=59, second=59, microsecond=999_999)
    elif last and _MINUTE.fullmatch(text):
        found = found.replace(second=59, microsecond=999_999)
    elif last and _SECOND.fullmatch(text):
        found = found.replace(microsecond=999_999)
    return found.strftime("%Y-%m-%d %H:%M:%S.%f")


def _bound(value: Any, store: Store, last: bool = False) -> Any:
    return None if value is None else store.moment(moment(value, last))


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _is_uuid(value: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None
