"""What the verbs print: every figure stands in the plain text, and the JSON holds the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from corpus.assemble import Quota
from corpus.build import Result
from corpus.decisions import SourceCounts
from corpus.estimate import Estimate, SourceEstimate
from corpus.labels import Agreement, Disagreement
from corpus.show import SHOWN, show_diff, show_estimate, show_result, show_stats, show_submission, show_why, table
from corpus.slurm import Request, Submission
from corpus.why import Difference, Explanation, Move

FUNNEL = {
    "law": SourceCounts(3, 2, 1, 0, {"abolished": 1}, 12_000, 9_600),
    "web": SourceCounts(1_234_567, 1_234_000, 500, 67, {"scam": 499, "duplicate_id": 67, "abolished": 1}, 90, 72),
}
DECISION: dict[str, Any] = {
    "id": "web:1", "source": "web", "part": 0, "chars": 20, "status": "kept", "reason": None, "rule": None, "observed": None,
    "threshold": None, "kept_id": None, "similarity": None, "dropped_lines": None, "tokens": 16,
}  # fmt: skip


def cells(text: str) -> list[list[str]]:
    """The words of each line that is not blank."""
    return [line.split() for line in text.splitlines() if line.strip()]


def result(agreement: Agreement | None = None, **reused: bool) -> Result:
    return Result("runs/x", FUNNEL, {"web": Quota(5, None, 5)}, agreement, reused)


def explanation(fired: dict[str, Any] | None = None, parts: tuple[str, ...] = (), **decision: Any) -> Explanation:
    return Explanation(
        decision={**DECISION, **decision},
        rule=fired,
        features={"chars": 20, "lane": "zh-Hant", "flags": []},
        document={"id": "web:1", "url": "https://a.example", "title": None, "flags": [], "metadata": "{}"},
        excerpt="茶園在山坡上",
        parts=list(parts),
        evidence=[],
    )


def test_a_table_groups_digits_and_aligns_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    table(["name", "count"], [["a", 1_234_567], ["[bold]b[/bold]", 8]], title="some", numbers=1)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "some",
        "name                count",
        "a               1,234,567",
        "[bold]b[/bold]          8",
    ]


def test_a_table_wraps_long_cells_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "https://news.example/" + "9" * 300
    table(["id", "value"], [["web:1", long]])
    assert "".join(capsys.readouterr().out.split()).endswith(long.replace("web:1", ""))


def test_the_end_of_a_build(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(result(decide=True, deduplicate=False), as_json=False)
    out = capsys.readouterr().out
    assert cells(out)[:4] == [
        ["source", "in", "kept", "removed", "quarantined", "tokens", "kept"],
        ["law", "3", "2", "1", "0", "9,600"],
        ["web", "1,234,567", "1,234,000", "500", "67", "72"],
        ["all", "1,234,570", "1,234,002", "501", "67", "9,672"],
    ]
    assert "reused: decide\n" in out and "labels" not in out
    assert out.endswith("corpus: runs/x/data\nreport: runs/x/report.html\n")


def test_agreement_is_a_share_of_the_labels_that_the_run_saw(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [Disagreement("web:1", "a poem", "keep", "too_short"), Disagreement("web:2", "a casino", "gambling", "scam")]
    show_result(result(Agreement(12, 9, 8, ["web:8", "web:9"], wrong)), as_json=False)
    out = capsys.readouterr().out
    assert "labels: 9 of 10 decisions agree (90.0%), 8 with the same reason (80.0%); 2 labelled documents were not seen" in out
    assert ["web:1", "a", "poem", "keep", "too_short"] in cells(out)
    assert "web:2" not in out


def test_agreement_with_nothing_seen(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(result(Agreement(1, 0, 0, ["web:1"], [])), as_json=False)
    assert "0 of 0 decisions agree (0.0%)" in capsys.readouterr().out


def test_a_long_list_of_disagreements_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [Disagreement(f"web:{number}", "", "keep", "scam") for number in range(SHOWN + 5)]
    show_result(result(Agreement(99, 0, 0, [], wrong)), as_json=False)
    assert capsys.readouterr().out.count("web:") == SHOWN


def test_a_build_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(result(Agreement(1, 0, 0, [], [Disagreement("web:1", "詩", "keep", "scam")]), decide=True), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"event", "output", "funnel", "agreement", "reused"} and found["event"] == "result"
    assert found["output"] == "runs/x" and found["reused"] == {"decide": True}
    assert found["funnel"]["law"] == FUNNEL["law"]._asdict()
    assert found["agreement"]["labelled"] == 1


def test_the_reasons_of_all_sources_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = {"funnel": {name: counts._asdict() for name, counts in FUNNEL.items()}, "quotas": {}, "agreement": None}
    show_stats(manifest, as_json=False)
    lines = cells(capsys.readouterr().out)
    assert lines[-4:] == [["reason", "documents"], ["scam", "499"], ["duplicate_id", "67"], ["abolished", "2"]]
    show_stats(manifest, as_json=True)
    assert json.loads(capsys.readouterr().out) == manifest


def test_why_a_document_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    show_why(explanation(dropped_lines=[0, 4]), as_json=False)
    out = capsys.readouterr().out
    assert out.startswith("web:1: kept\n  lines removed as repeated across documents: 2\n")
    assert ["url", "https://a.example"] in cells(out) and ["lane", "zh-Hant"] in cells(out)
    assert "title" not in out and "metadata" not in out
    assert out.endswith("\n茶園在山坡上…\n")


def test_why_a_rule_removed_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    rule = {"id": "short", "unit": "characters", "origin": "reading", "date": "2026-01-02"}
    removed: dict[str, Any] = {
        "status": "removed",
        "reason": "too_short",
        "rule": "short",
        "observed": "chars=20",
        "threshold": "chars < 40",
    }
    show_why(explanation(rule, **removed), as_json=False)
    assert capsys.readouterr().out.startswith(
        "web:1: removed (too_short)\n  rule short: chars < 40; observed chars=20\n  unit characters; from reading (2026-01-02)\n"
    )


def test_why_a_copy_was_removed(capsys: pytest.CaptureFixture[str]) -> None:
    show_why(explanation(status="removed", reason="near_duplicate", kept_id="web:7", similarity=0.8125), as_json=False)
    assert capsys.readouterr().out.startswith("web:1: removed (near_duplicate)\n  the copy that stays: web:7 (similarity 0.81)\n")


def test_why_a_split_document_is_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show_why(explanation(id="law:1#1", parts=("law:1#1", "law:1#2")), as_json=False)
    assert capsys.readouterr().out.startswith("law:1#1: kept\n  one of 2 parts: law:1#1, law:1#2\n")


def test_why_as_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    found = explanation(parts=("law:1#1",))
    show_why(found, as_json=True)
    assert json.loads(capsys.readouterr().out) == found._asdict()


def test_what_moved(capsys: pytest.CaptureFixture[str]) -> None:
    moves = [Move(f"web:{number}", "kept", "scam") for number in range(SHOWN + 1)]
    found = Difference(moves, {("kept", "scam"): SHOWN + 1}, 1_500)
    show_diff(found, as_json=False)
    out = capsys.readouterr().out
    assert out.startswith(f"1,500 documents decided alike, {SHOWN + 1} moved\n")
    assert ["kept", "scam", str(SHOWN + 1)] in cells(out)
    assert ["web:0", "kept", "scam"] in cells(out) and out.count("web:") == SHOWN
    show_diff(found, as_json=True)
    as_json = json.loads(capsys.readouterr().out)
    assert as_json["unchanged"] == 1_500 and len(as_json["moves"]) == SHOWN + 1
    assert as_json["moves"][0] == {"id": "web:0", "before": "kept", "after": "scam"}


def test_nothing_moved(capsys: pytest.CaptureFixture[str]) -> None:
    show_diff(Difference([], {}, 3), as_json=False)
    assert capsys.readouterr().out == "3 documents decided alike, 0 moved\n"


def test_an_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    found = Estimate({"web": SourceEstimate(1_000, 900, 80_000, 2_500_000, 12.3, 100, 2)}, 4, 90.0, 3_120_000_000)
    show_estimate(found, as_json=False)
    out = capsys.readouterr().out
    assert ["web", "1,000", "900", "80,000", "2.5", "12.3", "100", "2"] in cells(out)
    assert "about 1.5 minutes with 4 workers, 3.12 GB of disk" in out
    show_estimate(found, as_json=True)
    as_json = json.loads(capsys.readouterr().out)
    assert as_json["sources"]["web"] == found.sources["web"]._asdict()
    assert (as_json["workers"], as_json["wall_seconds"], as_json["disk_bytes"]) == (4, 90.0, 3_120_000_000)


REQUEST = Request(parts=8, array=3, parts_per_task=3, minutes=90, memory_gb=4, finish_memory_gb=6)


def test_a_submission_names_jobs_scripts_and_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    show_submission(Submission("7001", "7002", REQUEST, ("a.slurm", "b.slurm"), "runs/x/logs"), as_json=False)
    out = capsys.readouterr().out
    assert "job 7001, 8 parts in an array of 3 tasks of 3 parts, 4 GB and at most 90 minutes each" in out
    assert all(text in out for text in ("job 7002", "a.slurm", "b.slurm", "squeue -j 7001,7002", "runs/x/logs"))
    show_submission(Submission(None, "7003", REQUEST, ("b.slurm",), "runs/x/logs"), as_json=False)
    out = capsys.readouterr().out
    assert "every part is there" in out and "squeue -j 7003;" in out


def test_a_submission_as_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_submission(Submission("7001", "7002", REQUEST, ("a.slurm",), "logs"), as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "event": "result", "array_job": "7001", "finish_job": "7002", "request": REQUEST._asdict(), "scripts": ["a.slurm"], "logs": "logs",
    }  # fmt: skip
