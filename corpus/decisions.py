"""The decision table: one row a document, refined by each stage after annotate and never losing a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from factory import storage
from factory.records import Reason, Status

if TYPE_CHECKING:
    from corpus.annotate import Part

_S = pa.string()
SCHEMA = pa.schema(
    [
        pa.field("id", _S, nullable=False),
        pa.field("source", _S, nullable=False),
        pa.field("part", pa.int32(), nullable=False),  # index into the run's parts
        pa.field("chars", pa.int64(), nullable=False),
        pa.field("status", _S, nullable=False),
        pa.field("reason", _S),
        pa.field("rule", _S),  # id of the policy's rule
        pa.field("observed", _S),  # "chars=12": what the rule's features were
        pa.field("threshold", _S),  # "chars < 50": what the rule asks
        pa.field("kept_id", _S),  # of a duplicate: the copy that stays
        pa.field("similarity", pa.float64()),  # to that copy; estimated for near-duplicates, 1 for exact ones
        pa.field("dropped_lines", pa.list_(pa.int32())),  # of a kept document: lines removed as duplicates, from 0
        pa.field("redacted", pa.int32()),  # of a kept document, once assembled: items of personal data replaced in its text
        pa.field("tokens", pa.int64()),  # of a kept document, once assembled
    ]
)
NAMES = tuple(SCHEMA.names)


class Decisions(NamedTuple):
    """The table as columns; stages change the lists in place and write them out whole."""

    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.columns["id"])

    def kept(self) -> Iterator[int]:
        """Rows that are still in."""
        return (row for row, status in enumerate(self.columns["status"]) if status == Status.KEPT)

    def remove(self, row: int, reason: Reason, **details: Any) -> None:
        """Takes a document out, with the columns that explain it."""
        self.columns["status"][row] = str(Status.REMOVED)
        self.columns["reason"][row] = str(reason)
        for name, value in details.items():
            self.columns[name][row] = value


def empty() -> Decisions:
    """A table without rows."""
    return Decisions({name: [] for name in NAMES})


def write(decisions: Decisions, path: str) -> None:
    """Stores the table; the file appears whole."""
    table = pa.Table.from_pydict(decisions.columns, schema=SCHEMA)
    storage.atomic_write(path, lambda stream: pq.write_table(table, stream, compression="zstd"))


def read(path: str) -> Decisions:
    """The table stored at `path`."""
    return Decisions(pq.read_table(path, schema=SCHEMA).to_pydict())


def spans(parts: Sequence[Part], decided: Decisions) -> Iterator[tuple[int, int, Part]]:
    """First row, row after the last, and part, for each part: the decision table holds the parts in their order."""
    first = 0
    for part in parts:
        yield first, first + part.documents, part
        first += part.documents
    assert first == len(decided), (first, len(decided))


class SourceCounts(NamedTuple):
    """The funnel of one source. `documents` = kept + removed + quarantined."""

    documents: int
    kept: int
    removed: int
    quarantined: int
    reasons: dict[str, int]  # most frequent first
    chars_kept: int
    tokens_kept: int
    redacted: int = 0  # items of personal data replaced in what is kept


def funnel(decisions: Decisions, unreadable: dict[str, int]) -> dict[str, SourceCounts]:
    """Counts per source. `unreadable` holds the rows per source that never became documents."""
    columns = decisions.columns
    sources = dict.fromkeys([*unreadable, *columns["source"]])
    statuses: Counter[tuple[str, str]] = Counter(zip(columns["source"], columns["status"], strict=True))
    reasons: dict[str, Counter[str]] = {source: Counter() for source in sources}
    chars: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    redacted: Counter[str] = Counter()
    names = ("source", "status", "reason", "chars", "tokens", "redacted")
    for source, status, reason, length, count, items in zip(*(columns[name] for name in names), strict=True):
        if reason is not None:
            reasons[source][reason] += 1
        if status == Status.KEPT:
            chars[source] += length
            tokens[source] += count or 0
            redacted[source] += items or 0
    result = {}
    for source in sources:
        unread = unreadable.get(source, 0)
        if unread:
            reasons[source][str(Reason.UNREADABLE)] += unread
        kept, removed, quarantined = (statuses[source, str(s)] for s in (Status.KEPT, Status.REMOVED, Status.QUARANTINED))
        result[source] = SourceCounts(
            documents=kept + removed + quarantined + unread,
            kept=kept,
            removed=removed,
            quarantined=quarantined + unread,
            reasons=dict(sorted(reasons[source].items(), key=lambda item: (-item[1], item[0]))),
            chars_kept=chars[source],
            tokens_kept=tokens[source],
            redacted=redacted[source],
        )
    return result
