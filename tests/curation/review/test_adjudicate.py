"""What one who decides is shown; the rest is in test_end_to_end.py."""

from __future__ import annotations

from curation.review.adjudicate import said
from tests.curation.review.made import answer, record, review


def test_answers_are_told_by_person_with_what_they_wrote() -> None:
    rated = {"fluency": 5, "taiwaneseness": 4, "factuality": 3, "safety": 5}
    given = [answer("r", "bob", 1, verdict="fix", corrected="第一行\n第二行", **rated), answer("r", "ann", 2, verdict="keep")]
    shared = record("r", "shared")
    assert said(shared, given, review([shared], given)) == (
        "**ann：收** · 通順 — · 像不像臺灣人寫的 — · 事實 — · 安全 —\n\n"
        "**bob：改後收** · 通順 5 · 像不像臺灣人寫的 4 · 事實 3 · 安全 5\n\n修改後的回答：\n\n> 第一行\n> 第二行"
    )


def test_sides_are_told_as_they_were_shown() -> None:
    given = [answer("r", "ann", choice="chosen", why="對"), answer("r", "bob", choice="rejected"), answer("r", "eve", choice="tie")]
    shared = record("r", "shared")
    plain = said(shared, given, review([shared], given, "preference"))
    swapped = said(shared._replace(swapped=True), given, review([shared], given, "preference"))
    assert [line for line in plain.split("\n") if "**" in line] == ["**ann：A 比較好**", "**bob：B 比較好**", "**eve：差不多**"]
    assert [line for line in swapped.split("\n") if "**" in line] == ["**ann：B 比較好**", "**bob：A 比較好**", "**eve：差不多**"]
    assert "> 對" in plain
