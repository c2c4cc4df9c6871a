"""Type `wikipedia`: articles from a MediaWiki dump in XML, or from rows whose text is plain already (`wikimedia/wikipedia`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit
from xml.parsers import expat

from corpus.sources.inputs import FILE_ERRORS, InputError, InputFile, describe, excerpt_of, files_in
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError, optional_text
from corpus.sources.rows import documents, raw_rows
from corpus.sources.spec import SourceSpec, check_spec
from corpus.sources.wikitext import plain_text
from factory.records import Document, License, Rejected
from factory.zh.language_converter import resolve

RIGHTS_HOLDER = "Wikipedia contributors"
DEFAULT_FIELDS = {"id": "id", "url": "url", "title": "title", "text": "text"}
MAX_PAGE_CHARS = 4_000_000  # MediaWiki itself refuses pages over 2,048 KiB ($wgMaxArticleSize)
MAX_FIELD_CHARS = 4_000  # of a title, date or other short element; MediaWiki's titles end at 255 bytes
MAX_DEPTH = 20  # of elements; an export has six
MAX_TOKEN_BYTES = 8 << 20  # of one tag that expat must hold whole
_READ_BYTES = 1 << 16
_MAX_NAMESPACES = 1_000

_PAGE = ("mediawiki", "page")
_SHORT_FIELDS = {
    ("mediawiki", "siteinfo", "dbname"): "dbname",
    ("mediawiki", "siteinfo", "base"): "base",
    (*_PAGE, "title"): "title",
    (*_PAGE, "ns"): "ns",
    (*_PAGE, "id"): "id",
    (*_PAGE, "revision", "id"): "revision",
    (*_PAGE, "revision", "timestamp"): "timestamp",
    (*_PAGE, "revision", "model"): "model",
}
_TEXT = (*_PAGE, "revision", "text")
_NAMESPACE = ("mediawiki", "siteinfo", "namespaces", "namespace")
_WORDLESS_NAMESPACES = frozenset({"-2", "6", "14"})  # media, files, categories
_REDIRECT = re.compile(r"\s*#(?:redirect|重定向|重新導向|重新导向)\s*:?\s*\[\[", re.IGNORECASE)
_DISAMBIGUATION_TITLE = re.compile(r"[(（]\s*(?:消歧[義义]|disambiguation)\s*[)）]$", re.IGNORECASE)


@dataclass(slots=True)
class Site:
    """What `siteinfo` says of a wiki."""

    dbname: str | None = None
    base: str | None = None
    wordless_namespaces: list[str] = field(default_factory=list)

    def url(self, title: str) -> str | None:
        """The address of a page, on the pattern of the main page's; None where the dump names none on the web."""
        try:
            parts = urlsplit(self.base or "")
        except ValueError:  # "https://[" begins an IPv6 address that does not end
            return None
        if parts.scheme not in ("http", "https") or "/" not in parts.path:
            return None
        return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/{quote(title.replace(' ', '_'), safe='/:(),!*;@$~')}"


@dataclass(slots=True)
class Page:
    """One page of a dump, with its last revision. `text` is None where it is over the bound."""

    fields: dict[str, str] = field(default_factory=dict)
    text: str | None = ""
    redirect: bool = False

    def is_article(self) -> bool:
        """Whether it is wikitext in the main namespace and no redirect."""
        wikitext = self.fields.get("model", "wikitext").strip() == "wikitext"
        return self.fields.get("ns", "").strip() == "0" and wikitext and not self.redirect and not _REDIRECT.match(self.text or "")


class _DumpReader:
    """Expat handlers that gather pages. Holds one page, and of text over the bound nothing."""

    def __init__(self) -> None:
        self.site = Site()
        self.pages: list[Page] = []
        self._page = Page()
        self._path: list[str] = []
        self._data: list[str] = []
        self._room = 0
        self._namespace = ""
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.StartDoctypeDeclHandler = _refuse  # and with it every declaration of an entity
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._fed = 0

    def feed(self, content: bytes, last: bool = False) -> None:
        """Raises InputError where the bytes are no MediaWiki export."""
        try:
            self._parser.Parse(content, last)
        except expat.ExpatError as error:
            raise InputError(f"invalid XML: {error}") from None
        self._fed += len(content)
        if self._fed - max(self._parser.CurrentByteIndex, 0) > MAX_TOKEN_BYTES:
            raise InputError(f"one XML tag is over {MAX_TOKEN_BYTES} bytes")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "mediawiki":
            raise InputError(f"the root element is <{name[:40]}>, not <mediawiki> of a MediaWiki export")
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise InputError(f"elements are nested over {MAX_DEPTH} levels")
        path = tuple(self._path)
        if path == _PAGE:
            self._page = Page()
        elif path == (*_PAGE, "redirect"):
            self._page.redirect = True
        self._namespace = attributes.get("key", "") if path == _NAMESPACE else ""
        self._data = []
        self._room = MAX_PAGE_CHARS if path == _TEXT else MAX_FIELD_CHARS if path in _SHORT_FIELDS or self._namespace else -1

    def _characters(self, data: str) -> None:
        if self._room >= 0:
            self._room -= len(data)
            if self._room < 0:
                self._data = []
            else:
                self._data.append(data)

    def _end(self, name: str) -> None:
        path = tuple(self._path)
        self._path.pop()
        value = "".join(self._data)
        if path == _TEXT:
            self._page.text = value if self._room >= 0 else None
        elif path == _PAGE:
            self.pages.append(self._page)
        elif path in _SHORT_FIELDS:
            name = _SHORT_FIELDS[path]
            if path[1] == "page":
                self._page.fields[name] = value
            else:
                setattr(self.site, name, value.strip() or None)
        elif self._namespace in _WORDLESS_NAMESPACES and len(self.site.wordless_namespaces) < _MAX_NAMESPACES:
            self.site.wordless_namespaces.append(value.strip())
        self._data, self._room, self._namespace = [], -1, ""


def _refuse(*_: object) -> None:
    raise InputError("a document type declaration, which could declare entities; a MediaWiki export has none")


def pages(file: InputFile) -> Iterator[tuple[Site, Page] | Rejected]:
    """The pages of a dump (export schema 0.10 or 0.11) in order. After damage the pages before it stand, and one `Rejected` says where.

    Memory: one page of at most `MAX_PAGE_CHARS` and the pages that end in one read of 64 KiB.
    """
    reader = _DumpReader()
    count = 0
    last = False
    try:
        if file.is_empty():
            yield file.rejected("empty file")
            return
        with file.open() as stream:
            while not last:
                content = stream.read(_READ_BYTES)
                last = not content
                fault: InputError | None = None
                try:
                    reader.feed(content, last)
                except InputError as error:
                    fault = error
                ready, reader.pages = reader.pages, []
                for page in ready:
                    count += 1
                    yield reader.site, page
                if fault:
                    raise fault
    except FILE_ERRORS as error:
        yield file.rejected(describe(error), f"after page {count}" if count else "")
        return
    if not count:
        yield file.rejected("the dump has no pages")


class WikipediaSource:
    """A dump (`*-pages-articles*.xml`, plain or compressed) or rows {id, url, title, text} in Parquet, JSONL or JSON.

    Of a dump only articles are read: main namespace, model wikitext, no redirect. Other pages are neither documents nor rejects. The
    text is the prose alone (`corpus.sources.wikitext`); rows are taken as they are. In both, `-{…}-` is resolved for zh-tw.
    The licence is CC BY-SA 4.0 and the holder "Wikipedia contributors" where the recipe is silent.
    `published` is the time of the revision: when this wording was published, as type law takes the last amendment's.
    Metadata: `revision`, `wiki` (the database's name), `sections_cut` (sections of references and links that were left out).
    Pages that only tell names apart carry the flag `disambiguation`. A page over `MAX_PAGE_CHARS` is rejected.
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, RECORD_FIELDS, {})
        self._rows = Columns(name, spec, {**DEFAULT_FIELDS, **spec.fields}, License.CC_BY_SA_4)
        silent = SourceSpec(**{**spec.model_dump(exclude_unset=True), "fields": {}})
        fields = {**DEFAULT_FIELDS, "published": "timestamp"}
        self._pages = Columns(name, silent, fields, License.CC_BY_SA_4, keep_other_columns=False)

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
            elif file.layout.startswith(".xml"):  # parts of a dump are called .xml-p1p187712
                yield from self._dump(file)
            else:
                yield from documents(file, raw_rows(file), self._row)

    def _dump(self, file: InputFile) -> Iterator[Document | Rejected]:
        for item in pages(file):
            if isinstance(item, Rejected):
                yield item
                continue
            site, page = item
            if not page.is_article():
                continue
            try:
                document = self._article(file, site, page)
            except RowError as error:
                yield file.rejected(str(error), f"page {page.fields.get('id', '?').strip()}", excerpt_of(page.text or ""))
            else:
                yield document

    def _article(self, file: InputFile, site: Site, page: Page) -> Document:
        if page.text is None:
            raise RowError(f"field text is over {MAX_PAGE_CHARS} characters")
        title = page.fields.get("title", "").strip()
        if not title:
            raise RowError("missing field title")
        article = plain_text(page.text, title, site.wordless_namespaces)
        if not article.text:
            raise RowError("field text holds nothing but markup" if page.text.strip() else "missing field text")
        data = {"id": page.fields.get("id"), "url": site.url(title), "title": article.title, "timestamp": page.fields.get("timestamp")}
        metadata: dict[str, Any] = {"sections_cut": article.sections_cut}
        revision = page.fields.get("revision", "").strip()
        if revision.isascii() and revision.isdigit() and len(revision) < 19:
            metadata["revision"] = int(revision)
        if site.dbname:
            metadata["wiki"] = site.dbname
        document = self._pages.document(Row("", 0, data), file.stem, article.text, metadata)
        return _finished(document, article.disambiguation or _DISAMBIGUATION_TITLE.search(title) is not None)

    def _row(self, file: InputFile, row: Row) -> list[Document]:
        title = optional_text(row.data, self._rows.fields.get("title"))
        resolved = resolve(self._rows.text(row), title)
        if not resolved.text.strip():
            raise RowError(f"field text (column {self._rows.fields['text']!r}) holds nothing but markup")
        document = self._rows.document(row, file.stem, resolved.text)
        document.title = resolved.title
        return [_finished(document, _DISAMBIGUATION_TITLE.search(title or "") is not None)]


def _finished(document: Document, disambiguation: bool) -> Document:
    document.rights_holder = document.rights_holder or RIGHTS_HOLDER
    document.flags = ("disambiguation",) if disambiguation else ()
    return document
