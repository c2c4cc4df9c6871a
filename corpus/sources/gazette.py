"""Type `gazette`: Legislative Yuan gazettes and Constitutional Court decisions, long ones split at their own headings."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from corpus.sources.inputs import FILE_ERRORS, InputFile, describe, files_in, read_text
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError
from corpus.sources.parts import Heading, split_document
from corpus.sources.rows import documents, raw_rows
from corpus.sources.spec import SourceSpec, check_spec
from factory.records import Document, License, Rejected

MAX_TITLE_CHARS = 60
_TITLE_LINES = 20  # a gazette names its meeting within its first lines

_TAG = re.compile(
    r"</?(?:img|br|p|div|span|font|table|tbody|thead|tr|td|th|b|i|u|a|center|hr|sup|sub|strong|em|ul|ol|li|h[1-6]|o:p|style|meta|link)"
    r"(?:\s[^<>]{0,2000})?/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6])\s*/?>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.DOTALL)
_ENTITY = re.compile(r"&(?:nbsp|amp|lt|gt|quot|#\d{1,6}|#x[0-9a-fA-F]{1,5});")

_NUMBERED = r"(?:[（(]?[一二三四五六七八九十壹貳參肆伍陸柒捌玖拾甲乙丙丁戊己庚辛壬癸]+[)）、．.]\s*)?"
_SECTION = r"(?:院會|委員會|聯席會議|公聽會|聽證會|黨團協商|國是論壇)[紀記]錄"  # stands above its first meeting
_MEETING = re.compile(
    rf"{_SECTION}|{_NUMBERED}(?:立法院|[^。，：]{{2,8}}(?:議會|代表會))第.{{1,60}}?(?:會議|聽證會|公聽會|協商|座談會)(?:紀錄|記錄|議事錄|速紀錄|紀要)?"
)
_DECISION = re.compile(
    r"(?:主文|理由|事實|事實及理由|解釋文|解釋理由書?|主文及理由|判決|裁定|註釋|附註|附件)|.{0,40}(?:意見書|判決|裁定|解釋)(?:.{0,20}提出)?"
)
_AGENDA = re.compile(
    rf"{_NUMBERED}(?:報告|討論|質詢|選舉|同意權|復議|覆議|決定|臨時|其他|邀請|審查|協商)(?:事項|提案|動議|案)(?:.{{0,12}})?"
    rf"|{_NUMBERED}(?:行政院答復|本院委員質詢|書面質詢|國是論壇|施政質詢).{{0,10}}"
)
_CHAPTER = re.compile(r"[壹貳參肆伍陸柒捌玖拾甲乙丙丁戊己庚辛壬癸]+、[^。；]{1,40}")
_PARAGRAPH_MARK = re.compile(r"【\d+】$")


def _matches(pattern: re.Pattern[str], max_chars: int) -> Heading:
    def is_heading(line: str) -> bool:
        # Headings are spaced out (討　論　事　項) and, in judgments, end in a paragraph number 【12】.
        bare = _PARAGRAPH_MARK.sub("", re.sub(r"\s", "", line))
        return 0 < len(bare) <= max_chars and bare[-1] not in "。，；：？！" and pattern.fullmatch(bare) is not None

    return is_heading


LEVELS: tuple[Heading, ...] = (
    _matches(_MEETING, 80),
    _matches(re.compile(rf"{_AGENDA.pattern}|{_DECISION.pattern}"), 60),
    _matches(_CHAPTER, 60),
)


def clean(text: str) -> str:
    """A gazette's text without stray markup, trailing spaces and empty lines: one paragraph a line."""
    text = _BREAK.sub("\n", _COMMENT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    text = _ENTITY.sub(lambda match: html.unescape(match[0]).replace("\xa0", " "), _TAG.sub("", text))
    return "\n".join(line.rstrip() for line in text.split("\n") if line.strip())


def title_of(text: str) -> str | None:
    """The meeting that the first lines name (without its number in the gazette), else the first line where it is short."""
    lines = text.split("\n", _TITLE_LINES)[:_TITLE_LINES]
    for line in lines:
        if LEVELS[0](line) and not re.fullmatch(_SECTION, line.strip()):
            return re.sub(rf"^{_NUMBERED}", "", line.strip())
    first = lines[0].strip()
    return first if 0 < len(first) <= MAX_TITLE_CHARS and "。" not in first else None


class GazetteSource:
    """`.txt` files (the file's stem is the id), or rows where the recipe maps `text`.

    The licence is `public-record` where the recipe states none (Copyright Act, article 9).
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, RECORD_FIELDS, {})
        self._rows = Columns(name, spec, {"text": "text", **spec.fields}, License.PUBLIC_RECORD)
        silent = SourceSpec(**{**spec.model_dump(exclude_unset=True), "fields": {}})
        self._text = Columns(name, silent, {"id": "id", "text": "text"}, License.PUBLIC_RECORD, keep_other_columns=False)

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order; a text over 20,000 characters comes in parts."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
            elif file.layout == ".txt":
                yield from self._text_file(file)
            else:
                yield from documents(file, raw_rows(file), lambda given, row: self._make(given, row, self._rows))

    def _text_file(self, file: InputFile) -> Iterator[Document | Rejected]:
        try:
            row = Row("", 1, {"id": file.stem, "text": read_text(file)})
        except FILE_ERRORS as error:
            yield file.rejected(describe(error))
            return
        yield from documents(file, [row], lambda given, row: self._make(given, row, self._text))

    def _make(self, file: InputFile, row: Row, columns: Columns) -> list[Document]:
        text = clean(columns.text(row))
        if not text:
            raise RowError(f"field text (column {columns.fields['text']!r}) holds nothing but markup")
        document = columns.document(row, file.stem, text)
        document.title = document.title or title_of(text)
        return _with_meetings(split_document(document, LEVELS))


def _with_meetings(parts: list[Document]) -> list[Document]:
    """Gives each part the title of the meeting it begins in, where one file holds several."""
    if len(parts) == 1:
        return parts
    whole = meeting = parts[0].title
    for part in parts:
        lines = part.text.split("\n")
        begins_with = title_of("\n".join(lines[:2])) if LEVELS[0](lines[0]) else None
        if begins_with:
            meeting = part.title = begins_with
        elif whole and meeting and part.title:
            part.title = meeting + part.title.removeprefix(whole)
        names = [name for line in lines if LEVELS[0](line) and (name := title_of(line))]
        meeting = names[-1] if names else meeting
    return parts
