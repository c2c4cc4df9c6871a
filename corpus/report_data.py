"""The facts that the report and the card of a finished run show, read from its folder.

Decisions are held as Arrow columns, features and documents are read one part and a few columns at a time, and no text is
read here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.policy import Policy
from factory.errors import UserError
from factory.recipe import parse_model
from factory.records import Reason, Status

KINDS = ("kept", "policy", "exact", "near", "lines", "mixture", "quarantined")  # what became of a document, in the run's order
_KIND_OF_REASON = {
    Reason.EXACT_DUPLICATE: "exact",
    Reason.NEAR_DUPLICATE: "near",
    Reason.LINE_DUPLICATES: "lines",
    Reason.MIXTURE_CAP: "mixture",
    Reason.DUPLICATE_ID: "quarantined",
    Reason.UNREADABLE: "quarantined",
}
_CATEGORIES = ("source", "status", "reason", "rule", "threshold")  # few values: read as dictionaries
_Z_95 = 1.959964  # normal quantile of a two-sided 95 % interval


class PartSpan(NamedTuple):
    """One part of the run and the rows of the decision table that are its documents."""

    source: str
    folder: str
    first: int
    documents: int


@dataclass(frozen=True)
class Run:
    """A finished run folder."""

    folder: str
    manifest: dict[str, Any]
    policy: Policy
    parts: tuple[PartSpan, ...]

    @cached_property
    def decided(self) -> pa.Table:
        """The decision table without ids and other columns that are only needed for single documents."""
        columns = ["source", "status", "reason", "rule", "threshold", "chars", "tokens"]
        return pq.read_table(f"{self.folder}/decisions.parquet", columns=columns, read_dictionary=list(_CATEGORIES))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the decision table, category columns as plain strings."""
        if name not in self.decided.column_names:
            return pq.read_table(f"{self.folder}/decisions.parquet", columns=[name]).column(0)
        column = self.decided.column(name)
        return column.cast(pa.string()) if name in _CATEGORIES else column

    @cached_property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Whether each document of the decision table is kept."""
        mask: npt.NDArray[np.bool_] = pc.equal(self.column("status"), str(Status.KEPT)).to_numpy()
        return mask

    def source_type(self, source: str) -> str:
        """The type that the recipe gives a source."""
        return str(self.manifest["recipe"]["sources"][source]["type"])


def load_run(folder: str) -> Run:
    """Raises UserError where the folder holds no finished run."""
    try:
        with fsspec.open(f"{folder}/manifest.json", "rt", encoding="utf-8") as stream:
            manifest = json.load(stream)
    except FileNotFoundError:
        raise UserError(f"{folder}: holds no manifest.json, so no finished run. Run 'twllm corpus build' into it first.") from None
    parts, first = [], 0
    for part in manifest["parts"]:
        parts.append(PartSpan(part["source"], f"{folder}/work/annotate/{part['folder']}", first, part["documents"]))
        first += part["documents"]
    run = Run(folder, manifest, parse_model(manifest["policy"], Policy, f"{folder}/manifest.json: policy"), tuple(parts))
    if run.decided.num_rows != first:
        raise UserError(f"{folder}: decisions.parquet has {run.decided.num_rows} rows, manifest.json {first} documents. Build it again.")
    return run


class FunnelRow(NamedTuple):
    """What became of the documents of one source. `documents` is the sum of `counts`, which has a number for each of KINDS."""

    source: str
    documents: int
    counts: dict[str, int]
    chars_kept: int
    tokens_kept: int
    redacted: int  # items of personal data replaced in what is kept

    @property
    def removed(self) -> int:
        """Documents removed, for whatever reason."""
        return self.documents - self.counts["kept"] - self.counts["quarantined"]


def kind_of(reason: str) -> str:
    """Which of KINDS a reason belongs to."""
    return _KIND_OF_REASON.get(Reason(reason), "policy")


def funnel_rows(manifest: Mapping[str, Any]) -> list[FunnelRow]:
    """One row a source, in the recipe's order."""
    rows = []
    for source, entry in manifest["funnel"].items():
        counts = dict.fromkeys(KINDS, 0)
        counts["kept"] = entry["kept"]
        for reason, count in entry["reasons"].items():
            counts[kind_of(reason)] += count
        row = FunnelRow(source, entry["documents"], counts, entry["chars_kept"], entry["tokens_kept"], entry["redacted"])
        assert row.documents == sum(counts.values()) and row.removed == entry["removed"], entry  # in = kept + removed + quarantined
        rows.append(row)
    return rows


def total(rows: list[FunnelRow]) -> FunnelRow:
    """The sum of all sources."""
    return FunnelRow(
        "",
        sum(row.documents for row in rows),
        {kind: sum(row.counts[kind] for row in rows) for kind in KINDS},
        sum(row.chars_kept for row in rows),
        sum(row.tokens_kept for row in rows),
        sum(row.redacted for row in rows),
    )


def reason_counts(manifest: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Reasons of all sources with their documents, most frequent first."""
    counts: dict[str, int] = {}
    for entry in manifest["funnel"].values():
        for reason, count in entry["reasons"].items():
            counts[reason] = counts.get(reason, 0) + count
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


class Hits(NamedTuple):
    """Documents of one source that one rule removed, and the thresholds it had there."""

    reason: str
    rule: str | None
    source: str
    threshold: str | None
    documents: int


def rule_hits(run: Run) -> list[Hits]:
    """Removed documents by reason, rule and source; not those in quarantine."""
    names = ["reason", "rule", "source", "threshold"]
    table = pa.table({name: run.column(name) for name in [*names, "status"]})
    table = table.filter(pc.equal(table.column("status"), str(Status.REMOVED)))
    grouped = table.group_by(names).aggregate([([], "count_all")])
    rows = [Hits(row["reason"], row["rule"], row["source"], row["threshold"], row["count_all"]) for row in grouped.to_pylist()]
    return sorted(rows, key=lambda row: (row.reason, row.rule or "", row.source, row.threshold or ""))


class Share(NamedTuple):
    """An amount of kept text."""

    documents: int = 0
    chars: int = 0
    tokens: int = 0

    def plus(self, other: Share) -> Share:
        """The sum of two amounts."""
        return Share(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Right(NamedTuple):
    """Under what and from whom a text comes; a holder of None is not stated."""

    source: str
    license: str
    holder: str | None


def rights(run: Run) -> dict[Right, Share]:
    """Kept text by source (in the recipe's order), licence and rights holder."""
    shares: dict[Right, Share] = {}
    amounts = pa.table({name: run.column(name) for name in ("chars", "tokens")})
    for part in run.parts:
        kept = pa.array(run.kept[part.first : part.first + part.documents])
        names = ["license", "rights_holder"]
        table = pq.read_table(f"{part.folder}/documents.parquet", columns=names, read_dictionary=names)
        for name in names:
            table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(pa.string()))
        for name, column in zip(amounts.column_names, amounts.slice(part.first, part.documents).columns, strict=True):
            table = table.append_column(name, column)
        grouped = table.filter(kept).group_by(names).aggregate([([], "count_all"), ("chars", "sum"), ("tokens", "sum")])
        for row in grouped.to_pylist():
            key = Right(part.source, row["license"], row["rights_holder"])
            share = Share(row["count_all"], row["chars_sum"] or 0, row["tokens_sum"] or 0)
            shares[key] = shares.get(key, Share()).plus(share)
    order = {source: index for index, source in enumerate(run.manifest["funnel"])}
    return dict(sorted(shares.items(), key=lambda item: (order[item[0].source], item[0].license, item[0].holder or "")))


def summed(shares: Mapping[Right, Share], *fields: str) -> dict[tuple[str | None, ...], Share]:
    """Amounts by some fields of their rights, the most tokens first."""
    sums: dict[tuple[str | None, ...], Share] = {}
    for right, share in shares.items():
        key = tuple(getattr(right, name) for name in fields)
        sums[key] = sums.get(key, Share()).plus(share)
    return dict(sorted(sums.items(), key=lambda item: (-item[1].tokens, -item[1].chars, [value or "" for value in item[0]])))


def kept_lanes(run: Run) -> dict[str, int]:
    """Kept documents by lane (zh-Hant, nan, hak ...), most frequent first."""
    counts: dict[str, int] = {}
    for part, table in feature_columns(run, ["lane"]):
        kept = pa.array(run.kept[part.first : part.first + part.documents])
        for row in pc.value_counts(table.column("lane").filter(kept)).to_pylist():
            counts[row["values"]] = counts.get(row["values"], 0) + row["counts"]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def feature_columns(run: Run, names: list[str]) -> Iterator[tuple[PartSpan, pa.Table]]:
    """Some columns of the features, a part at a time."""
    for part in run.parts:
        if part.documents:
            yield part, pq.read_table(f"{part.folder}/features.parquet", columns=names)


class Proportion(NamedTuple):
    """A share with its 95 % interval after Wilson (1927)."""

    right: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """From 0 to 1; 0 of nothing."""
        return self.right / self.of if self.of else 0.0


def proportion(right: int, of: int) -> Proportion:
    """`right` out of `of`."""
    if not of:
        return Proportion(right, of, 0.0, 1.0)
    share, squared = right / of, _Z_95**2
    centre = (share + squared / (2 * of)) / (1 + squared / of)
    half = _Z_95 * math.sqrt(share * (1 - share) / of + squared / (4 * of * of)) / (1 + squared / of)
    return Proportion(right, of, max(0.0, centre - half), min(1.0, centre + half))


class Confusion(NamedTuple):
    """Labelled documents whose decision differs from their label in one way."""

    expected: str
    found: str
    ids: list[str]


class Labelled(NamedTuple):
    """How far the decisions agree with the labels. Labelled documents that the run did not see are not part of the shares."""

    decisions: Proportion
    reasons: Proportion
    missing: list[str]
    confusions: list[Confusion]  # the most frequent first


def labelled(manifest: Mapping[str, Any]) -> Labelled | None:
    """None where the recipe names no labels."""
    agreement = manifest["agreement"]
    if agreement is None:
        return None
    seen = agreement["labelled"] - len(agreement["missing"])
    pairs: dict[tuple[str, str], list[str]] = {}
    for document, _, expected, found in agreement["disagreements"]:
        pairs.setdefault((expected, found), []).append(document)
    confusions = [Confusion(*pair, sorted(ids)) for pair, ids in pairs.items()]
    return Labelled(
        proportion(agreement["decisions_right"], seen),
        proportion(agreement["reasons_right"], seen),
        sorted(agreement["missing"]),
        sorted(confusions, key=lambda row: (-len(row.ids), row.expected, row.found)),
    )
