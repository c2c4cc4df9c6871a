"""Type `ptt`: boards of PTT as a web crawler saves them, or flattened. No user id and no IP address leaves this module."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Set
from dataclasses import replace
from functools import partial
from typing import Any

from corpus.sources.dates import iso_date
from corpus.sources.inputs import InputFile, files_in
from corpus.sources.mapping import RECORD_FIELDS, Columns, Row, RowError, optional_text, required_text
from corpus.sources.ptt_text import Push, clean, is_rare_id, merge_pushes, scrub, split_header
from corpus.sources.rows import documents, raw_rows
from corpus.sources.spec import SourceSpec, check_spec
from factory.errors import UserError
from factory.records import Document, Rejected

FIELDS = RECORD_FIELDS | {"board", "author"}
_CRAWLED = {"id": "article_id", "text": "content", "title": "article_title", "published": "date", "url": "url"}
_LIST_KEYS = ("articles",)
PSEUDONYM_CHARS = 16


def _key(name: str, spec: SourceSpec) -> bytes | None:
    variable = spec.pseudonym_key_env
    if variable is None:
        return None
    key = os.environ.get(variable, "").encode("utf-8")
    if not key:
        raise UserError(f"sources.{name}.pseudonym_key_env: variable {variable} is not set; set it to a secret or remove the entry.")
    return key if len(key) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(key).digest()


class PttSource:
    """The crawler's JSON ({"articles": […]}), or flattened rows (title on the first line) where the recipe maps `text`.

    Text: the title, the article, then its pushes, one a line; neighbouring pushes of one user are one. Option `pushes`
    (default true): false leaves pushes out. Metadata: board, number of pushes, and `author` as a keyed BLAKE2b pseudonym
    where the recipe names the key's variable; the same key gives an author the same pseudonym in every file.
    """

    def __init__(self, name: str, spec: SourceSpec) -> None:
        check_spec(name, spec, FIELDS, {"pushes": bool})
        silent = SourceSpec(**{**spec.model_dump(exclude_unset=True), "fields": {}})
        self._crawled = Columns(name, silent, _CRAWLED, keep_other_columns=False)
        self._flat = Columns(name, spec, {"text": "text", **spec.fields}, keep_other_columns=False)
        self._key = _key(name, spec)
        self._pushes = spec.options.get("pushes", True) is True

    def read(self, path: str) -> Iterator[Document | Rejected]:
        """Documents and rejects of one file, in order. A crawler's file is read twice: first for the user ids in it."""
        for file in files_in(path):
            if isinstance(file, Rejected):
                yield file
                continue
            make = partial(self._make, _rare_ids(file))
            for item in documents(file, raw_rows(file, _LIST_KEYS), make):
                # an excerpt of the row would carry its author
                yield replace(item, excerpt="") if isinstance(item, Rejected) else item

    def _make(self, rare_ids: Set[str], file: InputFile, row: Row) -> list[Document]:
        if "error" in row.data and "article_id" not in row.data:
            raise RowError(f"the crawler reports an error: {str(row.data['error'])[:100]}")
        if "article_id" in row.data and "text" not in self._flat.spec.fields:
            return [self._article(file, row, rare_ids)]
        return [self._row(file, row)]

    def _article(self, file: InputFile, row: Row, rare_ids: Set[str]) -> Document:
        data = row.data
        article_id = required_text(data, "id", "article_id").strip()
        content = required_text(data, "text", "content")
        pushes = pushes_of(data)
        author = user_id(data.get("author"))
        thread_ids = {push.user.lower() for push in pushes if push.user} | ({author.lower()} if author else set())
        title = scrub(optional_text(data, "article_title") or "", thread_ids, rare_ids)
        body = clean(content, is_reply=title.startswith("Re:"))
        if not body:
            raise RowError("field text (column 'content') holds nothing but quotes and signatures")
        lines = merge_pushes(pushes) if self._pushes else []
        text = scrub("\n".join([title, body, *lines]), thread_ids, rare_ids)
        board = optional_text(data, "board")
        document = self._crawled.document(
            row, file.stem, text, {"board": board, "pushes": len(pushes)} if board else {"pushes": len(pushes)}
        )
        document.title = title or None
        if board:
            document.url = f"https://www.ptt.cc/bbs/{board}/{article_id}.html"
        return self._with_author(document, author)

    def _row(self, file: InputFile, row: Row) -> Document:
        fields = self._flat.fields
        header, text = split_header(self._flat.text(row).replace("\r\n", "\n"))
        author = user_id(optional_text(row.data, fields.get("author"))) or (header.author if header else None)
        ids = {author.lower()} if author else set()
        title, body = _title_and_body(optional_text(row.data, fields.get("title")) or (header.title if header else None), text)
        title = scrub(title, ids, frozenset())
        cleaned = clean(body, is_reply=title.startswith("Re:"), with_pushes=self._pushes)
        if body.strip() and not cleaned:
            raise RowError(f"field text (column {fields['text']!r}) holds nothing but quotes and signatures")
        document = self._flat.document(row, file.stem, scrub("\n".join(part for part in (title, cleaned) if part), ids, frozenset()))
        document.title = title or None
        board = optional_text(row.data, fields.get("board")) or (header.board if header else None)
        document.metadata |= {"board": board} if board else {}
        document.published = document.published or (iso_date(header.date) if header else None)
        return self._with_author(document, author)

    def _with_author(self, document: Document, author: str | None) -> Document:
        if author and self._key is not None:
            digest = hashlib.blake2b(author.encode("utf-8"), key=self._key)
            document.metadata["author"] = digest.hexdigest()[:PSEUDONYM_CHARS]
        return document


def _title_and_body(title: str | None, text: str) -> tuple[str, str]:
    """The title and what stands below it; without a stated title the first line is taken for it."""
    first, _, rest = text.strip().partition("\n")
    return (title, text) if title and first.strip() != title else (first.strip(), rest)


def user_id(author: object) -> str | None:
    """`someone` of the crawler's "someone (nickname)"; None where no author is stated."""
    words = author.split(maxsplit=1) if isinstance(author, str) else []
    return words[0] if words else None


def pushes_of(article: dict[str, Any]) -> list[Push]:
    """The pushes of a crawled article in order. Raises RowError where `messages` is no list of objects."""
    messages = article.get("messages") or []
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RowError("field pushes (column 'messages') is not a list of objects")
    return [Push(user_id(message.get("push_userid")) or "", optional_text(message, "push_content") or "") for message in messages]


def _rare_ids(file: InputFile) -> Set[str]:
    """User ids anywhere in a crawler's file that are no ordinary word, to be removed wherever they are mentioned.

    Errors are left to the second reading, which reports them.
    """
    found: set[str] = set()
    if file.layout != ".json":
        return found
    for row in raw_rows(file, _LIST_KEYS):
        if isinstance(row, Rejected) or "article_id" not in row.data:
            continue
        users = [row.data.get("author")]
        messages = row.data.get("messages")
        if isinstance(messages, list):
            users += [message.get("push_userid") for message in messages if isinstance(message, dict)]
        found.update(user.lower() for user in map(user_id, users) if user and is_rare_id(user))
    return found
