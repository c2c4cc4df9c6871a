"""What a search compares: a record's text per field, and the words of a query, both folded the same way.

Folding ends the differences of width and case (ＡＢＣ, abc) by Unicode's NFKC and case folding, and makes any white space
or control character one space; characters without width go. Simplified and Traditional characters stay apart. A word
matches where it stands in the folded text as it is, so Chinese needs no segmenter, and no character of a query has a
meaning of its own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

VERSION = 1
"""Raised whenever the same text would be stored otherwise; an index of another version is made anew."""

SEARCHED = ("text", "chat", "custom")
"""Types of fields that are searched; an image is not."""

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200d\u2060\ufeff]")  # zero width, soft hyphen, byte order mark
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def fold(text: str) -> str:
    """The form in which texts and words are compared."""
    if text.isascii():
        return _BLANK.sub(" ", text.lower()).strip()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _UNSEEN.sub("", _SURROGATE.sub("�", text))).casefold())
    return _BLANK.sub(" ", folded).strip()


def words(query: str) -> list[str]:
    """The folded words of a query, each once; all of them must stand in a record."""
    return list(dict.fromkeys(fold(query).split()))


def of_field(value: Any) -> str:
    """The folded text of one field: a string, the contents of a chat's messages, or the strings and numbers in a custom field."""
    return fold("\n".join(_strings(value)))


def of_record(fields: str | dict[str, Any] | None, names: list[str]) -> list[str]:
    """The folded text of the named fields, in that order; a field that a record lacks, or that is no JSON, is empty."""
    try:
        values = json.loads(fields) if isinstance(fields, str) else fields
    except ValueError:
        values = None
    known = values if isinstance(values, dict) else {}
    return [of_field(known.get(name)) for name in names]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item["content"] if isinstance(item, dict) and set(item) == {"role", "content"} else item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
