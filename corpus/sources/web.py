"""Type `web`: pages of WARC files, and HTML files in folders and ZIP archives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO, cast

from corpus.sources.blocklist import Blocklist, list_paths
from corpus.sources.charset import Decoded, decode
from corpus.sources.dates import iso_date
from corpus.sources.html import EXTRACTORS, Extractor, Page, declared_charset, extract, looks_like_html, plain_text
from corpus.sources.inputs import FILE_ERRORS, InputError, InputFile, describe, excerpt_of, files_in
from corpus.sources.opt_out import opt_out
from corpus.sources.spec import SourceSpec, check_spec
from corpus.sources.warc import MAX_PAYLOAD_BYTES, Response, content, responses
from factory.errors import UserError
from factory.records import Document, Rejected
from factory.storage import open_stored

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
PLAIN_TYPE = "text/plain"
_UNSTATED_TYPES = frozenset({"", "application/octet-stream", "unknown/unknown"})
_PAGES = frozenset({".html", ".htm", ".xhtml"})
_SEEKABLE = re.compile(r"\.warc(?:\.gz|\.zst)?$", re.IGNORECASE)  # what fastwarc decompresses itself, member by member
MAX_URL_CHARS = 2_000


class WebSource:
    """`.warc`, `.warc.gz` and `.warc.zst` files; `.html`, `.htm` and `.xhtml` files.

    Of a WARC file, responses with status 200 and a type of HTML or plain text are documents (a response without a type where it
    begins as HTML does); all other records are no documents and are not counted. Of a folder every file is one.

    Ids: a WARC record's is the UUID of its WARC-Record-ID, which a crawler gives each capture (a hash of the address would
    give two captures of a page one id), else `<file stem>-<record number>`. An HTML file's is its path below the folder that the recipe
    names, with that folder's own name (`sources.x.paths: [pages]` gives `pages/2024/a.html`): two pages of a site that both are called
    index.html stay apart, and where the folder stands does not matter. A member of a ZIP archive has the archive's before its own.

    Nothing is left out for what it says or where it stands: a page on a blocklist has the flag `blocklisted` and the metadata
    `blocklist_entry`, one that reserves its use for machine learning the flag `opt_out` (`corpus.sources.opt_out`); policies
    decide. Option `extractor`: resiliparse (default) or trafilatura. Memory: one page of at most 16 MB with its text and its tree
    (some 0.5 GB at worst), and the blocklist.
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, frozenset(), {"extractor": str})
        extractor = spec.options.get("extractor", "resiliparse")
        if extractor not in EXTRACTORS:
            raise UserError(f"sources.{name}.options.extractor: {extractor!r} is not known; use one of {', '.join(EXTRACTORS)}.")
        self._name = name
        self._spec = spec
        self._extractor = cast(Extractor, extractor)

    def side_files(self, path: str) -> list[str]:
        """The blocklist files: what they hold shapes the flags of every page. Raises UserError for a list that is not there."""
        return list_paths(self._spec.blocklists)

    def key_facts(self, path: str) -> list[str]:
        """Where a page lies below the recipe's entry: its id says so."""
        return [path_below(path, self._spec.paths)]

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order."""
        blocklist = Blocklist.load_once(self._spec.blocklists)
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
                continue
            try:
                if file.layout == ".warc":
                    yield from self._warc(file, blocklist)
                elif file.layout in _PAGES:
                    yield self._page_file(file, blocklist)
                else:
                    yield file.rejected(f"unknown layout {file.layout!r}; this source reads .warc, .html, .htm and .xhtml")
            except FILE_ERRORS as error:
                yield file.rejected(describe(error))

    def _warc(self, file: InputFile, blocklist: Blocklist) -> Iterator[Document | Rejected]:
        if file.is_empty():
            raise InputError("empty file")
        with open_stored(file.path) if not file.member and _SEEKABLE.search(file.path) else file.open() as stream:
            for response in responses(file, stream):
                if isinstance(response, Rejected):
                    yield response
                    continue
                document = self._response(file, response, blocklist)
                if document is not None:
                    yield document

    def _response(self, file: InputFile, response: Response, blocklist: Blocklist) -> Document | Rejected | None:
        kind = response.media_type
        if kind not in HTML_TYPES and kind != PLAIN_TYPE and kind not in _UNSTATED_TYPES:
            return None
        payload = b""
        try:
            payload = content(response)
            is_html = kind in HTML_TYPES or looks_like_html(payload)
            if kind in _UNSTATED_TYPES and not is_html:
                return None
            identifier = response.uuid or f"{file.stem}-{response.number}"
            document = self._document(identifier, payload, response.charset, is_html, response.headers, response.url, blocklist)
        except InputError as error:
            return file.rejected(describe(error), response.place, f"{response.url} {excerpt_of(payload or response.payload)}")
        document.retrieved = iso_date(response.date)
        document.metadata["content_type"] = kind or "none"
        if response.truncated:
            document.metadata["truncated"] = response.truncated
        return document

    def _page_file(self, file: InputFile, blocklist: Blocklist) -> Document | Rejected:
        with file.open() as stream:
            payload = _bounded(stream)
        name = path_below(file.path, self._spec.paths)
        identifier = f"{name}/{file.name}" if file.member else name
        try:
            return self._document(identifier, payload, None, True, (), None, blocklist)
        except InputError as error:
            return file.rejected(describe(error), "", excerpt_of(payload))

    def _document(
        self,
        identifier: str,
        payload: bytes,
        charset: str | None,
        is_html: bool,
        headers: Iterable[tuple[str, str]],
        url: str | None,
        blocklist: Blocklist,
    ) -> Document:
        """The document of one page. Raises InputError where it has no text."""
        declared = charset or (declared_charset(payload) if is_html else None)
        decoded = decode(payload, declared)
        page = extract(decoded.text, self._extractor) if is_html else Page(plain_text(decoded.text), None, None, None, None, ())
        url = _address(url) or _address(page.url)
        statements = opt_out(headers, page.metas)
        blocked = blocklist.match(url) if url else None
        document = Document(
            id=f"{self._name}:{identifier}",
            text=page.text,
            source=self._name,
            license=self._spec.license,
            rights_holder=self._spec.rights_holder,
            url=url,
            title=page.title,
            published=page.published,
            flags=(*(("blocklisted",) if blocked else ()), *(("opt_out",) if statements.reserved else ())),
        )
        extractor = self._extractor if is_html else None
        facts = {
            "charset_declared": declared,
            "extractor": extractor,
            "blocklist_entry": blocked,
            "published_stated": page.published_stated,
        }
        document.metadata = {**_encoding(decoded), **{key: value for key, value in facts.items() if value}, **statements.metadata()}
        return document


def path_below(path: str, entries: Iterable[str]) -> str:
    """A file's path from the folder that an entry of a recipe's `paths` names, that folder's name included; its own and its
    folder's name where no entry does. What of it is no UTF-8 is written as `\\udcNN`.
    """
    parts = path.replace("\\", "/").split("/")
    keep = 2
    for entry in entries:
        folder = entry.replace("\\", "/").rstrip("/").split("/")
        fixed = next((index for index, part in enumerate(folder) if re.search(r"[*?\[]", part)), len(folder))
        fixed = min(fixed, len(parts) - 1)  # an entry that is the file itself stands for its folder
        if folder[:fixed] == parts[:fixed]:
            keep = max(keep, len(parts) - fixed + 1)
    return "/".join(part for part in parts[-keep:] if part).encode("utf-8", "backslashreplace").decode()


def _bounded(stream: IO[bytes]) -> bytes:
    payload = stream.read(MAX_PAYLOAD_BYTES + 1)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InputError(f"the page is over {MAX_PAYLOAD_BYTES} bytes")
    if not payload.strip():
        raise InputError("empty file")
    return payload


def _address(url: str | None) -> str | None:
    """A URL as the record holds it: Unicode. One of over 2,000 characters is cut."""
    return url.encode("utf-8", "backslashreplace").decode()[:MAX_URL_CHARS] if url else None


def _encoding(decoded: Decoded) -> dict[str, str | int]:
    return {"charset": decoded.encoding, **({"replaced_characters": decoded.replaced} if decoded.replaced else {})}
