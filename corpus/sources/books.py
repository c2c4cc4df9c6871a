"""Type `books`: EPUB and plain text, read only where a rights file beside the book states who holds the rights and allows training."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from corpus.sources import rights as ledger
from corpus.sources.epub import Book, read_epub
from corpus.sources.inputs import FILE_ERRORS, MAX_TEXT_BYTES, InputError, InputFile, describe
from corpus.sources.parts import Heading, split_document
from corpus.sources.rights import Rights, RightsError, UnstatedRights
from corpus.sources.spec import SourceSpec, check_spec
from factory.errors import UserError
from factory.records import Document, License, Rejected
from factory.storage import open_binary

UNSTATED = "rights_unstated"  # flag of a document that was read without rights
MAX_HEADING_CHARS = 60
MAX_TITLE_CHARS = 60

_NUMBER = r"[0-9０-９一二三四五六七八九十百千零〇○兩廿卅]{1,8}"
_END = r"(?:[\s　：:、．.—－-].*)?"
_VOLUME = re.compile(
    rf"(?:第\s*{_NUMBER}\s*[卷部集冊編輯]|[卷冊](?:之)?(?:{_NUMBER}|[上中下])|[上中下](?:卷|冊|集|部)){_END}|第\s*{_NUMBER}\s*[卷篇].*|[上中下]篇{_END}"
)
_CHAPTER = re.compile(rf"第\s*{_NUMBER}\s*(?:[幕折話]{_END}|[章回].*)")
_SECTION = re.compile(rf"第\s*{_NUMBER}\s*節{_END}")
_APART = re.compile(
    r"(?:(?:推薦|作者|譯者|編者|原|自|代|譯|總|再版|新版|初版)?序[言章文]?|前言|引言|引子|楔\s*子|導[讀言論]|緒[論言]|題記|凡例|結[語論]|尾\s*聲|終章|"
    rf"(?:譯者|編者|作者)?後記|跋|附錄[一二三四五六七八九十0-9０-９]*|番外[一二三四五六七八九十]*|致謝|謝[辭誌]){_END}"
)
_MARKDOWN = re.compile(r"(#{1,6})\s+")
_NO_END = "。，、；：,;"


def _bare(line: str) -> str | None:
    """A line without its Markdown mark, None where it is too long or ends inside or after a sentence."""
    bare = _MARKDOWN.sub("", line.strip(), count=1).strip() if line.startswith("#") else line.strip()
    return bare if 0 < len(bare) <= MAX_HEADING_CHARS and bare[-1] not in _NO_END else None


def _matches(*patterns: re.Pattern[str]) -> Heading:
    def is_heading(line: str) -> bool:
        bare = _bare(line)
        return bare is not None and any(pattern.fullmatch(bare) for pattern in patterns)

    return is_heading


LEVELS: tuple[Heading, ...] = (
    _matches(_VOLUME, _APART),
    _matches(_VOLUME, _APART, _CHAPTER),
    _matches(_VOLUME, _APART, _CHAPTER, _SECTION),
)


def _any_of(first: Heading, second: Heading) -> Heading:
    return lambda line: first(line) or second(line)


def _markdown_level(level: int) -> Heading:
    def is_heading(line: str) -> bool:
        match = _MARKDOWN.match(line)
        return match is not None and len(match[1]) <= level

    return is_heading


def _marked_level(headings: dict[str, int], level: int) -> Heading:
    return lambda line: headings.get(line, 7) <= level


def clean(text: str) -> str:
    """A text file's lines without trailing spaces; of several blank lines one stays."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines.replace("\0", "")).strip("\n")


class BooksSource:
    """`.epub`, `.txt` and `.md` files. The id is the file's stem; rights files yield nothing, other layouts are rejected.

    Licence and rights holder come from the rights file (`corpus/sources/rights.py`) alone. Option `allow_unstated_rights`
    reads a book of which no rights file speaks, with license unknown and the flag `rights_unstated`; a rights file that is
    faulty, has expired or does not allow training rejects the book all the same. `today` says which day it is.
    """

    def __init__(self, name: str, spec: SourceSpec, today: Callable[[], date] = date.today) -> None:
        check_spec(name, spec, frozenset(), {"allow_unstated_rights": bool})
        stated = {"license": spec.license is not License.UNKNOWN, "licenses": spec.licenses, "rights_holder": spec.rights_holder}
        for key, value in stated.items():
            if value:
                raise UserError(
                    f"sources.{name}.{key}: type books takes licence and holder from the rights file beside each book. "
                    f"Remove the key, and write {ledger.FOLDER_FILE} into the folder."
                )
        self._name = name
        self._allows_unstated = bool(spec.options.get("allow_unstated_rights", False))
        self._today = today

    def side_files(self, path: str) -> list[str]:
        """The rights file that speaks of the book at `path`: at most one, none for a rights file itself."""
        found = None if ledger.is_rights_file(path) else ledger.rights_file(path)
        return [] if found is None else [found]

    def key_facts(self, path: str) -> list[str]:
        """Whether the book's rights have run out today: the same files are read otherwise the day after."""
        try:
            return [f"expired: {not ledger.is_rights_file(path) and ledger.rights_of(path).expired(self._today())}"]
        except RightsError:
            return []

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file; a book over 20,000 characters comes in parts.

        A page of an EPUB that cannot be read is a `Rejected` and the others stand. Memory: bounded by `read_epub`, or by ten times
        `MAX_TEXT_BYTES` for a text. Raises UserError where a remote file cannot be reached.
        """
        if ledger.is_rights_file(path):
            return
        file = InputFile(path, path, False, lambda: open_binary(path))
        try:
            suffix = file.layout
            if suffix not in (".epub", ".txt", ".md"):
                raise InputError(f"unknown layout {suffix!r}; this source reads .epub, .txt and .md")
            stated = self._rights(path)
            if suffix != ".epub":
                document, levels = self._text(file)
            else:
                if not path.lower().endswith(".epub"):
                    raise InputError("an EPUB inside another compression; decompress it first")
                book = None
                for item in read_epub(path):
                    if isinstance(item, Rejected):
                        yield item
                    else:
                        book = item
                if book is None:
                    return
                document, levels = self._epub(file, book)
        except FILE_ERRORS as error:
            yield file.rejected(describe(error))
            return
        except RightsError as error:
            yield file.rejected(str(error))
            return
        yield from split_document(_with_rights(document, stated), levels, label=_label)

    def _rights(self, path: str) -> Rights | None:
        try:
            stated = ledger.rights_of(path)
        except UnstatedRights:
            if self._allows_unstated:
                return None
            raise
        ledger.check_use(stated, self._today())
        return stated

    def _document(self, file: InputFile, text: str, title: str | None, published: str | None, metadata: dict[str, Any]) -> Document:
        known = {key: value for key, value in metadata.items() if value not in (None, [], 0)}
        return Document(f"{self._name}:{file.stem}", text, self._name, title=title or file.stem, published=published, metadata=known)

    def _text(self, file: InputFile) -> tuple[Document, tuple[Heading, ...]]:
        from corpus.sources.charset import decode

        with file.open() as stream:
            content = stream.read(MAX_TEXT_BYTES + 1)
        if not content:
            raise InputError("empty file")
        if len(content) > MAX_TEXT_BYTES:
            raise InputError(f"the text is over {MAX_TEXT_BYTES} bytes")
        decoded = decode(content)
        text = clean(decoded.text)
        if not text.strip():
            raise InputError("the file holds nothing but blank lines")
        encoding = None if decoded.encoding in ("ascii", "utf-8") else decoded.encoding
        metadata = {"format": file.layout[1:], "encoding": encoding, "characters_replaced": decoded.replaced}
        levels = tuple(
            _any_of(_markdown_level(level), heading) if file.layout == ".md" else heading for level, heading in enumerate(LEVELS, 1)
        )
        return self._document(file, text, _title_of(text), None, metadata), levels

    def _epub(self, file: InputFile, book: Book) -> tuple[Document, tuple[Heading, ...]]:
        metadata = {
            "format": "epub",
            "creators": book.creators,
            "publisher": book.publisher,
            "language": book.language,
            "identifier": book.identifier,
            "published_stated": book.published_stated,
            "unread_pages": book.unread_pages,
        }
        levels = tuple(_any_of(_marked_level(book.headings, level), heading) for level, heading in enumerate(LEVELS, 1))
        return self._document(file, "\n".join(book.lines), book.title, book.published, metadata), levels


def _with_rights(document: Document, stated: Rights | None) -> Document:
    if stated is None:
        return replace(document, flags=(UNSTATED,))
    return replace(document, license=stated.license, rights_holder=stated.holder, metadata={**document.metadata, **stated.metadata()})


def _title_of(text: str) -> str | None:
    """The first line where it is short, no sentence and no chapter's heading."""
    line = text.lstrip().partition("\n")[0]
    bare = _bare(line)
    return None if bare is None or len(bare) > MAX_TITLE_CHARS or LEVELS[-1](line) else bare.strip("《》")


def _label(heading: str) -> str:
    return _bare(heading) or heading.strip()
