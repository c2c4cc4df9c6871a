"""EPUB 2 and 3 as text: container, package document, then the pages of the spine in order. Every archive is hostile until checked.

Follows the Open Container Format and the package document of EPUB 3.3 (W3C, 2023, sections 4 and 5) and their EPUB 2.0.1 forms.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from corpus.sources.chapter import Chapter, parse_xml, read_chapter
from corpus.sources.dates import iso_date
from corpus.sources.inputs import FILE_ERRORS, InputError, describe, member_fault
from factory.records import Rejected
from factory.storage import open_stored

MAX_DIRECTORY_BYTES = 4 << 20  # the archive's table of members: 90,000 at most
MAX_PACKAGE_BYTES = 8 << 20  # container, package document, encryption table
MAX_PAGE_BYTES = 8 << 20  # one page when decompressed
MAX_BOOK_BYTES = 64 << 20  # all pages when decompressed
MAX_SPINE = 10_000
MAX_FIELD_CHARS = 500

MIMETYPE = "application/epub+zip"
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PACKAGE_TYPE = "application/oebps-package+xml"
_PAGES = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
_FONT_OBFUSCATION = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
_LEFT_OUT = frozenset({"cover", "toc", "landmarks", "page-list", "loi", "lot"})
_COVER_IDS = frozenset({"cover", "coverpage", "cover-page", "cover.xhtml", "cover.html"})
_DAMAGE: tuple[type[Exception], ...] = (*FILE_ERRORS, RuntimeError, ValueError)  # zipfile: an encrypted member, a nonsense offset


@dataclass(slots=True)
class Book:
    """What an EPUB states of itself, and its text: `lines` of all pages, a blank one between pages, `headings` with their level."""

    title: str | None = None
    creators: list[str] = field(default_factory=list)
    publisher: str | None = None
    language: str | None = None
    identifier: str | None = None
    published: str | None = None
    published_stated: str | None = None  # a date that is no date
    lines: list[str] = field(default_factory=list)
    headings: dict[str, int] = field(default_factory=dict)
    pages: int = 0
    unread_pages: int = 0


def read_epub(path: str) -> Iterator[Book | Rejected]:
    """A `Rejected` for each member that is unsafe or cannot be read, then the book of the pages that can; no book where none can.

    Refused as a whole: no archive, another mimetype, no container, encrypted pages (DRM; obfuscated fonts are fine), a spine of more than
    `MAX_SPINE` pages. Members are read as streams within the bounds above; nothing is written to disk, fetched or expanded.
    Left out: navigation, covers, pages that are not linear. Memory: the pages' text, one page's tree (about 400 MB at worst)
    and the archive's table (about 60 MB at worst). Raises UserError where a remote file cannot be reached.
    """
    try:
        with open_stored(path) as raw, zipfile.ZipFile(_SmallReads(raw)) as archive:
            yield from _Reader(path, archive).read()
    except _DAMAGE as error:
        yield Rejected(path, "file", _message(error))


class _SmallReads:
    """A file that gives out no more than `MAX_DIRECTORY_BYTES` at once: zipfile reads the whole table of members, however large."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.seek, self.tell, self.seekable = raw.seek, raw.tell, raw.seekable

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise InputError(f"the archive's table of members is over {MAX_DIRECTORY_BYTES} bytes")
        return self._raw.read(size if size >= 0 else MAX_DIRECTORY_BYTES)


def _message(error: Exception) -> str:
    return describe(error)[:MAX_FIELD_CHARS]


@dataclass(slots=True)
class _Item:
    """One file of the package's manifest."""

    href: str
    media_type: str
    properties: frozenset[str]
    fallback: str | None


class _Reader:
    """Reads one open archive."""

    def __init__(self, path: str, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._faults: dict[str, str] = {}

    def read(self) -> Iterator[Book | Rejected]:
        yield from self._check_members()
        self._check_mimetype()
        root = parse_xml(self._bytes(_CONTAINER, MAX_PACKAGE_BYTES, "no EPUB: "))
        package_path = _package_path(root)
        package = parse_xml(self._bytes(package_path, MAX_PACKAGE_BYTES))
        book = _described(package)
        spine = _spine(package, posixpath.dirname(package_path))
        self._check_encryption({name for name in spine if name})
        left_out = _left_out(package, posixpath.dirname(package_path))
        yield from self._pages(book, spine, left_out)
        if book.lines:
            yield book
        elif not book.unread_pages:
            raise InputError("the book has no text: its spine names no page with words")

    def _check_members(self) -> Iterator[Rejected]:
        for info in self._archive.infolist():
            if info.filename.endswith("/") and not info.file_size:  # is_dir() fails on an empty name
                continue
            name = info.filename
            fault = member_fault(info)
            if name in self._members or name in self._faults:
                fault = "the name stands twice in the archive"
                self._members.pop(name, None)
            elif not fault and info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                fault = f"compression method {info.compress_type}; EPUB allows stored and deflated members"
            if not fault:
                self._members[name] = info
            elif name not in self._faults:
                self._faults[name] = fault
                yield self._rejected(name, fault)

    def _rejected(self, member: str, error: str) -> Rejected:
        return Rejected(self._path, f"member {member[:MAX_FIELD_CHARS]}", error)

    def _check_mimetype(self) -> None:
        if "mimetype" in self._members:  # some tools leave it out, and the container says as much
            stated = self._bytes("mimetype", 1000).decode("utf-8-sig", "replace").strip()
            if stated != MIMETYPE:
                raise InputError(f"no EPUB: the mimetype is {stated[:100]!r}, not {MIMETYPE}")

    def _bytes(self, name: str, bound: int, prefix: str = "") -> bytes:
        info = self._members.get(name)
        if info is None:
            raise InputError(f"{prefix}{self._faults.get(name, 'no such member in the archive')}: {name[:MAX_FIELD_CHARS]}")
        if info.file_size > bound:
            raise InputError(f"{name[:MAX_FIELD_CHARS]} is {info.file_size} bytes when decompressed; the bound is {bound}")
        pieces: list[bytes] = []
        with self._archive.open(info) as stream:
            while piece := stream.read(1 << 16):
                pieces.append(piece)
        return b"".join(pieces)

    def _check_encryption(self, pages: set[str]) -> None:
        if _ENCRYPTION in self._faults:
            raise InputError(f"{_ENCRYPTION}: {self._faults[_ENCRYPTION]}")
        if _ENCRYPTION not in self._members:
            return
        for entry in _all(parse_xml(self._bytes(_ENCRYPTION, MAX_PACKAGE_BYTES)), "EncryptedData"):
            methods = {method.get("Algorithm", "") for method in _all(entry, "EncryptionMethod")}
            targets = {unquote(target.get("URI", "")) for target in _all(entry, "CipherReference")}
            if not methods or methods - _FONT_OBFUSCATION or targets & pages:
                raise InputError("encrypted (DRM); only a copy without protection can be read")

    def _pages(self, book: Book, spine: dict[str, str], left_out: frozenset[str]) -> Iterator[Rejected]:
        total = 0
        for name, fault in spine.items():
            try:
                if fault:
                    raise InputError(fault)
                if name in left_out:
                    continue
                size = self._members[name].file_size if name in self._members else 0
                total += size if size <= MAX_PAGE_BYTES else 0  # a larger one is refused below
                if total > MAX_BOOK_BYTES:
                    raise InputError(f"the book's pages exceed {MAX_BOOK_BYTES} bytes when decompressed")
                chapter = read_chapter(self._bytes(name, MAX_PAGE_BYTES))
            except _DAMAGE as error:
                book.unread_pages += 1
                yield self._rejected(name, _message(error))
                continue
            _add(book, chapter)


def _add(book: Book, chapter: Chapter) -> None:
    if not chapter.lines or chapter.types & _LEFT_OUT:
        return
    book.pages += 1
    book.lines += ["", *chapter.lines] if book.lines else chapter.lines
    for line, level in chapter.headings.items():
        book.headings[line] = min(level, book.headings.get(line, level))


def _all(element: Any, name: str) -> Iterator[Any]:
    """Elements of that local name: package documents mix namespaces, and some have none."""
    return (found for found in element.iter() if isinstance(found.tag, str) and found.tag.rpartition("}")[2] == name)


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())[:MAX_FIELD_CHARS]


def _package_path(container: Any) -> str:
    files = list(_all(container, "rootfile"))
    chosen = next((file for file in files if file.get("media-type") == _PACKAGE_TYPE), files[0] if files else None)
    if chosen is None:
        raise InputError(f"{_CONTAINER} names no package document")
    return _inside("", chosen.get("full-path", ""))


def _inside(folder: str, href: str) -> str:
    """The member that a reference names. Raises InputError where it leads out of the archive."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        parts = urlsplit("invalid:")
    name = unquote(parts.path)
    path = posixpath.normpath(posixpath.join(folder, name))
    unsafe = name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\\" in name or "\0" in name
    if parts.scheme or parts.netloc or unsafe or path.split("/")[0] == "..":
        raise InputError(f"the reference {href[:100]!r} leads out of the archive")
    if not name:
        raise InputError("an empty reference")
    return path


def _described(package: Any) -> Book:
    metadata = next(_all(package, "metadata"), None)
    if metadata is None:
        return Book()
    texts = {
        name: [text for element in _all(metadata, name) if (text := _text(element))]
        for name in ("title", "creator", "publisher", "language")
    }
    book = Book(
        title=_main_title(metadata) or next(iter(texts["title"]), None),
        creators=texts["creator"][:50],
        publisher=next(iter(texts["publisher"]), None),
        language=next(iter(texts["language"]), None),
        identifier=_identifier(package, metadata),
    )
    stated = _date(metadata)
    book.published = iso_date(stated)
    book.published_stated = stated if book.published is None else None
    return book


def _main_title(metadata: Any) -> str | None:
    """The title that EPUB 3 marks as the main one, where there are several."""
    marked = {
        meta.get("refines", "").removeprefix("#")
        for meta in _all(metadata, "meta")
        if meta.get("property") == "title-type" and _text(meta) == "main"
    }
    return next((text for title in _all(metadata, "title") if title.get("id") in marked and (text := _text(title))), None)


def _identifier(package: Any, metadata: Any) -> str | None:
    found = {element.get("id"): text for element in _all(metadata, "identifier") if (text := _text(element))}
    return found.get(package.get("unique-identifier")) or next(iter(found.values()), None)


def _date(metadata: Any) -> str | None:
    """The day of publication: EPUB 2 tells dates apart by `opf:event`, EPUB 3 has one `dc:date`."""
    dates = {element.get("{http://www.idpf.org/2007/opf}event", ""): text for element in _all(metadata, "date") if (text := _text(element))}
    return next((dates[event] for event in ("publication", "original-publication", "") if event in dates), None)


def _spine(package: Any, folder: str) -> dict[str, str]:
    """Member -> what is wrong with it ("" where nothing is), in reading order, each once; only pages that are linear and no navigation."""
    items = {
        item.get("id", ""): _Item(
            item.get("href", ""),
            item.get("media-type", "").strip().lower(),
            frozenset(item.get("properties", "").split()),
            item.get("fallback"),
        )
        for item in _all(package, "item")
    }
    references = list(_all(package, "itemref"))
    if not references:
        raise InputError("the package document has no spine")
    if len(references) > MAX_SPINE:
        raise InputError(f"the spine has {len(references)} pages; the bound is {MAX_SPINE}")
    spine: dict[str, str] = {}
    for reference in references:
        identifier = reference.get("idref", "")
        if reference.get("linear", "yes").strip().lower() == "no" or identifier.lower() in _COVER_IDS:
            continue
        try:
            item = _page_of(items, identifier)
            if item is not None and not item.properties & {"nav", "cover-image"}:
                spine.setdefault(_inside(folder, item.href), "")
        except InputError as error:
            spine.setdefault(items[identifier].href or identifier if identifier in items else f"(spine) {identifier}", str(error))
    return spine


def _page_of(items: dict[str, _Item], identifier: str) -> _Item | None:
    """The page that an itemref names, by way of fallbacks; None for a picture. Raises InputError where it names nothing."""
    seen: set[str] = set()
    first = items.get(identifier)
    item = first
    while item is not None and item.media_type not in _PAGES:
        seen.add(identifier)
        if item.fallback is None:
            break
        identifier = item.fallback
        if identifier in seen:
            raise InputError("its fallbacks refer to each other in a circle")
        item = items.get(identifier)
    if item is None:
        raise InputError(f"the manifest has no item {identifier[:100]!r}")
    if item.media_type in _PAGES:
        return item
    if item.media_type.startswith(("image/", "audio/", "video/")):
        return None
    raise InputError(f"media type {item.media_type[:100]!r} is no page")


def _left_out(package: Any, folder: str) -> frozenset[str]:
    """Members that the guide of EPUB 2 calls cover or table of contents, unless it calls them text, too.

    A reference with a fragment speaks of a place in a page, which may hold the whole book.
    """
    roles: dict[str, set[str]] = {}
    for reference in _all(package, "reference"):
        try:
            if "#" not in reference.get("href", ""):
                roles.setdefault(_inside(folder, reference.get("href", "")), set()).add(reference.get("type", "").lower())
        except InputError:
            continue  # what the guide alone names is never read
    return frozenset(name for name, kinds in roles.items() if kinds <= _LEFT_OUT)
