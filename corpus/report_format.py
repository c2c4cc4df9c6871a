"""Numbers and terms as the report and the card write them."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from factory.errors import UserError

TEMPLATES = files("corpus") / "templates"
LANGUAGES = ("en", "zh")
_LARGE = {"en": ((10**9, " B"), (10**6, " M"), (10**3, " k")), "zh": ((10**8, " 億"), (10**4, " 萬"))}
_EXACT_BELOW = 10_000  # smaller numbers are written out


class Term(NamedTuple):
    """One thing's name in both languages."""

    en: str
    zh: str


@cache
def terms() -> dict[str, Term]:
    """`kind.key` -> its names, for example `reason.scam`."""
    rows = [line.split("\t") for line in (TEMPLATES / "terms.tsv").read_text("utf-8").splitlines() if line and not line.startswith("#")]
    for row in rows:
        if len(row) != 3:
            raise UserError(f"templates/terms.tsv: {row[0]!r} has {len(row)} columns, not 3. Give key, English and Chinese, split by tabs.")
    return {key: Term(en, zh) for key, en, zh in rows}


def term(kind: str, key: str) -> Term:
    """The names of a key; the key itself where the list has none."""
    return terms().get(f"{kind}.{key}", Term(key, key))


def whole(value: int) -> str:
    """Every digit: 1,234,567."""
    return f"{value:,}"


def short(value: int, language: str) -> str:
    """Three digits and a unit: 35 B in English, 350 億 in Chinese; written out below ten thousand."""
    if value < _EXACT_BELOW:
        return whole(value)
    rounded = float(f"{value:.3g}")
    size, unit = next((size, unit) for size, unit in _LARGE[language] if rounded >= size)
    return f"{rounded / size:,.12g}{unit}"


def percent(part: float, of: float) -> str:
    """A share with one decimal; two significant digits where it is under one percent; 0% of nothing.

    What is not all never reads as 100%.
    """
    if not part or not of:
        return "0%"
    value = 100 * part / of
    if 99.95 <= value < 100:
        return ">99.9%"
    if value >= 1:
        return f"{value:.1f}%" if value != 100 else "100%"
    return f"{value:.{1 - math.floor(math.log10(value))}f}%"
