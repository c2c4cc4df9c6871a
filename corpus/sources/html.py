"""HTML pages to text: the main content, the title, the date and the address that a page states, and what it forbids machines."""

from __future__ import annotations

import re
from configparser import ConfigParser
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from corpus.sources.dates import iso_date
from corpus.sources.inputs import InputError

if TYPE_CHECKING:
    from resiliparse.parse.html import HTMLTree
    from resiliparse.parse.html.node import ElementNode as Element
    from resiliparse.parse.html.node import Node

Extractor = Literal["resiliparse", "trafilatura"]
EXTRACTORS: tuple[str, ...] = get_args(Extractor)

# Both extractors, and the parsers below them, take time that grows with the square of what these bound. The bounds are on the
# page and not on a clock, so that the same page has the same fate on every machine.
MAX_DEPTH = 512  # elements inside elements; browsers stop there as well (Blink's kMaximumHTMLParserDOMTreeDepth)
MAX_ATTRIBUTES = 5_000  # of one tag
MAX_TAGS = {"resiliparse": 500_000, "trafilatura": 50_000}  # `<` in a page; about 5 s
MAX_TITLE_CHARS = 300
MAX_METAS = 500
_PRESCAN_BYTES = 4096  # browsers look for the declaration in the first 1024 only

# What resiliparse's own rules leave of the furniture of the real pages that were read (docs/html_extraction.md). No `form`: pages
# made with ASP.NET, as many offices' are, stand in one.
_FURNITURE = [
    "dialog", "button", "[role=search]", "[role=dialog]", "[aria-modal=true]", ".reveal[data-reveal]",
    *(f"[{attribute}*={name} i]:not(body, main, article)"
      for attribute in ("class", "id")
      for name in (
          "related", "tag-cloud", "gototop", "copyright", "breadcrumb", "popup", "modal", "cookie", "hotnews", "popular", "ranking",
      )),
]  # fmt: skip

_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,500}\?>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|table|div|p|h1)\b",
    re.IGNORECASE | re.DOTALL,
)
_DECLARED = re.compile(rb"""(?:<meta[^>]{0,500}?charset|<\?xml[^>]{0,200}?encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)
_ATTRIBUTE = r"""[\s/]*+[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+"""
_TAG = re.compile(
    rf"<!--.*?(?:-->|\Z)|<(script|style|textarea|title|xmp|iframe|noembed|noframes)\b.*?(?:</\1|\Z)|<[a-z](?:{_ATTRIBUTE})*+",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE_PATTERN = re.compile(_ATTRIBUTE)
_TAG_LOOKS_LONG = 4 * MAX_ATTRIBUTES  # an attribute takes two characters at least, and pages shorter than this hold no such tag
_OPEN_OR_CLOSE = re.compile(r"<(/?)[A-Za-z]")
_JSON_LD_DATE = re.compile(r'"datePublished"\s*:\s*"([^"\\]{4,40})"')
_DATE_METAS = ("article:published_time", "datepublished", "pubdate", "publishdate", "dc.date.issued", "date")


class Page(NamedTuple):
    """What a page holds. `metas` are its `<meta>` pairs of (name or property in lower case, content), at most 500."""

    text: str
    title: str | None
    published: str | None  # ISO 8601
    published_stated: str | None  # where it is no date that we know
    url: str | None  # the canonical one that the page states, http(s)
    metas: tuple[tuple[str, str], ...]


def looks_like_html(content: bytes) -> bool:
    """Whether content of unknown type begins as an HTML page does."""
    return _HTML_START.match(content[:_PRESCAN_BYTES]) is not None


def declared_charset(content: bytes) -> str | None:
    """The encoding that a page's first 4 kB declare in a meta tag or an XML declaration."""
    match = _DECLARED.search(content[:_PRESCAN_BYTES])
    return match[1].decode("ascii") if match else None


def extract(html: str, extractor: Extractor) -> Page:
    """The main content of a page, one paragraph a line.

    `resiliparse` keeps more, `trafilatura` (Barbaresi 2021, https://aclanthology.org/2021.acl-demo.15/) is stricter and a fifth as
    fast; F1 on hand-separated pages and what each gets wrong: docs/html_extraction.md. Raises InputError where the page is built so
    that parsing it would take minutes (depth, attributes of one tag, tags) or no text is found. Cost: 1 ms or
    5 ms a page, at most some seconds; memory at most 35 bytes for each byte of the page (550 MB for 16 MB of small tags).
    """
    from resiliparse.parse.html import HTMLTree

    html = html.replace("\0", "")
    _refuse_slow_tags(html)
    if html.count("<") > MAX_TAGS[extractor]:
        raise InputError(f"the page has over {MAX_TAGS[extractor]} tags, which {extractor} takes too long for")
    try:
        tree = HTMLTree.parse(html)
        _refuse_depth(html, tree)
        text = _by_resiliparse(tree) if extractor == "resiliparse" else _by_trafilatura(html)
        metas = _metas(_selected(tree, "meta[content]"))
        title = " ".join((tree.title or "").split()) or next((value for name, value in metas if name == "og:title"), "")
        canonical = [link.getattr("href") or "" for link in _selected(tree, "link[rel~=canonical i]")[:3]]
    except InputError:
        raise
    except Exception as error:  # the libraries below state no closed set of errors, and one page must not end a run
        raise InputError(f"no text could be extracted ({type(error).__name__}: {' '.join(str(error).split())[:100]})") from error
    if not text:
        raise InputError("no text could be extracted")
    published, stated = _published(html, metas)
    urls = [*canonical, *(value for name, value in metas if name == "og:url")]
    url = next((url.strip() for url in urls if re.match(r"\s*https?://[^\s/]+", url, re.IGNORECASE)), None)
    return Page(text, title[:MAX_TITLE_CHARS] or None, published, stated, url, metas)


def plain_text(text: str) -> str:
    """A text/plain page: line ends as \\n, no NUL, no space at the ends of lines. Raises InputError where nothing is left."""
    lines = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    if not text.strip():
        raise InputError("no text could be extracted")
    return text


def _by_resiliparse(tree: HTMLTree) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    for skipped in (_FURNITURE, []):  # a page may wrap all its text in what looks like furniture
        text = extract_plain_text(
            tree, main_content=True, preserve_formatting=True, list_bullets=False, alt_texts=False, skip_elements=skipped
        )
        if text.strip():
            break
    return _paragraphs(text)


def _by_trafilatura(html: str) -> str:
    import trafilatura

    return _paragraphs(trafilatura.extract(html, include_comments=False, config=_trafilatura_settings()) or "")


@cache
def _trafilatura_settings() -> ConfigParser:
    """trafilatura's own, but a text of under 250 characters is not tried again and then given twice, as 1.11 does."""
    from trafilatura.settings import DEFAULT_CONFIG

    settings: ConfigParser = deepcopy(DEFAULT_CONFIG)
    settings["DEFAULT"]["MIN_EXTRACTED_SIZE"] = "1"
    return settings


def _paragraphs(text: str) -> str:
    """One paragraph a line, the indentation of its first line kept."""
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def _refuse_slow_tags(html: str) -> None:
    if len(html) < _TAG_LOOKS_LONG:
        return
    for match in _TAG.finditer(html):
        if match.end() - match.start() < 2 * MAX_ATTRIBUTES or match[1] or match[0].startswith("<!--"):
            continue
        if sum(1 for _ in _ATTRIBUTE_PATTERN.finditer(match[0], 2)) > MAX_ATTRIBUTES:
            raise InputError(f"a tag has over {MAX_ATTRIBUTES} attributes")


def _refuse_depth(html: str, tree: HTMLTree) -> None:
    """Measures the tree only where the tags as they stand could be nested that deep."""
    depth = deepest = 0
    for match in _OPEN_OR_CLOSE.finditer(html):
        depth = max(0, depth - 1) if match[1] else depth + 1
        deepest = max(deepest, depth)
    node: Node | None = tree.document
    if deepest <= MAX_DEPTH:
        return
    depth = 0
    while node is not None:
        if depth > MAX_DEPTH:
            raise InputError(f"elements are nested over {MAX_DEPTH} deep")
        if node.first_child is not None:
            node, depth = node.first_child, depth + 1
            continue
        while depth and node is not None and node.next is None:
            node, depth = node.parent, depth - 1
        if not depth or node is None:
            return
        node = node.next


def _selected(tree: HTMLTree, selector: str) -> list[Element]:
    return list(tree.document.query_selector_all(selector)) if tree.document is not None else []


def _metas(elements: list[Element]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for meta in elements[:MAX_METAS]:
        name = meta.getattr("name") or meta.getattr("property") or meta.getattr("itemprop") or ""
        if name:
            pairs.append((name.strip().lower(), " ".join((meta.getattr("content") or "")[:5000].split())))
    return tuple(pairs)


def _published(html: str, metas: tuple[tuple[str, str], ...]) -> tuple[str | None, str | None]:
    """The date of publication as ISO 8601, and the first stated one where none is a date."""
    stated = [value for wanted in _DATE_METAS for name, value in metas if name == wanted]
    stated += [match[1] for match in _JSON_LD_DATE.finditer(html)][:3]
    for value in stated:
        found = iso_date(value)
        if found:
            return found, None
    return None, next((value[:100] for value in stated if value), None)
