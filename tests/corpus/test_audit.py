"""The audit: an even-handed sample, and rates that come out right where the truth is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.audit import NOT_CONTENT, account, read_labels, sample
from factory.errors import UserError
from tests.corpus.conftest import twllm


@pytest.fixture
def run(sample_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_run, tmp_path / "run"))


def test_a_sample_covers_every_source_and_reason(run: Path) -> None:
    drawn = sample(str(run), 120)
    table = pq.read_table(run / "decisions.parquet").to_pylist()
    kept = {row["source"] for row in table if row["status"] == "kept"}
    removed = {row["reason"] for row in table if row["status"] == "removed" and row["reason"] not in NOT_CONTENT}
    assert {row.stratum for row in drawn} == kept | removed
    assert len({row.id for row in drawn}) == len(drawn)
    assert drawn == sample(str(run), 120)
    assert drawn != sample(str(run), 120, seed=2)


def test_a_large_sample_is_everything(run: Path) -> None:
    table = pq.read_table(run / "decisions.parquet").to_pylist()
    assert len(sample(str(run), 100_000)) == sum(row["status"] != "quarantined" and row["reason"] not in NOT_CONTENT for row in table)


def test_labels_come_back_as_rates_in_report_and_card(run: Path, tmp_path: Path) -> None:
    made = twllm("corpus", "audit", str(run), "--sample", "80", "--output", str(tmp_path / "audit.jsonl"))
    assert made.returncode == 0, made.stderr
    rows = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text("utf-8").splitlines()]
    assert all(set(row) == {"id", "fields", "metadata"} and row["fields"]["text"] for row in rows)
    kept = [row["id"] for row in rows if row["metadata"]["status"] == "kept"]
    wrong = set(kept[:3])
    with open(tmp_path / "labels.jsonl", "w", encoding="utf-8") as stream:
        for row in rows:
            right = "keep" if row["metadata"]["status"] == "kept" else "remove"
            answer = {"keep": "remove", "remove": "keep"}[right] if row["id"] in wrong else right
            stream.write(json.dumps({"id": row["id"], "responses": {"decision": [{"value": answer, "user_id": "a"}]}}) + "\n")
    done = twllm("corpus", "audit", str(run), "--labels", str(tmp_path / "labels.jsonl"), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads((run / "audit.json").read_text("utf-8"))
    assert found["leakage"]["wrong"] == 3 and found["leakage"]["labelled"] == len(kept)
    assert 0 < found["leakage"]["low"] < found["leakage"]["share"] < found["leakage"]["high"] < 1
    assert found["false_removal"]["share"] == 0 < found["false_removal"]["high"]
    assert "## Audit" in (run / "README.md").read_text("utf-8")
    assert 'id="audit"' in (run / "report.html").read_text("utf-8")


def test_strata_weigh_what_they_are(run: Path, tmp_path: Path) -> None:
    """All wrong in one source only: the rate is that source's share of the kept documents, whatever was labelled of it."""
    table = [
        row
        for row in pq.read_table(run / "decisions.parquet").to_pylist()
        if row["status"] != "quarantined" and row["reason"] not in NOT_CONTENT
    ]
    source = next(row["source"] for row in table if row["status"] == "kept")
    kept = [row for row in table if row["status"] == "kept"]
    few = [row for row in kept if row["source"] == source][:2] + [row for row in kept if row["source"] != source]
    with open(tmp_path / "labels.jsonl", "w", encoding="utf-8") as stream:
        for row in [*few, *(row for row in table if row["status"] == "removed")]:
            stream.write(
                json.dumps({"id": row["id"], "decision": "remove" if row["source"] == source or row["status"] == "removed" else "keep"})
                + "\n"
            )
    found = account(str(run), str(tmp_path / "labels.jsonl"))
    assert found["leakage"]["share"] == pytest.approx(sum(row["source"] == source for row in kept) / len(kept), abs=1e-5)


def test_people_who_disagree_leave_a_record_out(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "responses": {"decision": [{"value": "keep"}, {"value": "remove"}]}},
        {"id": "b", "responses": {"decision": [{"value": "keep"}, {"value": "remove"}, {"value": "keep"}]}},
        {"id": "c", "responses": {}},
    ]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert read_labels(str(tmp_path / "l.jsonl")) == ({"b": "keep"}, 2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not JSON"), ('{"decision": "keep"}', "needs 'id'"), ('{"id": "a", "decision": "maybe"}', "'maybe' is not keep or remove"),
        ('{"id": "nobody", "decision": "keep"}', "holds no such document"),
    ],
)  # fmt: skip
def test_wrong_labels_are_one_line(run: Path, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "l.jsonl").write_text(line + "\n", "utf-8")
    with pytest.raises(UserError, match=message):
        account(str(run), str(tmp_path / "l.jsonl"))


def test_labels_of_one_side_only_are_one_line(run: Path, tmp_path: Path) -> None:
    kept = next(row.id for row in sample(str(run), 50) if row.status == "kept")
    (tmp_path / "l.jsonl").write_text(json.dumps({"id": kept, "decision": "keep"}) + "\n", "utf-8")
    with pytest.raises(UserError, match="labels no removed document"):
        account(str(run), str(tmp_path / "l.jsonl"))


def test_the_verb_wants_one_of_two() -> None:
    done = twllm("corpus", "audit", "runs/none")
    assert done.returncode == 2
