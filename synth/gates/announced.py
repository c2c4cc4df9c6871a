"""Whether an answer holds as much as it announces: items that were counted out, and more than the question's own words."""

from __future__ import annotations

import re

_NUMBERS = "一二三四五六七八九十"
_ANNOUNCED = re.compile(
    r"(?<![第\d])([二兩三四五六七八九十]|[2-9])\s?(?:個|大|點|種|項|件|條)?(?:主要|重要|基本|關鍵|不同|簡單|常見|小)?的?"
    r"(?:要點|訣竅|秘訣|祕訣|關鍵|點|部分|步驟|步|面向|方面|階段|原因|方法|理由|重點|特色|做法|建議|好處|優點|缺點|特點|種|項|條件|因素|方式|技巧|原則|層面|類型|例子)"
)
_ORDINAL = re.compile(
    rf"(?:第|其)([{_NUMBERS}])(?=[，、：:是個點種項步在]|則)|(?:^|[\n。；：:，])\s*[（(]?([{_NUMBERS}])[)）]?(?:、|是|來|方面)|(?:^|\n)\s*[（(]?(\d)[.、)）]"
)
_MORE = re.compile(r"其次|再者|再來|另外|此外|最後|還有|接著|然後|至於|同時|也要|另一|二來|其餘|也可以|末了|[；;]")
_VALUE = {**{numeral: number for number, numeral in enumerate(_NUMBERS, 1)}, "兩": 2}
_EMPTY = frozenset("的是就有了也都會要很因為所以這那在和與及對於可以能來說一個種所謂之呢啊喔其它他她我們你您")
_CHOICE = re.compile(r"還是|哪|誰|嗎|下列|排|是不是|有沒有|會不會|對不對|重複|照抄|唸|造|翻|念|「|：")
_DANGLING = re.compile(
    r"(?:因為|例如|譬如|以及|包括|而且|但是|如果|由於|對於|為了|像是|也就是說?|分別是|如下|並且|或者|雖然|甚至|至於|關於)[。.！!]$"
)
_DOTS = re.compile(r"[\u3400-\u9fff，](?:…+|⋯+|\.{3,}|。{2,})$")
LONGEST_QUESTION = 40  # letters: a longer one brings along what it is about


def fewer_than_announced(text: str) -> str | None:
    """Ordinals that stop before the number that was announced; None where the rest goes without ordinals."""
    announced = _ANNOUNCED.search(text)
    if announced is None:
        return None
    count = _VALUE.get(announced[1]) or int(announced[1])
    rest = text[announced.end() :]
    found = {_VALUE.get(mark) or int(mark) for marks in _ORDINAL.findall(rest) if (mark := next(filter(None, marks)))}
    if not found or 1 not in found or max(found) >= count or _MORE.search(rest):
        return None
    return f"{max(found)} of {count} announced"


def own_words(text: str, question: str) -> str | None:
    """An answer to what asks for an explanation that has no letter but the question's own and empty ones."""
    asked = "".join(filter(str.isalnum, question))
    said = "".join(filter(str.isalnum, text))
    if _CHOICE.search(question) or len(asked) > LONGEST_QUESTION or not said or any(map(str.isdigit, said)):
        return None
    return None if any(letter not in question and letter not in _EMPTY for letter in said) else "the question's own words"


def dangling(text: str) -> str | None:
    """A last sentence that is a connective, or trails off."""
    text = text.rstrip()
    found = _DANGLING.search(text)
    if found is None and "、" not in re.split(r"[。，]", text.rstrip("…⋯.。"))[-1]:
        found = _DOTS.search(text)
    return f"ends with {found[0]}" if found else None
