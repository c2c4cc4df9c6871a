"""Only what may be used so is kept, opt-outs are honoured, and shares add up."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from corpus.build import build
from corpus.permissions import USES, allowed, as_csv, read_opt_outs, royalties, statement
from corpus.recipe import load_plan
from corpus.rights_account import Account
from corpus.why import explain, read_manifest
from factory.errors import UserError
from factory.records import License
from tests.corpus.conftest import twllm

CONTRACT = {"contract_id": "C-1", "share": 0.3}


@pytest.mark.parametrize(
    ("license", "uses", "expected"),
    [
        ("cc0-1.0", None, set(USES)),
        ("public-record", None, set(USES)),
        ("cc-by-nc-4.0", None, {"train", "redistribute"}),
        ("unknown", None, set()),
        ("proprietary", ["training"], {"train"}),
        ("proprietary", ["training", "commercial", "quotation"], {"train", "commercial"}),
        ("proprietary", None, set()),
        ("cc0-1.0", ["training"], set(USES)),
    ],
)
def test_what_rights_allow(license: str, uses: list[str] | None, expected: set[str]) -> None:
    assert allowed(license, None if uses is None else json.dumps({**CONTRACT, "permitted_use": uses})) == expected
    assert {str(known) for known in License} >= {license}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    text = "昨天下班以後我去{}散步，遇到一隻很親人的狗，牠一路跟著我走到橋下才回頭，讓我想起小時候家裡養的那一隻，還有外婆煮的{}。"
    rows = [
        {"id": "free", "text": text.format("河邊", "竹筍湯"), "license": "cc0-1.0", "url": "https://a.example/1"},
        {"id": "nc", "text": text.format("山上", "麻油雞") + "山路很陡。", "license": "cc-by-nc-4.0", "url": "https://b.example/2"},
        {"id": "none", "text": text.format("海堤", "紅豆湯") + "風很大，浪也是。", "license": "unknown", "holder": "陳先生"},
    ]
    for row in rows:
        (tmp_path / f"{row['id']}.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    fields = {"id": "id", "text": "text", "url": "url", "rights_holder": "holder"}
    content = {
        "name": "small", "output": str(tmp_path / "run"), "workers": 1, "deduplicate": {"near": None, "lines": None},
        "sources": {
            row["id"]: {"type": "rows", "paths": [f"{row['id']}.jsonl"], "license": row["license"], "fields": fields} for row in rows
        },
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return path


def kept(run: str) -> set[str]:
    return {source for source, counts in read_manifest(run)["funnel"].items() if counts["kept"]}


def test_a_build_for_a_use_keeps_what_may_be_used_so_and_says_what_it_costs(recipe: Path) -> None:
    plan = load_plan(str(recipe))
    assert build(plan) and kept(plan.output) == {"free", "nc", "none"} and "use" not in read_manifest(plan.output)
    build(load_plan(str(recipe), use="redistribute"))
    assert kept(plan.output) == {"free", "nc"}
    done = twllm("corpus", "build", str(recipe), "--use", "commercial")
    assert done.returncode == 0, done.stderr
    assert kept(plan.output) == {"free"} and "rights do not allow 'commercial': 2 documents, about" in done.stdout
    cost = read_manifest(plan.output)["use"]
    chars = sum(explain(plan.output, f"{name}:{name}").decision["chars"] for name in ("nc", "none"))
    assert cost == {"asked": "commercial", "documents_left_out": 2, "tokens_left_out_estimated": round(0.8 * chars)}
    decision = explain(plan.output, "nc:nc").decision
    assert (decision["reason"], decision["rule"], decision["observed"]) == ("rights", "use", "license=cc-by-nc-4.0")


def test_who_has_opted_out_is_left_out_by_the_next_build(recipe: Path) -> None:
    plan = load_plan(str(recipe))
    build(plan)
    content = yaml.safe_load(recipe.read_text("utf-8"))
    recipe.write_text(yaml.safe_dump({**content, "opt_outs": "out.jsonl"}, allow_unicode=True), "utf-8")
    (recipe.parent / "out.jsonl").write_text('{"domain": "B.example"}\n{"holder": "陳先生", "date": "2026-11-01"}\n', "utf-8")
    again = build(load_plan(str(recipe)))
    assert kept(plan.output) == {"free"} and not again.reused["decide"]
    assert explain(plan.output, "nc:nc").decision["rule"] == "opt_outs"
    assert build(load_plan(str(recipe))).reused["decide"]


@pytest.mark.parametrize(("line", "message"), [("{", "is not JSON"), ('{"name": "x"}', "names nothing"), ('{"url": " "}', "names nothing")])
def test_a_wrong_opt_out_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(UserError, match=rf"out.jsonl:1: {message}") as caught:
        read_opt_outs(str(path))
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_there_is_one_line(recipe: Path) -> None:
    content = yaml.safe_load(recipe.read_text("utf-8"))
    recipe.write_text(yaml.safe_dump({**content, "opt_outs": "gone.jsonl"}, allow_unicode=True), "utf-8")
    with pytest.raises(UserError, match="opt_outs: .*gone.jsonl: no such file"):
        load_plan(str(recipe))


ACCOUNTS = [
    Account("林小姐", "C-1", "proprietary", 0.3, 2, 5, 3_000),
    Account("=cmd|' /C calc'!A0", "C-2", "proprietary", 0.1, 1, 1, 1_000),
    Account(None, None, "cc0-1.0", None, 7, 7, 6_000),
]


def test_shares_add_up() -> None:
    found = royalties(ACCOUNTS, 2.0)
    assert [row.tokens for row in found] == [6_000, 2_000, 12_000]
    assert sum(row.share_of_tokens for row in found) == pytest.approx(1)
    assert [row.weighted_share for row in found] == [pytest.approx(0.9), pytest.approx(0.1), None]
    assert royalties([], 1) == []


def test_a_spreadsheet_runs_nothing_and_the_statement_is_plain() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(royalties(ACCOUNTS, 1)))))
    assert [row["rights_holder"] for row in rows] == ["林小姐", "'=cmd|' /C calc'!A0", ""]
    assert rows[0]["tokens"] == "3000" and rows[0]["weighted_share"] == "0.90000000"
    text = statement(royalties([Account("<b>王</b>", "C*1", "proprietary", 0.5, 1, 1, 10)], 1), "small", True)
    assert "\\<b\\>王\\</b\\>" in text and "100.0000%" in text and "估計" in text
    assert "沒有約定分潤比例" in statement(royalties(ACCOUNTS[2:], 1), "small", False)


def test_the_command_writes_both(recipe: Path, tmp_path: Path) -> None:
    plan = load_plan(str(recipe))
    build(plan)
    done = twllm("corpus", "royalties", "--run", plan.output, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "royalties.csv").read_text("utf-8").count("\n") == 1 + 3
    assert "權利金結算表：small" in (tmp_path / "out" / "royalties.md").read_text("utf-8")
