"""Type `forum`: threads of a web forum, with their comments or flattened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from corpus.sources.inputs import InputFile, files_in
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError, lookup, optional_text
from corpus.sources.rows import documents, raw_rows
from corpus.sources.spec import SourceSpec, check_spec
from factory.records import Document, Rejected

THREAD_FIELDS = {
    "id": "id",
    "title": "title",
    "text": "content",
    "published": "createdAt",
    "url": "url",
    "forum": "forum",
    "comments": "comments",
}

_URL = re.compile(r"https?://\S+")
_MEDIA = re.compile(
    r"\s*https?://(?:\S+\.(?:jpe?g|png|gif|webp|bmp|heic|mp4|mov|webm|m3u8)(?:[?#]\S*)?"
    r"|(?:[im]\.)?imgur\.com/\S+|(?:www\.|m\.)?(?:youtube\.com|youtu\.be)/\S+|(?:www\.)?dcard\.tw/v2/vivid/\S+"
    r"|(?:megapx|sticker)(?:-assets)?\.dcard\.tw/\S+|(?:i\.)?meee\.com\.tw/\S+|vimeo\.com/\S+)\s*",
    re.IGNORECASE,
)
_FLOOR = r"@?[Bb][1-9]\d{0,3}"
# B3 names a comment where it stands apart or behind a verb of address. A vitamin (維他命 B12, BAUME B5, B5 100ml), a car
# park's B2 or a league (B1聯賽) does not.
_MENTION = re.compile(
    rf"(?<![A-Za-z0-9_/.%#=-])(?:^[ \t　]*{_FLOOR}(?![A-Za-z0-9_./%-])(?!\s*(?:[樓層車聯群級]|\d+\s*[a-zA-Z]))[ \t　]*[:：,，、]?[ \t　]*"
    rf"|(?<=[\s@，、（(])(?<!維他命\s)(?<!維生素\s)(?<!地下\s)(?<!停車場\s)(?<![A-Za-z+]\s){_FLOOR}(?=[\s，、。）)!！?？~～]|$)"
    rf"(?!\s*(?:[樓層出車]|\d+\s*[a-zA-Z]))[ \t　]?"
    rf"|(?<=[看回謝問推給同]){_FLOOR}(?![A-Za-z0-9_./%樓層-]))",
    re.MULTILINE,
)


def clean(text: str) -> str:
    """A post without lines that are only an image or video address, without floor mentions and repeated empty lines."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if not _MEDIA.fullmatch(line)]
    text = "\n".join(line if _URL.search(line) else _MENTION.sub("", line) for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


class ForumSource:
    """Thread rows {id, title, content, createdAt, comments, forum, url}, or flattened rows where the recipe maps `text`.

    Text: the title, the post, then one comment after the other. Other columns are left out, since they may name people.
    Option `comments` (default true): false leaves comments out.
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, RECORD_FIELDS | {"forum", "comments"}, {"comments": bool})
        fields = {"text": "text", **spec.fields} if spec.fields else THREAD_FIELDS
        self._columns = Columns(name, spec, fields, keep_other_columns=False)
        self._with_comments = spec.options.get("comments", True) is True

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
            else:
                yield from documents(file, raw_rows(file), self._make)

    def _make(self, file: InputFile, row: Row) -> list[Document]:
        fields = self._columns.fields
        title = optional_text(row.data, fields.get("title")) or ""
        comments = [clean(comment) for comment in self._comments(row.data)]
        kept = [comment for comment in comments if comment.strip()]
        body = clean(self._columns.text(row))
        if not body and not kept:
            raise RowError(f"field text (column {fields['text']!r}) holds nothing but image addresses and mentions")
        metadata: dict[str, Any] = {"comments": len(kept)} if "comments" in fields else {}
        forum = optional_text(row.data, fields.get("forum"))
        if forum:
            metadata["forum"] = forum
        return [self._columns.document(row, file.stem, "\n".join(part for part in (title, body, *kept) if part), metadata)]

    def _comments(self, row: dict[str, Any]) -> list[str]:
        column = self._columns.fields.get("comments")
        comments = lookup(row, column) if column else None
        if comments is None:
            return []
        if not isinstance(comments, list) or not all(isinstance(comment, dict) for comment in comments):
            raise RowError(f"field comments (column {column!r}) is not a list of objects")
        if not self._with_comments:
            return []
        return [text for comment in comments if (text := optional_text(comment, "content"))]
