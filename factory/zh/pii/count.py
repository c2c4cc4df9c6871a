"""The three kinds whose pattern is strict enough to count without context."""

from __future__ import annotations

import re
from typing import NamedTuple

from factory.zh.pii.identity import is_national_id

_NATIONAL_ID = re.compile(r"(?<![A-Za-z0-9/=_-])[A-Z][12]\d{8}(?!\d)")
_MOBILE = re.compile(r"(?<![\d-])09\d{2}[- ]?\d{3}[- ]?\d{3}(?!\d)")
_TEN_DIGITS = re.compile(r"\d[- ]?\d{2,}[- ]?\d{3,}[- ]?\d{3}")  # what both numbers contain, cheap to refute
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


class PersonalData(NamedTuple):
    """Distinct items found."""

    national_ids: int
    mobiles: int
    emails: int


def count_personal_data(text: str) -> PersonalData:
    """Numbers are counted once however often they are repeated; separators, and the case of addresses, are ignored."""
    has_numbers = _TEN_DIGITS.search(text) is not None
    return PersonalData(
        len({match for match in _NATIONAL_ID.findall(text) if is_national_id(match)}) if has_numbers else 0,
        len({re.sub(r"\D", "", match) for match in _MOBILE.findall(text)}) if has_numbers else 0,
        len({match.lower() for match in _EMAIL.findall(text)}) if "@" in text else 0,
    )
