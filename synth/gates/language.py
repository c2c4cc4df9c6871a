"""Whether an answer is written in Chinese, as the one who asks expects."""

from __future__ import annotations

import re

from factory.zh.matcher import hits
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.prose import letters, without_brackets, without_code, without_quotes

LATIN_LETTERS_A_HAN = 4  # a Han character carries about what four Latin letters do
FOREIGN_SHARE = 0.3  # of what the prose carries, in Han characters
LEAST_WORDS = 4  # in a row, without a Han character between them: fewer are names and terms
LEAST_PLAIN = 2  # of them in small letters and no article or preposition: a name or a title has none
LEAST_KANA = 3
KANA_SHARE = 0.12  # of Han and kana, in a sentence
LEAST_OTHER = 4  # Hangul, Thai, Cyrillic letters
CANTONESE_POINTS, CANTONESE_WORDS, CANTONESE_DENSITY = 5, 2, 6.0  # clear markers: weight, more different ones than, weight in 100 Han
CANTONESE_SHORT_DENSITY = 24.0  # where there are just so many different ones: a line of talk

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile(r"[\u3040-\u30fa\u30fc-\u30ff\uff66-\uff9f]")
_OTHER = re.compile(r"[\u0370-\u052f\u0590-\u109f\u1100-\u11ff\u1780-\u17ff\u3130-\u318f\uac00-\ud7af]")  # Greek to Burmese, Hangul
_WORD = r"[A-Za-z\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff][A-Za-z\u00c0-\u024f\u0300-\u036f\u0358\u207f\u1e00-\u1eff'’]*"
_RUN = re.compile(rf"{_WORD}(?:[\s\-,.;:!?…/*—–()\"“”·ˈ0-9$%°&]+{_WORD})+")
_WORDS = re.compile(_WORD)
_FUNCTION = re.compile(
    r"\b(?:the|an?|is|are|of|to|and|that|it|you|this|with|der|die|das|ist|le|la|les|est|el|los|que|de|une?|il|di|là|yang)\b", re.IGNORECASE
)
_CLAUSE = re.compile(r"[^。！？!?\n；;，,]+")
_FREE_OF_WORDS = frozenset({"code", "mathematics", "translation"})  # where a line of Latin letters may be all
_SENTENCE = re.compile(r"[.!?]\s*$")
_PLAIN = re.compile(  # not of a title
    r"(?<![^\W_])(?!(?:of|the|and|for|with|in|on|an|to|de|la|du"
    r"|von)\b)[a-z\u00df-\u024f\u1e00-\u1eff][^\W\d_]+"
)

_LANGUAGE = (
    r"(?:英|日|韓|法|德|西班牙|葡萄牙|義大利|義|俄|越南|越|泰|印尼|馬來|拉丁|外|台|臺|客|粵|廣東|閩南|原住民|阿美|泰雅|梵|希臘|阿拉伯|土耳其|荷蘭|世界)"
    r"(?:國)?(?:文|語|話)|原文|雙語|羅馬字|拼音|音標|廣東話|白話字|台羅|片假名|平假名|假名|諺文|字母|單字|俄羅斯文"
)
_TO_OTHER = re.compile(
    rf"(?:翻譯?|譯|轉|改寫?|換|寫)(?:成|為|作)[^，。；：:「」\n]{{0,6}}(?:{_LANGUAGE})|用(?:{_LANGUAGE})"
    rf"|(?:{_LANGUAGE})[^，。」\n]{{0,4}}(?:怎麼|如何|是什麼|要怎麼|翻譯|版)"
)
_TO_CHINESE = re.compile(
    r"(?:翻譯?|譯|轉|改寫?|換)(?:成|為|作)[^，。；：:「」\n]{0,8}(?:中文|國語|華語|繁體|正體|白話|台灣)|用(?:繁體|正體)?(?:中文|國語|華語)"
    r"|中文(?:怎麼|是什麼|意思|翻譯)"
)
_ASKED = re.compile(_LANGUAGE)
_CLEAR = re.compile(  # Cantonese, and nothing else that is written in Taiwan
    r"[嘅喺咗嚟嗰啲㗎哋嘢噉啱攞瞓嘥諗]|唔(?:[係使知識會該想同得好]|緊要)|冇(?:[啦問人得咗錢用]|所謂|時間|辦法)|[食做講有睇]咩(?![咩噗])|咩(?:[事嘢話]|好(?=[？?]))|(?<![一-鿿])點解(?![釋決讀析說開除題])|(?<![一-鿿])而家(?![庭人家長])"
    r"|睇(?:到|住|下|睇|見|書|戲)|(?<![一-鿿])佢(?!個?等)(?=[話係都唔])"
)
_OTHER_SPEECH = re.compile(r"台語|臺語|客語|客家|閩南|方言")
_CLAUSE_WORD = re.compile(
    r"\b(?:is|are|was|were|be|will|would|can|could|should|must|have|has|do|does|don't|it's|you|we|they|I|it|this|that|your|my"
    r"|because|but|if|when|and then"
    r"|let's|let|to \w+|add|make|take|go|get|keep|try|use|pour|put|wait|definitely|really)\b"
)
_HIRAGANA = re.compile(r"[\u3041-\u3096]{4,}")
_BOPOMOFO = re.compile(r"[\u3105-\u312f]")
_SOUND_ASKED = re.compile(r"注音|ㄅ|[ㄅ-ㄩ]|拼|音|唸|念|讀")
_PROSE = frozenset({"knowledge", "chit_chat", "reasoning", "summarization"})  # whose clauses are Chinese, each of them
LEAST_CLAUSE, LEAST_CLAUSE_WORDS = 4, 2  # words in a row, of them such as make a clause
LEAST_BOPOMOFO = 6  # where it is more than the Han characters
_CANTONESE_ASKED = re.compile(r"廣東|粵|港式|香港|廣州|澳門")


def language(texts: Texts) -> Objection | None:
    """Objects where a good part of the prose is in another language than Chinese, unless that was asked for."""
    question = "\n".join(texts.questions)
    outside = without_quotes(question)
    to_other, to_chinese = _TO_OTHER.search(outside), _TO_CHINESE.search(outside)
    if to_other or (not to_chinese and _ASKED.search(outside)):
        return None
    text = "\n".join(texts.answers)
    prose = without_quotes(without_code(text, lines=texts.category == "code"))
    if texts.category == "translation" and not to_chinese:
        return None if _HAN.search(text) or not _HAN.search(outside) else _free_of_han(text)
    if to_chinese and not _HAN.search(prose):
        return Objection(Rejection.LANGUAGE, "no Han character where Chinese was asked for")
    if (
        texts.category not in _FREE_OF_WORDS
        and not _HAN.search(text)
        and _SENTENCE.search(prose)
        and len(_PLAIN.findall(prose)) >= LEAST_PLAIN
    ):
        return Objection(Rejection.LANGUAGE, f"no Han character: {prose.strip()[:40]}")
    if texts.category in _PROSE and (seen := _mixed(without_brackets(prose), question)):
        return Objection(Rejection.LANGUAGE, seen)
    return _foreign(without_brackets(prose) if texts.category != "translation" else prose, texts.category == "code") or _cantonese(
        prose, question
    )


def _free_of_han(text: str) -> Objection | None:
    """A translation whose target is not named and that has no Han character: foreign where the source was Chinese, which is free."""
    return None if letters(text) else Objection(Rejection.LANGUAGE, "no letters")


def _foreign(prose: str, code: bool) -> Objection | None:
    han, weight, seen = len(_HAN.findall(prose)), 0.0, ""
    for run in _RUN.findall(prose):
        words = _WORDS.findall(run)
        plain = len(_PLAIN.findall(run)) >= LEAST_PLAIN and (not code or _FUNCTION.search(run))
        if plain and len([word for word in words if len(word) > 1]) >= LEAST_WORDS:
            weight += sum(map(len, words)) / LATIN_LETTERS_A_HAN
            seen = seen or run[:40]
    for clause in _CLAUSE.findall(prose):
        kana, here = len(_KANA.findall(clause)), len(_HAN.findall(clause))
        if kana >= LEAST_KANA and kana >= KANA_SHARE * (kana + here):
            weight, han, seen = weight + kana + here, han - here, seen or clause[:40]
    other = len(_OTHER.findall(prose))
    if other >= LEAST_OTHER:
        weight, seen = weight + other, seen or "letters of another script"
    if weight > FOREIGN_SHARE * (han + weight):
        return Objection(Rejection.LANGUAGE, f"{weight / (han + weight):.0%} not Chinese: {seen}")
    return None


def _mixed(prose: str, question: str) -> str | None:
    """A clause of another language inside Chinese prose, or Bopomofo in place of words."""
    for run in _RUN.findall(prose):
        plain, words = len(_PLAIN.findall(run)), len(_WORDS.findall(run))
        makers = {found.lower() for found in _CLAUSE_WORD.findall(run)}
        if words >= LEAST_CLAUSE and 2 * plain > words and len(makers) >= LEAST_CLAUSE_WORDS and run not in question:
            return f"a clause in another language: {run[:40]}"
    if (found := _HIRAGANA.search(prose)) and "日" not in question:
        return f"Japanese: {found[0]}"
    bopomofo = len(_BOPOMOFO.findall(prose))
    if bopomofo >= LEAST_BOPOMOFO and bopomofo > len(_HAN.findall(prose)) and not _SOUND_ASKED.search(question):
        return "Bopomofo in place of words"
    return None


def _cantonese(prose: str, question: str) -> Objection | None:
    if _CANTONESE_ASKED.search(question):
        return None
    if not (_OTHER_SPEECH.search(question + prose) or _CANTONESE_ASKED.search(prose)) and (clear := _CLEAR.search(prose)):
        return Objection(Rejection.LANGUAGE, f"Cantonese: {clear[0]}")
    found = [hit for hit in hits(prose) if hit.entry.group == "yue" and hit.entry.weight > 1]
    words, points = {hit.entry.text for hit in found}, sum(hit.entry.weight for hit in found)
    han = len(_HAN.findall(prose))
    dense = 100 * points / han if han else 0.0
    if (points >= CANTONESE_POINTS and len(words) > CANTONESE_WORDS and dense >= CANTONESE_DENSITY) or (
        len(words) == CANTONESE_WORDS and dense >= CANTONESE_SHORT_DENSITY
    ):
        return Objection(Rejection.LANGUAGE, f"Cantonese: {', '.join(sorted(words)[:5])}")
    return None
