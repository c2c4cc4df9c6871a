"""Personal data in a text: quick screens over the whole of it, detectors only around what they leave."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from factory.zh.pii import account, address, identity, network, phone, plate
from factory.zh.pii.context import fold
from factory.zh.pii.span import PLACEHOLDERS, Span, disjoint, redact

MARGIN_CHARS = 32  # around digits: country code, parentheses, letters, extension
PLATE_CHARS = 8
_D = "[0-9０-９]"
_GAP = r"[-–－‐‑−. 　)）.．]"
# grouped digits of telephones, cards and accounts; an IPv4 address; the head of a global IPv6 address
_GROUPS = (
    rf"{_D}{{2,3}}{_GAP}{{1,3}}{_D}{{3}}|{_D}{_GAP}{{1,2}}{_D}{{6}}|(?<=[0０])[9９]{_D}{{2}}{_GAP}{{1,2}}{_D}{{2}}"
    rf"|{_D}{{0,2}}[.．]{_D}{{1,3}}[.．]{_D}{{1,3}}[.．]{_D}|[0-9A-Fa-f]{{3}}:[0-9A-Fa-f:]"
)
_DIGITS = re.compile(rf"{_D}(?:{_D}{{7}}|{_GROUPS})[0-9０-９.-]*+")
_SHORT_DIGITS = re.compile(rf"{_D}(?:{_D}{{5}}|{_GROUPS})[0-9０-９.-]*+")
_IN_URL = re.compile(r"[A-Za-z0-9/_.?=&%~#+:@-]+")
_MAX_URL_CHARS = 120
_TAIL = re.compile(r"[0-9０-９A-Za-z._()-]*")
_LETTER, _SEPARATOR = "[A-Za-zＡ-Ｚ]", "[-－ ]"
# letters before three digits, or two behind; it begins with the digit, which the engine looks for quickest
_PLATE = re.compile(
    rf"{_D}(?:(?:(?<={_LETTER}{_D})|(?<={_LETTER}{_SEPARATOR}{_D})|(?<={_LETTER}{_SEPARATOR}{{2}}{_D})|(?<={_LETTER}{_SEPARATOR}{{3}}{_D})){_D}{{2}}"
    rf"|{_D}{{2}}{_SEPARATOR}{{0,3}}{_LETTER}{{2}})"
)
_URL_CHARS = frozenset("/=-_.?&%+" + string.ascii_letters)
_MAIL = re.compile("[A-Za-z0-9_Ａ-Ｚａ-ｚ０-９%+-][@＠][A-Za-z0-9Ａ-Ｚａ-ｚ０-９]")


def find(text: str) -> list[Span]:
    """Every value of personal data, sorted by position, disjoint, none across the end of a line.

    What a redaction uncovers is found too, so that `find(redact(text, find(text)))` is empty. Any string of code points is taken,
    lone surrogates too; time and memory are linear in its length (about 20 ns a character on ordinary text).
    """
    spans = _find_once(text)
    fresh = spans
    while fresh:
        shown = redact(text, spans)
        fresh = _in_original(_find_once(shown), spans)
        spans = sorted([*spans, *fresh], key=lambda span: span.start)
    return spans


def _find_once(text: str) -> list[Span]:
    windows = _windows(text)
    houses = address.candidates(text) if "號" in text else []
    line = "LINE" in text or "Line" in text or "line" in text or "賴" in text or "ＬＩＮＥ" in text
    plates = _PLATE.search(text) is not None if "車" in text or "牌" in text or "plate" in text else False
    mail = ("@" in text or "＠" in text) and _MAIL.search(text) is not None
    if not (windows or houses or line or plates or mail):
        return []
    return disjoint(list(_detect(fold(text), windows, houses, line, plates, mail)))


def _detect(text: str, windows: list[tuple[int, int]], houses: list[int], line: bool, plates: bool, mail: bool) -> Iterator[Span]:
    for start, end in windows:
        yield from identity.find(text, start, end)
        yield from phone.find(text, start, end)
        yield from account.find(text, start, end)
        yield from network.find_ips(text, start, end)
    if houses:
        yield from address.find(text, houses)
    if line:
        yield from network.find_line_ids(text)
    if plates:
        near = ((max(0, match.start() - PLATE_CHARS), match.end() + PLATE_CHARS) for match in _PLATE.finditer(text))
        yield from plate.find(text, near)
    if mail:
        yield from network.find_emails(text)


def _windows(text: str) -> list[tuple[int, int]]:
    """Where long numbers stand, with what surrounds them; overlapping windows are joined."""
    windows: list[tuple[int, int]] = []
    short = "護照" in text or "局號" in text or "assport" in text or "ASSPORT" in text  # whose numbers have six or seven digits
    pattern = _SHORT_DIGITS if short else _DIGITS
    for match in pattern.finditer(text):
        first = match.start()
        if text[first - 1 : first] in _URL_CHARS and _is_in_url(text, first):
            continue
        start, end = max(0, first - MARGIN_CHARS), match.end() + MARGIN_CHARS
        if windows and start <= windows[-1][1]:
            start = windows.pop()[0]
        tail = _TAIL.match(text, min(end, len(text)))
        windows.append((start, tail.end() if tail else end))
    return windows


def _is_in_url(text: str, position: int) -> bool:
    """A URL began shortly before and has not ended; its host may be an address and is not meant."""
    scheme = text.rfind("://", max(0, position - _MAX_URL_CHARS), position)
    return 0 <= scheme < position - 3 and _IN_URL.fullmatch(text, scheme, position) is not None


def _in_original(fresh: list[Span], spans: list[Span]) -> list[Span]:
    """Spans of a redacted text as spans of the text before the redaction."""
    moved = []
    shift = passed = 0
    for kind, start, end in fresh:
        while passed < len(spans) and spans[passed].start + shift < start:
            shift += len(PLACEHOLDERS[spans[passed].kind]) - (spans[passed].end - spans[passed].start)
            passed += 1
        moved.append(Span(kind, start - shift, end - shift))
    return moved
