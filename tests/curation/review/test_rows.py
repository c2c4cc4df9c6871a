"""Rows become items: redacted, checked, counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.review.rows import Suggestion, ascii_agent, guess_kind, read
from factory.errors import UserError
from factory.zh.pii import find
from tests.curation.review.scripted import conversation, conversations, write_rows

MOBILE, MAIL = "0912-345-678", "someone@example.com.tw"


def preference(name: str = "p-1") -> dict[str, object]:
    return {
        "id": name, "prompt": [{"role": "user", "content": f"問題？我的電話是 {MOBILE}"}],
        "chosen": [{"role": "assistant", "content": "好的回答"}], "rejected": [{"role": "assistant", "content": f"差的回答，寄到 {MAIL}"}],
        "category": "knowledge", "lineage": {"parents": []}, "license": "cc-by-4.0",
    }  # fmt: skip


def audit(name: str = "news:1", status: str = "kept", text: str = "市府公告明日停水，請民眾提早儲水。") -> dict[str, object]:
    return {"id": name, "fields": {"text": text, "source": "news", "title": "公告"}, "metadata": {"status": status, "stratum": "news"}}


def test_personal_data_goes_from_every_shown_text(tmp_path: Path) -> None:
    rows = [conversation("a", f"請打 {MOBILE} 找王先生"), {**conversation("b", "好"), "spans": [f"信箱 {MAIL}"], "judge": None}]
    found = read(write_rows(tmp_path / "rows.jsonl", rows), "conversation")
    assert found.found == {"mobile": 1, "email": 1}
    assert found.items[0].fields["conversation"][-1]["content"] == "請打 [手機號碼] 找王先生"
    assert found.items[1].fields["support"] == "信箱 [電子郵件]"
    assert not find(json.dumps([item.row for item in found.items], ensure_ascii=False))
    pairs = read(write_rows(tmp_path / "pairs.jsonl", [preference()]), "preference")
    assert MOBILE not in str(pairs.items[0]) and MAIL not in str(pairs.items[0]) and pairs.found == {"mobile": 1, "email": 1}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{broken", "is not JSON"),
        ("[]", "has no 'id'"),
        ('{"id": 3}', "has no 'id'"),
        (json.dumps({"id": "x", "messages": []}), "'messages' is no list"),
        (json.dumps({"id": "x", "messages": [{"role": "user", "content": "問"}]}), "the last message is not the assistant's"),
        (json.dumps({"id": "x", "messages": [{"role": "assistant", "content": " "}]}), "no role or no content"),
        (json.dumps({"id": "x", "messages": [{"role": "a" * 21, "content": "答"}]}), "no role or no content"),
        (
            json.dumps({"id": "x", "messages": [{"role": "assistant", "content": "答" * 20_001}]}),
            "has 20,001 characters; Argilla shows 20,000",
        ),
        (json.dumps({**conversation("x", "答"), "judge": {"correct": 6}}), "'judge' has no whole scores"),
    ],
)
def test_what_cannot_be_shown_is_quarantined_by_its_line(tmp_path: Path, line: str, error: str) -> None:
    path = tmp_path / "rows.jsonl"
    good = json.dumps(conversation("good", "好的回答"), ensure_ascii=False)
    path.write_text(f"{good}\n\n{line}\n", "utf-8")
    found = read(str(path), "conversation")
    assert [item.row["id"] for item in found.items] == ["good"]
    assert [(row.line, error in row.error) for row in found.quarantined] == [(3, True)]


def test_excerpts_of_quarantined_rows_are_redacted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{{broken 請打 {MOBILE}\n", "utf-8")
    assert read(str(path), "conversation").quarantined[0].excerpt == "{broken 請打 [手機號碼]"


def test_doubles_are_counted_once(tmp_path: Path) -> None:
    rows = [conversation("a", "回答"), conversation("a", "回答"), conversation("a", "另一個")]
    found = read(write_rows(tmp_path / "rows.jsonl", rows), "conversation")
    assert len(found.items) == 1
    assert [row.error for row in found.quarantined] == ["id 'a' stands on line 1 too", "id 'a' stands on line 1 too, with another content"]


def test_ids_are_of_what_is_shown(tmp_path: Path) -> None:
    first = read(write_rows(tmp_path / "a.jsonl", conversations(5)), "conversation").items
    again = read(write_rows(tmp_path / "b.jsonl", conversations(5)[::-1]), "conversation").items
    assert [item.id for item in first] == [item.id for item in again][::-1]
    assert len({item.id for item in first}) == 5
    rescored = [{**row, "judge": None} for row in conversations(5)]
    assert [item.id for item in read(write_rows(tmp_path / "c.jsonl", rescored), "conversation").items] == [item.id for item in first]
    gold = [{**row, "gold": {"verdict": "keep"}} for row in conversations(5)]  # a gold question's id says nothing either
    assert [item.id for item in read(write_rows(tmp_path / "g.jsonl", gold), "conversation", is_gold=True).items] == [i.id for i in first]


def test_a_judge_becomes_suggestions(tmp_path: Path) -> None:
    judge = {"correct": 5, "fluent": 4, "taiwanese": 5, "helpful": 5, "reason": "", "model": "台灣/判官 7b"}
    (item,) = read(write_rows(tmp_path / "rows.jsonl", [{**conversation("a", "答"), "judge": judge}]), "conversation").items
    assert item.suggestions == (
        Suggestion("verdict", "keep", 0.875, "/- 7b"),
        Suggestion("fluency", 4, 0.75, "/- 7b"),
        Suggestion("taiwaneseness", 5, 1.0, "/- 7b"),
        Suggestion("factuality", 5, 1.0, "/- 7b"),
    )
    assert item.signals.votes == (1.0, 0.9375) and item.signals.scores == (5, 4, 5, 5)
    assert ascii_agent("全部中文") == "model" and ascii_agent("a" * 300) == "a" * 200


def test_an_audit_does_not_show_what_the_run_decided(tmp_path: Path) -> None:
    scam = "加賴領飆股，老師帶單保證獲利月入百萬，名額有限，立即加入投資群組，先匯款開通VIP會員，穩賺不賠！"
    found = read(write_rows(tmp_path / "rows.jsonl", [audit(), audit("news:2", "removed", scam), audit("news:3", "lost")]), "audit")
    kept, removed = found.items
    assert "kept" not in str(kept.fields) and kept.category == "news" and kept.hidden["gate"] == "kept"
    assert [suggestion.question for suggestion in kept.suggestions] == ["class"]  # none for what the run itself decided
    assert kept.suggestions[0].value == "clean" and 0.5 < kept.suggestions[0].score <= 1
    assert removed.signals.votes[0] == 0.0 and removed.signals.votes[1] < kept.signals.votes[1]
    assert found.quarantined[0].error == "metadata.status 'lost' is not kept or removed"


@pytest.mark.parametrize(
    ("gold", "error"),
    [
        (None, "has no 'gold' with an answer to 'verdict'"),
        ({"fluency": 5}, "has no 'gold' with an answer to 'verdict'"),
        ({"verdict": "maybe"}, "verdict 'maybe' is not an answer; there are keep, fix, reject"),
        ({"verdict": "keep", "fluency": True}, "fluency True is not an answer"),
        ({"verdict": "keep", "length": 1}, "length 1 is not an answer; there are verdict"),
    ],
)
def test_gold_without_a_known_answer_is_quarantined(tmp_path: Path, gold: object, error: str) -> None:
    found = read(write_rows(tmp_path / "gold.jsonl", [{**conversation("a", "答"), "gold": gold}]), "conversation", is_gold=True)
    assert not found.items and error in found.quarantined[0].error


def test_gold_of_a_preference_names_no_side(tmp_path: Path) -> None:
    rows = [{**preference("a"), "gold": {"choice": "chosen"}}, {**preference("b"), "gold": {"choice": "a"}}]
    found = read(write_rows(tmp_path / "gold.jsonl", rows), "preference", is_gold=True)
    assert found.items[0].gold == {"choice": "chosen"} and len(found.quarantined) == 1


def test_kinds_are_seen_from_rows(tmp_path: Path) -> None:
    for name, row in (("conversation", conversation("a", "答")), ("preference", preference()), ("audit", audit())):
        assert guess_kind(write_rows(tmp_path / "rows.jsonl", [row])) == name
    with pytest.raises(UserError, match="no row is a conversation"):
        guess_kind(write_rows(tmp_path / "rows.jsonl", [{"id": "x"}]))
    with pytest.raises(UserError, match="no such file"):
        guess_kind(str(tmp_path / "none.jsonl"))


def test_lineage_is_redacted_and_its_digests_stay(tmp_path: Path) -> None:
    digest = "0912345678" * 6 + "abcd"
    row = {**conversation("a", "答"), "lineage": {"source": MOBILE, "request": digest, "parents": [MAIL], "consent": {"by": MOBILE}}}
    (item,) = read(write_rows(tmp_path / "rows.jsonl", [row]), "conversation").items
    assert item.row["lineage"] == {
        "source": "[手機號碼]", "request": digest, "parents": ["[電子郵件]"], "consent": {"by": "[手機號碼]"},
    }  # fmt: skip
    assert item.hidden["source"] == "[手機號碼]"
