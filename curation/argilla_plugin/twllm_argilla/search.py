"""Searches, counts and similarities on one connection to the database."""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from argilla_server.search_engine.base import FloatMetadataMetrics, IntegerMetadataMetrics, TermsMetrics
from sqlalchemy import text as sql

from . import text
from .query import Query, Schema
from .store import Index, Store

MAX_TERMS = 2**14
"""Most terms in a property's metrics, as with Elasticsearch."""


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


class Target(NamedTuple):
    """What vectors are compared with."""

    settings_id: str
    vector: list[float]
    excluded_id: str | None
    threshold: float | None
    """Least score, (1 + cosine) / 2."""


@contextmanager
def _reading(store: Store, connection: Any, dataset_id: str) -> Iterator[Index]:
    """A transaction in which the index is whole: no change of a text is waiting."""
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


def find(store: Store, connection: Any, wanted: Wanted) -> tuple[int, list[tuple[UUID, float | None]]]:
    """How many records are found, and those of the page with their scores."""
    with _reading(store, connection, wanted.dataset_id) as index:
        query, condition = _condition(store, connection, index, wanted)
        total = connection.execute(sql(f"SELECT count(*) FROM {store.records} d WHERE {condition}"), query.values).scalar()
        order = [query.order(one) for one in wanted.sort]
        if not order and wanted.user_id:
            order = [query.add(store.shuffled(wanted.user_id))]
        page = f"LIMIT {query.bind(wanted.limit)} OFFSET {query.bind(wanted.offset)}"
        statement = f"SELECT d.id FROM {store.records} d WHERE {condition} ORDER BY {', '.join([*order, store.tie])} {page}"
        found = connection.execute(sql(statement), query.values).scalars().all()
        return total, [(UUID(str(one)), None) for one in found]


def _condition(store: Store, connection: Any, index: Index, wanted: Wanted) -> tuple[Query, str]:
    query = Query(store, _schema(store, connection, wanted.dataset_id))
    conditions = [f"d.dataset_id = {query.bind(store.key(wanted.dataset_id))}"]
    if wanted.query is not None:
        conditions.append(query.add(store.matches(index, text.words(wanted.query), wanted.field)))
    if wanted.filter is not None:
        conditions.append(f"({query.condition(wanted.filter)})")
    return query, " AND ".join(conditions)


def _schema(store: Store, connection: Any, dataset_id: str) -> Schema:
    values = {"dataset": store.key(dataset_id)}
    properties = connection.execute(sql("SELECT name, settings FROM metadata_properties WHERE dataset_id = :dataset"), values).all()
    questions = connection.execute(sql("SELECT name, id, settings FROM questions WHERE dataset_id = :dataset"), values).all()
    return Schema(
        {name: _type(settings) for name, settings in properties}, {name: (str(one), _type(settings)) for name, one, settings in questions}
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
    least, greatest = connection.execute(
        sql(f"SELECT min({store.as_number('j')}), max({store.as_number('j')}) FROM {source}"), values
    ).one()
    return (IntegerMetadataMetrics if kind == "integer" else FloatMetadataMetrics)(min=least, max=greatest)


def similar(store: Store, connection: Any, wanted: Wanted, target: Target) -> tuple[int, list[tuple[UUID, float | None]]]:
    """The nearest `limit` records with their scores, (1 + cosine) / 2; a vector of length 0 has no direction and is left out."""
    with _reading(store, connection, wanted.dataset_id) as index:
        query, condition = _condition(store, connection, index, wanted)
        if target.excluded_id:
            condition += f" AND d.id <> {query.bind(store.key(target.excluded_id))}"
        statement = f"""SELECT d.id, v.value FROM {store.records} d JOIN vectors v ON v.record_id = d.id
            WHERE v.vector_settings_id = {query.bind(store.key(target.settings_id))} AND {condition} ORDER BY {store.tie}"""
        rows = connection.execute(sql(statement), query.values).all()
    ids, vectors = [row[0] for row in rows], [json.loads(row[1]) if isinstance(row[1], str) else row[1] for row in rows]
    if not rows:
        return 0, []
    matrix, vector = np.asarray(vectors, dtype=np.float32), np.asarray(target.vector, dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
    cosines = np.divide(matrix @ vector, norms, out=np.full(len(ids), -np.inf, dtype=np.float32), where=norms > 0)
    nearest = [i for i in np.argsort(-cosines, kind="stable")[: wanted.limit] if np.isfinite(cosines[i])]
    scored: list[tuple[UUID, float | None]] = [(UUID(str(ids[i])), min(1.0, max(0.0, (1 + float(cosines[i])) / 2))) for i in nearest]
    least = target.threshold
    return len(scored), [(one, score) for one, score in scored if least is None or (score or 0) >= least]
