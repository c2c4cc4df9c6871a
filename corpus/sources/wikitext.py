"""Wiki markup to plain text, in one pass with a stack: time and memory stay linear whatever a page holds.

Markup: https://www.mediawiki.org/wiki/Help:Formatting and https://www.mediawiki.org/wiki/Preprocessor_ABNF. mwparserfromhell, which
keeps every node so that a page can be edited and written back, was measured and left out: 20 kB of unclosed templates or
tables keep it busy for seconds, and no caller can stop it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from factory.zh.language_converter import resolve

MAX_NESTING = 20  # templates, links and tables inside each other; what opens deeper stays text

# Unicode noncharacters stand for what is put back later; a page cannot hold them: they are removed first.
_RESERVED = re.compile("[\x00\ufdd0-\ufdef]")
_PLACE = re.compile("\ufdd0([\ufde0-\ufde9]+)\ufdd1")
_DIGITS = str.maketrans("0123456789", "".join(map(chr, range(0xFDE0, 0xFDEA))))
_NUMERALS = {ord(place): str(digit) for digit, place in enumerate("".join(map(chr, range(0xFDE0, 0xFDEA))))}

_DROPPED_ELEMENTS = (
    "ref|references|gallery|timeline|score|graph|imagemap|templatedata|templatestyles|categorytree|inputbox|indicator|mapframe"
    "|maplink|hiero|style|script|section|rp"
)
_KEPT_ELEMENTS = "nowiki|math|chem|ce|pre|syntaxhighlight|source"
_ELEMENT = re.compile(rf"<(!--)|<({_DROPPED_ELEMENTS}|{_KEPT_ELEMENTS})(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_TAG = re.compile(
    r"<(/?)(abbr|bdi|bdo|big|blockquote|br|b|caption|center|cite|code|data|dd|del|dfn|div|dl|dt|em|font|h[1-6]|hr|includeonly|ins|i|kbd|li"
    r"|mark|noinclude|nowiki|ol|onlyinclude|poem|p|q|rb|references|ref|rp|rtc|rt|ruby|samp|section|small|span|strike|strong|sub|sup|s|table|td"
    r"|th|time|tr|tt|ul|u|var|wbr)(?:\s[^<>]*+)?/?>",
    re.IGNORECASE,
)
_LINE_TAGS = re.compile(r"blockquote|br|center|d[dlt]|div|h[1-6r]|li|[ou]l|p|poem|table|tr")
_TOKEN = re.compile(
    r"-\{(?!\{)|-\{(?=\{\{(?!\{))|^[ \t:]*+\{\|(?!\})|^[ \t]*+\|\}(?!\})|\{\{\{(?!\{)|\{\{|\}\}\}?|\}-|\[\[|\]\]|\|", re.MULTILINE
)
_OPENERS = {"}}": "{{", "}}}": "{{{", "]]": "[[", "|}": "{|", "}-": "-{"}
_RANK = {"[[": 0, "-{": 1, "{{{": 2, "{{": 3, "{|": 3}  # an opener of lower rank left open ends with what surrounds it
_PARAMETER = re.compile(r"\s*([\w \-]{1,40})\s*=(.*)", re.DOTALL)
_EXTERNAL = re.compile(r"\[(?:(?:https?|ftp):)?//[^\s\[\]<>]++(?:[ \t]++([^\[\]\n]*+))?\]", re.IGNORECASE)
_QUOTES = re.compile("'{2,}")
_SWITCH = re.compile(r"__[^\W_]{2,24}__")
_DISAMBIGUATION_SWITCH = re.compile(r"__(?:DISAMBIG|消歧義|消歧义)__", re.IGNORECASE)
_POWER = {"2": "²", "3": "³"}
_SUPERSCRIPT = re.compile(r"<sup>([23])</sup>", re.IGNORECASE)
_MARKERS = re.compile(r"[*#:;]+[ \t　]*")
_EMPTY_BRACKETS = re.compile(r"(?<![A-Za-z0-9_])[（(][ \t　，、；;,:：]*[）)]")  # but not the ones of a function's name: main()
_AFTER_BRACKET = re.compile(r"(?<=[（(])[ \t　，、；;,]+")
_BEFORE_BRACKET = re.compile(r"(?<![，、；;, \t　])[，、；;, \t　]++(?=[）)])")
_LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(?:-[a-z-]{2,12})?|simple")

_BLANK_LINES = re.compile(r"\n{3,}")
_JOINT = re.compile(r"\s*(?:[與和及与、/暨&]|\band\b)\s*")
_LINE_MARKS = ("|", "{|", "----")  # what is left of a table that never ends, and rules


@dataclass(frozen=True, slots=True)
class _Habits:
    """What `wikitext.yaml` says: names of templates, namespaces and headings."""

    namespaces: frozenset[str]
    disambiguation: frozenset[str]
    disambiguation_endings: tuple[str, ...]
    shown: dict[str, tuple[str, ...]]
    symbols: dict[str, str]
    languages: dict[str, str]
    units: dict[str, str]
    appendices: frozenset[str]


@cache
def _habits() -> _Habits:
    import yaml

    found = yaml.safe_load(unicodedata.normalize("NFC", files("corpus.sources").joinpath("wikitext.yaml").read_text("utf-8")))
    return _Habits(
        namespaces=frozenset(found["dropped_namespaces"]),
        disambiguation=frozenset(found["disambiguation"]),
        disambiguation_endings=tuple(found["disambiguation_endings"]),
        shown={name: tuple(group["show"]) for group in found["templates"] for name in group["names"]},
        symbols=found["symbols"],
        languages=found["languages"],
        units=found["units"],
        appendices=frozenset(found["appendices"]),
    )


class Article(NamedTuple):
    """A page as plain text: one paragraph, heading or list item a line, its title, and what was seen on the way."""

    text: str
    title: str
    disambiguation: bool
    sections_cut: int


def plain_text(wikitext: str, title: str, dropped_namespaces: Iterable[str] = ()) -> Article:
    """The prose of a page of Wikipedia, with `-{…}-` resolved for zh-tw (`factory.zh.language_converter`).

    Headings lose their signs, list items begin with "- ", links show their label. Left out: comments, references, tables
    (their cells are no prose), files, categories (also under the wiki's own names in `dropped_namespaces`), galleries, language
    links, and templates, save those that carry words of a sentence (lang, link-en, nowrap, ruby, convert …). TeX stands between
    dollar signs. Sections that only point elsewhere (參考文獻, 外部連結 …) are cut and counted; a heading with nothing below it goes.
    Time and memory are linear in the page.
    """
    page = _Page(title, _habits().namespaces | {name.lower() for name in dropped_namespaces})
    text, kept = _without_elements(_RESERVED.sub("", wikitext.replace("\r\n", "\n").replace("\r", "\n")))
    text = page.resolve(text)
    disambiguation = page.disambiguation or _DISAMBIGUATION_SWITCH.search(text) is not None
    text = _TAG.sub(_tag, _SUPERSCRIPT.sub(lambda match: _POWER[match[1]], _EXTERNAL.sub(lambda match: match[1] or "", text)))
    text = _QUOTES.sub(_apostrophes, _SWITCH.sub("", text))
    resolved = resolve(text, title)
    text = html.unescape(resolved.text.replace("\ufdd2", "|")).replace("\xa0", " ")
    text = _BEFORE_BRACKET.sub("", _AFTER_BRACKET.sub("", _EMPTY_BRACKETS.sub("", text)))
    text, cut = _sections(text)
    text = _PLACE.sub(lambda match: kept[int(match[1].translate(_NUMERALS))], text)
    return Article(text.strip(), html.unescape(resolved.title or title).strip(), disambiguation, cut)


def _without_elements(text: str) -> tuple[str, list[str]]:
    """Takes out comments and extension elements. What they show stands in the list, their places in the text."""
    parts: list[str] = []
    kept: list[str] = []
    endless: set[str] = set()  # searched to the end once and not again, so that the whole is linear
    done = position = 0
    while match := _ELEMENT.search(text, position):
        position = match.end()
        name = (match[1] or match[2]).lower()
        body = ""
        if match[1] or not match[0].endswith("/>"):
            close = None if name in endless else re.compile("-->" if match[1] else rf"</{name}\s*+>", re.IGNORECASE).search(text, position)
            if close is None:
                endless.add(name)
                if not match[1]:
                    continue
                parts.append(text[done : match.start()])  # as MediaWiki: an open comment takes the rest of the page
                return "".join(parts), kept
            body = text[position : close.start()]
            position = close.end()
        parts.append(text[done : match.start()])
        done = position
        shown = _element(name, body)
        if shown:
            parts.append(f"\ufdd0{str(len(kept)).translate(_DIGITS)}\ufdd1")
            kept.append(shown)
    parts.append(text[done:])
    return "".join(parts), kept


def _element(name: str, body: str) -> str:
    if name == "math":
        return f"${' '.join(body.split())}$" if body.strip() else ""
    if name in ("pre", "syntaxhighlight", "source"):
        return html.unescape(body).strip("\n")
    return html.unescape(body) if name in ("nowiki", "chem", "ce") else ""


def _tag(match: re.Match[str]) -> str:
    name = match[2].lower()
    if name == "rt":
        return "）" if match[1] else "（"
    return "\n" if _LINE_TAGS.fullmatch(name) else ""


def _apostrophes(match: re.Match[str]) -> str:
    # Two are italics, three bold, five both; of four the first is text, and of more than five all but the last five.
    return "'" * {2: 0, 3: 0, 4: 1}.get(len(match[0]), len(match[0]) - 5)


@dataclass(slots=True)
class _Frame:
    """Markup that is open: its opening token, and what stands in it so far, divided at its own `|`."""

    kind: str
    opener: str
    start: int
    fields: list[list[str]] = field(default_factory=lambda: [[]])

    def joined(self) -> list[str]:
        return ["".join(pieces) for pieces in self.fields]


@dataclass(slots=True)
class _Page:
    title: str
    dropped: frozenset[str]
    disambiguation: bool = False

    def resolve(self, text: str) -> str:
        """Text without templates, links and tables; `-{…}-` stays, with its bars."""
        stack = [_Frame("", "", 0)]
        deeper = position = 0
        while match := _TOKEN.search(text, position):
            token = match[0]
            kind = token.lstrip(" \t:")
            stack[-1].fields[-1].append(text[position : match.start()])
            position = match.end()
            if kind == "}}}" and stack[-1].kind != "{{{":
                kind = token = token[:2]
                position -= 1
            if kind == "|" and stack[-1].kind in ("{{", "[[", "{{{"):
                stack[-1].fields.append([])
            elif kind == "|":
                stack[-1].fields[-1].append(token)
            elif kind in _RANK and len(stack) <= MAX_NESTING:
                stack.append(_Frame(kind, token, match.start()))
            elif kind in _RANK or deeper:
                deeper += 1 if kind in _RANK else -1
                stack[-1].fields[-1].append(token)
            elif self._opened(stack, _OPENERS[kind]):
                while stack[-1].kind != _OPENERS[kind]:
                    _leave_open(stack)
                frame = stack.pop()
                stack[-1].fields[-1].append(self._shown(frame, text, position))
            else:
                stack[-1].fields[-1].append(token)
        stack[-1].fields[-1].append(text[position:])
        while len(stack) > 1:
            _leave_open(stack)
        return "".join(stack[0].joined())

    @staticmethod
    def _opened(stack: list[_Frame], opener: str) -> bool:
        for frame in reversed(stack):
            if frame.kind == opener:
                return True
            if not frame.kind or _RANK[frame.kind] >= _RANK[opener]:
                return False
        return False

    def _shown(self, frame: _Frame, text: str, end: int) -> str:
        fields = frame.joined()
        if frame.kind == "-{":
            return "-{" + fields[0] + "}-"
        if frame.kind == "[[":
            alone = text[frame.start - 1 : frame.start] in ("", "\n") and text[end : end + 1] in ("", "\n")
            return self._link(fields[0].strip(), "|".join(fields[1:]).strip(), alone)
        if frame.kind == "{{{":
            return fields[1] if len(fields) > 1 else ""
        return self._template(fields) if frame.kind == "{{" else ""

    def _link(self, target: str, label: str, alone: bool) -> str:
        prefix, colon, _ = target.partition(":")
        if colon and prefix.strip().lower() in self.dropped:
            return ""
        if colon and alone and _LANGUAGE_LINK.fullmatch(prefix):
            return ""
        target = target.removeprefix(":").removeprefix("#")
        return label or target

    def _template(self, fields: list[str]) -> str:
        name = fields[0].strip().replace("_", " ").lower()
        for prefix in ("template:", "模板:", "subst:"):
            name = name.removeprefix(prefix).strip()
        values = _parameters(fields[1:])
        if name in _habits().disambiguation or name.endswith(_habits().disambiguation_endings):
            self.disambiguation = True
            return ""
        if name == "noteta":
            return _page_rules(values)
        if name in ("pagename", "fullpagename", "subpagename"):
            return self.title
        if name.startswith("formatnum:"):
            return fields[0].partition(":")[2].strip()
        return _words(name, values)


def _leave_open(stack: list[_Frame]) -> None:
    frame = stack.pop()
    stack[-1].fields[-1] += [frame.opener, "|".join(frame.joined())]


def _parameters(fields: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    number = 0
    for given in fields:
        named = _PARAMETER.fullmatch(given)
        if named and not named[2].startswith(">"):  # A=>zh-tw:B is a rule
            values[named[1].strip().lower()] = named[2].strip()
        else:
            number += 1
            values[str(number)] = given.strip()
    return values


def _page_rules(values: dict[str, str]) -> str:
    """{{NoteTA}} as the rules that it stands for: a title and terms for the whole page."""
    title = [f"-{{T|{values['t']}}}-"] if values.get("t") else []
    return "".join([*title, *(f"-{{H|{value}}}-" for name, value in values.items() if name.isdigit() and value)])


def _words(name: str, values: dict[str, str]) -> str:
    """What a template adds to the sentence that it stands in; nothing where it is not known to add words."""
    first, second = values.get("1", ""), values.get("2", "")
    habits = _habits()
    if name in habits.shown:
        return next((values[key] for key in habits.shown[name] if values.get(key)), "")
    if name in habits.symbols:
        return habits.symbols[name].replace("|", "\ufdd2")  # not a bar that divides
    if name.startswith(("link-", "internal link helper/")):
        return values.get("lt") or values.get("3") or first
    if name.startswith("lang-"):
        language = habits.languages.get(name.removeprefix("lang-"))
        return f"{language}：{first}" if language and first else first
    if name in ("ruby", "nihongo", "nihongo2", "ruby-zh-p", "ruby-zh-b"):
        return f"{first}（{second}）" if first and second else first
    if name == "bd":
        birth, death = first + second, values.get("3", "") + values.get("4", "")
        return f"{birth}－{death}" if birth or death else ""
    if name in ("convert", "cvt"):
        return _measure(values)
    return ""


def _measure(values: dict[str, str]) -> str:
    amount, unit = values.get("1", ""), values.get("2", "")
    if unit in ("to", "-", "–", "and", "by", "x", "×"):
        amount, unit = f"{amount}–{values.get('3', '')}", values.get("4", "")
    return amount + _habits().units.get(unit.lower(), f" {unit}".rstrip())


@dataclass(slots=True)
class _Section:
    level: int
    heading: str
    lines: list[str] = field(default_factory=list)


def _sections(text: str) -> tuple[str, int]:
    """The lines of a page without appendices and empty sections, and how many appendices were cut."""
    sections = [_Section(0, "")]
    cut = 0
    cut_level: int | None = None
    for line in text.split("\n"):
        line = line.strip()
        level = _heading_level(line)
        if level:
            heading = line[level:-level].strip()
            if cut_level is not None and level > cut_level:
                continue
            cut_level = level if _is_appendix(heading) else None
            cut += cut_level is not None
            if cut_level is None:
                sections.append(_Section(level, heading))
        elif cut_level is None:
            sections[-1].lines.append(_line(line))
    kept: list[_Section] = []
    for section in reversed(sections):
        if any(section.lines) or (kept and kept[-1].level > section.level):
            kept.append(section)
    blocks: list[str] = []
    for section in reversed(kept):
        body = _BLANK_LINES.sub("\n\n", "\n".join(section.lines).strip("\n"))
        blocks.append("\n".join(part for part in (section.heading, body) if part))
    return "\n\n".join(blocks), cut


def _is_appendix(heading: str) -> bool:
    heading = " ".join(unicodedata.normalize("NFC", heading).lower().split())
    known = _habits().appendices
    return heading in known or all(part in known for part in _JOINT.split(heading))


def _heading_level(line: str) -> int:
    """1 to 6 for `= 甲 =` to `====== 甲 ======`, else 0."""
    if not line.startswith("=") or not line.endswith("="):
        return 0
    leading = len(line) - len(line.lstrip("="))
    trailing = len(line) - len(line.rstrip("="))
    return min(leading, trailing, 6) if leading < len(line) else 0


def _line(line: str) -> str:
    if line.startswith(_LINE_MARKS):
        return ""
    markers = _MARKERS.match(line)
    if markers is None:
        return line
    content = line[markers.end() :].strip()
    return f"- {content}" if content and ("*" in markers[0] or "#" in markers[0]) else content
