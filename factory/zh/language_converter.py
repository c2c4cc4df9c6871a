"""LanguageConverter markup (`-{…}-`), in which Chinese Wikipedia keeps several spellings of a word, resolved for Taiwan.

This resolves markup. It does not convert a page from Simplified to Traditional characters: MediaWiki also applies its own
conversion tables to all text, and here only the rules that a page states itself are applied. Rules of shared conversion
groups (`{{NoteTA|G1=…}}`) stand outside the page and are unknown here.

Syntax and meaning: https://www.mediawiki.org/wiki/Writing_systems/Syntax
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

TARGET = "zh-tw"
FALLBACKS = (TARGET, "zh-hant", "zh-hk", "zh-mo")  # MediaWiki's order for a reader of zh-tw
VARIANT_NAMES = {
    "zh": "中文",
    "zh-hans": "中文（简体）",
    "zh-hant": "中文（繁體）",
    "zh-cn": "中文（中国大陆）",
    "zh-hk": "中文（香港）",
    "zh-mo": "中文（澳門）",
    "zh-my": "中文（马来西亚）",
    "zh-sg": "中文（新加坡）",
    "zh-tw": "中文（臺灣）",
}
MAX_NESTING = 10  # MediaWiki's bound; a deeper -{ stays text
# Bounds on what a hostile page can cost. A page of Wikipedia states some dozens of rules, nearly all of them at its top.
MAX_TABLE_CHARS = 20_000  # of all terms in force at one place; rules beyond it are ignored
MAX_TABLES = 100  # changes of the table between two stretches of text; rules beyond it are ignored
MAX_GROWTH_CHARS = 1 << 20  # by which replacements may lengthen one text; after it they stop
_PIECE_CHARS = 1 << 20  # the matcher lists all matches of what it is given; a term across the border of two pieces stays

_FLAGS = frozenset("ATRHDN-")
_MARK = re.compile(r"-\{|\}-")
_VARIANT = "(?:" + "|".join(VARIANT_NAMES) + ")"
_SEPARATOR = re.compile(r"&[#0-9A-Za-z]{1,32}+;|;")  # the semicolon of &nbsp; separates nothing
_CHOICE = re.compile(rf"\s*+(?:{_VARIANT}\s*+:|.*?=>\s*+{_VARIANT}\s*+:)", re.DOTALL | re.IGNORECASE)


class Resolved(NamedTuple):
    """A text without markup, and the page's title: the one that a rule of the text states, else the given one converted."""

    text: str
    title: str | None


class _Rule(NamedTuple):
    """What stands in `-{…}-`: flags, the part after them, and its choices by variant (two-way, and one-way by source term)."""

    flags: frozenset[str]
    body: str
    both: Mapping[str, str]
    one_way: Mapping[str, Mapping[str, str]]


class _Event(NamedTuple):
    """A stretch of a page in reading order: text that page-wide rules convert, text that is settled, or a change of the rules."""

    kind: str  # "text", "settled", "add", "remove"
    text: str = ""
    terms: Mapping[str, str] = {}


def resolve(text: str, title: str | None = None) -> Resolved:
    """Resolves all `-{…}-` of a page for a reader of zh-tw, and applies its page-wide rules to the text that follows them.

    A choice falls back from zh-tw to zh-hant, zh-hk, zh-mo, then to the first that is stated (where MediaWiki shows an
    error). Page-wide rules (flags A and H; `-` withdraws one) replace the longest term first, in one pass, and leave alone
    what came out of `-{…}-`. Unbalanced marks stay text. Without markup the text is returned as it is.

    Time and memory are linear in the text; the constants above bound nesting, the rules in force and the growth of the text.
    """
    stated: str | None = None
    if title is not None and "-{" in title:
        title = resolve(title).text
    if "-{" not in text:
        return Resolved(text, title)
    events, stated = _events(text)
    terms = _Terms()
    parts: list[str] = []
    for event in events:
        if event.kind == "add":
            terms.add(event.terms)
        elif event.kind == "remove":
            terms.remove(event.terms)
        else:
            parts.append(terms.convert(event.text) if event.kind == "text" else event.text)
    if stated is None and title is not None:
        stated = terms.convert(title)
    return Resolved("".join(parts), stated)


def _events(text: str) -> tuple[list[_Event], str | None]:
    """The stretches of a text, and the title that the last rule with flag T states."""
    title: str | None = None
    outer: list[list[_Event]] = []  # what stood before each open mark
    current: list[_Event] = []
    done = seen = 0
    while True:
        if outer:
            match = _MARK.search(text, seen)
            start = match.start() if match else -1
        else:
            start = text.find("-{", seen)
        if start < 0:
            break
        seen = start + 2
        opens = text[start] == "-"
        if opens and len(outer) == MAX_NESTING:
            continue
        if start > done:
            current.append(_Event("text", text[done:start]))
        done = seen
        if opens:
            outer.append(current)
            current = []
        else:
            shown, changes, named = _apply(_parse("".join(event.text for event in current)))
            inner = [event for event in current if event.terms]
            current = outer.pop()
            current += [*inner, *changes, _Event("settled", shown)]
            title = named or title
    current.append(_Event("text", text[done:]))
    while outer:
        unclosed, current = current, outer.pop()
        current.append(_Event("text", "-{"))
        current += unclosed
    return current, title


def _parse(content: str) -> _Rule:
    head, bar, body = content.partition("|")
    flags = frozenset(part.strip() for part in head.split(";")) & (_FLAGS | VARIANT_NAMES.keys()) if bar else frozenset()
    body = body if bar else content
    for alone in "RN-":
        if alone in flags:
            flags = frozenset(alone)
            break
    else:
        if "H" not in flags and flags & VARIANT_NAMES.keys():
            flags = frozenset("R")  # -{zh-hans;zh-hant|text}- shows its text in every variant
    both, one_way = ({}, {}) if flags & {"R", "N"} else _choices(body)
    return _Rule(flags, body, both, one_way)


def _choices(body: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Choices by variant; none at all where one of them names no variant."""
    both: dict[str, str] = {}
    one_way: dict[str, dict[str, str]] = {}
    for choice in _split(body.replace("=&gt;", "=>")):
        head, colon, shown = choice.partition(":")
        if not colon:
            continue
        shown = shown.strip()
        source, arrow, variant = head.partition("=>")
        source, variant = source.strip(), (variant if arrow else head).strip().lower()
        if variant not in VARIANT_NAMES:
            return {}, {}
        if arrow and source:
            one_way.setdefault(variant, {})[source] = shown
        elif not arrow and shown:
            both[variant] = shown
    return both, one_way


def _split(body: str) -> list[str]:
    """Cuts at semicolons that a variant follows; any other belongs to the text (MediaWiki's rule)."""
    cuts = [match.end() for match in _SEPARATOR.finditer(body) if match[0] == ";"]
    if not cuts:
        return [body]
    choices: list[list[str]] = [[]]
    start = 0
    for end in [*cuts, len(body)]:
        piece = body[start:end]
        if start and (_CHOICE.match(piece) or (end == len(body) and not piece.strip())):
            choices[-1][-1] = choices[-1][-1][:-1]
            choices.append([])
        choices[-1].append(piece)
        start = end
    return ["".join(pieces) for pieces in choices]


def _apply(rule: _Rule) -> tuple[str, list[_Event], str | None]:
    """What a rule shows, the changes that it makes to the page-wide rules, and the title that it states."""
    flags = rule.flags
    if "R" in flags:
        return rule.body, [], None
    if "N" in flags:
        return VARIANT_NAMES.get(rule.body.strip().lower(), ""), [], None
    title = _chosen(rule) if "T" in flags else None
    changes = []
    kind = "remove" if "-" in flags else "add" if flags & {"A", "H"} else None
    terms = _page_terms(rule) if kind else {}
    if kind and terms:
        changes.append(_Event(kind, "", terms))
    if "D" in flags and "A" not in flags:
        return _described(rule), changes, title
    hidden = flags & {"H", "-"} or flags == {"T"} or {"A", "D"} <= flags  # the last is what MediaWiki does
    return "" if hidden else _chosen(rule), changes, title


def _chosen(rule: _Rule) -> str:
    for variant in FALLBACKS:
        if variant in rule.both:
            return rule.both[variant]
    for terms in (rule.one_way.get(TARGET), rule.both):
        if terms:
            return next(iter(terms.values()))
    for one_way in rule.one_way.values():
        return next(iter(one_way))  # a rule for others: the term as the page writes it
    return rule.body


def _page_terms(rule: _Rule) -> dict[str, str]:
    """Terms that a page-wide rule replaces for zh-tw. A form that replaces itself is shielded from shorter terms."""
    if not rule.both and not rule.one_way:
        return {rule.body: rule.body} if rule.body else {}
    target = next((rule.both[variant] for variant in FALLBACKS if variant in rule.both), None)
    terms = {} if target is None else dict.fromkeys(rule.both.values(), target)
    return terms | dict(rule.one_way.get(TARGET, {}))


def _described(rule: _Rule) -> str:
    if not rule.both and not rule.one_way:
        return rule.body
    parts = [f"{VARIANT_NAMES[variant]}：{shown}；" for variant, shown in rule.both.items()]
    for variant, terms in rule.one_way.items():
        parts += [f"{source}⇒{VARIANT_NAMES[variant]}：{shown}；" for source, shown in terms.items()]
    return "".join(parts)


@dataclass(slots=True)
class _Terms:
    """The page-wide rules in force at one place of a page."""

    shown: dict[str, str] = field(default_factory=dict)
    chars: int = 0
    tables: int = 0
    grown: int = 0
    automaton: AhoCorasick | None = None
    replacements: list[str] = field(default_factory=list)

    def add(self, terms: Mapping[str, str]) -> None:
        for term, shown in terms.items():
            more = 0 if term in self.shown else len(term)
            if self.tables < MAX_TABLES and self.chars + more <= MAX_TABLE_CHARS:
                self.shown[term] = shown
                self.chars += more
                self.automaton = None

    def remove(self, terms: Mapping[str, str]) -> None:
        for term in terms:
            if self.tables < MAX_TABLES and self.shown.pop(term, None) is not None:
                self.chars -= len(term)
                self.automaton = None

    def convert(self, text: str) -> str:
        if not self.shown or not text:
            return text
        if self.automaton is None:
            self.tables += 1
            self.automaton = AhoCorasick(list(self.shown), matchkind=MatchKind.LeftmostLongest)
            self.replacements = list(self.shown.values())
        pieces = (text[start : start + _PIECE_CHARS] for start in range(0, len(text), _PIECE_CHARS))
        return "".join(self._convert_piece(self.automaton, piece) for piece in pieces)

    def _convert_piece(self, automaton: AhoCorasick, text: str) -> str:
        parts: list[str] = []
        done = 0
        for index, start, end in automaton.find_matches_as_indexes(text):
            self.grown += len(self.replacements[index]) - (end - start)
            if self.grown > MAX_GROWTH_CHARS:
                break
            parts += [text[done:start], self.replacements[index]]
            done = end
        return "".join([*parts, text[done:]])
