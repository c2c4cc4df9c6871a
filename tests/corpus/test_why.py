"""Why and diff: every removal of a run is explained by facts that hold, and every document that moved is counted."""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from corpus import decisions
from corpus.build import build
from corpus.recipe import load_plan
from corpus.why import Difference, Move, difference, explain
from factory.errors import UserError

COPY_REASONS = {"exact_duplicate", "near_duplicate"}
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq,
    "one_of": lambda value, listed: value in listed, "none_of": lambda value, listed: value not in listed, "contains": operator.contains,
}  # fmt: skip
TOPICS = ["茶園在山坡上", "漁港清晨開市", "車站前的廣場", "老街賣豆花", "溫泉旅館客滿", "圖書館換了新書櫃"]


@functools.cache
def decisions_of(run: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in pq.read_table(run / "decisions.parquet").to_pylist()}


@functools.cache
def features_of(run: Path) -> dict[str, dict[str, Any]]:
    parts = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["parts"]
    tables = [pq.read_table(run / "work/annotate" / part["folder"] / "features.parquet") for part in parts]
    return {row["id"]: row for table in tables for row in table.to_pylist()}


def rule_holds(rule: dict[str, Any], features: dict[str, Any]) -> bool:
    return all(
        features[name] is not None and all(SIGNS[sign](features[name], bound) for sign, bound in bounds.items())
        for name, bounds in rule["remove_if"].items()
    )


def unlike(*topics: str) -> list[dict[str, Any]]:
    """Rows that share no wording."""
    return [{"id": f"d{number}", "text": f"{topic}，{topic[::-1] * 5}。"} for number, topic in enumerate(topics)]


@pytest.fixture
def built(tmp_path: Path, rows_recipe: Callable[..., Path]) -> Callable[..., Path]:
    """Builds a run of given rows with one threshold on characters, and returns its folder."""

    def make(name: str, rows: list[dict[str, Any]], limit: int = 5, **changes: Any) -> Path:
        rule = {"id": "short", "reason": "too_short", "remove_if": {"chars": {"lt": limit}}, "unit": "characters"}
        policy = {"name": "test", "version": "1", "rules": [{**rule, "origin": "a test", "date": "2026-01-02"}]}
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
        recipe = rows_recipe(rows, policy="policy.yaml", workers=1, **changes)
        build(load_plan(str(recipe), str(tmp_path / name)))
        return tmp_path / name

    return make


# --- the sample


def test_every_document_that_a_rule_removed_is_explained_by_a_rule_that_holds(sample_run: Path) -> None:
    removed = [row for row in decisions_of(sample_run).values() if row["rule"] is not None]
    assert len({row["rule"] for row in removed}) >= 10
    for row in removed:
        found = explain(str(sample_run), row["id"])
        assert found.rule is not None, row["id"]
        assert (found.rule["id"], found.rule["reason"]) == (row["rule"], row["reason"])
        assert rule_holds(found.rule, features_of(sample_run)[row["id"]]), row["id"]
        observed = [f"{name}={features_of(sample_run)[row['id']][name]}" for name in found.rule["remove_if"]]
        assert found.decision["observed"] == ", ".join(observed)
        assert all(f"{name} " in found.decision["threshold"] for name in found.rule["remove_if"])
        assert found.rule["unit"] and found.rule["origin"] and found.rule["date"]


def test_every_copy_names_one_that_is_kept_or_explained_itself(sample_run: Path) -> None:
    rows = decisions_of(sample_run)
    copies = [row for row in rows.values() if row["reason"] in COPY_REASONS]
    assert {row["reason"] for row in copies} == COPY_REASONS
    for row in copies:
        found = explain(str(sample_run), row["id"])
        assert found.rule is None and found.decision["kept_id"] != row["id"]
        assert 0 < found.decision["similarity"] <= 1
        steps, target = 0, found.decision["kept_id"]
        while rows[target]["status"] != "kept":
            assert rows[target]["reason"] and steps < 3, f"{row['id']} -> {target}"
            steps, target = steps + 1, rows[target]["kept_id"]
        assert explain(str(sample_run), target).decision["status"] == "kept"


def test_every_removed_document_has_a_rule_or_a_copy_and_no_kept_one_has(sample_run: Path) -> None:
    for row in decisions_of(sample_run).values():
        explained = (row["rule"] is not None and row["observed"] and row["threshold"]) or row["kept_id"]
        assert bool(explained) == (row["status"] == "removed"), row["id"]


def test_a_document_is_shown_with_its_features_and_origin_but_not_its_text(sample_run: Path) -> None:
    kept = next(row for row in decisions_of(sample_run).values() if row["status"] == "kept" and row["chars"] > 200)
    found = explain(str(sample_run), kept["id"])
    assert found.decision == kept and found.parts == []
    assert len(found.excerpt) == 200
    assert found.document["id"] == kept["id"] and found.document["license"] == "apache-2.0" and "text" not in found.document
    stored = features_of(sample_run)[kept["id"]]
    assert found.features["raw_sha256"] == stored["raw_sha256"].hex()
    hidden = {"id", "minhash", "line_hashes", "line_chars", "exact_hash", "pii_spans"}
    assert {name: value for name, value in found.features.items() if name != "raw_sha256"} == {
        name: value for name, value in stored.items() if name not in hidden and name != "raw_sha256"
    }


# --- ids


def test_an_unknown_id_is_met_with_the_nearest_one(sample_run: Path) -> None:
    wanted = next(name for name in decisions_of(sample_run) if name.startswith("law:"))
    with pytest.raises(UserError, match=rf"no document of {sample_run} has this id\. Did you mean law:") as error:
        explain(str(sample_run), wanted[:-1] + "x")
    assert str(error.value).startswith(wanted[:-1] + "x: ")
    with pytest.raises(UserError, match=r"QQQQ: no document .* has this id\. .*decisions\.parquet"):
        explain(str(sample_run), "QQQQ")


def test_a_split_document_is_found_by_the_id_of_the_whole(tmp_path: Path) -> None:
    chapters = [f"第 {number} 章　{topic}\n" + f"第 {number} 條　{topic * 900}。" for number, topic in enumerate(TOPICS, 1)]
    rows = [{"id": name, "text": "\n".join([f"{name}辦法", *chapters[start:]])} for name, start in (("A1", 0), ("A11", 1))]
    (tmp_path / "law.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = {"type": "law", "paths": ["law.jsonl"], "fields": {"id": "id"}}
    recipe = {"name": "split", "output": "x", "sources": {"law": source}, "deduplicate": {"near": None, "lines": None}, "workers": 1}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    run = tmp_path / "run"
    build(load_plan(str(tmp_path / "recipe.yaml"), str(run)))
    parts = [name for name in decisions_of(run) if name.startswith("law:A1#")]
    assert len(parts) >= 2
    found = explain(str(run), "law:A1")
    assert found.parts == parts == [f"law:A1#{number}" for number in range(1, len(parts) + 1)]
    assert found.decision["id"] == parts[0] and found.document["parent_id"] == "law:A1"
    assert explain(str(run), parts[1]).parts == []
    assert explain(str(run), parts[1]).decision["id"] == parts[1]
    with pytest.raises(UserError, match="Did you mean law:A1#"):
        explain(str(run), f"law:A1#{len(parts) + 1}")


def test_what_the_mixture_and_repeated_lines_removed_is_explained(built: Callable[..., Path]) -> None:
    rows = [{"id": f"d{n}", "text": "這一行在每一篇都出現過一次\n" + row["text"]} for n, row in enumerate(unlike(*TOPICS))]
    rows.append({"id": "empty", "text": "這一行在每一篇都出現過一次\n短短的"})
    source = {"rows": {"type": "rows", "paths": ["rows.jsonl"], "fields": {"id": "id"}, "max_tokens": 60}}
    duplicates = {"near": None, "lines": {"max_documents": 3, "min_remaining_chars": 10}}
    run = built("run", rows, sources=source, deduplicate=duplicates, mixture={"tokens_per_char": 1})
    by_reason = {row["reason"]: row for row in decisions_of(run).values()}
    assert set(by_reason) == {None, "mixture_cap", "line_duplicates"}
    lines = explain(str(run), "rows:empty").decision
    assert (lines["rule"], lines["observed"], lines["threshold"]) == ("lines", "remaining chars=3", "remaining chars < 10")
    assert lines["dropped_lines"] == [0]
    capped = explain(str(run), by_reason["mixture_cap"]["id"]).decision
    assert (capped["rule"], capped["threshold"]) == ("mixture", "tokens of source > 60")
    assert int(capped["observed"].removeprefix("tokens of source=")) > 60


@pytest.mark.parametrize("function", [lambda run: explain(run, "x"), lambda run: difference(run, run)])
def test_a_folder_without_a_finished_run_is_one_line(tmp_path: Path, function: Callable[[str], Any]) -> None:
    (tmp_path / "file").write_text("")
    for run in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(UserError, match=rf"^{run}: holds no finished run"):
            function(str(run))
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=rf"^{tmp_path}/manifest\.json: is no manifest"):
        function(str(tmp_path))


def test_a_run_that_lost_files_is_one_line(built: Callable[..., Path]) -> None:
    run = built("run", unlike(*TOPICS))
    next((run / "work/annotate").glob("*/features.parquet")).unlink()
    with pytest.raises(UserError, match=r"features\.parquet: is missing"):
        explain(str(run), "rows:d0")
    (run / "decisions.parquet").unlink()
    with pytest.raises(UserError, match=r"decisions\.parquet: is missing"):
        explain(str(run), "rows:d0")
    with pytest.raises(UserError, match=r"decisions\.parquet: is missing"):
        difference(str(run), str(run))


# --- diff


def test_a_run_differs_from_itself_in_nothing(sample_run: Path) -> None:
    assert difference(str(sample_run), str(sample_run)) == Difference([], {}, len(decisions_of(sample_run)))


def run_of(folder: Path, *outcomes: tuple[str, str]) -> str:
    """What diff reads of a finished run: rows of (id, "kept" or reason)."""
    table = decisions.empty()
    for document, outcome in outcomes:
        status = {"kept": "kept", "duplicate_id": "quarantined"}.get(outcome, "removed")
        row = {"id": document, "source": "web", "part": 0, "chars": 1, "status": status, "reason": None if outcome == "kept" else outcome}
        for name, column in table.columns.items():
            column.append(row.get(name))
    decisions.write(table, f"{folder}/decisions.parquet")
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    return str(folder)


def test_what_moves_between_two_runs_is_counted_each_way(tmp_path: Path) -> None:
    before = run_of(tmp_path / "a", ("1", "kept"), ("2", "kept"), ("3", "scam"), ("4", "scam"), ("5", "kept"), ("7", "kept"), ("8", "scam"))
    after = run_of(
        tmp_path / "b", ("1", "kept"), ("2", "scam"), ("3", "too_short"), ("4", "scam"), ("6", "kept"), ("7", "scam"), ("8", "kept")
    )
    found = difference(before, after)
    assert found.moves == [
        Move("2", "kept", "scam"),
        Move("3", "scam", "too_short"),
        Move("5", "kept", "absent"),
        Move("6", "absent", "kept"),
        Move("7", "kept", "scam"),
        Move("8", "scam", "kept"),
    ]
    ways = {("scam", "too_short"): 1, ("kept", "absent"): 1, ("absent", "kept"): 1, ("scam", "kept"): 1}
    assert found.counts == {("kept", "scam"): 2, **ways}
    assert next(iter(found.counts)) == ("kept", "scam")
    assert found.unchanged == 2
    back = difference(after, before)
    assert {(move.id, move.after, move.before) for move in back.moves} == {tuple(move) for move in found.moves}
    assert back.unchanged == 2


def test_a_stolen_id_does_not_count_as_a_move(tmp_path: Path) -> None:
    before = run_of(tmp_path / "a", ("1", "kept"), ("2", "scam"))
    after = run_of(tmp_path / "b", ("1", "kept"), ("1", "duplicate_id"), ("2", "scam"), ("2", "duplicate_id"))
    assert difference(before, after) == Difference([], {}, 2)


def test_a_score_comes_with_its_paragraph_and_words(sample_run: Path) -> None:
    """The likeliest variety always, and each threat from one half: where it is highest, and what speaks for it there."""
    ids = pq.read_table(sample_run / "decisions.parquet", columns=["id"]).column("id").to_pylist()
    seen = 0
    for document in ids[::40]:
        found = explain(str(sample_run), document)
        if found.features["variety_label"] is None:
            assert found.evidence == []
            continue
        labels = [item["label"] for item in found.evidence]
        assert found.features["variety_label"] in labels
        for item in found.evidence:
            assert item["score"] == found.features[f"score_{item['label']}"]
            assert 0 <= item["paragraph_score"] <= 1 and item["excerpt"]
            seen += len(item["words"])
    assert seen > 10
