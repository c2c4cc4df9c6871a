"""The forms in which models answer: JSON, in a code fence or with words around it, or the labelled lines that small ones give instead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

STARTS = 200  # opening brackets that are tried
_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$", re.MULTILINE)
_STRAY = re.compile(r"""(["\]}])\s*[,，.。、;；]+(?=\s*[}\]])""")  # a comma or stop before a closing bracket
_LABEL = re.compile(r"^[ \t*#>-]*(問題|問|回答|答|使用者|助理)[* \t]*[：:][* \t]*", re.MULTILINE)
_ROLE = {"問題": "question", "問": "question", "回答": "answer", "答": "answer", "使用者": "user", "助理": "assistant"}
_FIELD = re.compile(r"^[ \t*-]*([a-z]+)(?:（[^）\n]*）|\([^)\n]*\))?[* \t]*[：:][* \t]*([^\n]*)$", re.MULTILINE)
_NAMES = "問題|問句|題目|回答|答案|解答|原文|內容|理由|question|answer|content|spans?|reason|text|string"
_PLACEHOLDER = re.compile(
    rf"""[\s<\[（(「『{{]*(?:(?:新|改寫後?|更難|較差|較好|原來?|在地化)?的?(?:{_NAMES}|[.…。·]+|[xX]{{2,}}|[○〇]{{2,}}))?[\s>\]）)」』}}。.：:]*
    |\s*[<\[（(][^<>\[\]（）()]{{0,12}}(?:{_NAMES})[^<>\[\]（）()]{{0,4}}[>\]）)]\s*""",
    re.IGNORECASE | re.VERBOSE,
)


class Malformed(ValueError):
    """An answer that is not in the form that was asked for."""


def json_in(text: str, kind: type) -> Any:
    """The first JSON object or list (`kind`) in an answer. Raises Malformed where there is none, or a list where an object is due."""
    text = _FENCE.sub("", text).strip()
    tidied = _STRAY.sub(r"\1", text)
    for form in (text, tidied) if tidied != text else (text,):
        if (value := _first(form, kind)) is not None:
            return value
    raise Malformed(f"no JSON {'list' if kind is list else 'object'} in the answer")


def _first(text: str, kind: type) -> Any:
    decoder = json.JSONDecoder()
    for place in islice(re.finditer(r"[\[{]", text), STARTS):
        try:
            value, length = decoder.raw_decode(text[place.start() :])
        except (ValueError, RecursionError):
            continue
        if isinstance(value, kind):
            if isinstance(value, dict) and _another(text[place.start() + length :], value, decoder):
                raise Malformed("several objects where one was asked for")
            return value
        if kind is dict and any(isinstance(each, dict) for each in value):
            raise Malformed("a list where one JSON object was asked for")
        if kind is list and isinstance(value, dict):
            raise Malformed("one JSON object where a list was asked for")
    return None


def _another(rest: str, value: dict[str, Any], decoder: json.JSONDecoder) -> bool:
    """Whether an object of the same keys follows at once."""
    rest = rest.lstrip(" \t\r\n,，")
    if not value or not rest.startswith("{"):
        return False
    try:
        other, _ = decoder.raw_decode(rest)
    except (ValueError, RecursionError):
        return False
    return isinstance(other, dict) and other.keys() == value.keys()


def labelled(text: str, first: str, second: str, cut: bool = False) -> list[tuple[str, str]]:
    """Pairs of labelled texts (問／答, 使用者／助理) in turn, up to where the order breaks. With `cut`, the answer ended at the
    token limit: what stands last is not whole and left out. Raises Malformed where there is no pair."""
    marks = [(found.start(), found.end(), _ROLE[found[1]]) for found in _LABEL.finditer(text)]
    marks = [mark for mark in marks if mark[2] in (first, second)]
    ends = [start for start, _, _ in marks] + [len(text)]
    parts = [(role, text[end:stop].strip()) for (_, end, role), stop in zip(marks, ends[1:], strict=True)]
    if cut and parts:
        parts.pop()
    while parts and parts[0][0] != first:
        parts.pop(0)
    pairs: list[tuple[str, str]] = []
    for (role, one), (other_role, other) in zip(parts[::2], parts[1::2], strict=False):
        if (role, other_role) != (first, second) or not one or not other:
            break
        pairs.append((one, other))
    if not pairs:
        raise Malformed("neither JSON nor labelled lines")
    if first == "user" and not cut and len(parts) % 2:
        raise Malformed("the last turn is the user's")
    return pairs


def fields(text: str) -> dict[str, str]:
    """Lines such as `correct：4`, first of each name."""
    found: dict[str, str] = {}
    for name, value in _FIELD.findall(text):
        found.setdefault(name, value.strip())
    return found


def text_of(value: Any, name: str) -> str:
    """A text of an object. Raises Malformed where it is missing, empty, or only the name of what should stand there."""
    found = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(found, str) or not found.strip():
        raise Malformed(f"{name!r} is missing or empty")
    if _PLACEHOLDER.fullmatch(found):
        raise Malformed(f"{name!r} is a placeholder")
    return found.strip()
