"""Search by vectors: the cosine to each, by numpy. A process keeps the vectors it used last, while they stay as they are."""

# ruff: noqa: S608 (what is put together here are names of our own; values are bound)
from __future__ import annotations

import json
import threading
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from sqlalchemy import text as sql

from .search import Wanted, reading, select
from .store import Store

KEPT_SETTINGS = 2
"""Vector settings whose vectors a process keeps; 50,000 vectors of 384 numbers are 77 MB."""


class Target(NamedTuple):
    """What vectors are compared with."""

    settings_id: str
    vector: list[float]
    excluded_id: str | None
    """The record that the vector is of."""
    threshold: float | None
    """Least score."""


class Vectors(NamedTuple):
    """All vectors of one settings, of length 1, as their records were added; those of length 0 have no direction and are left out."""

    version: int | None
    rows: dict[str, int]
    """Row of each record's vector."""
    matrix_ND: Any


_kept: dict[str, Vectors] = {}
_keeping = threading.Lock()


def similar(store: Store, connection: Any, wanted: Wanted, target: Target) -> tuple[int, list[tuple[UUID, float | None]]]:
    """The nearest `limit` records with their scores, (1 + cosine) / 2: how many, and those of at least the threshold."""
    with reading(store, connection, wanted.dataset_id) as index:
        vectors = _vectors(store, connection, target.settings_id, len(target.vector))
        chosen = None
        if wanted.query is not None or wanted.filter is not None:
            match, condition, query = select(store, connection, index, wanted)
            statement = sql(f"SELECT d.id FROM {match.source} WHERE {condition}")
            chosen = set(map(str, connection.execute(statement, query.values).scalars()))
    excluded = store.key(target.excluded_id) if target.excluded_id else None
    ids = [one for one in vectors.rows if one != excluded and (chosen is None or one in chosen)]
    length = float(np.linalg.norm(target.vector))
    if not ids or not length:
        return 0, []
    cosines_N = vectors.matrix_ND @ (np.asarray(target.vector, dtype=np.float32) / np.float32(length))
    scores_N = np.clip((1 + cosines_N[[vectors.rows[one] for one in ids]]) / 2, 0, 1)
    nearest = np.argsort(-scores_N, kind="stable")[: wanted.limit]
    least = -1.0 if target.threshold is None else target.threshold
    return len(nearest), [(UUID(ids[i]), float(scores_N[i])) for i in nearest if scores_N[i] >= least]


def _vectors(store: Store, connection: Any, settings_id: str, dimensions: int) -> Vectors:
    version = store.vectors_version(connection, settings_id)
    with _keeping:
        kept = _kept.get(settings_id)
        if kept is not None and version is not None and kept.version == version:
            return kept
        found = _read(store, connection, settings_id, dimensions, version)
        _kept.pop(settings_id, None)
        _kept[settings_id] = found
        while len(_kept) > KEPT_SETTINGS:
            del _kept[next(iter(_kept))]
        return found


def _read(store: Store, connection: Any, settings_id: str, dimensions: int, version: int | None) -> Vectors:
    values = {"settings": store.key(settings_id)}
    count = connection.execute(sql("SELECT count(*) FROM vectors WHERE vector_settings_id = :settings"), values).scalar()
    matrix_ND = np.zeros((count, dimensions), dtype=np.float32)
    rows: dict[str, int] = {}
    source = f"vectors v JOIN {store.records} d ON d.id = v.record_id"
    statement = sql(f"SELECT v.record_id, v.value FROM {source} WHERE v.vector_settings_id = :settings ORDER BY {store.tie}")
    for row in connection.execute(statement, values):
        numbers = json.loads(row[1]) if isinstance(row[1], str) else row[1]
        if len(numbers) == dimensions and any(numbers):
            matrix_ND[len(rows)] = numbers
            rows[str(row[0])] = len(rows)
    lengths_N = np.linalg.norm(matrix_ND, axis=1, keepdims=True)
    return Vectors(version, rows, matrix_ND / np.where(lengths_N > 0, lengths_N, 1))
