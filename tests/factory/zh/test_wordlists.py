"""The lists under `data/` are read as they stand: comments out, columns apart, bad weights named."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.zh import wordlists


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(wordlists, "DATA", tmp_path)
    wordlists.characters.cache_clear()
    yield tmp_path
    wordlists.characters.cache_clear()


def test_rows_are_columns_without_comments_and_blank_lines(data: Path) -> None:
    (data / "list.tsv").write_bytes("# heading\n\n視頻\tcn\t影片|視訊\t3\r\n# note\n公車\ttw\t\t2\n".encode())
    assert wordlists.read_rows(data / "list.tsv") == [["視頻", "cn", "影片|視訊", "3"], ["公車", "tw", "", "2"]]


def test_an_empty_list_has_no_rows(data: Path) -> None:
    (data / "list.tsv").write_text("# heading only\n", encoding="utf-8")
    assert wordlists.read_rows(data / "list.tsv") == []


def test_a_list_that_is_not_utf_8_is_an_error(data: Path) -> None:
    (data / "list.tsv").write_bytes("視頻".encode("big5"))
    with pytest.raises(UnicodeDecodeError):
        wordlists.read_rows(data / "list.tsv")


def test_characters_are_the_entries_of_one_character(data: Path) -> None:
    (data / "list.txt").write_text("# 註\n的\n一些\n𠮷\n了\tnote\n的\n", encoding="utf-8")
    assert wordlists.characters("list.txt") == frozenset("的𠮷了")
