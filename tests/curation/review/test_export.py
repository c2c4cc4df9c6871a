"""Exports, from reviews that need no server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.audit import read_labels
from corpus.classifiers.data import read_set
from corpus.classifiers.recipe import ClassifierRecipe, DataSet
from curation.review import export as module
from curation.review.agreement import measure
from curation.review.answers import Review
from curation.review.export import export, is_low
from factory.errors import UserError
from tests.curation.review.made import answer, record, review
from tests.curation.review.scripted import read_rows

PEOPLE = ("ann", "bob", "eve")


def exported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Review, accept: bool = False) -> Path:
    monkeypatch.setattr(module, "load", lambda home, name: made)
    export(tmp_path, made.name, str(tmp_path / "out"), accept)
    return tmp_path / "out"


def agreed(name: str, verdict: str, **values: Any) -> list[Any]:
    rated = (
        {"fluency": 5, "taiwaneseness": 5, "factuality": 5, "safety": 5}
        if verdict == "keep"
        else dict.fromkeys(("fluency", "taiwaneseness", "factuality", "safety"), 2)
    )
    return [answer(name, by, n, verdict=verdict, **rated, **values) for n, by in enumerate(PEOPLE)]


def test_low_agreement_is_refused_by_name_and_stated_where_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    records = [record(f"r{n}", "shared") for n in range(6)]
    said = [a for n in range(6) for a in agreed(f"r{n}", "keep" if n % 2 else "reject")]
    said = [a._replace(values={**a.values, "safety": 1 + n % 5}) for n, a in enumerate(said)]
    made = review(records, said)
    low = next(row for row in measure(made).alphas if row.question == "safety")
    assert low.alpha is not None and low.alpha < 0.67 and is_low(low)
    with pytest.raises(UserError, match=r"people agree too little on safety \(-?0\.\d{3}\); alpha is to be 0\.67 or more"):
        exported(monkeypatch, tmp_path, made)
    assert not (tmp_path / "out").exists()
    output = exported(monkeypatch, tmp_path, made, accept=True)
    assert json.loads((output / "manifest.json").read_text("utf-8"))["accepted_low_agreement"] == ["safety"]
    assert "**People agreed too little on safety**" in (output / "README.md").read_text("utf-8")


def test_agreement_that_was_not_measured_is_low(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="verdict \\(not measured: nothing was answered twice\\)"):
        exported(monkeypatch, tmp_path, review([record("r")], [answer("r", "ann", verdict="keep")]))


def test_a_corrected_answer_replaces_the_first_and_makes_a_pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    records = [record("a", "shared"), record("b", "shared"), record("c", "shared")]
    fixed = "改好的回答，洽 0912-345-678"
    said = [*agreed("a", "fix", corrected=fixed), *agreed("b", "keep"), *agreed("c", "reject")]
    output = exported(monkeypatch, tmp_path, review(records, said))
    first, second = read_rows(output / "sft.jsonl")
    assert first["messages"][-1]["content"] == "改好的回答，洽 [手機號碼]"
    assert first["review"] == {
        "verdict": "fix", "via": "majority", "by": list(PEOPLE), "when": "2026-11-30T08:02:00.000000",
        "ratings": {"fluency": 2.0, "taiwaneseness": 2.0, "factuality": 2.0, "safety": 2.0},
    }  # fmt: skip
    assert first["lineage"]["review"]["responses"] == ["a/ann", "a/bob", "a/eve"] and first["lineage"]["review"]["corrected_by"] == "a/ann"
    assert first["lineage"]["task"] == "import"  # what it had before
    assert second["messages"][-1]["content"] == "原來的回答 b" and second["lineage"]["review"]["corrected_by"] is None
    (pair,) = read_rows(output / "preferences.jsonl")
    assert pair["id"] == "row-a-corrected" and pair["prompt"] == [{"role": "user", "content": "問題？"}]
    assert pair["chosen"][0]["content"] == first["messages"][-1]["content"] and pair["rejected"][0]["content"] == "原來的回答 a"
    (rejected,) = read_rows(output / "rejected.jsonl")
    assert rejected["id"] == "row-c" and rejected["reason"] == "verdict"
    quality = {row["id"]: row["quality"] for row in read_rows(output / "labels-quality.jsonl")}
    assert quality == {"row-a": 0.25, "row-b": 1.0, "row-c": 0.25}


def test_preferences_follow_the_people(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = {
        name: {"id": name, "prompt": [{"role": "user", "content": "問"}], "chosen": [{"role": "assistant", "content": f"甲{name}"}],
               "rejected": [{"role": "assistant", "content": f"乙{name}"}], "category": "x", "license": "cc0-1.0"}
        for name in "abc"
    }  # fmt: skip
    records = [record(name, "shared", row=row) for name, row in rows.items()]
    choices = {"a": "chosen", "b": "rejected", "c": "tie"}
    said = [answer(name, by, choice=choice) for name, choice in choices.items() for by in PEOPLE]
    output = exported(monkeypatch, tmp_path, review(records, said, "preference"))
    same, turned = read_rows(output / "preferences.jsonl")
    assert (same["chosen"][0]["content"], turned["chosen"][0]["content"], turned["rejected"][0]["content"]) == ("甲a", "乙b", "甲b")
    (tie,) = read_rows(output / "rejected.jsonl")
    assert tie["reason"] == "tie" and tie["prompt"]


def test_audits_feed_the_audit_and_the_classifiers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def row(name: str, status: str) -> dict[str, Any]:
        text = f"文件{name}：" + "市府公告明日停水，請民眾提早儲水，並請關閉抽水馬達。" * 4
        return {"id": f"news:{name}", "fields": {"text": text, "source": "news"}, "metadata": {"status": status, "stratum": "news"}}

    stated = {
        "a": ("kept", "keep", "clean"),
        "b": ("removed", "keep", "clean"),
        "c": ("kept", "remove", "scam"),
        "d": ("kept", "remove", "foreign"),
    }
    records = [record(name, "shared", row=row(name, status)) for name, (status, _, _) in stated.items()]
    said = [answer(name, by, decision=decision, **{"class": label}) for name, (_, decision, label) in stated.items() for by in PEOPLE]
    output = exported(monkeypatch, tmp_path, review(records, said, "audit"))
    labels = read_rows(output / "labels.jsonl")
    assert [(r["id"], r["decision"], r["right"], r["class"]) for r in labels] == [
        ("news:a", "keep", "yes", "clean"), ("news:b", "keep", "no", "clean"), ("news:c", "remove", "no", "scam"),
        ("news:d", "remove", "no", "foreign"),
    ]  # fmt: skip
    assert read_labels(str(output / "labels.jsonl")) == (
        {r["id"]: r["decision"] for r in labels},
        0,
    )  # as `twllm corpus audit --labels` reads it
    recipe = ClassifierRecipe.model_validate(
        {
            "name": "t",
            "task": "threat",
            "version": "1",
            "output": "x",
            "data": [{"path": "labels-threat.jsonl", "license": "unknown", "whole": True}],
        }
    )
    passages = read_set(DataSet.model_validate(recipe.data[0].model_dump()), recipe, str(output), "data")
    assert [(p.document, p.labels) for p in passages] == [
        ("labels-threat/news:a", ("clean",)),
        ("labels-threat/news:b", ("clean",)),
        ("labels-threat/news:c", ("scam",)),
    ]
    manifest = json.loads((output / "manifest.json").read_text("utf-8"))
    assert manifest["counts"] == {"in": 4, "exported": 2, "rejected": {"verdict": 2}, "undecided": {}, "gold": 0}


def test_qualities_are_read_by_a_classifier_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    records = [record("a", "shared"), record("b", "shared")]
    output = exported(monkeypatch, tmp_path, review(records, [*agreed("a", "keep"), *agreed("b", "reject")]))
    stated = {"path": "labels-quality.jsonl", "license": "cc-by-4.0", "whole": True, "labels_field": "quality"}
    recipe = ClassifierRecipe.model_validate({"name": "q", "task": "quality", "version": "1", "output": "x", "data": [stated]})
    assert [p.quality for p in read_set(recipe.data[0], recipe, str(output), "data")] == [1.0, 0.25]


def test_a_card_is_whole_and_lists_what_is_not_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    records = [record("a", "shared"), record("b", "shared"), record("c", "shared")]
    output = exported(monkeypatch, tmp_path, review(records, [*agreed("a", "keep"), *agreed("b", "reject")]))
    text = (output / "README.md").read_text("utf-8")
    facts = yaml.safe_load(text.split("---")[1])
    assert facts["license"] == "cc-by-4.0" and [c["config_name"] for c in facts["configs"]] == ["sft", "rejected", "labels-quality"]
    assert [c.get("default", False) for c in facts["configs"]] == [True, False, False]
    assert "3 records = 1 exported + 1 rejected + 1 undecided + 0 questions" in text
    assert "| undecided: unanswered | 1 |" in text and "too little" not in text
    assert read_rows(output / "undecided.jsonl") == [{"id": "row-c", "record": "c", "reason": "unanswered", "answers": 0}]
