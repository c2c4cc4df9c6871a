"""Labels: rows that cannot be used are refused before a run, and agreement is counted document by document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.decisions import NAMES, Decisions
from corpus.labels import Agreement, Disagreement, compare, read_labels
from factory.errors import UserError
from tests.corpus.conftest import REPOSITORY, twllm

KEEP = {"id": "web:1", "decision": "keep", "reason": None}


def decided(*outcomes: tuple[str, str]) -> Decisions:
    """Rows of (id, "kept" or reason)."""
    rows = []
    for document, outcome in outcomes:
        status = {"kept": "kept", "duplicate_id": "quarantined"}.get(outcome, "removed")
        rows.append({"id": document, "source": "web", "status": status, "reason": None if outcome == "kept" else outcome})
    return Decisions({name: [row.get(name) for row in rows] for name in NAMES})


def label(document_id: str, expected: str, case: str = "a case") -> dict[str, Any]:
    decision = "keep" if expected == "keep" else "remove"
    return {"id": document_id, "decision": decision, "reason": None if expected == "keep" else expected, "case": case}


# --- reading


def test_all_jsonl_files_of_a_folder_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps(label("web:2", "scam")) + "\n\n  \n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text(json.dumps(KEEP) + "\n" + json.dumps(label("web:3", "keep")), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no labels", encoding="utf-8")
    assert [row["id"] for row in read_labels(str(tmp_path))] == ["web:1", "web:3", "web:2"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"{not json}", ["is not JSON", "Correct that line"]),
        (b'{"id": "web:1", "decision": "keep"', ["is not JSON"]),
        (b'{"id": "\xff", "decision": "keep"}', ["is not JSON"]),
        (b'["web:1", "keep"]', ["'id'", "'decision'"]),
        (b"3", ["'id'", "'decision'"]),
        (b'{"decision": "keep"}', ["'id'"]),
        (b'{"id": "", "decision": "keep"}', ["'id'"]),
        (b'{"id": 7, "decision": "keep"}', ["'id'"]),
        (b'{"id": "web:1"}', ["'decision'", "keep or remove"]),
        (b'{"id": "web:1", "decision": "kept"}', ["'decision'", "keep or remove"]),
        (b'{"id": "web:1", "decision": "remove"}', ["None", "too_short"]),
        (b'{"id": "web:1", "decision": "remove", "reason": "spam"}', ["'spam'", "too_short", "scam"]),
        (b'{"id": "web:1", "decision": "remove", "reason": ["scam"]}', ["['scam']", "too_short"]),
    ],
)
def test_a_label_that_cannot_be_used_is_named_by_file_and_line(tmp_path: Path, line: bytes, named: list[str]) -> None:
    (tmp_path / "web.jsonl").write_bytes(json.dumps(KEEP).encode() + b"\n" + line + b"\n")
    with pytest.raises(UserError, match=r"web\.jsonl:2: ") as error:
        read_labels(str(tmp_path))
    assert all(name in str(error.value) for name in named) and "\n" not in str(error.value)


@pytest.mark.parametrize("folder", ["absent", "empty"])
def test_a_folder_without_labels_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=rf"labels: .*{folder} holds no \.jsonl file"):
        read_labels(str(tmp_path / folder))


def test_wrong_labels_stop_a_build_before_it_reads_its_sources(rows_recipe: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "web.jsonl").write_text("{", encoding="utf-8")
    done = twllm("corpus", "build", str(rows_recipe([{"id": "1", "text": "字"}], labels="labels")))
    assert done.returncode == 2 and "web.jsonl:1: is not JSON" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "work").exists()


def test_the_bundled_labels_name_each_document_once() -> None:
    rows = read_labels(str(REPOSITORY / "corpus" / "sample" / "labels"))
    assert len(rows) >= 250
    assert len({row["id"] for row in rows}) == len(rows)


# --- comparing


def test_agreement_by_hand() -> None:
    labels = [
        label("web:1", "keep"),
        label("web:2", "scam"),
        label("web:3", "scam", "a polite scam"),
        label("web:4", "keep", "a short poem"),
        label("web:5", "gambling", "a casino's scam"),
        label("web:6", "keep"),
    ]
    outcomes = {"web:1": "kept", "web:2": "scam", "web:3": "kept", "web:4": "too_short", "web:5": "scam", "web:7": "kept"}
    found = compare(labels, decided(*outcomes.items()))
    assert found == Agreement(
        labelled=6,
        decisions_right=3,
        reasons_right=2,
        missing=["web:6"],
        disagreements=[
            Disagreement("web:3", "a polite scam", "scam", "keep"),
            Disagreement("web:4", "a short poem", "keep", "too_short"),
            Disagreement("web:5", "a casino's scam", "gambling", "scam"),
        ],
    )


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["kept", "kept"], "keep"),
        (["scam", "kept"], "keep"),
        (["kept", "scam"], "keep"),
        (["scam", "too_short"], "scam"),
    ],
)
def test_a_split_document_is_kept_if_any_of_its_parts_is(outcomes: list[str], expected: str) -> None:
    found = compare([label("law:1", expected)], decided(("law:1#1", outcomes[0]), ("law:1#2", outcomes[1])))
    assert (found.decisions_right, found.reasons_right, found.missing) == (1, 1, [])


def test_a_label_of_one_part_is_about_that_part() -> None:
    found = compare([label("law:1#1", "keep"), label("law:1#2", "scam")], decided(("law:1#1", "kept"), ("law:1#2", "scam")))
    assert (found.decisions_right, found.reasons_right) == (2, 2)


def test_an_address_with_a_fragment_does_not_speak_for_the_page() -> None:
    found = compare([label("web:1", "scam")], decided(("web:1", "scam"), ("web:1#top", "kept")))
    assert (found.decisions_right, found.reasons_right) == (1, 1)


@pytest.mark.parametrize(("first", "expected"), [("kept", "keep"), ("too_short", "too_short")])
def test_a_document_with_a_stolen_id_does_not_count(first: str, expected: str) -> None:
    rows = decided(("web:1", first), ("web:1", "duplicate_id"))
    assert compare([label("web:1", expected)], rows) == Agreement(1, 1, 1, [], [])


def test_no_labels_and_no_documents() -> None:
    assert compare([], decided(("web:1", "kept"))) == Agreement(0, 0, 0, [], [])
    assert compare([label("web:1", "keep")], decided()) == Agreement(1, 0, 0, ["web:1"], [])
