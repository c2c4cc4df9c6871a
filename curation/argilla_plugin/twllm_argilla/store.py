"""What the engine asks of a database: keep an index in step with Argilla's tables, and the few phrases of SQL that differ."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

PREFIX = "twllm_search_"
"""All tables, triggers and functions that the engine adds to Argilla's database begin so."""


class Index(NamedTuple):
    """One dataset's index."""

    number: int
    """In the names of its tables."""
    dataset_id: str
    fields: list[str]
    """Names of the fields searched; the text of the i-th is column `c<i>`."""

    @property
    def text_table(self) -> str:
        return f"{PREFIX}text_{self.number}"


class Clause(NamedTuple):
    """A condition with the values it binds."""

    sql: str
    values: dict[str, Any]


class Match(NamedTuple):
    """Where the records are found that hold the words of a query."""

    source: str
    """FROM item with the records as `d`."""
    counted: str
    """FROM item in which as many are found, for when nothing else is asked of the records."""
    condition: str
    score: str | None
    """How well a record fits, more is better; None where that is not known."""
    values: dict[str, Any]


class Store(Protocol):
    """SQLite or PostgreSQL. Connections are SQLAlchemy's, in autocommit mode: a method that writes opens and ends its transaction."""

    records: str
    """The table with a record's columns without its text, for the alias `d`."""
    tie: str
    """Orders records that are otherwise equal: by when they were added."""

    def prepare(self, connection: Any) -> None:
        """Makes tables and triggers, or makes them anew where they are missing or of another version."""

    def begin(self, connection: Any) -> None:
        """Begins a transaction that only reads, and always the same state."""

    def pending(self, connection: Any, dataset_id: str) -> bool:
        """Whether texts of a dataset were changed since they were last indexed."""

    def index(self, connection: Any, dataset_id: str) -> Index | None:
        """The dataset's index; None where there is none, or its fields are others now."""

    def drain(self, connection: Any, dataset_id: str) -> None:
        """Indexes what was changed, in batches of one transaction each."""

    def drop(self, connection: Any, dataset_id: str) -> None:
        """Ends a dataset's index."""

    def matches(self, index: Index, words: list[str], field: str | None) -> Match:
        """Records in which each of the words stands in some field, or in the one named."""

    def vectors_version(self, connection: Any, settings_id: str) -> int | None:
        """Another number whenever vectors of these settings changed; None where that is not kept."""

    def shuffled(self, user_id: str) -> Clause:
        """An order of records that is another for each user, and always the same for one."""

    def key(self, identifier: str) -> Any:
        """A UUID as it is bound."""

    def moment(self, text: str) -> Any:
        """A date and time (ISO, UTC) as it is bound."""

    def elements(self, column: str, path: list[str], alias: str) -> str:
        """A FROM item: the elements of the JSON list at a path, or the one value that stands there."""

    def as_text(self, alias: str) -> str:
        """An element where it is a string, else NULL; ordered by code point."""

    def as_number(self, alias: str) -> str:
        """An element where it is a number, else NULL."""

    def plain(self, column: str) -> str:
        """A column of strings or of an enumeration as text ordered by code point."""
