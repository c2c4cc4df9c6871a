"""One XHTML page of a book as lines of text: paragraphs and headings, without ruby, pictures and page numbers, notes at the end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.entities import name2codepoint
from typing import Any

from corpus.sources.charset import codec, decode
from corpus.sources.inputs import InputError

_DECLARED = re.compile(r"""\s*<\?xml[^<>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["'][^<>]{0,100}\?>""")
_DECLARATION = re.compile(r"\A\s*<\?xml\s[^<>]{0,300}?\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,9});")
_OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})
_DECLARES_ENTITIES = re.compile(r"<!ENTITY\b", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]{0,30})([^<>]*)>?")
_KEPT_ATTRIBUTE = re.compile(r"""\s(epub:type|role|class|style)\s{0,9}=\s{0,9}("[^"]{0,200}"|'[^']{0,200}')""", re.IGNORECASE)
_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_LINE, _CELL = "\x1e", "\x1f"  # stand for <br/> and the end of a table's cell until a line is done; no text holds them

_EPUB_TYPE = ("{http://www.idpf.org/2007/ops}type", "epub:type", "role")
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "li", "main",
    "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
))  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SKIPPED = frozenset((
    "audio", "button", "canvas", "embed", "head", "iframe", "img", "input", "map", "math", "noscript", "object", "rp", "rt", "rtc",
    "script", "select", "source", "style", "svg", "template", "textarea", "track", "video",
))  # fmt: skip
_LEFT_OUT = frozenset({"cover", "doc-cover", "toc", "landmarks", "page-list", "doc-toc", "doc-pagelist", "loi", "lot"})
_DROPPED = frozenset({"pagebreak", "doc-pagebreak", "backlink", "doc-backlink"})
_NOTES = frozenset(
    {"footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes", "doc-footnote", "doc-endnote", "doc-endnotes"}
)  # fmt: skip
_NOTE_MARKS = frozenset({"noteref", "doc-noteref"})
_NOTE_CLASSES = frozenset({"footnote", "footnotes", "endnote", "endnotes", "duokan-footnote-content", "duokan-footnote-item"})
_WIDE = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
# XHTML is wrapped in the middle of a sentence: between wide characters such a break is no space (CSS Text 3, section 4.1.3).
_BREAK_IN_SENTENCE = re.compile(rf"(?<=[{_WIDE}])[ \t]*\n\s*(?=[{_WIDE}])")
_SPACES = re.compile(r"[ \t\n\r\xa0]+")


@dataclass(slots=True)
class Chapter:
    """The lines of one page (never blank), and the level of those that are headings (1 for h1)."""

    lines: list[str] = field(default_factory=list)
    headings: dict[str, int] = field(default_factory=dict)
    types: frozenset[str] = frozenset()  # what the page says it is, as a whole: cover, toc, bodymatter …


def parse_xml(content: bytes) -> Any:
    """The root element of an XML file, with the named characters of HTML read and nothing fetched or expanded.

    Raises InputError where the file is not well-formed, declares entities or is in an unknown encoding. Memory: about thirty
    times the bytes of the file at worst (a tree of empty elements); depth is bounded by libxml2 (256).
    """
    return _parse_xml(_source(content))


def read_chapter(content: bytes) -> Chapter:
    """The text of one page. Raises InputError as `parse_xml`, except that a page that is not well-formed is read as HTML.

    Ruby annotations, pictures, formulas, scripts, page numbers, and lists of contents go; a number that refers to a note is
    written [1], and notes stand at the end.
    """
    source = _source(content)
    try:
        root = _parse_xml(source)
    except InputError:
        root = _parse_html(source)
    return _read(root)


def _source(content: bytes) -> str:
    match = _DECLARED.match(content[:400].decode("latin-1").removeprefix("ï»¿"))
    if match and codec(match[1]) is None:
        raise InputError(f"unknown encoding {match[1]!r}")
    text = _DECLARATION.sub("", decode(content, match[1] if match else None).text.replace("\0", ""), count=1)
    if _DECLARES_ENTITIES.search(text):
        raise InputError("the page declares entities of its own")
    return _ENTITY.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = name2codepoint.get(match[1])
    return match[0] if code is None or match[1] in _OF_XML else chr(code)


def _parse_xml(source: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    try:
        root = etree.fromstring(source.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"not well-formed: {' '.join(str(error).split())[:200]}") from None
    if next(root.iter(etree.Entity), None) is not None:
        raise InputError("not well-formed: an entity that nothing declares")
    return root


def _parse_html(source: str) -> Any:
    from lxml import etree

    parser = etree.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        root = etree.fromstring(_TAG.sub(_plain_tag, source).encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise InputError(f"no page: {' '.join(str(error).split())[:200]}") from None
    if root is None:
        raise InputError("no page: there is no element in it")
    return root


class _Flow:
    """Collects text into lines as a browser would lay it out."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.headings: dict[str, int] = {}
        self.pieces: list[str] = []
        self.level: int | None = None

    def add(self, text: str | None, in_ruby: bool = False, keeps_breaks: bool = False) -> None:
        if text:
            text = _CONTROL.sub("", text)
            text = text.strip() if in_ruby else text
            self.pieces.append(text.replace("\n", _LINE) if keeps_breaks else text)

    def end_line(self, level: int | None = None) -> None:
        """Ends the line that is open; `level` is that of the heading that begins here."""
        text, heading = "".join(self.pieces), self.level
        self.pieces, self.level = [], level
        text = _SPACES.sub(" ", _BREAK_IN_SENTENCE.sub("", text))
        if heading is not None:
            text = text.replace(_LINE, " ")
        for line in text.split(_LINE):
            line = "\t".join(cell.strip() for cell in line.split(_CELL)).strip()
            if line:
                self.lines.append(line)
                if heading is not None:
                    self.headings[line] = min(heading, self.headings.get(line, heading))

    def bracket(self, start: int) -> None:
        """Writes what was added since `start` pieces, the mark of a note, as [1] where it is a bare number."""
        mark = "".join(self.pieces[start:]).strip()
        if mark.isdigit():
            self.pieces[start:] = [f"[{mark}]"]


def _plain_tag(match: re.Match[str]) -> str:
    """A tag with the few attributes that are read: libxml2's HTML parser takes minutes for one with 200,000.

    An empty element of XHTML, <title/>, is closed: in HTML it would swallow what follows.
    """
    closing, name, rest = match.groups()
    if closing:
        return f"</{name}>"
    kept = {found[1].lower(): found[0] for found in _KEPT_ATTRIBUTE.finditer(rest)}
    empty = rest.rstrip().endswith("/") and name.lower() not in _VOID
    return f"<{name}{''.join(kept.values())}>" + (f"</{name}>" if empty else "")


def _read(root: Any) -> Chapter:
    from lxml import etree

    body, notes = _Flow(), _Flow()
    flow = body
    types: frozenset[str] = frozenset()
    skipped = note = pre = mark = None  # the outermost open element of each kind
    mark_start = ruby_depth = 0
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        name = _name(element)
        kinds = _kinds(element) if event == "start" else frozenset()
        if event == "start":
            if _is_skipped(element, name, kinds, note is not None):
                skipped = element
                walker.skip_subtree()
                continue
            if name == "body":
                types = kinds
            if name in _BLOCKS:
                if note is None and _is_note(element, kinds):
                    note = element
                    flow.end_line()
                    flow = notes
                flow.end_line(_HEADINGS.get(name))
            if name == "br":
                flow.pieces.append(_LINE)
            ruby_depth += name == "ruby"
            pre = element if name == "pre" and pre is None else pre
            if mark is None and kinds & _NOTE_MARKS:
                mark, mark_start = element, len(flow.pieces)
            flow.add(element.text, ruby_depth > 0, pre is not None)
            continue
        if element is skipped:
            skipped = None
        else:
            ruby_depth -= name == "ruby"
            if element is mark:
                flow.bracket(mark_start)
                mark = None
            pre = None if element is pre else pre
        if name in _BLOCKS:
            flow.end_line()
        elif name in ("td", "th"):
            flow.pieces.append(_CELL)
        if element is note:
            note, flow = None, body
        if element is not root:
            flow.add(element.tail, ruby_depth > 0, pre is not None)
    body.end_line()
    return Chapter(body.lines + notes.lines, body.headings, types)


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _kinds(element: Any) -> frozenset[str]:
    """What an element is for, as `epub:type` and `role` say."""
    return frozenset(kind for name in _EPUB_TYPE for kind in element.get(name, "").lower().split())


def _is_note(element: Any, kinds: frozenset[str]) -> bool:
    return bool(kinds & _NOTES) or not _NOTE_CLASSES.isdisjoint(element.get("class", "").lower().split())


def _is_skipped(element: Any, name: str, kinds: frozenset[str], in_note: bool) -> bool:
    if name in _SKIPPED or kinds & _DROPPED or (name != "body" and kinds & _LEFT_OUT):
        return True
    hidden = element.get("hidden") is not None or re.search(r"display\s*:\s*none", element.get("style", ""))
    return bool(hidden) and not in_note and not _is_note(element, kinds)  # readers show a hidden note when its mark is tapped
