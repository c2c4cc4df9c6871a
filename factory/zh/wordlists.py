"""The lists under `data/`: UTF-8, `#` header lines, one entry a line, columns split by tabs."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

DATA = files("factory.zh") / "data"


def read_rows(file: Traversable) -> list[list[str]]:
    """The entries of one list as lists of columns, comments and blank lines left out."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


@cache
def characters(name: str) -> frozenset[str]:
    """The single characters of `data/<name>`; entries of several characters are left out."""
    return frozenset(row[0] for row in read_rows(DATA / name) if len(row[0]) == 1)
