"""The message of a UserError is one line whatever went into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import UserError


@pytest.mark.parametrize(
    ("given_message", "shown"),
    [
        ("a.yaml: no such file. Give a path.", "a.yaml: no such file. Give a path."),
        ("first\nsecond", "first second"),
        ("  value 'a\n\n\tb'\r\n is wrong  ", "value 'a b' is wrong"),
        ("上一行\u2028下一行\u3000完", "上一行 下一行 完"),
        ("", ""),
    ],
)
def test_white_space_becomes_single_spaces(given_message: str, shown: str) -> None:
    assert str(UserError(given_message)) == shown


@given(st.text())
def test_a_message_never_has_a_second_line(message: str) -> None:
    assert len(str(UserError(message)).splitlines()) <= 1
