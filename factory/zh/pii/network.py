"""Addresses on networks: e-mail, public IP, and the IDs of the messenger LINE."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import cache

from factory.zh import wordlists
from factory.zh.pii.context import after, before
from factory.zh.pii.span import Span

_AT = re.compile(r"(?<=[A-Za-z0-9_%+-])@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])(?!-[A-Za-z0-9])(?!@)")
_LOCAL = re.compile(r"(?<![A-Za-z0-9._%+@-])[.-]*([A-Za-z0-9_][A-Za-z0-9._%+-]{0,63})$")
_MAX_LOCAL = 64
_FILES = frozenset(("js", "ts", "py", "so", "mp"))  # two letters that are no country in the name of a file
_CODE_WORDS = frozenset(("this", "super", "return", "break", "continue"))  # Kotlin: `return@label`

_IPV4 = re.compile(
    r"(?<![0-9A-Za-z.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5}(?![0-9]))?(?![0-9A-Za-z*])(?!\.[0-9*A-Za-z])(?!-[0-9A-Za-z])"
)
_IPV6 = re.compile(r"(?<![0-9A-Za-z.])(?<![0-9A-Fa-f:]:)[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![0-9A-Za-z:])(?!\.[0-9])")
_VERSION = re.compile(
    r"(?i)(?:版本|版次|版號|[版第§]|韌體|驅動|固件|型號|章節|條文|附錄|更新[到至為]|升級[到至為]|(?<![a-z])(?:version|ver|v|rev|firmware|build|release|driver|section"
    r"|chapter|sec|oid|kernel)\.?)"
    r"(?:號|編號)?[ ]?(?:[:：是為到至]|no\.?)?[ ]?[(（]?[v]?$"
)
_AFTER_VERSION = re.compile(r"[ ]?(?:版|節|章|條|款|項|小節|以上版|之後版|後的版)")
_IP_LABEL = re.compile(
    r"(?i)(?<![a-z])ip(?:v4)?(?![a-z])|dns|位址|來自|伺服器|主機|網段|閘道|ping|server|host|gateway|port"
    r"|received|標頭|登入|連[線進到上往]|\(\[\]|[0-9a-f]::?[0-9a-f]{1,4}[與和及跟、,/ ]|://"
)

_LINE = r"(?:(?<![A-Za-z])(?i:line)(?![A-Za-z])|賴)"
_OPEN = r"[ ]?[「『\"'(【《<]?[ ]?"
_ID = r"(?P<{0}>@?[A-Za-z0-9][A-Za-z0-9._-]{{2,29}})(?![A-Za-z0-9])(?!@[A-Za-z0-9])"
_LINE_ID = re.compile(
    # the word ID or account between the two; loops are possessive, or spaces could be shared out in exponentially many ways
    rf"(?:{_LINE}|(?<![A-Za-z])(?i:line)(?=(?i:id)))(?:[ _/-]{{0,2}}|[，,](?=[ ]?(?i:id)[ ]?[:：]))(?:的|官方|好友|搜尋|搜|加|是|請加|客服"
    r"|[ 「『\"'(【《<])*+"
    rf"(?:(?i:id|i\.d\.?)|帳[號戶]|官方帳[號戶]|賬號)(?:[ ]?(?:搜尋|號碼|號|就|是|為|請[加搜]|輸入|打|填|加"
    rf"|→|-?>|[=＝]|(?i:is)|[:：／/]))*+\n?"
    rf"{_OPEN}[:：]?[ ]?{_ID.format('labelled')}"
    # LINE: id, LINE@id
    rf"|(?<![A-Za-z] )(?P<bare>{_LINE})(?:群)?(?:[ ]?[:：→][ ]?{_OPEN}|[ ]?(?=@))(?:(?i:id)[ ]?[:：]?[ ]?)?{_ID.format('colon')}"
    # add (me on) LINE id; search LINE id
    rf"|(?:加|密|搜|搜尋|[+＋]|私|請洽|洽)[ ]?(?:我的?|入|個|好友|官方|老師|助理|小編|客服|專員|他的?|她的?|一下|本人)*+"
    rf"[ ]?{_LINE}(?:好友|聊|詢問|搜尋|號|諮詢|是|我"
    rf"|[ ])*+{_OPEN}[:：]?[ ]?{_ID.format('added')}"
    rf"|(?P<name>{_LINE})[ ]?(?:搜尋|搜|請加|加我?|好友|就?是|聯絡|聯繫|洽詢|洽)++[ ]?[:：]?{_OPEN}{_ID.format('searched')}"
)
_LINE_FURTHER = [
    # glued to the name: 加lineabc123
    re.compile(r"(?:加|搜|密)我?(?i:line)(?P<id>[A-Za-z][A-Za-z._-]*[0-9_][A-Za-z0-9._-]{1,24})(?![A-Za-z0-9@])"),
    # the name behind the ID
    re.compile(
        rf"(?<![A-Za-z0-9._@/-])(?P<id>@?(?=[A-Za-z._-]*[0-9_@.-])[A-Za-z0-9@][A-Za-z0-9._-]{{3,29}})[」』\"']?[ ]?"
        rf"(?:(?:←|<-|⬅)?[ ]?(?:這|此|就)?(?:是|為)"
        rf"|←|<-|⬅|\()[^\n，。,()A-Za-z]{{0,8}}{_LINE}[ ]?(?:的)?(?:官方)?[ ]?(?:(?i:id)|帳[號戶])(?![ ]?[:：=＝]?[ ]?[A-Za-z0-9@])"
    ),
    # LINE was asked for, and the ID is told in the next words
    re.compile(
        rf"(?<![不別勿])(?<!不[要用想])(?:加|要|給|留|換|交換|問)(?:了|到|過|你|妳|我|他|她|您|的|個|一下|[ ])*+{_LINE}"
        r"[ ]?[嗎了吧啊呢]?[ ]?[，。？！?!,:：]"
        rf"(?:[^A-Za-z0-9@\n]|(?<![A-Za-z])(?i:id)(?![A-Za-z])){{0,16}}(?P<id>(?=[A-Za-z.-]*[0-9_])[A-Za-z][A-Za-z0-9._-]{{3,29}})(?![A-Za-z0-9@])"
        r"(?![^，。,\n]{0,6}(?i:ig|fb|臉書|微信|telegram|discord|threads))"
    ),
]
_OTHER_SERVICE = re.compile("臉書|推特|微信|信箱|抖音|蝦皮|遊戲|檔|不加|別加|不要加|不用加|單號|密碼|代碼|序號|網址|型號")
_LINE_ALSO = re.compile(
    r"[」』\"')）]?[ ]?(?:[、/]|和|及|與|跟|或)[ ]?(?P<open>[「『\"'(（])?(?P<id>@?[A-Za-z0-9][A-Za-z0-9._-]{2,29})(?![A-Za-z0-9@])"
)
_LINE_NAME = re.compile(r"(?<![A-Za-z])[Ll][Ii][Nn][Ee](?=[^\n])|賴(?=[^\n])")
_TAIL = re.compile("[A-Za-z0-9._-]*")


@cache
def _no_line_id() -> frozenset[str]:
    return frozenset(row[0] for row in wordlists.read_rows(wordlists.DATA / "not_line_ids.txt"))


@cache
def _top_level_domains() -> frozenset[str]:
    return frozenset(row[0] for row in wordlists.read_rows(wordlists.DATA / "top_level_domains.txt"))


def find_emails(text: str) -> Iterator[Span]:
    """Mail addresses anywhere in the folded `text`."""
    for match in _AT.finditer(text):
        at = match.start()
        local = _LOCAL.search(text[max(0, at - _MAX_LOCAL - 8) : at])
        if local is None or not _is_domain(match[0], called=text.startswith("(", match.end())) or local[1] in _CODE_WORDS:
            continue
        start = at - len(local[1])
        if local[1] == "git" and text[match.end() : match.end() + 1] == ":":
            continue
        if re.search(r"://[^/\s?]*$", text[max(0, start - 100) : start]):  # user and password of a URL
            continue
        yield Span("email", start, match.end())


def _is_domain(host: str, *, called: bool) -> bool:
    """The last part is a country's two letters or one of the list: decorators, labels and units of systems end otherwise."""
    last = host.rsplit(".", 1)[1].lower()
    if called and len(last) > 3:
        return False
    return last not in _FILES and (len(last) == 2 or last in _top_level_domains())


def find_ips(text: str, start: int, end: int) -> Iterator[Span]:
    """Global unicast addresses, without port and brackets, between `start` and `end` of the folded `text`."""
    for match in _IPV4.finditer(text, start, end):
        address, _, port = match[0].partition(":")
        if _is_public(address) and (not port or int(port) < 65536) and not _is_version(text, match.start(), match.end(), address):
            yield Span("ip", match.start(), match.start() + len(address))
    for match in _IPV6.finditer(text, start, end):
        value = match[0].rstrip(":") if not match[0].endswith("::") else match[0]
        if _is_public(value):
            yield Span("ip", match.start(), match.start() + len(value))


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
    """IDs of LINE anywhere in the folded `text` that stand behind its name, or right before it."""
    windows: list[tuple[int, int]] = []
    for name in _LINE_NAME.finditer(text):
        start, end = max(0, name.start() - 48), name.end() + 48
        if windows and start <= windows[-1][1]:
            start = windows.pop()[0]
        windows.append((start, end))
    for start, end in windows:
        tail = _TAIL.match(text, min(len(text), end))
        end = tail.end() if tail else end
        yield from _line_ids(text, start, end)
        for pattern in _LINE_FURTHER:
            for match in pattern.finditer(text, start, end):
                value = match["id"].rstrip("._-")
                if _is_line_id(value) and not _OTHER_SERVICE.search(match[0]):
                    yield Span("line_id", match.start("id"), match.start("id") + len(value))


def _line_ids(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _LINE_ID.finditer(text, start, end):
        group = next(name for name in ("labelled", "colon", "added", "searched") if match[name])
        first, value = match.start(group), match[group].rstrip("._-")
        if group == "added" and text[first - 1] in "賴eE" and (glued := re.match("(?i)id(?=[A-Za-z0-9@])", value)):
            first, value = first + glued.end(), value[glued.end() :]
        marked = value.startswith("@") or re.search("[0-9._-]", value) is not None
        if not _is_line_id(value, domain=group != "labelled") or text.startswith("://", match.end(group)):
            continue
        if group != "labelled" and not value.startswith("@") and not re.search("[A-Za-z]", value):
            continue  # a number after "LINE:" is a line, a date or a telephone
        if "賴" in (match["bare"], match["name"]) and not marked:
            continue  # somebody called 賴 speaks
        yield Span("line_id", first, first + len(value))
        also = _LINE_ALSO.match(text, match.end(group))
        while also:
            value = also["id"].rstrip("._-")
            if not _is_line_id(value) or not (also["open"] or re.search("[A-Za-z].*[0-9_]|[0-9_].*[A-Za-z]|^@", value)):
                break
            yield Span("line_id", also.start("id"), also.start("id") + len(value))
            also = _LINE_ALSO.match(text, also.end("id"))


def _is_line_id(value: str, *, domain: bool = True) -> bool:
    plain = value.lstrip("@")
    if len(plain) < 3 or plain.lower() in _no_line_id() or re.match(r"(?i)https?$|www\.|line\.me", plain):
        return False
    return not (domain and not value.startswith("@") and re.search(r"(?i)\.(?:com|tw|net|me|png|jpg|pdf)$", plain))
