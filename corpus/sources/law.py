"""Type `law`: statutes and orders of the Ministry of Justice's law database, abolished ones flagged."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from corpus.sources.inputs import InputFile, files_in
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError, lookup, optional_text, required_text
from corpus.sources.parts import Heading, split_document
from corpus.sources.rows import documents, raw_rows
from corpus.sources.spec import SourceSpec, check_spec
from factory.records import Document, License, Rejected

FIELDS = RECORD_FIELDS | {"abolished", "category"}
_ABOLISHED_CATEGORY = "廢止法規"  # the ministry files abolished laws under it

_PCODE = re.compile(r"pcode=([A-Za-z]\d{7})\b", re.IGNORECASE)
_NUMBER = "[ 一二三四五六七八九十百千零〇○0-9０-９]+"
_HEADING = re.compile(rf"\s*第{_NUMBER}(?P<level>[編篇章節款目])(?:\s*之\s*{_NUMBER})?(?:[\s　：:]|$)")
_ARTICLE = re.compile(
    r"\s*第\s*[0-9一二三四五六七八九十百千零〇○]+(?:[-之][0-9一二三四五六七八九十]+)*\s*條(?:之[一二三四五六七八九十]+)?[\s　]"
)
_ITEM = re.compile(
    r"\s*(?:[一二三四五六七八九十百零〇○]+[、．.︰:：\s　]|[壹貳參肆伍陸柒捌玖拾甲乙丙丁戊己庚辛壬癸]+[、．.\s　]"
    r"|[（(]\s*(?:[一二三四五六七八九十]+|\d+|[A-Za-z])\s*[)）]|\d{1,3}(?:[、．]|\.(?!\d)|[\s　])|[０-９]+[、．.\s　]"
    r"|[A-Za-z][、.)）]|[①-⑳㈠-㈩]|[※＊*●○◎•‧－]|[附備]註|附[件表圖]|註\s*[0-9一二三四五六七八九十]*\s*[：:])"
)
_DRAWN = re.compile(r"[\u2500-\u257f｜∣]|[^\S\n]{3,}\S+[^\S\n]{3,}")
_ENDS_SENTENCE = "。；;：:︰？?！!」』）)》〉"
_STARTS_INSIDE = "，。、；：！？）」』》，,"
# Hard-wrapped sources fill 32 full-width columns and drop at most two at the edge; the first line of an article may stand
# behind its number (at most 6 columns), which is measured away.
MAX_WRAPPED_CHARS = 100  # Latin characters take half a column
WRAP_MIN_COLUMNS, WRAP_MAX_COLUMNS = 30.5, 34.0


def _columns(text: str) -> float:
    return sum(1.0 if unicodedata.east_asian_width(character) in "WFA" else 0.5 for character in text)


def _is_wrapped(line: str, following: str) -> bool:
    """Whether a line break stands inside a sentence: the line is full, ends nothing, and the next line begins nothing."""
    if not line.strip() or not following.strip() or len(line) > MAX_WRAPPED_CHARS:
        return False
    following = following[:MAX_WRAPPED_CHARS]
    if _DRAWN.search(line) or _DRAWN.search(following):
        return False
    if _HEADING.match(line) or _HEADING.match(following) or _ARTICLE.match(following):
        return False
    width = _columns(_ARTICLE.sub("", line, count=1))
    if following.lstrip()[:1] in tuple(_STARTS_INSIDE):
        return WRAP_MIN_COLUMNS - 3 <= width <= WRAP_MAX_COLUMNS + 3
    if line[-1] in _ENDS_SENTENCE or _ITEM.match(following):
        return False
    return WRAP_MIN_COLUMNS <= width <= WRAP_MAX_COLUMNS


def rejoin(text: str) -> str:
    """Undoes hard line breaks inside sentences. Items, headings, articles and drawn tables keep their lines."""
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", text)]
    joined: list[str] = []
    previous = ""  # the last line as it stood in the source
    for line in lines:
        if joined and _is_wrapped(previous, line):
            continuation = line.strip()
            latin = joined[-1][-1:].isascii() and joined[-1][-1:].isalpha() and continuation[0].isascii() and continuation[0].isalpha()
            joined[-1] += (" " if latin else "") + continuation
        elif line.strip():
            joined.append(line)
        previous = line
    return "\n".join(joined)


@dataclass(frozen=True)
class Law:
    """One law as either of the ministry's layouts states it. `body` holds its headings and articles in order."""

    name: str
    url: str
    foreword: str
    body: list[str]
    abolished: bool
    dates: dict[str, Any]
    level: str | None
    category: str | None

    def text(self) -> str:
        """Title, foreword, then headings and articles, each beginning a line."""
        return "\n".join(part for part in (self.name, rejoin(self.foreword), *self.body) if part)


def per_law(row: dict[str, Any]) -> Law:
    """A law in the per-law layout (法規名稱, 法規內容 …). Raises RowError that names the faulty field."""
    body = [_per_law_entry(entry, number) for number, entry in enumerate(_entries(row, "法規內容"), 1)]
    return Law(
        name=required_text(row, "title", "法規名稱").strip(),
        url=required_text(row, "url", "法規網址").strip(),
        foreword=optional_text(row, "前言") or "",
        body=body,
        abolished=optional_text(row, "廢止註記") is not None,
        dates={"published": row.get("最新異動日期"), "retrieved": row.get("UpdateDate")},
        level=optional_text(row, "法規性質"),
        category=optional_text(row, "法規類別"),
    )


def _per_law_entry(entry: object, number: int) -> str:
    if isinstance(entry, dict) and isinstance(entry.get("編章節"), str):
        return str(entry["編章節"]).strip()
    if isinstance(entry, dict) and isinstance(entry.get("條文內容"), str):
        return _article(entry.get("條號"), entry["條文內容"])
    raise RowError(f"field text (column '法規內容') item {number} has neither 編章節 nor 條文內容")


def bulk(row: dict[str, Any]) -> Law:
    """A law in the bulk layout (LawName, LawArticles …). Raises RowError that names the faulty field."""
    body = [_bulk_entry(entry, number) for number, entry in enumerate(_entries(row, "LawArticles"), 1)]
    return Law(
        name=required_text(row, "title", "LawName").strip(),
        url=required_text(row, "url", "LawURL").strip(),
        foreword=optional_text(row, "LawForeword") or "",
        body=body,
        abolished=optional_text(row, "LawAbandonNote") is not None,
        dates={"published": row.get("LawModifiedDate"), "retrieved": row.get("UpdateDate")},
        level=optional_text(row, "LawLevel"),
        category=optional_text(row, "LawCategory"),
    )


def _bulk_entry(entry: object, number: int) -> str:
    if isinstance(entry, dict) and isinstance(entry.get("ArticleContent"), str):
        if entry.get("ArticleType") == "C":
            return str(entry["ArticleContent"]).strip()
        if entry.get("ArticleType") == "A":
            return _article(entry.get("ArticleNo"), entry["ArticleContent"])
    raise RowError(f"field text (column 'LawArticles') item {number} is no article (A) or heading (C) with ArticleContent")


def _entries(row: dict[str, Any], column: str) -> list[Any]:
    entries = row.get(column)
    if not isinstance(entries, list) or not entries:
        raise RowError(f"missing field text (column {column!r})")
    return entries


def _article(number: object, content: str) -> str:
    text = rejoin(content).strip()
    return f"{number.strip()}　{text}".strip("　") if isinstance(number, str) and number.strip() else text


def _is_level(levels: str) -> Heading:
    def is_heading(line: str) -> bool:
        match = _HEADING.match(line)
        return match is not None and match["level"] in levels and len(line) < 60

    return is_heading


LEVELS: tuple[Heading, ...] = (
    *map(_is_level, ("編篇", "編篇章", "編篇章節", "編篇章節款目")),
    lambda line: _ARTICLE.match(line) is not None,
)


def _label(heading: str) -> str:
    match = _ARTICLE.match(heading)
    return (match[0] if match else heading).strip()


class LawSource:
    """The per-law and bulk layouts (JSON or ZIP), or flattened rows where the recipe maps `text`.

    The licence is `public-record` where the recipe states none (Copyright Act, article 9). Not read: the history of
    amendments, English names and attachments.
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, FIELDS, {})
        self._flat = Columns(name, spec, {"text": "text", **spec.fields}, License.PUBLIC_RECORD)
        silent = SourceSpec(**{**spec.model_dump(exclude_unset=True), "fields": {}})
        named = {"id": "id", "url": "url", "title": "title", "published": "published", "retrieved": "retrieved"}
        self._structured = Columns(name, silent, named, License.PUBLIC_RECORD, keep_other_columns=False)

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order; a law over 20,000 characters comes in parts."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
            else:
                yield from documents(file, raw_rows(file, ("Laws",)), self._make)

    def _make(self, file: InputFile, row: Row) -> list[Document]:
        if "LawName" in row.data or "LawArticles" in row.data:
            document = self._law(file, row, bulk(row.data))
        elif "法規名稱" in row.data or "法規內容" in row.data:
            document = self._law(file, row, per_law(row.data))
        else:
            document = self._row(file, row)
        return split_document(document, LEVELS, label=_label)

    def _law(self, file: InputFile, row: Row, law: Law) -> Document:
        match = _PCODE.search(law.url)
        if match is None:
            raise RowError(f"missing field id: no pcode in the law's address {law.url!r}")
        data = {"id": match[1].upper(), "url": law.url, "title": law.name, **law.dates}
        document = self._structured.document(Row(row.locator, row.number, data), file.stem, law.text())
        document.metadata |= {key: value for key, value in (("level", law.level), ("category", law.category)) if value}
        document.flags = _flags(law.abolished, law.category)
        return document

    def _row(self, file: InputFile, row: Row) -> Document:
        # The first line is the law's name: however long, it is never joined to the next.
        title, _, rest = self._flat.text(row).strip().partition("\n")
        document = self._flat.document(row, file.stem, "\n".join(part for part in (title.strip(), rejoin(rest)) if part))
        document.title = document.title or title.strip()
        category = optional_text(row.data, self._flat.fields.get("category"))
        document.metadata |= {"category": category} if category else {}
        column = self._flat.fields.get("abolished")
        note = lookup(row.data, column) if column else None
        document.flags = _flags(bool(note.strip() if isinstance(note, str) else note), category)
        return document


def _flags(abolished: bool, category: str | None) -> tuple[str, ...]:
    return ("abolished",) if abolished or (category or "").startswith(_ABOLISHED_CATEGORY) else ()
