"""What may not leave: rows without a licence that allows it, personal data, secrets. Values are never repeated, only where they stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from factory.hub.terms import redistributable, stated
from factory.records import License
from factory.zh.pii import find

LEAST_TOKEN_CHARS = 8  # what is shorter is no token, and stands in many texts
SHOWN = 20  # lines; the counts say how many there are
PUBLIC_KINDS = frozenset({"company_id"})  # a firm's number is no personal data: it is public by law (商業登記法, 公司法)
_SECRETS = {
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{20,}",
    "API key": r"(?<![A-Za-z0-9-])sk-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{20,}",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{40,}",
    "AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "Google key": r"\bAIza[0-9A-Za-z_-]{35}",
    "Slack token": r"\bxox[abeprs]-[0-9A-Za-z-]{10,}",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
_SECRET = re.compile("|".join(f"(?P<k{number}>{pattern})" for number, pattern in enumerate(_SECRETS.values())))


class Screen:
    """Looks at rows and files as they go by, and remembers what may not leave.

    `token` is the one in use, which may stand nowhere. `kept` gives, by source, kinds of personal data that are let through.
    """

    def __init__(self, token: str | None, kept: dict[str, frozenset[str]]) -> None:
        self._token = token if token and len(token) >= LEAST_TOKEN_CHARS else None
        self._kept = kept
        self.lines: list[str] = []  # the first SHOWN
        self.counts: Counter[str] = Counter()
        self.unlicensed: Counter[tuple[str, str]] = Counter()
        self.passed: Counter[tuple[str, str]] = Counter()  # source and kind of what `kept` let through

    def row(self, row: dict[str, Any], place: str, source: str) -> License:
        """Looks at one row. Returns its licence."""
        license = stated(row.get("license"))
        if not redistributable(license, row.get("metadata")):
            self.unlicensed[source, str(row.get("license") or "not stated")[:80]] += 1
        kept = self._kept.get(source, frozenset())
        for text in texts(row):
            for kind in {span.kind for span in find(text)} - PUBLIC_KINDS:
                if kind in kept:
                    self.passed[source, kind] += 1
                else:
                    self.note(kind.replace("_", " "), place)
            self.secrets(text, place)
        return license

    def text(self, text: str, place: str) -> None:
        """Looks at a text that is no row: a card."""
        for kind in {span.kind for span in find(text)} - PUBLIC_KINDS:
            self.note(kind.replace("_", " "), place)
        self.secrets(text, place)

    def secrets(self, text: str, place: str) -> None:
        """Looks for keys and tokens alone."""
        match = _SECRET.search(text)
        if match is not None:
            self.note(list(_SECRETS)[int(str(match.lastgroup)[1:])], place)
        elif self._token is not None and self._token in text:
            self.note("token in use", place)

    def note(self, what: str, place: str) -> None:
        """Remembers a finding."""
        self.counts[what] += 1
        if len(self.lines) < SHOWN:
            self.lines.append(f"{place}: {what}")

    def report(self) -> list[str]:
        """All that stands against publishing, a line each; empty where nothing does."""
        found = [
            f"{count:,} rows of {source!r} under licence {license!r} may not be passed on"
            for (source, license), count in self.unlicensed.most_common()
        ]
        found += self.lines
        left = sum(self.counts.values()) - len(self.lines)
        if left:
            found.append(f"... and {left:,} more: " + ", ".join(f"{what} {count:,}" for what, count in self.counts.most_common()))
        return found


def texts(value: Any) -> Iterator[str]:
    """Every text in a row, keys excepted."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def kept_by_policy(facts: dict[str, Any]) -> dict[str, frozenset[str]]:
    """By source, the kinds of personal data that a corpus's policy keeps on purpose, such as the telephones of offices."""
    stated = facts.get("policy", {}).get("personal_data", {})
    found = {}
    for name, source in facts.get("recipe", {}).get("sources", {}).items():
        actions = {**stated.get("default", {}), **stated.get(name, stated.get(source.get("type"), {}))}
        found[name] = frozenset(kind for kind, action in actions.items() if action == "keep")
    return found
