"""Where personal data stands in a text, and the placeholders that take its place."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

PLACEHOLDERS: dict[str, str] = {
    "national_id": "[身分證字號]",
    "resident_certificate": "[居留證號碼]",
    "company_id": "[統一編號]",
    "mobile": "[手機號碼]",
    "landline": "[市話號碼]",
    "email": "[電子郵件]",
    "ip": "[網路位址]",
    "address": "[住址]",
    "bank_account": "[銀行帳號]",
    "card_number": "[信用卡號]",
    "licence_plate": "[車牌號碼]",
    "line_id": "[通訊帳號]",
    "passport": "[護照號碼]",
}
KINDS: tuple[str, ...] = tuple(PLACEHOLDERS)
PLACEHOLDER = re.compile("|".join(re.escape(word) for word in PLACEHOLDERS.values()))


class Span(NamedTuple):
    """Characters `start` to `end` (code points, end excluded) of a text are one value of `kind`."""

    kind: str
    start: int
    end: int


def redact(text: str, spans: Sequence[Span]) -> str:
    """`text` with each span replaced by its kind's placeholder; `spans` are sorted and disjoint, as `find` gives them."""
    pieces = []
    position = 0
    for kind, start, end in spans:
        pieces += [text[position:start], PLACEHOLDERS[kind]]
        position = end
    return "".join([*pieces, text[position:]])


def disjoint(spans: Sequence[Span]) -> list[Span]:
    """Of overlapping spans the longest stays, of equally long ones the kind that `_CERTAIN` names first; sorted by position."""
    kept: list[Span] = []  # sorted by position
    for span in sorted(spans, key=lambda span: (span.start - span.end, _CERTAIN.index(span.kind), span.start)):
        at = bisect_left(kept, span.start, key=lambda other: other.start)
        if (at == 0 or kept[at - 1].end <= span.start) and (at == len(kept) or span.end <= kept[at].start):
            kept.insert(at, span)
    return kept


# a label names the kind of a number more surely than its shape
_CERTAIN = (
    "email", "line_id", "passport", "national_id", "resident_certificate", "company_id", "bank_account", "card_number",
    "mobile", "landline", "licence_plate", "ip", "address",
)  # fmt: skip
