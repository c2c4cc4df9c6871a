"""For each rule that removed something: a few documents that went, beside documents of the same source that stayed.

Those that went are an even sample (by a hash of their place in the run, which no policy changes). Beside them stand, of a
duplicate, the copy that it was removed for; of a rule with numbers, the kept documents that came closest to its threshold; of
any other, an even sample again. Only the texts of chosen documents are read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.policy import Condition, Rule
from corpus.report_data import Hits, Run, rule_hits
from factory.records import Reason, Status
from factory.zh.matcher import THREATS
from factory.zh.pii import find, redact

SAMPLES = 3  # documents a rule and side
EXCERPT_CHARS = 160
TITLE_CHARS = 80
MAX_WORDS = 6  # of a document's evidence, shown
_DUPLICATES = (Reason.EXACT_DUPLICATE, Reason.NEAR_DUPLICATE)
_WORDS = ("lexicon_words", "variety_words")  # of entries such as "scam:保證獲利", "cn:視頻×3"
# What a reader must not be shown or misled by: nine digits in a row (ID and telephone numbers), mail addresses, control
# characters and those that turn the direction of writing.
_LONG_NUMBER = re.compile(r"\d(?:[- ]?\d){8,}")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
_MASK = "•"

Rows = npt.NDArray[np.int64]
Key = tuple[str, str | None]  # reason and rule: what one case is about


class Piece(NamedTuple):
    """A stretch of an excerpt; `matched` where it is a word that the lexicons found."""

    text: str
    matched: bool


@dataclass(frozen=True)
class Sample:
    """One document as the report shows it. `outcome` is "kept", or the reason why it is not in the corpus."""

    id: str
    source: str
    outcome: str
    title: str
    excerpt: tuple[Piece, ...]
    words: tuple[str, ...]
    observed: tuple[tuple[str, str], ...]  # feature and value, for the features of the rule


@dataclass(frozen=True)
class Case:
    """One rule's documents. `beside` says how those on the right were found: "copy", "nearest" or "random"."""

    reason: str
    rule: str | None
    documents: int  # that it removed in all
    thresholds: dict[str, str]  # threshold -> sources, joined
    beside: str
    pairs: tuple[tuple[Sample, Sample | None], ...]  # removed, and what stayed


def spread(rows: Rows, key: Key) -> npt.NDArray[np.uint64]:
    """A fixed pseudo-random number for each row, another one for each key (SplitMix64, Steele et al. 2014)."""
    salt = np.uint64(zlib.crc32(f"{key[0]} {key[1]}".encode()))
    with np.errstate(over="ignore"):
        state = (rows.astype(np.uint64) + salt + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


def distance(table: pa.Table, conditions: dict[str, Condition]) -> npt.NDArray[np.float64]:
    """How far each row of a feature table is from fulfilling all conditions: the sum of what is missing to each bound, as a
    share of the bound. Infinite where a condition without numbers fails or a feature has no value."""
    missing = np.zeros(table.num_rows)
    for name, condition in conditions.items():
        column = table.column(name)
        holds = condition.mask(column).to_numpy()
        missing += np.where(holds, 0.0, _gap(column, condition))
    return missing


def _gap(column: pa.ChunkedArray, condition: Condition) -> npt.NDArray[np.float64]:
    signed = ((1, condition.lt), (1, condition.le), (-1, condition.gt), (-1, condition.ge))
    bounds = [(sign, bound) for sign, bound in signed if bound is not None]
    others = (condition.eq, condition.one_of, condition.none_of, condition.contains)
    if not bounds or any(value is not None for value in others):
        return np.full(len(column), np.inf)
    values = column.cast("double").to_numpy()
    gap = sum((np.maximum(0.0, sign * (values - bound)) / (abs(bound) or 1.0) for sign, bound in bounds), np.zeros(len(column)))
    return np.where(np.isnan(gap), np.inf, gap)


def cases(run: Run) -> list[Case]:
    """One case a reason and rule that removed documents: the policy's in its order, then duplicates and the mixture."""
    groups: dict[Key, list[Hits]] = {}
    for hits in rule_hits(run):
        groups.setdefault((hits.reason, hits.rule), []).append(hits)
    order = {rule.id: index for index, rule in enumerate(run.policy.rules)}
    stages = {str(reason): len(order) + index for index, reason in enumerate(Reason)}
    keys = sorted(groups, key=lambda key: order.get(key[1] or "", stages[key[0]]))
    removed = {key: _removed_rows(run, key) for key in keys}
    sources = _sources(run, np.concatenate([*removed.values(), np.empty(0, np.int64)]))
    beside, how = _beside(run, keys, removed, sources)
    samples = _read(run, removed, beside)
    result = []
    for key in keys:
        pairs = [
            (samples[key, int(gone)], samples[key, int(stayed)] if stayed >= 0 else None)
            for gone, stayed in zip(removed[key], beside[key], strict=True)
        ]
        documents = sum(hits.documents for hits in groups[key])
        result.append(Case(*key, documents, _thresholds(run, groups[key]), how[key], tuple(pairs)))
    return result


def _thresholds(run: Run, hits: Sequence[Hits]) -> dict[str, str]:
    near = run.manifest["recipe"]["deduplicate"]["near"]
    found: dict[str, list[str]] = {}
    for row in hits:
        text = f"similarity ≥ {near['threshold']}" if row.reason == Reason.NEAR_DUPLICATE and near else row.threshold
        if text is not None:
            found.setdefault(text, []).append(row.source)
    return {text: ", ".join(dict.fromkeys(sources)) for text, sources in found.items()}


def _removed_rows(run: Run, key: Key) -> Rows:
    reason, rule = key
    rules = run.column("rule")
    mask = pc.and_(pc.equal(run.column("reason"), reason), pc.is_null(rules) if rule is None else pc.equal(rules, rule))
    mask = pc.and_(mask, pc.equal(run.column("status"), str(Status.REMOVED)))
    rows = np.flatnonzero(pc.fill_null(mask, False).to_numpy())
    return rows[np.argsort(spread(rows, key), kind="stable")[:SAMPLES]]


def _sources(run: Run, rows: Rows) -> dict[int, str]:
    return dict(zip(rows.tolist(), run.column("source").take(pa.array(rows)).to_pylist(), strict=True))


def _beside(run: Run, keys: list[Key], removed: dict[Key, Rows], sources: dict[int, str]) -> tuple[dict[Key, Rows], dict[Key, str]]:
    """For each case the row that stands beside each of its rows (-1 for none), and how those were found."""
    beside: dict[Key, Rows] = {}
    how: dict[Key, str] = {}
    searches: dict[tuple[Key, str], _Nearest] = {}
    for key in keys:
        if key[0] in _DUPLICATES:
            beside[key], how[key] = _copies(run, removed[key]), "copy"
            continue
        for source in dict.fromkeys(sources[int(row)] for row in removed[key]):
            searches[key, source] = _Nearest(key, _rule(run, key, source))
    _search(run, searches)
    for key in keys:
        if key in beside:
            continue
        queues = {source: search.rows() for (owner, source), search in searches.items() if owner == key}
        beside[key] = np.array([next(queues[sources[int(row)]], -1) for row in removed[key]], np.int64)
        how[key] = "nearest" if any(search.finite for (owner, _), search in searches.items() if owner == key) else "random"
    return beside, how


def _copies(run: Run, rows: Rows) -> Rows:
    """For each duplicate the row of the copy it names: the document of that id that is not in quarantine."""
    names = run.column("kept_id").take(pa.array(rows)).to_pylist()
    named = pc.is_in(run.column("id"), value_set=pa.array(names, pa.string()))
    mask = pc.and_(named, pc.not_equal(run.column("status"), str(Status.QUARANTINED)))
    found = np.flatnonzero(mask.to_numpy())
    by_id = dict(zip(run.column("id").take(pa.array(found)).to_pylist(), found.tolist(), strict=True))
    return np.array([by_id.get(name, -1) for name in names], np.int64)


class _Nearest:
    """The SAMPLES kept documents of one source that came closest to one rule, gathered part by part."""

    def __init__(self, key: Key, rule: Rule | None) -> None:
        self.conditions = dict(rule.remove_if) if rule else {}
        self.lines = key[0] == Reason.LINE_DUPLICATES  # the rule of repeated lines: the shortest of those that lost lines and stayed
        self._key = key
        self._best: list[tuple[float, int, int]] = []  # distance, spread, row

    @property
    def finite(self) -> bool:
        """Whether a threshold led to the documents found."""
        return bool(self.conditions or self.lines) and bool(self._best) and np.isfinite(self._best[0][0])

    def add(self, rows: Rows, distances: npt.NDArray[np.float64]) -> None:
        ties = spread(rows, self._key)
        found = [(float(distances[i]), int(ties[i]), int(rows[i])) for i in np.lexsort((ties, distances))[:SAMPLES]]
        self._best = sorted([*self._best, *found])[:SAMPLES]

    def rows(self) -> Iterator[int]:
        """Those found, the closest first."""
        return iter([row for _, _, row in self._best])


def _search(run: Run, searches: dict[tuple[Key, str], _Nearest]) -> None:
    for part in run.parts:
        own = [search for (_, source), search in searches.items() if source == part.source]
        last = part.first + part.documents
        rows = np.flatnonzero(run.kept[part.first : last])
        if not own or not rows.size:
            continue
        names = sorted({name for search in own for name in search.conditions})
        table = pq.read_table(f"{part.folder}/features.parquet", columns=names).take(pa.array(rows)) if names else None
        for search in own:
            if search.lines:
                lost = pc.is_valid(run.column("dropped_lines").slice(part.first, part.documents)).to_numpy()[rows]
                chars = run.column("chars").slice(part.first, part.documents).to_numpy()[rows]
                distances = np.where(lost, chars.astype(float), np.inf)
            elif search.conditions and table is not None:
                distances = distance(table, search.conditions)
            else:
                distances = np.zeros(rows.size)
            search.add(rows + part.first, distances)


def _read(run: Run, removed: dict[Key, Rows], beside: dict[Key, Rows]) -> dict[tuple[Key, int], Sample]:
    """The samples of all cases, by case and row; a document that stands in several shows each rule's own features."""
    wanted = [(key, int(row)) for key in removed for row in (*removed[key], *beside[key]) if row >= 0]
    facts = _facts(run, sorted({row for _, row in wanted}))
    return {(key, row): _sample(key, facts[row], _rule(run, key, facts[row]["source"])) for key, row in wanted}


def _rule(run: Run, key: Key, source: str) -> Rule | None:
    """A case's rule as it applies to a source; None where it is not the policy's or is switched off there."""
    return next((rule for rule in run.policy.rules_for(source, run.source_type(source)) if rule.id == key[1]), None)


def _sample(key: Key, fact: dict[str, Any], rule: Rule | None) -> Sample:
    words = evidence(fact["features"], rule)
    return Sample(
        fact["id"], fact["source"], fact["outcome"], fact["title"],
        marked(fact["excerpt"], [bare_word(word) for word in words]), tuple(words[:MAX_WORDS]), tuple(_observed(key, fact, rule)),
    )  # fmt: skip


def evidence(features: dict[str, Any], rule: Rule | None) -> list[str]:
    """The words found in a document that a rule weighs: those of the threats it names, and all of region if it looks at one."""
    found: list[str] = []
    for name in rule.remove_if if rule else ():
        threat = next((threat for threat in THREATS if name.startswith(f"{threat}_")), None)
        if threat is not None:
            found += [word.partition(":")[2] for word in features["lexicon_words"] or [] if word.startswith(f"{threat}:")]
        elif name.startswith("variety_"):
            found += features["variety_words"] or []
    return list(dict.fromkeys(found))


def _observed(key: Key, fact: dict[str, Any], rule: Rule | None) -> Iterator[tuple[str, str]]:
    if rule:
        for name in rule.remove_if:
            yield name, observed_text(fact["features"][name])
    elif key[0] == Reason.LINE_DUPLICATES:
        kept = fact["outcome"] == Status.KEPT
        yield "remaining chars", f"{fact['chars']:,}" if kept else fact["observed"].rpartition("=")[2]
    elif key[0] in _DUPLICATES and fact["outcome"] == key[0]:
        yield "similarity", observed_text(fact["similarity"])
    else:
        yield "chars", f"{fact['chars']:,}"


def _facts(run: Run, rows: list[int]) -> dict[int, dict[str, Any]]:
    names = ["id", "source", "status", "reason", "observed", "similarity", "chars"]
    positions = pa.array(rows, pa.int64())
    table = pa.table({name: run.column(name).take(positions) for name in names})
    wanted = sorted({name for rule in run.policy.rules for name in rule.remove_if} | {
        name for changes in run.policy.sources.values() for change in changes.values() if change for name in change.remove_if
    })  # fmt: skip
    facts = dict(zip(rows, table.to_pylist(), strict=True))
    for part in run.parts:
        own = [row for row in rows if part.first <= row < part.first + part.documents]
        if not own:
            continue
        positions_in_part = [row - part.first for row in own]
        texts = rows_at(f"{part.folder}/documents.parquet", positions_in_part, ["title", "text"])
        features = rows_at(f"{part.folder}/features.parquet", positions_in_part, [*wanted, *_WORDS])
        for row, text, feature in zip(own, texts, features, strict=True):
            fact = facts[row]
            fact["outcome"] = fact["reason"] or fact["status"]
            fact["title"] = shown(text["title"] or "", TITLE_CHARS)
            fact["excerpt"] = shown(text["text"].removeprefix(text["title"] or ""), EXCERPT_CHARS)
            fact["features"] = feature
    return facts


def rows_at(path: str, positions: Sequence[int], columns: list[str]) -> list[dict[str, Any]]:
    """Some rows (ascending) of a Parquet file; only the row groups that hold them are read."""
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as stored:
        first = 0
        for group in range(stored.metadata.num_row_groups):
            last = first + stored.metadata.row_group(group).num_rows
            inside = [position - first for position in positions if first <= position < last]
            if inside:
                found += stored.read_row_group(group, columns=columns).take(pa.array(inside, pa.int64())).to_pylist()
            first = last
    return found


def shown(text: str, limit: int) -> str:
    """The first `limit` characters on one line, personal data masked, an ellipsis where text is left out."""
    head = text[: 4 * limit]
    head = _INVISIBLE.sub(" ", redact(head, find(head)))
    head = _LONG_NUMBER.sub(lambda match: re.sub(r"\d", _MASK, match[0]), head)
    head = " ".join(head.split())
    return head if len(head) <= limit and len(text) <= 4 * limit else head[:limit] + "…"


def bare_word(entry: str) -> str:
    """The word of an evidence entry such as `保證獲利` or `cn:視頻×3`."""
    return re.sub(r"×\d+$", "", entry.removeprefix(f"{entry.partition(':')[0]}:"))


def marked(text: str, words: Sequence[str]) -> tuple[Piece, ...]:
    """The text cut at occurrences of the words, longer ones first."""
    pattern = "|".join(re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)) if word)
    if not pattern:
        return (Piece(text, False),)
    pieces = re.split(f"({pattern})", text)
    return tuple(Piece(piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece)


def observed_text(value: Any) -> str:
    """A feature's value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return " ".join(value) if isinstance(value, list) else str(value)
