"""The decision table: nothing is lost between rows and funnel, nor between memory and disk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from corpus import decisions
from corpus.decisions import NAMES, Decisions, SourceCounts, funnel
from factory.records import Reason, Status

KEPT: dict[str, Any] = {"source": "web", "part": 0, "chars": 10, "status": "kept"}


def table_of(*rows: dict[str, Any]) -> Decisions:
    filled = [{"id": f"web:{number}", **KEPT, **row} for number, row in enumerate(rows)]
    return Decisions({name: [row.get(name) for row in filled] for name in NAMES})


def removed(reason: str, **more: Any) -> dict[str, Any]:
    return {"status": "removed", "reason": reason, **more}


def test_the_funnel_by_hand() -> None:
    decided = table_of(
        {"chars": 10, "tokens": 8},
        {"chars": 20, "tokens": 16},
        removed("too_short", chars=1),
        removed("scam", chars=500, tokens=400),
        removed("scam"),
        removed("abolished"),
        {"status": "quarantined", "reason": "duplicate_id"},
        {"source": "law", "chars": 7, "tokens": None},
        {"source": "law", **removed("abolished")},
    )
    counts = funnel(decided, {"law": 2, "web": 0, "news": 3, "forum": 0})
    assert list(counts) == ["law", "web", "news", "forum"]
    assert counts["web"] == SourceCounts(7, 2, 4, 1, {"scam": 2, "abolished": 1, "duplicate_id": 1, "too_short": 1}, 30, 24)
    assert list(counts["web"].reasons) == ["scam", "abolished", "duplicate_id", "too_short"]
    assert counts["law"] == SourceCounts(4, 1, 1, 2, {"unreadable": 2, "abolished": 1}, 7, 0)
    assert counts["news"] == SourceCounts(3, 0, 0, 3, {"unreadable": 3}, 0, 0)
    assert counts["forum"] == SourceCounts(0, 0, 0, 0, {}, 0, 0)


OUTCOMES = st.one_of(
    st.just((str(Status.KEPT), None)),
    st.tuples(st.just(str(Status.REMOVED)), st.sampled_from([str(Reason.SCAM), str(Reason.TOO_SHORT), str(Reason.NEAR_DUPLICATE)])),
    st.just((str(Status.QUARANTINED), str(Reason.DUPLICATE_ID))),
)
ROWS = st.lists(st.tuples(st.sampled_from(["web", "law", "news"]), OUTCOMES, st.integers(0, 50), st.one_of(st.none(), st.integers(0, 9))))


@given(ROWS, st.dictionaries(st.sampled_from(["web", "law", "forum"]), st.integers(0, 5)))
def test_the_funnel_adds_up(rows: list[Any], unreadable: dict[str, int]) -> None:
    written = [
        {"source": source, "status": status, "reason": reason, "chars": chars, "tokens": tokens}
        for source, (status, reason), chars, tokens in rows
    ]
    counts = funnel(table_of(*written), unreadable)
    assert set(counts) == {row["source"] for row in written} | set(unreadable)
    for source, found in counts.items():
        own = [row for row in written if row["source"] == source]
        kept = [row for row in own if row["status"] == "kept"]
        assert found.documents == found.kept + found.removed + found.quarantined == len(own) + unreadable.get(source, 0)
        assert found.kept == len(kept)
        assert sum(found.reasons.values()) == found.removed + found.quarantined
        plain = Counter(row["reason"] for row in own if row["reason"]) + Counter({"unreadable": unreadable.get(source, 0)})
        assert found.reasons == dict(plain)
        assert found.chars_kept == sum(row["chars"] for row in kept)
        assert found.tokens_kept == sum(row["tokens"] or 0 for row in kept)


def test_remove_takes_a_row_out_and_keeps_what_explains_it() -> None:
    decided = table_of({}, {}, {})
    decided.remove(1, Reason.NEAR_DUPLICATE, kept_id="web:0", similarity=0.8125)
    assert list(decided.kept()) == [0, 2]
    assert decided.columns["status"] == ["kept", "removed", "kept"]
    assert decided.columns["reason"] == [None, "near_duplicate", None]
    assert (decided.columns["kept_id"], decided.columns["similarity"]) == ([None, "web:0", None], [None, 0.8125, None])


def test_a_stored_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    decided = table_of(
        {"tokens": 3, "dropped_lines": [0, 4]},
        {"dropped_lines": []},
        removed("scam", rule="scam", observed="scam_points=3", threshold="scam_points ≥ 3"),
        removed("near_duplicate", kept_id="web:0", similarity=0.75),
    )
    path = str(tmp_path / "new" / "decisions.parquet")
    decisions.write(decided, path)
    assert decisions.read(path) == decided
    assert pq.read_schema(path).remove_metadata() == decisions.SCHEMA
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["decisions.parquet"]


def test_an_empty_table_is_stored_and_read_back(tmp_path: Path) -> None:
    path = str(tmp_path / "decisions.parquet")
    decisions.write(decisions.empty(), path)
    assert len(decisions.read(path)) == 0
    assert decisions.read(path) == decisions.empty()
    assert funnel(decisions.empty(), {}) == {}
