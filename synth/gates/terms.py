"""Words that are not said so in Taiwan, and traces of a conversion."""

from __future__ import annotations

import re
from collections.abc import Iterator

from factory.zh.matcher import CONVERSION, hits
from synth.gates.lexicon import Boundaries, find, read
from synth.gates.objection import Objection, Rejection, Texts

FOREIGN_POINTS = 2  # weight from which a term of the corpus's lists counts by itself: clear or exclusive
_LONGEST_INNOCENT = 8  # characters
_MAINLAND = "(?:中國大陸|大陸|中國|內地|陸方|中共|港澳|香港)"
# the question is about words: how the mainland says it, what it is called on either side
_ABOUT_WORDS = re.compile(
    rf"兩岸(?:的)?(?:用語|用詞|詞彙|說法|譯名|翻譯|差異|名稱|叫法|常用|中文|電腦|食物|對照|不同)|對岸(?:的)?(?:人|網友|用語|用詞|說|叫|稱|習慣|怎麼|那邊|中文)|支語|簡體|简体"
    rf"|{_MAINLAND}(?:人|網友|網路|觀眾|學生|朋友|地區|那邊|這邊|年輕人|常|都|會|所|的|慣|習)*(?:用語|用詞|詞彙|流行語|說法|譯名|譯法|怎麼說|怎麼叫|叫法|說的?「|講的?「|叫的?「|稱的?「|稱為|「|叫做|叫什麼)"
    r"|(?:對應|相當)(?:到|於)?(?:台灣|臺灣)|(?:在|到|換成)?(?:台灣|臺灣)(?:人)?(?:會|都|又|通常|習慣|一般)?(?:怎麼說|怎麼講|怎麼叫|叫什麼|叫做什麼|稱為什麼|稱作什麼|當稱呼|也這樣說)"
)
# a text is to be put into Taiwan's words: the words asked about may be the mainland's, the answer's may not
_TO_TAIWAN = re.compile(
    "(?:改|換|翻|譯|轉|寫|潤)[^。？\n]{0,12}(?:台灣|臺灣|繁體|正體|在地)[^。？\n]{0,8}(?:說法|用語|用詞|講法|口吻|中文|習慣|版|字)"
    "|在地化|去支語"
)
_SAYS = re.compile(rf"(?:{_MAINLAND}|對岸|簡體中文|港)[^。！？；\n]{{0,8}}(?:稱|叫|說|譯|講|用|寫|作|為|是)[^。！？；\n]{{0,6}}$")
_ELSEWHERE = re.compile(rf"{_MAINLAND}|對岸|支語|簡體|北京|上海")
_REPLACED = re.compile("[」』]?[ ]?(?:→|->|➜)")
_WRITING = re.compile("寫[成作錯]|誤|錯字|別字|簡體|轉換|用字|混用|通用|異體|正確")
_KANA = re.compile("[\u3041-\u30fa]")
_COUNTED = "牛豬雞羊犬貓馬鴨鵝船艦鳥禽鹿蟲狗兔畜猴一二三四五六七八九十百千萬兩幾這那每哪數多半單整0123456789０１２３４５６７８９"
_OPEN, _CLOSE = "「『“‘《〈\"'", "」』”’》〉\"'"


def terms(texts: Texts) -> Objection | None:
    """The first mainland term or conversion trace. Not where the question asks about such words, nor where one is quoted."""
    asked = "\n".join(texts.questions)
    whole = "\n".join([*texts.questions, *texts.answers])
    text = _without_japanese(whole)
    about = _ABOUT_WORDS.search(asked) is not None
    begin = len(asked) if _TO_TAIWAN.search(asked) else 0
    boundaries = Boundaries(text)
    for reason, word, right, start, sure in _found(text):
        end = start + len(word)
        if start < begin or _innocent(text, start, end) or (not sure and boundaries.crossed(start, end)):
            continue
        if reason is Rejection.MAINLAND_TERM and (about or _quoted_term(text, start, end, right)):
            continue
        if reason is Rejection.CONVERSION and (_counts_animals(text, start) or _quoted_form(text, start, end, right)):
            continue
        return Objection(reason, word)
    return None


def _without_japanese(text: str) -> str:
    """Lines with more than a tenth of kana become blanks, so that the places stay."""
    if not _KANA.search(text):
        return text
    return "\n".join(" " * len(line) if len(_KANA.findall(line)) * 10 > len(line) else line for line in text.split("\n"))


def _found(text: str) -> Iterator[tuple[Rejection, str, str, int, bool]]:
    for term, start in find(text, read("mainland_terms.tsv")):
        yield Rejection.MAINLAND_TERM, term.text, term.right, start, bool(term.after or term.sure)
    for term, start in find(text, read("conversion_terms.tsv")):
        yield Rejection.CONVERSION, term.text, term.right, start, bool(term.after or term.sure)
    for hit in hits(text):
        if hit.entry.weight >= FOREIGN_POINTS and hit.entry.group in ("cn", CONVERSION) and not _is_ours(hit.entry.text):
            reason = Rejection.CONVERSION if hit.entry.group == CONVERSION else Rejection.MAINLAND_TERM
            yield reason, hit.entry.text, "", hit.start, False


def _is_ours(word: str) -> bool:
    """The lists of synthesis have an entry of their own, whose rules hold."""
    return any(term.text == word for name in ("mainland_terms.tsv", "conversion_terms.tsv") for term in read(name).get(word[:2], ()))


def _innocent(text: str, start: int, end: int) -> bool:
    """The hit is part of a longer string that is listed as harmless."""
    first = max(0, start - _LONGEST_INNOCENT)
    for term, place in find(text[first : end + _LONGEST_INNOCENT], read("innocent_contexts.tsv")):
        if first + place <= start and end <= first + place + len(term.text) and term.counts(text, first + place):
            return True
    return False


def _is_quoted(text: str, start: int, end: int) -> bool:
    return start > 0 and text[start - 1] in _OPEN and end < len(text) and text[end] in _CLOSE


def _quoted_term(text: str, start: int, end: int, right: str) -> bool:
    """The term is named, not used: said to be the mainland's, in a title, or quoted beside Taiwan's word."""
    if _SAYS.search(text, max(0, start - 20), start) or _REPLACED.match(text, end):
        return True
    title = max(text.rfind("《", max(0, start - 30), start), text.rfind("〈", max(0, start - 30), start))
    if title >= 0 and not any(mark in text[title:start] for mark in "》〉\n"):
        return True
    if not _is_quoted(text, start, end):
        return False
    return _ELSEWHERE.search(text) is not None or (right != "" and any(word in text for word in right.split("/")))


def _quoted_form(text: str, start: int, end: int, right: str) -> bool:
    return _is_quoted(text, start, end) and (_WRITING.search(text) is not None or (right != "" and right in text))


def _counts_animals(text: str, start: int) -> bool:
    """隻 behind a numeral is the measure word: 三|隻|有, 這|隻|好."""
    return text[start] == "隻" and start > 0 and text[start - 1] in _COUNTED
