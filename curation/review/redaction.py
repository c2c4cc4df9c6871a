"""Personal data leaves a row before anything of the row leaves the machine."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from factory.zh.pii import find, redact

KEPT_AS_THEY_ARE = frozenset({"id", "license"})
_DIGEST = re.compile(r"(?=.*[a-f])[0-9a-f-]{16,64}")  # whose digits are nobody's number


def redacted(text: str, counts: Counter[str]) -> str:
    """`text` with typed placeholders for personal data; what was found is added to `counts` by kind."""
    spans = find(text)
    counts.update(span.kind for span in spans)
    return redact(text, spans)


def redacted_row(row: dict[str, Any], counts: Counter[str]) -> dict[str, Any]:
    """A row with every string in it redacted, however deep, but for digests and KEPT_AS_THEY_ARE, which are never shown."""
    return {key: value if key in KEPT_AS_THEY_ARE else _deep(value, counts) for key, value in row.items()}


def _deep(value: Any, counts: Counter[str]) -> Any:
    if isinstance(value, str):
        return value if _DIGEST.fullmatch(value) else redacted(value, counts)
    if isinstance(value, list):
        return [_deep(item, counts) for item in value]
    if isinstance(value, dict):
        return {key: _deep(item, counts) for key, item in value.items()}
    return value
