"""Type `news`: articles of news outlets, with the boilerplate that `outlets.yaml` lists for each outlet removed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from corpus.sources.inputs import InputFile, files_in
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError, lookup, optional_text
from corpus.sources.rows import documents, raw_rows
from corpus.sources.spec import SourceSpec, check_spec
from factory.errors import UserError
from factory.recipe import Strict, load_model
from factory.records import Document, Rejected

DEFAULT_FIELDS = {"id": "id", "title": "title", "text": "text", "url": "url", "published": "published", "outlet": "outlet"}
OUTLETS_FILE = str(Path(__file__).with_name("outlets.yaml"))
TAIL_SHARE = 0.4  # tails are looked for in the last 40 % of a text
MAX_TITLE_LINE_CHARS = 60  # a first line that is shorter and ends no sentence is the title; heads are looked for below it too
_LONG_SPACE = re.compile(r"\s{50,}")  # bounds what the patterns' own runs of space can cost
_MAX_ROUNDS = 5  # a text rarely opens with more than two tags


class Patterns(Strict):
    """What an outlet puts around its articles, as regular expressions (`re.MULTILINE`)."""

    head: list[str] = Field(default_factory=list, description="Removed where the text, or what follows its title line, begins with it.")
    tail: list[str] = Field(default_factory=list, description="From the first match in the last 40 % to the end, the text is cut.")
    lines: list[str] = Field(default_factory=list, description="Lines that match from their start are dropped.")
    inline: list[str] = Field(default_factory=list, description="Removed wherever they match, for example the remains of a script.")


class Match(Strict):
    """Which articles are an outlet's: any one of these."""

    outlet: list[str] = Field(default_factory=list, description="Values of the outlet field.")
    domain: list[str] = Field(default_factory=list, description="Hosts of the address, subdomains included.")
    id_prefix: list[str] = Field(default_factory=list, description="Beginnings of the article's id.")


class Outlet(Patterns):
    """One outlet's entry."""

    name: str = Field(min_length=1, description="The outlet, as its readers know it.")
    match: Match = Field(description="Which articles it applies to.")


class Outlets(Strict):
    """The whole file. `default` applies to every article, and after it the first outlet that matches."""

    version: int = Field(ge=1, description="Counts changes to the patterns.")
    default: Patterns = Field(description="Patterns for all outlets.")
    outlets: list[Outlet] = Field(default_factory=list, description="Outlets with patterns of their own.")


@dataclass(frozen=True)
class Rules:
    """Compiled patterns of one entry."""

    head: tuple[re.Pattern[str], ...]
    tail: tuple[re.Pattern[str], ...]
    lines: tuple[re.Pattern[str], ...]
    inline: tuple[re.Pattern[str], ...]

    def __add__(self, other: Rules) -> Rules:
        return Rules(self.head + other.head, self.tail + other.tail, self.lines + other.lines, self.inline + other.inline)


def load_outlets(path: str = OUTLETS_FILE) -> tuple[Rules, list[tuple[Match, Rules]]]:
    """The default rules, and each outlet's. Raises UserError that names file, outlet and pattern where one is no regex."""
    outlets = load_model(path, Outlets)
    default = _compiled(path, "default", outlets.default)
    return default, [(entry.match, default + _compiled(path, entry.name, entry)) for entry in outlets.outlets]


def _compiled(path: str, outlet: str, patterns: Patterns) -> Rules:
    def compile_all(kind: str, sources: list[str]) -> tuple[re.Pattern[str], ...]:
        compiled = []
        for source in sources:
            try:
                pattern = re.compile(source, re.MULTILINE)
            except re.error as error:
                raise UserError(
                    f"{path}: outlet {outlet}: {kind} pattern {source!r} is no regular expression: {error}. Correct it."
                ) from None
            if pattern.match("") is not None:
                raise UserError(f"{path}: outlet {outlet}: {kind} pattern {source!r} matches nothing at all. Make it match some text.")
            compiled.append(pattern)
        return tuple(compiled)

    return Rules(*(compile_all(kind, getattr(patterns, kind)) for kind in ("head", "tail", "lines", "inline")))


@lru_cache(maxsize=1)
def _packaged() -> tuple[Rules, list[tuple[Match, Rules]]]:
    return load_outlets()


def strip(text: str, rules: Rules) -> str:
    """A text without the boilerplate that `rules` describe."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    text = _LONG_SPACE.sub(lambda match: "\n\n" if "\n" in match[0] else " ", text)
    for pattern in rules.inline:
        text = pattern.sub("", text)
    text = "\n".join(line for line in text.split("\n") if not any(pattern.match(line.strip()) for pattern in rules.lines)).strip()
    first, _, rest = text.partition("\n")
    if rest.strip() and len(first.strip()) <= MAX_TITLE_LINE_CHARS and first.rstrip()[-1:] not in "。」）)】":
        text = f"{first}\n{_without_head(rest.lstrip(), rules)}"
    text = _without_head(text, rules)
    start = int(len(text) * (1 - TAIL_SHARE))
    found = [match.start() for pattern in rules.tail if (match := pattern.search(text, start))]
    return (text[: min(found)] if found else text).strip()


def _without_head(text: str, rules: Rules) -> str:
    for _ in range(_MAX_ROUNDS):
        match = next((match for pattern in rules.head if (match := pattern.match(text))), None)
        if match is None:
            break
        text = text[match.end() :].lstrip()
    return text


class NewsSource:
    """Rows of articles. Metadata: `outlet` where stated, and `boilerplate_chars`, the characters that were removed."""

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, RECORD_FIELDS | {"outlet"}, {})
        self._columns = Columns(name, spec, {"text": "text", **spec.fields} if spec.fields else DEFAULT_FIELDS)
        self._default, self._outlets = _packaged()

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
            else:
                yield from documents(file, raw_rows(file), self._make)

    def _make(self, file: InputFile, row: Row) -> list[Document]:
        stated = self._columns.text(row).strip()
        text = strip(stated, self._rules(row.data))
        if not text:
            raise RowError(f"field text (column {self._columns.fields['text']!r}) holds nothing but boilerplate")
        metadata: dict[str, object] = {"boilerplate_chars": len(stated) - len(text)}
        outlet = optional_text(row.data, self._columns.fields.get("outlet"))
        return [self._columns.document(row, file.stem, text, {"outlet": outlet, **metadata} if outlet else metadata)]

    def _rules(self, row: Mapping[str, object]) -> Rules:
        fields = self._columns.fields
        outlet = optional_text(row, fields.get("outlet"))
        identifier = str(lookup(row, fields["id"]) or "") if "id" in fields else ""
        host = _host(optional_text(row, fields.get("url")) or "")
        for match, rules in self._outlets:
            by_domain = any(host == domain or host.endswith(f".{domain}") for domain in match.domain)
            if outlet in match.outlet or by_domain or any(identifier.startswith(prefix) for prefix in match.id_prefix):
                return rules
        return self._default


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
