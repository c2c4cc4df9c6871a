"""The ledger keeps what it was given, refuses changes, and says in one line when it cannot."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from factory.errors import UserError
from synth.ledger import ANSWERED, GAVE_UP, REFUSED, Call, Ledger


def call(key: str, status: str = ANSWERED, text: str = "好", cost: str = "0.1") -> Call:
    return Call(key, status, "m", text, 3, 4, Decimal(cost), "2026-11-24T00:00:00.000+00:00")


def test_what_was_written_is_found_after_opening_again(tmp_path: Path) -> None:
    book = Ledger(str(tmp_path / "l.sqlite"))
    book.append([call(f"k{number}", cost="0.1") for number in range(1_200)])
    book.close()
    again = Ledger(str(tmp_path / "l.sqlite"))
    assert again.count() == 1_200 and again.spent() == Decimal("120.0")  # floats would make 119.99999999999943
    assert len(again.find([f"k{number}" for number in range(0, 2_400, 2)])) == 600


def test_an_answer_is_preferred_to_a_failure_and_the_first_answer_to_a_later_one(tmp_path: Path) -> None:
    book = Ledger(str(tmp_path / "l.sqlite"))
    book.append([call("a", GAVE_UP, "HTTP 500"), call("a", ANSWERED, "一"), call("a", ANSWERED, "二"), call("a", GAVE_UP)])
    book.append([call("b", GAVE_UP, "HTTP 500"), call("b", REFUSED, "HTTP 400")])
    found = book.find(["a", "b", "c"])
    assert (found["a"].text, found["b"].status, "c" in found) == ("一", REFUSED, False)


@pytest.mark.parametrize("statement", ["UPDATE calls SET text = ''", "DELETE FROM calls"])
def test_rows_stay(tmp_path: Path, statement: str) -> None:
    path = str(tmp_path / "l.sqlite")
    Ledger(path).append([call("a")])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), sqlite3.connect(path) as other:
        other.execute(statement)
    assert Ledger(path).count() == 1


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    book = Ledger(str(tmp_path / "l.sqlite"))
    with pytest.raises(UserError, match="cannot be written"):
        book.append([call("a"), call("b", "no such status")])
    assert book.count() == 0
    book.append([call("a")])
    assert book.count() == 1


def test_what_is_no_ledger_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("這不是資料庫，而且比一個標頭還要長一些，好讓人看得出來。" * 50, "utf-8")
    with pytest.raises(UserError, match="is no ledger that can be written"):
        Ledger(str(tmp_path / "text"))
    with sqlite3.connect(tmp_path / "later.sqlite") as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(UserError, match="format 9"):
        Ledger(str(tmp_path / "later.sqlite"))


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(UserError, match="is no ledger that can be written"):
        Ledger(str(tmp_path / "file" / "l.sqlite"))
