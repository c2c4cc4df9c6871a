"""Telephone numbers of Taiwan: mobile, and landline with area code and extension.

Lengths and area codes: National Communications Commission, numbering plan. Toll-free (0800, 0809), premium (0204) and
short numbers name no person and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.pii.context import after, before, has_other_label, is_document, is_part_of_code
from factory.zh.pii.span import Span

_S = r"(?:[ ]?[-.][ ]?|[ ])?"
_COUNTRY = r"\(?\+?(?:00|002)?886\)?[-. ]{0,2}(?:\(0\)|0)?[- ]?"
_START = r"(?<![0-9+])(?<![0-9][-.,])"
_END = r"(?![0-9])(?![-.,][0-9])"
_MOBILE = re.compile(
    rf"{_START}(?:{_COUNTRY}\(?9(?:[-. )]?[0-9]){{8}}"
    rf"|\(?09[0-9]{{2}}\)?{_S}(?:[0-9]{{3}}{_S}[0-9]{{3}}|[0-9]{{2}}[- ][0-9]{{4}}|[0-9]{{4}}[- ][0-9]{{2}}"
    rf"|[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}})"
    rf"){_END}"
)
_EIGHT = rf"[1-9][0-9]{{3}}{_S}[0-9]{{4}}"
_SEVEN = rf"(?:[1-9][0-9]{{2}}{_S}[0-9]{{4}}|[1-9][0-9]{{3}}[- ][0-9]{{3}})"
_SIX = rf"(?:[1-9][0-9]{{2}}{_S}[0-9]{{3}}|[1-9][0-9]-[0-9]{{4}})"
_LANDLINE = re.compile(
    rf"{_START}(?:{_COUNTRY}\(?|\(?0)"
    rf"(?:[24]\)?(?P<a>{_S}){_EIGHT}|[3-8]\)?(?P<b>{_S}){_SEVEN}|49\)?(?P<c>{_S}){_SEVEN}|(?:37|82|89)\)?(?P<d>{_S}){_SIX}"
    rf"|8[23]6\)?(?P<e>{_S})[1-9][0-9]{{4}}){_END}"
)
_EXTENSION = re.compile(
    r"(?i)[ ]?(?:[,，、]?[ ]?(?:轉分機|分機|內線|轉)[ ]?(?:號碼|號|為)?[ ]?[:.]?[ ]?|[,，]?[ ]?(?<![a-z])ext(?:ension)?[ ]?[.:]?[ ]?|#[ ]?"
    r"|[ ]x[ ]?)[0-9]{1,6}(?![0-9A-Za-z])"
    r"|[ ]?\([ ]?(?:轉分機|分機|轉|ext\.?|#)[ ]?[:.]?[ ]?[0-9]{1,6}[ ]?\)"
)
_PHONE_LABEL = re.compile(r"(?i)電話|專線|市話|洽|撥|傳真|聯絡|連絡|客服|預約|家裡|公司|[☎📞]|打|tel|fax|phone|call")
_PHONE_LABEL_AFTER = re.compile(
    r"[ 」』)]{0,2}(?:一直|又|再)?(?:打[來給電過]|來電|撥打|找我|聯絡|連絡|洽|[(]?(?:電話|市話|傳真|tel|fax))", re.I
)
_OTHER_PHONE = re.compile(r"09[0-9]{2}[- ]?[0-9]{3}[- ]?[0-9]{3}[ ]?[、,，/;；或][ ]?$")  # numbers of one person, in a row
_YEARS = re.compile(r"(?:19|20)[0-9]{2}[-. ]+(?:19|20)[0-9]{2}")
_FOREIGN = re.compile(r"\+(?!886)[0-9]{1,3}[- ()]*$|\+[0-9]{1,3}[- ()]*[0-9]{1,4}[- ()]*$")


def find(text: str, start: int, end: int) -> Iterator[Span]:
    """Mobile and landline numbers between `start` and `end` of the folded `text`."""
    for match in _MOBILE.finditer(text, start, end):
        found = _trimmed(text, match)
        if found and not _refuted(text, *found):
            yield Span("mobile", *found)
    for match in _LANDLINE.finditer(text, start, end):
        found = _trimmed(text, match)
        if found is None or _refuted(text, *found):
            continue
        extension = _EXTENSION.match(text, match.end())
        if extension or _is_landline(text, match, found[0]):
            yield Span("landline", found[0], extension.end() if extension else match.end())


def _trimmed(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """Parentheses belong to the number where they are balanced; one that opened before it does not."""
    value = match[0]
    if value.count("(") > value.count(")"):
        return (match.start() + 1, match.end()) if value.startswith("(") else None
    return match.span()


def _refuted(text: str, start: int, end: int) -> bool:
    if is_part_of_code(text, start, end) and not (text[start] == "(" and re.search(r"[A-Za-z]$", text[max(0, start - 1) : start])):
        return True
    return has_other_label(text, start) or is_document(text, end) or _FOREIGN.search(text[max(0, start - 12) : start]) is not None


def _is_landline(text: str, match: re.Match[str], start: int) -> bool:
    value = match[0]
    left = before(text, start, 24)
    labelled = _PHONE_LABEL.search(left) is not None or _OTHER_PHONE.search(left) is not None
    labelled = labelled or _PHONE_LABEL_AFTER.match(after(text, match.end(), 10)) is not None
    if "(" in value or ")" in value or "+" in value or value.startswith("886"):
        return True
    separator = next(group for group in match.group("a", "b", "c", "d", "e") if group is not None)
    if not separator:  # ten digits on end could be any number
        return labelled and value[2] != "1"
    if labelled:
        return True
    if _YEARS.search(value) or ("." in separator and value.count(".") < 2):
        return False
    return "-" in value or value.startswith(("02", "04")) or "." in value
