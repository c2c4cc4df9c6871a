"""Dates as sources write them, to ISO 8601: Gregorian and Minguo years, PTT's ctime, compact digits, time stamps."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_ZONE = r"(?P<zone>Z|[+-]\d{2}:?\d{2})?"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>\.\d+)?)?"
_TIME = rf"(?:[T\s]+(?:(?P<half>上午|下午)\s*)?{_CLOCK}\s*{_ZONE})?"
_SEPARATED = re.compile(rf"(?P<year>\d{{3,4}})(?:(?P<mark>[-/.])(?P<month>\d{{1,2}})(?:(?P=mark)(?P<day>\d{{1,2}}){_TIME})?)?")
_CHINESE = re.compile(
    rf"(?P<era>(?:中華)?民國)?\s*(?P<year>\d{{1,4}})\s*年(?:\s*(?P<month>\d{{1,2}})\s*月(?:\s*(?P<day>\d{{1,2}})\s*日{_TIME})?)?"
    r"(?:\s+[^\d\s].*)?"  # the number of the document that the date belongs to
)
_COMPACT = re.compile(r"(?P<year>\d{3,4})(?P<month>\d{2})(?P<day>\d{2})")
_CTIME = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2} \d{4}")
_MAIL = re.compile(r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}")
_MAX_CHARS = 100
_MINGUO = 1911  # year 1 of the Republic is 1912
_MILLISECONDS = 10**11  # a time stamp above this counts milliseconds (seconds until the year 5138)


def iso_date(value: object) -> str | None:
    """A date as an ISO 8601 string with the precision that is stated, or None where `value` is no date.

    A year of three digits, and any year before 年 that is under 1000, is a year of the Republic. Integers of eight digits
    are dates (20240305), longer ones are Unix time in seconds or milliseconds, given as UTC.
    """
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _from_integer(value)
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        return None
    text = " ".join(value.split())
    for pattern in (_SEPARATED, _CHINESE, _COMPACT):
        match = pattern.fullmatch(text)
        if match:
            return _from_parts(match.groupdict())
    try:
        if _CTIME.fullmatch(text):
            return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").isoformat()
        if _MAIL.match(text):
            return parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError):
        return None
    return None


def _from_integer(value: int) -> str | None:
    if 1000_01_01 <= value <= 9999_12_31:
        return iso_date(str(value))
    if value < 10**9:
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _from_parts(parts: dict[str, str | None]) -> str | None:
    year = int(parts["year"] or 0)
    if year < 1000:
        year += _MINGUO
    month, day = parts.get("month"), parts.get("day")
    try:
        if month is None:
            return f"{date(year, 1, 1).year:04d}"
        if day is None:
            return date(year, int(month), 1).isoformat()[:7]
        text = date(year, int(month), int(day)).isoformat()
        hour = parts.get("hour")
        if hour is None:
            return text
        number = int(hour) % 12 + (12 if parts["half"] == "下午" else 0) if parts.get("half") else int(hour)
        second = int(parts.get("second") or 0)
        clock = datetime(year, int(month), int(day), number, int(parts["minute"] or 0), second)
    except ValueError:
        return None
    zone = parts.get("zone") or ""
    if zone and zone != "Z":
        zone = f"{zone[:3]}:{zone[-2:]}"
    return clock.isoformat() + (parts.get("fraction") or "") + zone
