"""What a search compares."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.argilla_plugin.twllm_argilla import text


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("ＡＢＣ　１００％", "abc 100%"),
        ("Straße", "strasse"),
        ("ﬁ㎏", "fikg"),
        ("  牛肉\n\n麵\t", "牛肉 麵"),
        ("牛\u200b肉\ufeff麵", "牛肉麵"),
        ("a\x00b", "a b"),
        ("台湾 臺灣 台灣", "台湾 臺灣 台灣"),
        ("\ud800牛", "\ufffd牛"),
        ("", ""),
    ],
)
def test_fold(written: str, compared: str) -> None:
    assert text.fold(written) == compared


@given(st.text())
def test_folding_twice_changes_nothing(written: str) -> None:
    assert text.fold(text.fold(written)) == text.fold(written)


@given(st.text())
def test_what_is_folded_can_be_stored_and_parted(written: str) -> None:
    """No control character (one is a token of its own), no surrogate, no white space but single spaces."""
    folded = text.fold(written)
    folded.encode()
    assert not any((character.isspace() and character != " ") or ord(character) < 32 for character in folded)
    assert folded == " ".join(folded.split())


def test_words() -> None:
    assert text.words("牛肉麵　Beef beef  好吃") == ["牛肉麵", "beef", "好吃"]
    assert text.words(" \n　") == []


def test_fields() -> None:
    chat = [{"role": "user", "content": "哪裡有？"}, {"role": "assistant", "content": "巷口。"}]
    fields = {"chat": chat, "text": "牛肉麵", "extra": {"a": ["x", 3, {"b": 2.5}], "seen": True, "none": None}}
    assert text.of_record(json.dumps(fields), ["chat", "extra", "missing", "text"]) == ["哪裡有? 巷口。", "x 3 2.5", "", "牛肉麵"]
    assert text.of_record("{", ["text"]) == text.of_record(None, ["text"]) == text.of_record("[]", ["text"]) == [""]
