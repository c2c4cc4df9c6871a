"""Addresses on networks: e-mail, public IP, and the IDs of the messenger LINE."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from factory.zh.pii.context import after, before
from factory.zh.pii.span import Span

_AT = re.compile(r"(?<=[A-Za-z0-9_%+-])@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])(?!-[A-Za-z0-9])(?!@)")
_LOCAL = re.compile(r"(?<![A-Za-z0-9._%+@-])[.-]*([A-Za-z0-9_][A-Za-z0-9._%+-]{0,63})$")
_MAX_LOCAL = 64
# what is written after @ in file names and package versions
_FILES = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "bmp",
        "ico",
        "css",
        "js",
        "ts",
        "json",
        "html",
        "htm",
        "php",
        "py",
        "txt",
        "pdf",
        "zip",
        "exe",
        "dll",
        "mp",
        "mp4",
        "so",
    ]
)

_IPV4 = re.compile(
    r"(?<![0-9A-Za-z.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5}(?![0-9]))?(?![0-9A-Za-z*])(?!\.[0-9*A-Za-z])(?!-[0-9A-Za-z])"
)
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![0-9A-Za-z:])(?!\.[0-9])")
_PORT6 = re.compile(r"\]:[0-9]{1,5}(?![0-9])")
_VERSION = re.compile(
    r"(?i)(?:版本|版次|版號|[版第§]|韌體|驅動|固件|型號|章節|條文|附錄|更新[到至為]|升級[到至為]|(?<![a-z])(?:version|ver|v|rev|firmware|build|release|driver|section"
    r"|chapter|sec|oid|kernel)\.?)"
    r"(?:號|編號)?[ ]?(?:[:：是為到至]|no\.?)?[ ]?[(（]?[v]?$"
)
_AFTER_VERSION = re.compile(r"[ ]?(?:版|節|章|條|款|項|小節|以上版|之後版|後的版)")
_IP_LABEL = re.compile(r"(?i)(?<![a-z])ip(?:v4)?(?![a-z])|dns|位址|來自|伺服器|主機|連線|網段|閘道|ping|server|host|gateway|port|://")

_LINE = r"(?:(?<![A-Za-z])(?i:line)(?![A-Za-z])|賴)"
_OPEN = r"[ ]?[「『\"'(【《<]?[ ]?"
_ID = r"(?P<{0}>@?[A-Za-z0-9][A-Za-z0-9._-]{{2,29}})(?![A-Za-z0-9])(?!@[A-Za-z0-9])"
_LINE_ID = re.compile(
    # the word ID or account between the two
    rf"(?:{_LINE}|(?<![A-Za-z])(?i:line)(?=(?i:id)))[ _/-]{{0,2}}(?:的|官方|好友|搜尋|搜|加|是|請加|客服|(?:{_OPEN}))*[ ]?"
    rf"(?:(?i:id|i\.d\.?)|帳[號戶]|官方帳[號戶]|賬號)(?:[ ]?(?:搜尋|號碼|號|是|為|請[加搜]|輸入|加|→|=|>|(?i:is)|[:：／/]))*"
    rf"{_OPEN}[:：]?[ ]?{_ID.format('labelled')}"
    # LINE: id, LINE@id
    rf"|(?<![A-Za-z] )(?P<bare>{_LINE})(?:群)?(?:[ ]?[:：→][ ]?{_OPEN}|[ ]?(?=@))(?:(?i:id)[ ]?[:：]?[ ]?)?{_ID.format('colon')}"
    # add (me on) LINE id; search LINE id
    rf"|(?:加|密|搜|搜尋|[+＋]|私|請洽|洽)[ ]?(?:我的?|入|個|好友|官方|老師|助理|小編|客服|專員|他的?|她的?|一下|本人)*"
    rf"[ ]?{_LINE}(?:好友|聊|詢問|搜尋|號|諮詢|是|我"
    rf"|[ ])*{_OPEN}[:：]?[ ]?{_ID.format('added')}"
    rf"|{_LINE}[ ]?(?:搜尋|搜|請加|加我?|好友|是|聯絡|聯繫|洽詢|洽)+[ ]?[:：]?{_OPEN}{_ID.format('searched')}"
)
_LINE_NAME = re.compile(r"(?<![A-Za-z])[Ll][Ii][Nn][Ee](?=[^\n])|賴(?=[^\n])")
_TAIL = re.compile("[A-Za-z0-9._-]*")
_NO_LINE_ID = frozenset(
    [
        "pay",
        "today",
        "points",
        "point",
        "tv",
        "music",
        "pod",
        "bank",
        "mobile",
        "taxi",
        "shopping",
        "group",
        "groups",
        "bot",
        "notify",
        "works",
        "friends",
        "friend",
        "go",
        "travel",
        "hub",
        "app",
        "call",
        "http",
        "https",
        "www",
        "line",
        "or",
        "and",
        "the",
        "is",
        "for",
        "login",
        "store",
        "stickers",
        "games",
        "game",
        "webtoon",
        "manga",
        "openchat",
        "official",
        "account",
        "facebook",
        "fb",
        "ig",
        "instagram",
        "messenger",
        "telegram",
        "wechat",
        "whatsapp",
        "email",
        "gmail",
        "mail",
        "skype",
        "tel",
        "phone",
        "bubble",
        "ranger",
        "play",
        "ios",
        "android",
        "premium",
        "only",
        "me",
        "not",
        "null",
        "none",
    ]
)


def find_emails(text: str) -> Iterator[Span]:
    """Mail addresses anywhere in the folded `text`."""
    for match in _AT.finditer(text):
        at = match.start()
        local = _LOCAL.search(text[max(0, at - _MAX_LOCAL - 8) : at])
        if local is None or match[0].rsplit(".", 1)[1].lower() in _FILES:
            continue
        start = at - len(local[1])
        if local[1] == "git" and text[match.end() : match.end() + 1] == ":":
            continue
        if re.search(r"://[^/\s?]*$", text[max(0, start - 100) : start]):  # user and password of a URL
            continue
        yield Span("email", start, match.end())


def find_ips(text: str, start: int, end: int) -> Iterator[Span]:
    """Global unicast addresses, with their port, between `start` and `end` of the folded `text`."""
    for match in _IPV4.finditer(text, start, end):
        address, _, port = match[0].partition(":")
        if _is_public(address) and (not port or int(port) < 65536) and not _is_version(text, match.start(), match.end(), address):
            yield Span("ip", *match.span())
    for match in _IPV6.finditer(text, start, end):
        value = match[0].rstrip(":") if not match[0].endswith("::") else match[0]
        first, last = match.start(), match.start() + len(value)
        if _is_public(value):
            port6 = _PORT6.match(text, last) if text[max(0, first - 1) : first] == "[" else None
            yield Span("ip", first - 1, port6.end()) if port6 else Span("ip", first, last)


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def _is_version(text: str, start: int, end: int, address: str) -> bool:
    left = before(text, start, 24)
    if _VERSION.search(left) or _AFTER_VERSION.match(after(text, end, 6)) or re.search(r"[A-Za-z0-9][-_/]$", left):
        return True
    # four small numbers are a version or a section more often than a host
    return all(len(part) < 3 for part in address.split(".")) and not _IP_LABEL.search(left + after(text, end, 16))


def find_line_ids(text: str) -> Iterator[Span]:
    """IDs of LINE anywhere in the folded `text` that stand behind its name."""
    windows: list[tuple[int, int]] = []
    for name in _LINE_NAME.finditer(text):
        start, end = max(0, name.start() - 16), name.end() + 48
        if windows and start <= windows[-1][1]:
            start = windows.pop()[0]
        windows.append((start, end))
    for start, end in windows:
        tail = _TAIL.match(text, min(len(text), end))
        yield from _line_ids(text, start, tail.end() if tail else end)


def _line_ids(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _LINE_ID.finditer(text, start, end):
        group = next(name for name in ("labelled", "colon", "added", "searched") if match[name])
        value = match[group].rstrip("._-")
        plain = value.lstrip("@")
        if len(plain) < 3 or plain.lower() in _NO_LINE_ID or re.match(r"(?i)https?$|www\.|line\.me|.*\.(?:com|tw|net|me)$", plain):
            continue
        if text.startswith("://", match.end(group)):
            continue
        if group != "labelled" and not value.startswith("@") and not re.search("[A-Za-z]", plain):
            continue  # a number after "LINE:" is a line, a date or a telephone
        if match["bare"] == "賴" and not value.startswith("@") and not re.search("[0-9]", plain):
            continue  # somebody called 賴 speaks
        yield Span("line_id", match.start(group), match.start(group) + len(value))
