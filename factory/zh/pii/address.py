"""Postal addresses down to the house number, found from 號 backwards.

Names of counties and townships are in `data/places.txt` (Ministry of the Interior); roads and villages are known by their last
character alone. Chunghwa Post's order of the parts: county, township,
village, neighbourhood, road, section, lane, alley, number, floor, room.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from factory.zh import wordlists
from factory.zh.pii.span import Span

MAX_CHARS = 60  # of an address before 號
_DIGITS = "0-9零〇○一二三四五六七八九十百千廿卅"
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_N = f"(?:[0-9]{{1,4}}|[{_DIGITS[3:]}]{{1,6}})"
_NUMBER = f"(?:臨|附)?{_N}(?:[ ]?(?:[-之、,，~～及和至])[ ]?{_N}){{0,4}}[ ]?"
_BEFORE_NUMBER = re.compile(f"(?:[路街道段巷弄村里鄰莊][ ]?(?:臨|附)?|[鄰村里][ ]?[{_HAN}]{{1,4}})(?:{_NUMBER})$")
_LANES = f"(?:[ ]?(?:{_N}[ ]?|[{_HAN}]{{1,4}})巷)?(?:[ ]?{_N}(?:[-之]{_N})?[ ]?弄)?(?:[ ]?{_N}[ ]?衖)?"
_ROAD = f"(?P<road>[{_HAN}]{{1,9}}?(?:路|街|大道)(?!街|路))(?:[ ]?[東西南北中]?{_N}[ ]?段)?{_LANES}"
_CORE = re.compile(
    f"(?:{_ROAD}|(?P<village>[{_HAN}]{{1,4}}[村里莊])(?:[ ]?{_N}鄰(?:[ ]?[{_HAN}]{{1,4}})?)?{_LANES}|{_N}鄰(?:[ ]?[{_HAN}]{{1,4}})?{_LANES}"
    f"|(?P<lane>[{_HAN}]{{1,4}}|{_N})[ ]?巷(?:[ ]?{_N}[ ]?弄)?|{_N}[ ]?弄)[ ]?{_NUMBER}$"
)
_AFTER = re.compile(
    f"號(?:之{_N}(?![{_DIGITS}]))?(?:[ ,，]?(?:地下|B)?(?:{_N}|[Bb][0-9])(?:[ ]?[-、~之及,][ ]?{_N})?[ ]?(?:樓"
    f"|[Ff](?![A-Za-z]))(?:[ ]?之[ ]?{_N})?|地下室|[ ]?[Bb][0-9](?![0-9A-Za-z]))?"
    f"(?:[ ,，]?(?:[A-Za-z]?[0-9]{{1,4}}|[A-Za-z]|{_N})(?:[ ]?之[ ]?[0-9]{{1,3}})?室)?"
)
_NOT_AFTER = re.compile("號(?:公車|公園|橋|隧道|水門|抽水站|出口|月台|解釋|判決|令|函|公告|議案|線|機組)")
_NOT_ROAD = re.compile(
    "(?:高速公路|快速公路|鐵路|網路|電路|馬路|道路|思路|線路|管路|迴路|走路|上路|出路|(?:^|[這那他她我你們車家])一路|半路|沿路|通路|回頭路|套路|公路|活路|死路|退路|逛街|夜街|上街)$"
)
_NOT_VILLAGE = re.compile("(?:公里|英里|海里|這里|那里|哪里|心里|家里|城里|選手村|部落里)$")
# what may stand before a road's name and is seldom part of one
_LEAD = re.compile(
    "[在於到住往是問為的從寄址處找去回了前有來沿近請逛開過家被將把]|位於|座落|坐落|戶籍|通訊|公司|設籍|居住|搬至|送至|寄至|移至|本院|營業所|門市|總部|總店|分店|地點|學校|附近|旁邊|以及|或者|還有|就是|並|與|跟|及|或|至(?!善|誠"
    "|德|聖|真|公|平)|和(?!平|美|興|順|成|緯|祥|義|善|東|仁|生|豐|睦|安|慶|光)"
)
# possessive: there are exponentially many ways to cut a row of such characters
_UNIT = re.compile(
    f"(?:[ ]?(?:[東西南北中]?{_N}[ ]?[鄰段巷弄]|[0-9]{{3,6}}(?=[ ]?[{_HAN}])|[{_HAN}]{{1,5}}?[區鄉鎮市村里鄰路街道段巷弄莊]"
    f"|[{_HAN}]{{1,4}}(?=[0-9])))*+[ ]?{_NUMBER}$"
)
_SUFFIX = "東西南北中前後一二三四五六七八九十"


@cache
def _places() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Counties (with their earlier rank), and townships, whose rank differs where a county became a city."""
    names = [row[0] for row in wordlists.read_rows(wordlists.DATA / "places.txt")]
    counties = {name[:-1] for name in names if name[-1] == "縣" or name in _CITIES}
    townships = {name for name in names if name[-1] != "縣" and name not in _CITIES}
    stems = {name[:-1] for name in townships if len(name) > 2}
    short = {name for name in townships if len(name) == 2}
    county = f"(?:[台臺]灣省)?(?:{_any(counties)})[縣市]|(?:{_any(c for c in counties if c in _BARE)})(?=(?:{_any(stems)})[區鄉鎮市])"
    return re.compile(county), re.compile(f"(?:{_any(stems)})[區鄉鎮市]|{_any(short)}")


_CITIES = frozenset(("臺北市", "新北市", "桃園市", "臺中市", "臺南市", "高雄市", "基隆市", "新竹市", "嘉義市"))
_BARE = frozenset(name[:-1] for name in _CITIES)


def _any(names: Iterator[str] | set[str] | frozenset[str]) -> str:
    return "|".join(sorted((name.replace("臺", "[台臺]") for name in names), key=lambda name: (-len(name), name)))


def candidates(text: str) -> list[int]:
    """Positions of 號 behind a number behind a part of an address; linear, and quick where there is none."""
    found = []
    position = text.find("號")
    while position >= 0:
        last = text[position - 1 : position]
        if last and (last in _NUMERALS or (last == " " and text[position - 2 : position - 1] in _NUMERALS)):
            found.append(position)
        position = text.find("號", position + 1)
    return found


_NUMERALS = frozenset("0123456789０１２３４５６７８９零〇○一二三四五六七八九十百千廿卅")


def find(text: str, positions: list[int]) -> Iterator[Span]:
    """Addresses of the folded `text` whose 號 stands at one of `positions`."""
    floor = 0
    for position in positions:
        left = text[max(floor, position - MAX_CHARS) : position].rsplit("\n", 1)[-1]
        if not _BEFORE_NUMBER.search(left) or _NOT_AFTER.match(text, position):
            continue
        start = _start(left)
        if start is None:
            continue
        tail = _AFTER.match(text, position)
        end = tail.end() if tail else position + 1
        yield Span("address", position - len(left) + start, end)
        floor = end


def _start(left: str) -> int | None:
    """Where in `left`, which ends with the house number, the address begins; None where it is none."""
    core = _CORE.search(left)
    if core is None:
        return None
    if core["road"] and _NOT_ROAD.search(core["road"]) and not _placed(left):
        return None
    if core["village"] and _NOT_VILLAGE.search(core["village"]):
        return None
    placed = _placed(left)
    if placed is not None:
        return placed
    name = core["road"] or core["village"]
    if not name:
        return core.start()
    # the road nearest to the number counts
    start, end = core.span("road" if core["road"] else "village")
    lead = list(_LEAD.finditer(left, 0, end - 1))
    begin = max([start, *(match.end() for match in lead if match.end() < end - 1)])
    length = end - begin - (2 if left[:end].endswith("大道") else 1)
    if length > 4:  # no boundary in sight: most names have two characters and perhaps a direction or number
        begin = end - 1 - (2 if left[:end].endswith("大道") else 1)
        begin = end - (2 if left[:end].endswith("大道") else 1)
        begin -= 3 if left[begin - 1] in _SUFFIX else 2
    if begin >= end - 1 or length < 1:
        return None
    if core["road"] and (village := re.search(f"[{_HAN}]{{2}}[村里]$", left[start:begin])) and not _LEAD.search(village[0]):
        begin -= 3
    return max(begin, 0)


def _placed(left: str) -> int | None:
    """The first county or township from which on `left` reads as an address."""
    counties, townships = _places()
    for pattern in (counties, townships):
        for match in pattern.finditer(left):
            rest = left[match.end() :]
            if not re.search("[的在與於到是往從]|[台臺新][北中南]市", rest) and _UNIT.match(rest):
                return match.start()
    return None
