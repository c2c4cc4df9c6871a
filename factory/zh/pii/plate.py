"""Licence plates (Highway Bureau: letters and digits, since 2012 three letters and four digits), where a vehicle is spoken of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.pii.context import after, before, is_part_of_code
from factory.zh.pii.span import Span

_PLATE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z]{2,3}[ ]?-?[ ]?[0-9]{3,4}|[0-9]{3,4}[ ]?-?[ ]?[A-Za-z]{2,3}|(?:[A-Za-z][0-9]|[0-9][A-Za-z])-[0-9]{4}"
    r"|[0-9]{4}-(?:[A-Za-z][0-9]|[0-9][A-Za-z]))(?![A-Za-z0-9])"
)
_LABEL = re.compile(r"車牌|車號|牌照|號牌|掛.{0,6}牌|牌號|懸掛|(?i:licen[cs]e plate|plate no)")
_NOT_VEHICLE = re.compile(
    r"(?:課程|型號|教室|航班|班機|料號|規格|標準|顯卡|晶片|產品|零件|編號|引擎|輪胎|機型|車型|款式)[ ]?[:：為是]?[ ]?$"
)
_PRODUCT = re.compile(r"[ ]?(?:螺絲|顯[示卡]|晶片|系列|規格|型(?!態)|款|節|標準|認證|教室|號?班機|航班|輪胎|處理器|相機|手機|筆電)")
_VEHICLE = re.compile(
    r"轎車|機車|休旅車|計程車|貨車|客車|卡車|小黃|車輛|汽車|房車|跑車|機踏車|電動車|遊覽車|聯結車|曳引車|重機|警車|白車|黑車|廂型車|肇事車|肇逃|這[台臺輛]車|[台臺輛]車|自小客|自用小|普重|校車|座車|娃娃車|小車|的車"
)
# three letters that head a standard, a product or a unit
_NO_PLATE = frozenset(
    [
        "ISO",
        "CNS",
        "RTX",
        "GTX",
        "USB",
        "DDR",
        "IEC",
        "SAE",
        "UTC",
        "GMT",
        "TEL",
        "FAX",
        "NO",
        "PTT",
        "NT",
        "USD",
        "TWD",
        "NTD",
        "BMW",
        "SUV",
        "AMG",
        "VIP",
        "MHZ",
        "GHZ",
        "KM",
        "CC",
        "HP",
        "KG",
        "MM",
        "CM",
        "PS",
        "NM",
        "RPM",
        "EPA",
        "IP",
        "PM",
        "AM",
        "GB",
        "MB",
        "TB",
        "MAH",
        "ML",
        "FM",
        "AD",
        "BC",
        "CO",
        "RE",
        "VS",
        "FW",
        "WLTP",
        "IIHS",
        "NCAP",
        "ABS",
        "TNGA",
        "CH",
        "PHEV",
        "GT",
        "GTR",
        "RS",
        "CBR",
        "YZF",
        "GSX",
        "MSX",
        "CRV",
        "RAV",
        "CX",
        "MT",
        "XSR",
        "JET",
        "SYM",
        "DRG",
        "KRV",
        "SMAX",
        "CCC",
    ]
)


def find(text: str, start: int, end: int) -> Iterator[Span]:
    """Plates between `start` and `end` of the folded `text`."""
    for match in _PLATE.finditer(text, start, end):
        value = match[0]
        letters = re.sub("[^A-Za-z]", "", value)
        if is_part_of_code(text, *match.span()):
            continue
        left, right = before(text, match.start(), 24), after(text, match.end(), 12)
        left = re.split("[。！？\n]", left)[-1] if not re.search("[:：][ ]?\n$", left) else left
        if _NOT_VEHICLE.search(left) or _PRODUCT.match(right):
            continue
        label = _LABEL.search(left) or re.match(r".{0,3}(?:車牌|號牌|牌照|的車牌)", right)
        label = label or (re.search("掛[著了上]?[ ]?$", left) and re.match("[ ]?(?:的?車?牌|號)", right))
        if letters.upper() in _NO_PLATE and not (
            re.search(r"車牌(?:號碼?)?[ ]?[:：是為]?[ 「『(]?$", left) or re.match("[ 」』)]{0,3}(?:的)?車牌", right)
        ):
            continue
        if label or (letters.isupper() and _looks_written_for_a_plate(value) and (_VEHICLE.search(left) or _VEHICLE.search(right[:8]))):
            yield Span("licence_plate", *match.span())


def _looks_written_for_a_plate(value: str) -> bool:
    """With a hyphen, or in the form of today, which products seldom have."""
    return re.fullmatch(r"[^ ]+-[^ ]+|[A-Z]{3}[ ]?[0-9]{4}", value) is not None
