"""Argilla's search engine `embedded`: Argilla's own database is the index. Importing this module registers it.

Set ARGILLA_SEARCH_ENGINE=embedded, and import this module in the server and in each worker before they look the engine up.
Argilla tells an engine of every change; this one hears of changes by triggers and uses the call only to index them at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

from argilla_server.database import sync_engine
from argilla_server.errors.future import UnprocessableEntityError
from argilla_server.search_engine.base import SearchEngine, SearchResponseItem, SearchResponses, TextQuery

from . import search, similarity
from .postgres import Postgres
from .query import BadSearch
from .sqlite import Sqlite
from .store import Store

NAME = "embedded"

_KINDS: dict[str, Callable[[], Store]] = {"sqlite": Sqlite, "postgresql": Postgres}

_prepared = threading.Lock()
_stores: dict[str, Store] = {}


def store() -> Store:
    """The store for the configured database, prepared once in a process. Raises ValueError for a database that is neither of the two."""
    with _prepared:
        if NAME not in _stores:
            kind = sync_engine.dialect.name
            if kind not in _KINDS:
                raise ValueError(f"the search engine {NAME!r} works on SQLite and PostgreSQL, not on {kind!r}: set ARGILLA_DATABASE_URL")
            made = _KINDS[kind]()
            with connect() as connection:
                made.prepare(connection)
            _stores[NAME] = made
        return _stores[NAME]


@contextmanager
def connect() -> Any:
    """A connection of Argilla's own pool, in autocommit mode."""
    with sync_engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


async def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs in a thread, so that the server goes on answering. A search that makes no sense is answered with 422 and why."""

    def run() -> Any:
        prepared = store()
        with connect() as connection:
            return function(prepared, connection, *arguments)

    try:
        return await asyncio.to_thread(run)
    except BadSearch as error:
        raise UnprocessableEntityError(str(error)) from error


def _drain(prepared: Store, connection: Any, dataset_id: str) -> None:
    prepared.drain(connection, dataset_id)


def _drop(prepared: Store, connection: Any, dataset_id: str) -> None:
    prepared.drop(connection, dataset_id)


def _alive(prepared: Store, connection: Any) -> bool:
    return bool(connection.exec_driver_sql("SELECT 1").scalar() == 1)


@SearchEngine.register(engine_name=NAME)
class EmbeddedEngine(SearchEngine):  # type: ignore[misc]
    """All that Argilla asks of a search engine; see `argilla_server.search_engine.base.SearchEngine`."""

    @classmethod
    async def new_instance(cls) -> EmbeddedEngine:
        """Argilla makes one for each request; what is costly is kept by the process."""
        return cls()

    async def close(self) -> None:
        """Connections go back to the pool after each call."""

    async def ping(self) -> bool:
        """Whether the database answers."""
        return bool(await _call(_alive))

    async def info(self) -> dict[str, Any]:
        """Name and database, shown by Argilla's /status."""
        return {"name": NAME, "database": sync_engine.dialect.name}

    async def create_index(self, dataset: Any) -> None:
        """Indexes what the dataset holds."""
        await _call(_drain, str(dataset.id))

    async def delete_index(self, dataset: Any) -> None:
        """Ends the index of a deleted dataset."""
        await _call(_drop, str(dataset.id))

    async def configure_metadata_property(self, dataset: Any, metadata_property: Any) -> None:
        """Nothing to do: every property is read where it is stored."""

    async def configure_index_vectors(self, vector_settings: Any) -> None:
        """Nothing to do: every vector is read where it is stored."""

    async def index_records(self, dataset: Any, records: Iterable[Any]) -> None:
        """Indexes what the triggers queued."""
        await _call(_drain, str(dataset.id))

    async def delete_records(self, dataset: Any, records: Iterable[Any]) -> None:
        """Forgets what the triggers queued."""
        await _call(_drain, str(dataset.id))

    async def partial_record_update(self, record: Any, **update: Any) -> None:
        """Nothing to do: a record's status is read where it is stored."""

    async def update_record_response(self, response: Any) -> None:
        """Nothing to do: responses are read where they are stored."""

    async def delete_record_response(self, response: Any) -> None:
        """Nothing to do: responses are read where they are stored."""

    async def update_record_suggestion(self, suggestion: Any) -> None:
        """Nothing to do: suggestions are read where they are stored."""

    async def delete_record_suggestion(self, suggestion: Any) -> None:
        """Nothing to do: suggestions are read where they are stored."""

    async def get_dataset_progress(self, dataset: Any) -> dict[str, int]:
        """How many records a published dataset has, in all and by status."""
        return {} if dataset.is_draft else await _call(search.progress, str(dataset.id))

    async def get_dataset_user_progress(self, dataset: Any, user: Any) -> dict[str, int]:
        """How many responses a user has given in a published dataset, in all and by status."""
        return {} if dataset.is_draft else await _call(search.user_progress, str(dataset.id), str(user.id))

    async def search(
        self,
        dataset: Any,
        query: TextQuery | str | None = None,
        filter: Any = None,
        sort: list[Any] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: Any = None,
    ) -> SearchResponses:
        """Records that hold the words and pass the filter; `total` counts all, `items` those from `offset` on."""
        wanted = search.Wanted(str(dataset.id), *_text_query(query), filter, sort or [], offset, limit, str(user_id) if user_id else None)
        total, found = await _call(search.find, wanted)
        return SearchResponses(items=[SearchResponseItem(record_id=one, score=score) for one, score in found], total=total)

    async def compute_metrics_for(self, metadata_property: Any) -> Any:
        """Values and their counts of a property of terms; least and greatest of a numeric one."""
        dataset_id, name, kind = str(metadata_property.dataset_id), metadata_property.name, str(metadata_property.type)
        return await _call(search.metrics, dataset_id, name, kind)

    async def similarity_search(
        self,
        dataset: Any,
        vector_settings: Any,
        value: list[float] | None = None,
        record: Any = None,
        query: TextQuery | str | None = None,
        filter: Any = None,
        max_results: int = 100,
        order: Any = "most_similar",
        threshold: float | None = None,
    ) -> SearchResponses:
        """Records by the cosine of their vectors to the one given, or to a record's (which is left out)."""
        if bool(value) == bool(record):
            raise ValueError("a similarity search needs a vector or a record, and not both")
        vector = value or record.vector_value_by_vector_settings(vector_settings)
        if not vector:
            raise ValueError(f"record {record.id} has no vector {vector_settings.name!r}")
        wanted = search.Wanted(str(dataset.id), *_text_query(query or None), filter, [], 0, max_results, None)
        sign = -1.0 if str(order) == "least_similar" else 1.0
        target = similarity.Target(
            str(vector_settings.id), [sign * number for number in vector], str(record.id) if record else None, threshold
        )
        total, found = await _call(similarity.similar, wanted, target)
        return SearchResponses(items=[SearchResponseItem(record_id=one, score=score) for one, score in found], total=total)


def _text_query(query: TextQuery | str | None) -> tuple[str | None, str | None]:
    if query is None or isinstance(query, str):
        return query, None
    return query.q, query.field
