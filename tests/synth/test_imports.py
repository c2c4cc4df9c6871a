"""Human-collected rows: four forms, licence and consent for each, the same gates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from factory.errors import UserError
from synth.gates import Gates
from synth.imports import import_rows

QUESTION, ANSWER = "搬家之後要去哪裡遷戶籍？", "先到新住處附近的戶政事務所，帶身分證和印章就可以辦。"
FORMS: list[tuple[Any, dict[str, Any]]] = [
    ("alpaca", {"instruction": QUESTION, "input": "", "output": ANSWER}),
    ("sharegpt", {"conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": ANSWER}]}),
    ("oasst", {"prompt": {"role": "prompter", "text": QUESTION, "replies": [
        {"role": "assistant", "text": "不知道，你自己去問問看吧。", "rank": 1},
        {"role": "assistant", "text": ANSWER, "rank": 0, "replies": [{"role": "prompter", "text": "謝謝！", "replies": []}]}]}}),
    ("trl", {"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]}),
    ("trl", {"prompt": QUESTION, "completion": ANSWER}),
]  # fmt: skip


def brought(
    folder: Path, form: Any, rows: list[Any], as_list: bool = False, license: str | None = "cc0-1.0", consent: str | None = "form 3"
) -> Any:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows) if as_list else "".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = import_rows(str(path), form, license, consent, "knowledge", Gates(), str(folder))
    accepted = [json.loads(line) for line in (folder / "accepted.jsonl").read_text("utf-8").splitlines()]
    rejected = [json.loads(line) for line in (folder / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert found.accepted == len(accepted) and sum(found.rejected.values()) == len(rejected)
    return accepted, rejected


@pytest.mark.parametrize(("form", "row"), FORMS)
@pytest.mark.parametrize("as_list", [False, True])
def test_forms(tmp_path: Path, form: Any, row: dict[str, Any], as_list: bool) -> None:
    (accepted,), rejected = brought(tmp_path, form, [row], as_list)
    assert rejected == [] and [m["content"] for m in accepted["messages"]] == [QUESTION, ANSWER]
    assert (accepted["license"], accepted["lineage"]["consent"], accepted["lineage"]["row"]) == ("cc0-1.0", "form 3", 1)


def test_a_rows_own_licence_and_consent_come_first_and_none_is_refused(tmp_path: Path) -> None:
    good = {**FORMS[0][1], "license": "cc-by-4.0", "consent": "signed 2026-05"}
    accepted, rejected = brought(tmp_path, "alpaca", [good, FORMS[0][1]], license=None, consent=None)
    assert (accepted[0]["license"], accepted[0]["lineage"]["consent"]) == ("cc-by-4.0", "signed 2026-05")
    assert "licence None is not known" in rejected[0]["detail"]


def test_the_gates_are_the_same(tmp_path: Path) -> None:
    rows = [{**FORMS[0][1], "output": "作為一個人工智慧語言模型，我建議你去戶政事務所。"}, FORMS[0][1], FORMS[0][1], {"instruction": "甲"}]
    accepted, rejected = brought(tmp_path, "alpaca", rows)
    assert len(accepted) == 1 and [row["reason"] for row in rejected] == ["assistant_talk", "not_novel", "malformed"]


@pytest.mark.parametrize("text", ["[1, ", "{]", "3\n", '"text"\n'])
def test_what_is_no_json_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, "utf-8")
    with pytest.raises(UserError, match="neither a JSON list nor JSON lines"):
        import_rows(str(tmp_path / "a.json"), "alpaca", None, None, "knowledge", Gates(), str(tmp_path))
