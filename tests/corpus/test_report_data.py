"""Facts of a run folder; and the small synthetic run that the tests of the report and the card share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import decisions, features
from corpus.annotate import DOCUMENT_SCHEMA
from corpus.assemble import SHARD_SCHEMA
from corpus.policy import Policy
from corpus.report_data import (
    KINDS,
    Right,
    Share,
    funnel_rows,
    kept_lanes,
    labelled,
    load_run,
    proportion,
    reason_counts,
    rights,
    rule_hits,
    summed,
    total,
)
from factory.errors import UserError
from factory.records import License, Reason, Status

POLICY: dict[str, Any] = {
    "name": "test-policy",
    "version": "3",
    "description": "For tests.",
    "rules": [
        {
            "id": "short",
            "reason": "too_short",
            "remove_if": {"chars": {"lt": 50}},
            "unit": "characters",
            "origin": "<i>read</i>",
            "date": "2026-01-02",
        },
        {
            "id": "scam",
            "reason": "scam",
            "remove_if": {"scam_points": {"ge": 4}, "scam_density": {"ge": 15}},
            "unit": "points",
            "origin": "measured",
            "date": "2026-01-02",
        },
        {
            "id": "script",
            "reason": "simplified",
            "remove_if": {"lane": {"one_of": ["zh-Hans"]}},
            "unit": "lane",
            "origin": "script",
            "date": "2026-01-02",
        },
    ],
    "sources": {"law": {"scam": None, "short": {"remove_if": {"chars": {"lt": 10}}, "origin": "orders are brief", "date": "2026-01-03"}}},
}
HOSTILE = (
    "<script>alert('一')</script> \"引號\" & <img src=x onerror=alert(2)> ‮ {{ 7*7 }} 請加 0912-345-678 或 someone@mail.example 保證獲利"
)


def document(name: str, text: str = "河堤邊的市場每天清晨五點開張。", source: str = "web", **changes: Any) -> dict[str, Any]:
    """A kept document with its decision; `changes` go to whichever of the tables has the column, `features` to the features."""
    return {
        "id": f"{source}:{name}",
        "text": text,
        "source": source,
        "license": "cc-by-4.0",
        "chars": len(text),
        "status": "kept",
        "tokens": len(text),
        "features": {},
        **changes,
    }


def removed(name: str, reason: Reason, rule: str | None = None, **changes: Any) -> dict[str, Any]:
    """A removed document."""
    return document(name, **{"status": "removed", "reason": str(reason), "rule": rule, "tokens": None, **changes})


def documents() -> list[dict[str, Any]]:
    """One of everything: each way out of the corpus, texts that attack the page, licences and holders of several kinds."""
    return [
        document("l1", source="law", license="public-record", title="市場管理辦法"),
        document("l2", source="law", license="public-record", title="夜市條例", rights_holder="|市<府>|"),
        removed(
            "l3", Reason.TOO_SHORT, "short", source="law", text="刪除", observed="chars=2", threshold="chars < 10", features={"chars": 2}
        ),
        document(
            "w1",
            title="<b>標題</b>",
            rights_holder="<script>holder</script>",
            features={"chars": 51, "scam_points": 3, "scam_density": 16.0},
        ),
        document("w2", features={"chars": 400}),
        document("w3", features={"chars": 60, "scam_points": 3, "scam_density": 2.0}, dropped_lines=[0], chars=41),
        document("<w4>&", features={"chars": 52, "lane": "nan"}, license="unknown"),
        removed("r1", Reason.TOO_SHORT, "short", text="短", observed="chars=1", threshold="chars < 50", features={"chars": 1}),
        removed(
            "r2",
            Reason.SCAM,
            "scam",
            text=HOSTILE,
            title="<script>alert(3)</script>",
            observed="scam_points=9, scam_density=80.5",
            threshold="scam_points ≥ 4 and scam_density ≥ 15",
            features={
                "scam_points": 9,
                "scam_density": 80.5,
                "lexicon_words": ["scam:保證獲利", "porn:引號"],
                "variety_words": ["cn:視頻×3"],
            },
        ),
        removed("r3", Reason.SIMPLIFIED, "script", text="简体", threshold="lane in zh-Hans", features={"lane": "zh-Hans"}),
        removed("r4", Reason.EXACT_DUPLICATE, kept_id="web:w1", similarity=1.0),
        removed("r5", Reason.NEAR_DUPLICATE, kept_id="web:r6", similarity=0.8125),
        removed("r6", Reason.MIXTURE_CAP, "mixture", threshold="tokens of source ≤ 99"),
        removed("r7", Reason.LINE_DUPLICATES, "lines", observed="remaining chars=3", threshold="remaining chars < 40", dropped_lines=[1]),
        document("w1", status="quarantined", reason="duplicate_id", tokens=None),
    ]


def write_run(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """A run folder as a build leaves it, with one part a source; `changes` replace entries of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = list(dict.fromkeys(["law", "web", "empty", *(row["source"] for row in rows)]))
    ordered = sorted(rows, key=lambda row: sources.index(row["source"]))
    parts = []
    for index, source in enumerate(sources):
        own = [{"part": index, **row} for row in ordered if row["source"] == source]
        part = folder / "work" / "annotate" / f"{source}-file-key"
        part.mkdir(parents=True)
        _write(part / "documents.parquet", DOCUMENT_SCHEMA, own)
        _write(part / "features.parquet", features.SCHEMA, [{**_plain_features(row), **row["features"]} for row in own])
        kept = [row for row in own if row["status"] == Status.KEPT]
        if kept:
            (folder / "data").mkdir(exist_ok=True)
            _write(folder / "data" / f"{source}-00000.parquet", SHARD_SCHEMA, kept)
        parts.append(
            {
                "source": source,
                "file": f"{source}.jsonl",
                "files": 1,
                "key": "key",
                "folder": part.name,
                "documents": len(own),
                "quarantined": 0,
                "bytes": 1,
            }
        )
    unreadable = [{"source": "web", "path": "web.jsonl", "locator": "line 7", "error": "<script>no JSON</script>", "excerpt": "{"}]
    (folder / "quarantine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in unreadable), encoding="utf-8")
    columns = {name: [row.get(name) for row in ordered] for name in decisions.NAMES}
    columns["part"] = [sources.index(row["source"]) for row in ordered]
    decided = decisions.Decisions(columns)
    decisions.write(decided, str(folder / "decisions.parquet"))
    counts = decisions.funnel(decided, {**dict.fromkeys(sources, 0), "web": len(unreadable)})
    manifest = {
        "name": "miniature",
        "description": 'A <b>small</b> run & its "texts".',
        "twllm": "9.9",
        "recipe": {
            "sources": {source: {"type": "law" if source == "law" else "rows", "paths": ["/secret/place"]} for source in sources},
            "mixture": {"tokenizer": None, "tokens_per_char": 0.8, "budget_tokens": 35_000_000_000},
            "deduplicate": {"exact": True, "near": {"threshold": 0.7}, "lines": {"max_documents": 8}},
        },
        "policy": Policy.model_validate(POLICY).model_dump(mode="json"),
        "stages": {"annotate": "a0", "decide": "d1", "deduplicate": "e2", "assemble": "f3"},
        "parts": parts,
        "funnel": {source: count._asdict() for source, count in counts.items()},
        "quotas": {
            source: {"available": count.tokens_kept, "limit": 99 if source == "web" else None, "taken": count.tokens_kept, "epochs": None}
            for source, count in counts.items()
        },
        "tokens_are_estimated": True,
        "agreement": {
            "labelled": 11,
            "decisions_right": 8,
            "reasons_right": 7,
            "missing": ["web:gone"],
            "disagreements": [
                ["web:<w4>&", "a case", "scam", "keep"],
                ["web:w2", "a case", "scam", "keep"],
                ["web:r3", "x", "variety_cn", "simplified"],
            ],
        },
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    return folder


def _plain_features(row: dict[str, Any]) -> dict[str, Any]:
    zero = {pa.int64(): 0, pa.float64(): 0.0, pa.bool_(): False}
    plain = {field.name: zero.get(field.type) for field in features.SCHEMA}
    return {**plain, "id": row["id"], "chars": len(row["text"]), "lane": "zh-Hant", "han_ratio": 0.9}


def _write(path: Path, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    pq.write_table(
        pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema), path, row_group_size=4
    )


def test_the_funnel_adds_up(tmp_path: Path) -> None:
    run = load_run(str(write_run(tmp_path, documents())))
    rows = funnel_rows(run.manifest)
    everything = total(rows)
    assert [row.source for row in rows] == ["law", "web", "empty"]
    assert everything.documents == len(documents()) + 1 == sum(everything.counts.values())
    assert everything.counts == {"kept": 6, "policy": 4, "exact": 1, "near": 1, "lines": 1, "mixture": 1, "quarantined": 2}
    assert tuple(everything.counts) == KINDS
    assert everything.removed == 8
    assert sum(count for _, count in reason_counts(run.manifest)) == everything.removed + everything.counts["quarantined"]
    assert sum(hits.documents for hits in rule_hits(run)) == everything.removed


def test_rights_sum_to_what_is_kept(tmp_path: Path) -> None:
    run = load_run(str(write_run(tmp_path, documents())))
    shares = rights(run)
    length = len("河堤邊的市場每天清晨五點開張。")
    assert shares[Right("law", "public-record", None)] == Share(1, length, length)
    everything = total(funnel_rows(run.manifest))
    whole = summed(shares)[()]
    assert whole == Share(everything.counts["kept"], everything.chars_kept, everything.tokens_kept)
    assert {key[0] for key in summed(shares, "license")} == {License.PUBLIC_RECORD, License.CC_BY_4, License.UNKNOWN}
    assert list(summed(shares, "holder").values()) == sorted(summed(shares, "holder").values(), key=lambda share: -share.tokens)


def test_lanes_of_kept_documents(tmp_path: Path) -> None:
    assert kept_lanes(load_run(str(write_run(tmp_path, documents())))) == {"zh-Hant": 5, "nan": 1}


def test_labels_that_the_run_did_not_see_are_left_out(tmp_path: Path) -> None:
    found = labelled(load_run(str(write_run(tmp_path, documents()))).manifest)
    assert found is not None
    assert (found.decisions.right, found.decisions.of) == (8, 10)
    assert found.missing == ["web:gone"]
    assert [(row.expected, row.found, len(row.ids)) for row in found.confusions] == [("scam", "keep", 2), ("variety_cn", "simplified", 1)]
    assert labelled({"agreement": None}) is None


def test_wilson_interval() -> None:
    found = proportion(8, 10)
    assert (round(found.low, 3), round(found.high, 3)) == (0.490, 0.943)  # Wilson score interval, 95 %
    assert proportion(0, 0) == (0, 0, 0.0, 1.0)


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_holds_the_share(right: int, of: int) -> None:
    found = proportion(min(right, of), of)
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no manifest\.json"):
        load_run(str(tmp_path))


def test_a_decision_table_of_another_run_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path, documents())
    pq.write_table(pq.read_table(run / "decisions.parquet").slice(1), run / "decisions.parquet")
    with pytest.raises(UserError, match="14 rows"):
        load_run(str(run))
