"""Personal data with a pattern strict enough to count: national ID (checksum), mobile number, e-mail address."""

from __future__ import annotations

import re
from typing import NamedTuple

_NATIONAL_ID = re.compile(r"(?<![A-Za-z0-9/=_-])[A-Z][12]\d{8}(?!\d)")
_MOBILE = re.compile(r"(?<![\d-])09\d{2}[- ]?\d{3}[- ]?\d{3}(?!\d)")
_TEN_DIGITS = re.compile(r"\d[- ]?\d{2,}[- ]?\d{3,}[- ]?\d{3}")  # what both numbers contain, cheap to refute
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
# Ministry of the Interior: the letter stands for a two-digit number, I, O, W and Z out of alphabetical order
_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))


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


def is_national_id(text: str) -> bool:
    """Checksum of the ID card: the letter's two digits weigh 1 and 9, the rest 8 ... 1 and 1; the sum is a multiple of 10."""
    tens, ones = divmod(_LETTERS[text[0]], 10)
    digits = [int(digit) for digit in text[1:]]
    weights = [8, 7, 6, 5, 4, 3, 2, 1, 1]
    return (tens + 9 * ones + sum(w * d for w, d in zip(weights, digits, strict=True))) % 10 == 0
