"""Spans that are to support an answer: word for word in the passage, and holding each figure and name that the answer states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from synth.gates.objection import Objection, Rejection
from synth.tasks import Candidate

_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "兩": 2, "○": 0}
_PLACES = {"十": 10, "百": 100, "千": 1_000}
_GROUPS = {"萬": 10_000, "億": 100_000_000}
_HAN = "〇零○一二兩三四五六七八九十百千萬億"
_ARABIC = re.compile(r"(?<![A-Za-z\d.])(\d[\d,]*(?:\.\d+)?)\s?(萬|億)?")
_UNITS = (
    "年月日號歲元塊圓公里公尺公分公斤公克公噸公頃坪度個人次分秒時點天週周位名戶件種類座棟間層樓條項章節頁級代屆任成倍隻頭尾"
    "顆粒棵株瓶杯碗盒包袋張台輛艘班場篇本冊首輪步站組錠小滴幅"
)
_CHINESE = re.compile(rf"(?<![{_HAN}])([{_HAN}]+)(點[{_HAN}]+)?(?=(.?))")
_LOOSE = re.compile(
    r"一定|一般|一起|一樣|一些|一下|一直|一邊|一面|一旦|"
    r"一切|一帶|一點|十分(?!鐘)|千萬(?![元人公])|萬一|統一|唯一|第一次|三不五時|四周|四處|五花八門|七上八下|九份|一半"
)
_RANGE = re.compile(rf"[到至～~、或][{_HAN}]")
_DATE = re.compile(rf"([{_HAN}]+|\d+)月([{_HAN}]+|\d+)日")
_LATIN = re.compile(r"[A-Za-z][A-Za-z'’.-]*[A-Za-z]")
_SURNAMES = frozenset(
    "王李張劉陳楊黃趙周吳徐孫馬朱胡郭何林高羅鄭梁謝宋唐許鄧馮韓曹曾彭蕭蔡潘田董袁于余葉蔣杜蘇魏程呂丁沈任姚盧傅鍾姜崔譚廖范汪陸金石戴賈韋夏邱方侯鄒熊孟秦白江閻薛尹段雷黎史龍陶賀顧毛郝龔邵錢嚴賴洪莊簡翁施柯游詹巫温溫阮涂塗"
)


def spans(candidate: Candidate) -> Objection | None:
    """Objects to a span that is not in the passage, then to a figure or a name of the answer that no span and no question holds."""
    listed = candidate.extra.get("spans")
    if not listed:
        return None
    passage = candidate.extra["passage"]
    for span in listed:
        if span not in passage:
            return Objection(Rejection.UNSUPPORTED_SPAN, span[:40])
    question = candidate.messages[0]["content"].removeprefix(passage)
    known = "\n".join([*listed, question])
    answer = candidate.messages[-1]["content"]
    held = set(figures(known, every=True))
    if missing := next((value for value in figures(answer) if value not in held), None):
        return Objection(Rejection.UNSUPPORTED_SPAN, f"the figure {missing} stands in no span")
    if missing := next((name for name in names(answer) if name.lower() not in known.lower()), None):
        return Objection(Rejection.UNSUPPORTED_SPAN, f"the name {missing} stands in no span")
    return None


def figures(text: str, every: bool = False) -> Iterator[str]:
    """The numbers of a text as they would be written in digits, and its dates: 三千八百 and 3,800 are the same, 一定 is none. A single
    numeral counts where a unit follows it, with `every` always."""
    text = _LOOSE.sub(" ", text)
    for found in _ARABIC.finditer(text):
        digits = found[1].replace(",", "")
        yield f"{float(digits) * _GROUPS.get(found[2] or '', 1):.10g}"
    for found in _CHINESE.finditer(text):
        written, fraction, after = found[1], found[2], found[3]
        counted = after and (after in _UNITS or _RANGE.match(text, found.end()))
        if len(written) == 1 and not every and (written in "一百千萬億零" or not counted):
            continue  # 一個, 三心二意: a word rather than a figure
        value = _value(written)
        if value is None:
            continue
        tail = fraction[1:] if fraction else ""
        if tail and after != "分" and all(character in _DIGITS for character in tail):  # 三點五公里, and not 三點五分
            yield f"{value:.10g}." + "".join(str(_DIGITS[character]) for character in tail)
            continue
        yield f"{value:.10g}"
        if tail and (minutes := _value(tail)) is not None:
            yield f"{minutes:.10g}"
    for found in _DATE.finditer(text):
        month, day = (int(part) if part.isdecimal() else _value(part) for part in found.groups())
        if month is not None and day is not None:
            yield f"{month:g}/{day:g}"


def _value(written: str) -> float | None:
    """The value of a Chinese numeral; a row of digits (一九八四) is read as such. None for what is no number."""
    if all(character in _DIGITS for character in written):
        return float("".join(str(_DIGITS[character]) for character in written))
    total, group, digit = 0, 0, 0
    last = 1
    for character in written:
        if character in _DIGITS:
            digit = _DIGITS[character]
            last = 1 if character in "零〇○" else last
        elif character in _PLACES:
            group += (digit or (1 if character == "十" or not group else 0)) * _PLACES[character]
            digit, last = 0, _PLACES[character]
        else:
            whole = group + digit
            if not whole and not total:
                return None
            total = (total + whole) * _GROUPS[character] if total and _GROUPS[character] > total else total + whole * _GROUPS[character]
            group, digit, last = 0, 0, _GROUPS[character]
    return total + group + (digit * last // 10 if digit and last > 10 else digit)  # 三萬二 is thirty-two thousand


def names(text: str) -> Iterator[str]:
    """Words in Latin letters, and what looks like a person's name: a surname with one or two characters, in no dictionary."""
    for found in _LATIN.finditer(text):
        if any(character.isupper() for character in found[0]):
            yield found[0]
    from factory.zh.segment import words

    dictionary = _dictionary()
    for word in words(text):
        if len(word) in (2, 3) and word[0] in _SURNAMES and word not in dictionary:
            yield word


@cache
def _dictionary() -> frozenset[str]:
    """jieba's words of two and three characters that begin with a surname."""
    import jieba

    with jieba.get_dict_file() as stream:
        listed = (line.decode("utf-8").split(" ", 1)[0] for line in stream)
        return frozenset(word for word in listed if len(word) in (2, 3) and word[0] in _SURNAMES)
