"""Assemble: the kept documents, within the mixture's caps, as Parquet shards with token counts."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.annotate import DOCUMENT_SCHEMA, Part
from corpus.decisions import Decisions, spans
from corpus.policy import Action, Policy
from corpus.recipe import CorpusRecipe
from factory import storage
from factory.errors import UserError
from factory.records import Reason
from factory.zh.pii import Span, find, redact

SHARD_SCHEMA = DOCUMENT_SCHEMA.append(pa.field("tokens", pa.int64()))
SHARD_NAME = re.compile(r"[A-Za-z0-9_-]+-\d{5,}\.parquet")
ROW_GROUP = 1_000


class Quota(NamedTuple):
    """What the mixture takes from one source, in tokens."""

    available: int
    limit: int | None  # None: all of it
    taken: int

    @property
    def epochs(self) -> float | None:
        """How often the source would have to be repeated to fill its limit; None without a limit."""
        return round(self.limit / self.available, 3) if self.limit and self.available else None


def assemble(
    parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, policy: Policy, counter: TokenCounter, output: str
) -> tuple[list[str], dict[str, Quota]]:
    """Settles the last decisions in place and writes `data/<source>-00000.parquet` ...; returns their names and the quotas."""
    _count(parts, decided, recipe, policy, counter)
    quotas = _apply_mixture(decided, recipe)
    names = _write_shards(parts, decided, recipe, policy, output)
    _remove_stale(output, names)
    return names, quotas


class TokenCounter:
    """Counts tokens with the tokenizer at `path`, or estimates them from characters where there is none."""

    def __init__(self, path: str | None, tokens_per_char: float) -> None:
        self._tokens_per_char = tokens_per_char
        self._tokenizer: Any = None
        if path is not None:
            from tokenizers import Tokenizer

            if not os.path.isfile(path):
                raise UserError(f"mixture.tokenizer: {path!r} is no file. Give the path of a tokenizer.json.")
            try:
                self._tokenizer = Tokenizer.from_file(path)
            except Exception as error:  # the library raises plain Exception
                raise UserError(f"mixture.tokenizer: {path!r} is no tokenizer.json: {error}") from error

    def count(self, texts: list[str]) -> list[int]:
        """Tokens of each text, without special tokens."""
        if self._tokenizer is None:
            return [round(len(text) * self._tokens_per_char) for text in texts]
        return [len(encoding) for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def without_lines(text: str, dropped: list[int] | None) -> str:
    """The text less some of its lines (numbered from 0 in `text.split("\\n")`)."""
    if not dropped:
        return text
    gone = set(dropped)
    return "\n".join(line for number, line in enumerate(text.split("\n")) if number not in gone).strip("\n")


def _kept_batches(
    parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, policy: Policy, columns: list[str], source: str | None = None
) -> Iterator[tuple[list[int], pa.Table, list[int]]]:
    """Kept documents of one source or of all, a row group at a time, as they are published: rows of the decision table, their documents
    with personal data redacted and repeated lines gone, and how many items of personal data were replaced in each text."""
    reasons, dropped = decided.columns["reason"], decided.columns["dropped_lines"]
    for first, _, part in spans(parts, decided):
        if source not in (None, part.source):
            continue
        actions = policy.personal_actions(part.source, recipe.sources[part.source].type)
        redacted = frozenset(kind for kind, action in actions.items() if action is Action.REDACT)
        with pq.ParquetFile(f"{part.folder}/documents.parquet") as stored, pq.ParquetFile(f"{part.folder}/features.parquet") as measured:
            position = first
            found = measured.iter_batches(batch_size=ROW_GROUP, columns=["pii_spans"])
            for batch, features in zip(stored.iter_batches(batch_size=ROW_GROUP, columns=columns), found, strict=True):
                rows = [row for row in range(position, position + batch.num_rows) if reasons[row] is None]
                if rows:
                    chosen = pa.array([row - position for row in rows])
                    table = pa.Table.from_batches([batch]).take(chosen)
                    items = [_items(values, redacted) for values in features.column(0).take(chosen).to_pylist()]
                    texts = zip(table.column("text").to_pylist(), items, rows, strict=True)
                    table = _with_column(table, "text", [without_lines(redact(text, own), dropped[row]) for text, own, row in texts])
                    for name in set(columns) & {"title", "metadata"}:
                        clean = redact_text if name == "title" else redact_json
                        table = _with_column(table, name, [clean(value, redacted) for value in table.column(name).to_pylist()])
                    yield rows, table, [len(own) for own in items]
                position += batch.num_rows


def _items(values: list[dict[str, Any]], kinds: frozenset[str]) -> list[Span]:
    return [Span(**value) for value in values if value["kind"] in kinds]


def _with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, DOCUMENT_SCHEMA.field(name), pa.array(values, pa.string()))


def redact_text(text: str | None, kinds: frozenset[str]) -> str | None:
    """A short text, such as a title, with personal data of these kinds replaced."""
    return redact(text, [span for span in find(text) if span.kind in kinds]) if text else text


def redact_json(text: str | None, kinds: frozenset[str]) -> str | None:
    """A JSON object whose string values (not its keys or numbers) lose personal data of these kinds."""
    if not text or not any(span.kind in kinds for span in find(text)):
        return text
    values = {name: redact_text(value, kinds) if isinstance(value, str) else value for name, value in json.loads(text).items()}
    return json.dumps(values, ensure_ascii=False, sort_keys=True)


def _count(parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, policy: Policy, counter: TokenCounter) -> None:
    shortened = (recipe.deduplicate.lines, recipe.deduplicate.paragraphs)
    shortest = max((config.min_remaining_chars for config in shortened if config), default=0)
    dropped = decided.columns["dropped_lines"]
    for rows, table, items in _kept_batches(parts, decided, recipe, policy, ["text"]):
        texts = table.column("text").to_pylist()
        for row, text, tokens, redacted in zip(rows, texts, counter.count(texts), items, strict=True):
            if dropped[row] and len(text) < shortest:
                decided.remove(
                    row,
                    Reason.LINE_DUPLICATES,
                    rule="lines",
                    observed=f"remaining chars={len(text)}",
                    threshold=f"remaining chars < {shortest}",
                )
                continue
            decided.columns["tokens"][row] = tokens
            decided.columns["redacted"][row] = redacted
            decided.columns["chars"][row] = len(text)


def _apply_mixture(decided: Decisions, recipe: CorpusRecipe) -> dict[str, Quota]:
    rows: dict[str, list[int]] = {source: [] for source in recipe.sources}
    for row in decided.kept():
        rows[decided.columns["source"][row]].append(row)
    total_weight = sum(spec.weight for spec in recipe.sources.values())
    quotas = {}
    for source, spec in recipe.sources.items():
        target = recipe.mixture.target_tokens
        share = None if target is None else round(target * spec.weight / total_weight)
        available = sum(decided.columns["tokens"][row] for row in rows[source])
        limit = min((cap for cap in (spec.max_tokens, share) if cap is not None), default=None)
        taken = available if limit is None or limit >= available else _cap(decided, rows[source], limit)
        quotas[source] = Quota(available, limit, taken)
    return quotas


def _cap(decided: Decisions, rows: list[int], limit: int) -> int:
    """Keeps documents in the order of a hash of their ids, an even sample, as long as they fit."""
    columns = decided.columns
    taken = 0
    for row in sorted(rows, key=lambda row: hashlib.blake2b(columns["id"][row].encode(), digest_size=8).digest()):
        with_row = taken + columns["tokens"][row]
        if with_row <= limit:
            taken = with_row
        else:
            observed, threshold = f"tokens of source={with_row}", f"tokens of source > {limit}"
            decided.remove(row, Reason.MIXTURE_CAP, rule="mixture", observed=observed, threshold=threshold, tokens=None, redacted=None)
    return taken


def _write_shards(parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, policy: Policy, output: str) -> list[str]:
    names: list[str] = []
    for source in recipe.sources:
        batches = _shard_batches(parts, decided, recipe, policy, source)
        for number, shard in enumerate(_shards(batches, recipe.mixture.shard_documents)):
            name = f"data/{source}-{number:05d}.parquet"
            storage.atomic_write(f"{output}/{name}", lambda stream, tables=shard: _write_tables(stream, tables))  # type: ignore[misc]
            names.append(name)
    return names


def _shard_batches(parts: Sequence[Part], decided: Decisions, recipe: CorpusRecipe, policy: Policy, source: str) -> Iterator[pa.Table]:
    tokens = decided.columns["tokens"]
    for rows, table, _ in _kept_batches(parts, decided, recipe, policy, DOCUMENT_SCHEMA.names, source):
        yield table.append_column(SHARD_SCHEMA.field("tokens"), pa.array([tokens[row] for row in rows], pa.int64()))


def _shards(batches: Iterator[pa.Table], documents: int) -> Iterator[Iterator[pa.Table]]:
    """Cuts a stream of tables into shards of at most `documents` rows. A shard is read to its end before the next."""
    rest: pa.Table | None = None

    def shard() -> Iterator[pa.Table]:
        nonlocal rest
        room = documents
        while room and rest is not None:
            yield rest.slice(0, room)
            taken = min(room, rest.num_rows)
            room -= taken
            rest = rest.slice(taken) if taken < rest.num_rows else next(batches, None)

    rest = next(batches, None)
    while rest is not None:
        yield shard()


def _write_tables(stream: Any, tables: Iterator[pa.Table]) -> None:
    with pq.ParquetWriter(stream, SHARD_SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def _remove_stale(output: str, names: list[str]) -> None:
    folder = f"{output}/data"
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if SHARD_NAME.fullmatch(name) and f"data/{name}" not in names:
            os.unlink(f"{folder}/{name}")
