"""Training end to end through the command, and what stops it with one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpus.classifiers.data import by_label
from corpus.classifiers.recipe import load_recipe
from corpus.classifiers.train import gather, may_be_published, train, write
from factory.errors import UserError
from factory.zh.classifiers.model import load
from tests.corpus.classifiers.conftest import changed, texts, write_rows
from tests.corpus.conftest import twllm


def test_a_model_is_trained_scored_and_evaluated_by_command(recipe_file: Path) -> None:
    made = twllm("classifiers", "train", str(recipe_file))
    assert made.returncode == 0, made.stderr
    model = recipe_file.parent / "model"
    assert (model / "model.ftz").stat().st_size <= 8 << 20
    card = (model / "README.md").read_text("utf-8")
    facts = json.loads((model / "model.json").read_text("utf-8"))
    assert facts["made_by"] in card and facts["sha256"] in card and "cc0-1.0" in card
    rows = [{"id": "a", "text": texts("scam", 1, 9)[0]}, {"id": "b", "text": texts("clean", 1, 9)[0]}, {"id": "c", "text": " \n"}]
    source = write_rows(recipe_file.parent / "in.jsonl", rows)
    target = recipe_file.parent / "out.jsonl"
    done = twllm("classifiers", "score", "--task", "threat", "--input", str(source), "--output", str(target), "--model", str(model))
    assert done.returncode == 0, done.stderr
    scored = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["id"] for row in scored] == ["a", "b", "c"]
    assert [row["label"] for row in scored] == ["scam", "clean", None]
    assert all(set(row) == {"id", "label", "labels", "scores"} for row in scored)
    assert all(0 <= value <= 1 for row in scored for value in row["scores"].values())
    labelled = write_rows(
        recipe_file.parent / "gold.jsonl", [{**row, "labels": [label]} for row, label in zip(rows, ["scam", "clean"], strict=False)]
    )
    told = twllm("classifiers", "eval", "--task", "threat", "--input", str(labelled), "--model", str(model), "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["labels"]["scam"]["recall"] == 1.0


def test_the_same_recipe_gives_the_same_bytes(recipe_file: Path) -> None:
    recipe, base = load_recipe(str(recipe_file))
    one, other = (train(recipe, base, "r") for _ in range(2))
    assert one.blob == other.blob
    assert one.facts == other.facts


def test_evidence_names_paragraph_and_words(recipe_file: Path) -> None:
    recipe, base = load_recipe(str(recipe_file))
    trained = train(recipe, base, "r")
    write(trained, str(recipe_file.parent / "model"))
    model = load(str(recipe_file.parent / "model"))
    clean, scam = texts("clean", 1, 3)[0], texts("scam", 1, 3)[0]
    best = model.evidence(f"{clean}\n\n{scam}\n{clean}", "scam")[0]
    assert (best.start, best.end) == (len(clean) + 2, len(clean) + 2 + len(scam))
    assert best.score > 0.5 and all(word in scam for word, _ in best.words)


def test_a_threat_is_scored_where_it_is_worst(recipe_file: Path) -> None:
    recipe, base = load_recipe(str(recipe_file))
    model = train(recipe, base, "r").classifier
    clean = texts("clean", 1, 3)[0] * 40
    hidden = clean + texts("scam", 1, 3)[0] * 16  # the last of three passages
    scores = model.score([clean, hidden]).values[:, model.labels.index("scam")]
    assert scores[1] > 0.5 > scores[0]


def test_an_empty_class_is_one_line(recipe_file: Path) -> None:
    rows = recipe_file.parent / "rows.jsonl"
    kept = [line for line in rows.read_text("utf-8").splitlines() if '"gambling-' not in line or '"gambling-0"' in line]
    rows.write_text("\n".join(kept) + "\n", "utf-8")
    done = twllm("classifiers", "train", str(recipe_file))
    assert done.returncode == 2
    assert "class 'gambling' is empty in the" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": [{"path": "rows.jsonl", "license": "cc0-1.0", "labels": ["lottery"]}]}, "label 'lottery' is not in the guideline"),
        ({"data": [{"path": "gone.jsonl", "license": "cc0-1.0"}]}, "no such file"),
        ({"data": [{"path": "package:data/gone.jsonl", "license": "cc0-1.0"}]}, "no such file"),
        ({"data": [{"path": "rows.jsonl", "license": "cc0-1.0", "labels": ["clean"], "whole": True}]}, "one class only"),
        ({"data": [{"path": "rows.jsonl", "license": "cc0-1.0", "where": {"id": "nothing"}}]}, "gives no passage"),
        ({"data": [{"path": "lists:terms", "license": "apache-2.0"}]}, "needs 'values'"),
        (
            {"data": [{"path": "lists:terms", "license": "apache-2.0", "values": {"xx": ["clean"]}, "max_passages": 2}]},
            "no list has this group",
        ),
        ({"passage_chars": [500, 50]}, "shortest 500 is above longest 50"),
        ({"longest_token": 9}, "longest_token"),
        ({"epochs": 3}, "unknown key 'epochs'"),
    ],
)
def test_a_wrong_recipe_is_one_line(recipe_file: Path, changes: dict[str, object], message: str) -> None:
    changed(recipe_file, **changes)
    with pytest.raises(UserError, match=message) as caught:
        recipe, base = load_recipe(str(recipe_file))
        gather(recipe, base, str(recipe_file))
    assert "\n" not in str(caught.value)


def test_a_label_that_the_guideline_lacks_is_named_with_its_line(recipe_file: Path) -> None:
    with open(recipe_file.parent / "rows.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "x", "text": "字", "labels": ["lottery"]}) + "\n")
    done = twllm("classifiers", "train", str(recipe_file))
    assert done.returncode == 2 and "rows.jsonl:361: label 'lottery' is not in the guideline" in done.stderr


@pytest.mark.parametrize("name", ["model.ftz", "model.json"])
def test_a_damaged_or_foreign_model_is_one_line(recipe_file: Path, name: str) -> None:
    recipe, base = load_recipe(str(recipe_file))
    folder = recipe_file.parent / "model"
    write(train(recipe, base, "r"), str(folder))
    source = write_rows(recipe_file.parent / "in.jsonl", [{"id": "a", "text": "字"}])
    for blob in (b"", b"\x80\x04no pickle", (folder / name).read_bytes()[:-7]):
        (folder / name).write_bytes(blob)
        done = twllm(
            "classifiers", "score", "--task", "threat", "--input", str(source), "--output", str(folder / "out"), "--model", str(folder)
        )
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert name in done.stderr
        assert not (folder / "out").exists()


def test_a_model_for_another_task_is_one_line(recipe_file: Path) -> None:
    recipe, base = load_recipe(str(recipe_file))
    write(train(recipe, base, "r"), str(recipe_file.parent / "model"))
    source = write_rows(recipe_file.parent / "in.jsonl", [{"id": "a", "text": "字"}])
    done = twllm(
        "classifiers", "score", "--task", "variety", "--input", str(source), "--output", "x", "--model", str(recipe_file.parent / "model")
    )
    assert done.returncode == 2 and "is a model for threat, not for variety" in done.stderr


@pytest.mark.parametrize("line", ["{", '{"id": 3, "text": "x"}', '{"id": "a"}', "[]"])
def test_a_row_that_cannot_be_scored_is_one_line(recipe_file: Path, line: str) -> None:
    recipe, base = load_recipe(str(recipe_file))
    write(train(recipe, base, "r"), str(recipe_file.parent / "model"))
    (recipe_file.parent / "in.jsonl").write_text(line + "\n", "utf-8")
    done = twllm(
        "classifiers",
        "score",
        "--task",
        "threat",
        "--input",
        str(recipe_file.parent / "in.jsonl"),
        "--output",
        "x",
        "--model",
        str(recipe_file.parent / "model"),
    )
    assert done.returncode == 2 and "in.jsonl:1: " in done.stderr


def test_splits_are_apart_and_copies_stay_together(recipe_file: Path) -> None:
    text = texts("clean", 1, 5)[0]
    with open(recipe_file.parent / "rows.jsonl", "a", encoding="utf-8") as stream:
        for i in range(30):
            stream.write(json.dumps({"id": f"copy-{i}", "text": text + "嗯" * (i % 2), "labels": ["clean"]}, ensure_ascii=False) + "\n")
    recipe, base = load_recipe(str(recipe_file))
    split = gather(recipe, base, "r")
    sides = [{p.document for p in side} for side in split]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert sum(any("copy-" in name for name in side) for side in sides) == 1
    assert sum(map(len, split)) == 390
    assert all(by_label(side).keys() == {"scam", "gambling", "clean"} for side in split)


def test_texts_without_a_licence_are_not_for_publication(recipe_file: Path) -> None:
    assert may_be_published(load_recipe(str(recipe_file))[0])
    changed(recipe_file, data=[{"path": "rows.jsonl", "license": "unknown", "whole": True}])
    assert not may_be_published(load_recipe(str(recipe_file))[0])


def test_regression_gives_the_same_bytes_calibrated_out_of_fold(recipe_file: Path) -> None:
    changed(recipe_file, logistic={"strength": 10, "folds": 3}, calibration=0.0)
    recipe, base = load_recipe(str(recipe_file))
    one, other = (train(recipe, base, "r") for _ in range(2))
    assert (one.blob, one.facts) == (other.blob, other.facts)
    assert one.facts.pooling == "presence"
    assert all(0 < facts.threshold < 1 for label, facts in one.facts.labels.items() if label != "clean")
    model = one.classifier
    fresh = {label: texts(label, 30, 77) for label in ("scam", "gambling", "clean")}
    for label, rows in fresh.items():
        assert sum(given == [label] for given in model.decide(model.score(rows))) >= 29
    write(one, str(recipe_file.parent / "model"))
    again = load(str(recipe_file.parent / "model"))
    assert (again.score(fresh["scam"]).values == model.score(fresh["scam"]).values).all()
    assert all(word in fresh["scam"][0] for word, _ in again.evidence(fresh["scam"][0], "scam")[0].words)


def lists_recipe(recipe_file: Path) -> Path:
    """A recipe for Taiwan, Hong Kong and the mainland over texts whose characters say nothing and whose listed words say all."""
    rows = []
    for label, words in {"tw": "捷運影片品質", "cn": "视频质量软件", "hk": "巴士的士升降機"}.items():
        for i, text in enumerate(texts("clean", 90, len(label + words))):
            rows.append({"id": f"{label}-{i}", "text": text[:30] + words + text[30:], "labels": [label]})
    write_rows(recipe_file.parent / "rows.jsonl", rows)
    return changed(recipe_file, task="variety", word_lists=True)


def test_a_model_with_word_lists_names_their_words_and_is_loaded_as_it_was(recipe_file: Path) -> None:
    recipe, base = load_recipe(str(lists_recipe(recipe_file)))
    one = train(recipe, base, "r")
    assert one.facts.lists is not None
    model = one.classifier
    text = texts("clean", 1, 99)[0] + "到巴士站搭的士"
    assert model.decide(model.score([text])) == [["hk"]]
    assert abs(float(model.score([text]).values.sum()) - 1) < 1e-9
    assert "巴士" in [word for word, _ in model.evidence(text, "hk")[0].words]
    write(one, str(recipe_file.parent / "model"))
    assert (load(str(recipe_file.parent / "model")).score([text]).values == model.score([text]).values).all()


def test_a_layer_for_other_word_lists_is_one_line(recipe_file: Path) -> None:
    recipe, base = load_recipe(str(lists_recipe(recipe_file)))
    folder = recipe_file.parent / "model"
    write(train(recipe, base, "r"), str(folder))
    content = json.loads((folder / "model.json").read_text("utf-8"))
    for damage in (lambda c: c["lists"]["weights"]["tw"].pop("cn_points"), lambda c: c["lists"]["mix"]["hk"].pop("tw")):
        changed_content = json.loads(json.dumps(content))
        damage(changed_content)
        (folder / "model.json").write_text(json.dumps(changed_content), "utf-8")
        with pytest.raises(UserError, match=r"lists\.(weights|mix)") as caught:
            load(str(folder))
        assert "\n" not in str(caught.value)


def test_word_lists_are_for_varieties(recipe_file: Path) -> None:
    changed(recipe_file, word_lists=True)
    with pytest.raises(UserError, match="word_lists: the layer is for task variety"):
        load_recipe(str(recipe_file))
