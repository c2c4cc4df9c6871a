"""One request to a model, and the hash that it is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Message = dict[str, str]  # role, content


class Request(NamedTuple):
    """What is asked. `row` is what the task needs to read the answer; it is not sent."""

    key: str
    task: str
    prompt: str  # id@version
    body: dict[str, Any]  # model, messages, sampling: as it is sent
    row: Mapping[str, Any]
    facets: Mapping[str, str | int] = {}


def make(
    task: str,
    parser: int,
    prompt: str,
    messages: Sequence[Message],
    sampling: Mapping[str, Any],
    row: Mapping[str, Any],
    facets: Mapping[str, str | int],
) -> Request:
    """A request with its key: SHA-256 over the whole rendered body, the version of the parser and the row that it is made from."""
    body = {"messages": list(messages), **sampling}
    whole = {"task": task, "parser": parser, "prompt": prompt, "body": body, "row": row}
    return Request(hashlib.sha256(canonical(whole)).hexdigest(), task, prompt, body, row, facets)


def canonical(value: Any) -> bytes:
    """JSON with one spelling for equal values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")
