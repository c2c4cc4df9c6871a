"""Searches and counts on one connection to the database."""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from argilla_server.enums import SortOrder
from argilla_server.search_engine.base import FloatMetadataMetrics, IntegerMetadataMetrics, MetadataFilterScope, Order, TermsMetrics
from sqlalchemy import text as sql

from . import text
from .query import Query, Schema
from .store import Index, Match, Store

MAX_TERMS = 2**14
"""Most terms in a property's metrics, as with Elasticsearch."""


PRIORITY = "priority"
"""The numeric metadata property that an annotator's records are ordered by, greatest first, where no other order is asked for."""


class Wanted(NamedTuple):
    """A search."""

    dataset_id: str
    query: str | None
    """None: all records. A query without a word finds none."""
    field: str | None
    filter: Any
    sort: list[Any]
    offset: int
    limit: int
    user_id: str | None
    """Whose order of records it is where no other is asked for."""


class Selection(NamedTuple):
    """The records of a search as SQL."""

    match: Match
    condition: str
    query: Query


@contextmanager
def reading(store: Store, connection: Any, dataset_id: str) -> Iterator[Index]:
    """A transaction that only reads and in which the index is whole: no change of a text is waiting."""
    while True:
        store.begin(connection)
        index = None if store.pending(connection, dataset_id) else store.index(connection, dataset_id)
        if index is not None:
            break
        connection.execute(sql("ROLLBACK"))
        store.drain(connection, dataset_id)
    try:
        yield index
    finally:
        connection.execute(sql("ROLLBACK"))


def select(store: Store, connection: Any, index: Index, wanted: Wanted) -> Selection:
    """What the records must be: of the dataset, with the words, through the filter."""
    query = Query(store, _schema(store, connection, wanted.dataset_id))
    if wanted.query is None:
        records = f"{store.records} d"
        match = Match(records, records, f"d.dataset_id = {query.bind(store.key(wanted.dataset_id))}", None, {})
    else:
        match = store.matches(index, text.words(wanted.query), wanted.field)
        query.values.update(match.values)
    condition = match.condition
    if wanted.filter is not None:
        condition += f" AND ({query.condition(wanted.filter)})"
    return Selection(match, condition, query)


def find(store: Store, connection: Any, wanted: Wanted) -> tuple[int, list[tuple[UUID, float | None]]]:
    """How many records are found, and those of the page with their scores where they are ordered by them."""
    with reading(store, connection, wanted.dataset_id) as index:
        match, condition, query = select(store, connection, index, wanted)
        counted = match.counted if wanted.filter is None else match.source
        count = sql(f"SELECT count(*) FROM {counted} WHERE {condition}"), dict(query.values)
        order, score = _order(store, query, match, wanted)
        keys = [*order, *((tie, "ASC") for tie in store.tie.split(", "))]
        page = f"LIMIT {query.bind(wanted.limit)} OFFSET {query.bind(wanted.offset)}"
        if order and wanted.filter is not None:  # all are looked at for the order, so they are counted in passing
            named = ", ".join(f"{key} AS k{n}" for n, (key, _) in enumerate(keys))
            hits = f"SELECT d.id AS id, {score} AS score, {named} FROM {match.source} WHERE {condition}"
            by = ", ".join(f"k{n} {direction}" for n, (_, direction) in enumerate(keys))
            statement = f"WITH hits AS MATERIALIZED ({hits}) SELECT id, score, (SELECT count(*) FROM hits) FROM hits ORDER BY {by} {page}"
        else:
            by = ", ".join(f"{key} {direction}" for key, direction in keys)
            statement = f"SELECT d.id, {score} AS score, NULL FROM {match.source} WHERE {condition} ORDER BY {by} {page}"
        rows = connection.execute(sql(statement), query.values).all()
        total = rows[0][2] if rows else None
        if total is None:
            total = connection.execute(*count).scalar()
        return total, [(UUID(str(identifier)), found) for identifier, found, _ in rows]


def _order(store: Store, query: Query, match: Match, wanted: Wanted) -> tuple[list[tuple[str, str]], str]:
    """Sort keys with their directions, and the score to be told."""
    if wanted.sort:
        return [query.order(one) for one in wanted.sort], "NULL"
    if match.score:
        return [(match.score, "DESC")], match.score
    if wanted.user_id is None:
        return [], "NULL"
    own = [(query.add(store.shuffled(wanted.user_id)), "ASC")]
    if query.schema.metadata.get(PRIORITY) in ("integer", "float"):
        own.insert(0, query.order(Order(MetadataFilterScope(PRIORITY), SortOrder.desc)))
    return own, "NULL"


def _schema(store: Store, connection: Any, dataset_id: str) -> Schema:
    values = {"dataset": store.key(dataset_id)}
    properties = connection.execute(sql("SELECT name, settings FROM metadata_properties WHERE dataset_id = :dataset"), values).all()
    questions = connection.execute(sql("SELECT name, id, settings FROM questions WHERE dataset_id = :dataset"), values).all()
    return Schema(
        {name: _type(settings) for name, settings in properties},
        {name: (str(identifier), _type(settings)) for name, identifier, settings in questions},
    )


def _type(settings: Any) -> str:
    return str((json.loads(settings) if isinstance(settings, str) else settings)["type"])


def progress(store: Store, connection: Any, dataset_id: str) -> dict[str, int]:
    """Records in all, and by status."""
    statement = f"SELECT {store.plain('d.status')}, count(*) FROM {store.records} d WHERE d.dataset_id = :dataset GROUP BY d.status"
    return _counts(connection.execute(sql(statement), {"dataset": store.key(dataset_id)}).all())


def user_progress(store: Store, connection: Any, dataset_id: str, user_id: str) -> dict[str, int]:
    """A user's responses in all, and by status."""
    statement = f"""SELECT {store.plain("s.status")}, count(*) FROM responses s JOIN {store.records} d ON d.id = s.record_id
        WHERE d.dataset_id = :dataset AND s.user_id = :user GROUP BY s.status"""
    return _counts(connection.execute(sql(statement), {"dataset": store.key(dataset_id), "user": store.key(user_id)}).all())


def _counts(rows: list[Any]) -> dict[str, int]:
    return {"total": sum(count for _, count in rows), **{str(status): count for status, count in rows}}


def metrics(store: Store, connection: Any, dataset_id: str, name: str, kind: str) -> Any:
    """Counts of a property's terms, the most frequent first; or least and greatest of its numbers (None where it has none)."""
    source = f"{store.records} d, {store.elements('d.metadata', [name], 'j')} WHERE d.dataset_id = :dataset"
    values = {"dataset": store.key(dataset_id)}
    if kind == "terms":
        statement = f"SELECT {store.as_text('j')} AS term, count(*) FROM {source} GROUP BY term ORDER BY 2 DESC, 1"
        rows = [(term, count) for term, count in connection.execute(sql(statement), values).all() if term is not None]
        counted = [TermsMetrics.TermCount(term=term, count=count) for term, count in rows[:MAX_TERMS]]
        return TermsMetrics(total=sum(count for _, count in rows), values=counted)
    number = store.as_number("j")
    least, greatest = connection.execute(sql(f"SELECT min({number}), max({number}) FROM {source}"), values).one()
    return (IntegerMetadataMetrics if kind == "integer" else FloatMetadataMetrics)(min=least, max=greatest)
