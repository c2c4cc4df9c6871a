"""Answers that refuse, pass the question on, or preach in place of an answer."""

from __future__ import annotations

import re
from functools import cache

from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.prose import letters, pattern, sentences, without_quotes

LIST = "refusal.tsv"
LEAST_SUBSTANCE = 12  # letters that say something, below which a way out is all that an answer has
LEAST_REASON = 5  # of them, where it is said that something cannot be told
LEAST_AFTER = 8  # of them after a turn (but, however)
RHETORICAL = 24  # characters of a question that stands for an answer
BRIEF = 60  # letters of an answer that generalities may be all of
SHORT = 160  # letters: in a longer answer a way out is a closing remark

_APOLOGY = re.compile(
    r"^(?:[^。！？\n]{0,8}[，,])?(?:真的|很|非常|實在|十分)?(?:抱歉|對不起|不好意思|遺憾|歹勢)[^，。！？\n]{0,8}，?[^，。！？\n]{0,16}(?:無法|不能|沒辦法|沒有辦法|不便|幫不上|做不到|袂|不會)"
)
_ASKED = re.compile(
    r"拒絕|婉拒|回絕|推辭|道歉|致歉|抱歉|客服|公告|告示|請假|缺席|辭職|分手|說不|不能說的|恕|無可奉告|sorry|can't|cannot|分辨|為什麼(?:AI|聊天|它|他)|怎麼說不|沉默|緘默"
)
_REQUEST = re.compile(r"教我|幫我|替我|給我|請(?:寫|說明|介紹|列|解釋|翻|摘要|推薦)|寫一|推薦")
_IN_VOICE = frozenset({"creative_writing", "role_play"})  # who speaks need not be the one who answers
_SPEAKER = re.compile(r"我|請|建議|恕|本服務|抱歉|對不起")  # without one a translation speaks for its source
_TOLD = re.compile(r"[^我](?:表示|指出|強調|受訪|坦言|直言|宣稱|聲稱|主張|回應)(?=[，：:]|時)")
_VOICES = _IN_VOICE | {"translation"}
_BROAD = ("away", "vague", "appeal")
_COMPLETE = re.compile(
    r"為什麼|為何|[成起原]因|影響|寫一|怎麼辦|如何|怎麼|怎樣|哪|多少|什麼|幾|何時|解釋|說明|介紹|比較|分析|列出|列舉|推薦|建議|請寫|幫我|替我|教我|翻譯|該不該|差別|差異|誰|嗎|是否|能不能|可不可以|會不會|要不要"
)
_BACK = re.compile(r"[？?]$")
_GUESS = re.compile(r"因為|是不是|會不會|有沒有可能|例如|像是|難道")
_DETAIL = re.compile(
    r"\d|因為|例如|先[^，。]+，?[^，。]*再|[、：]|如果|要是|一旦|[一二兩三四五六七八九十百千萬]+(?:公里|公尺|公分|公斤|公克|元|塊|年|個?月|天|次|分|小時|歲|度|倍|成|項|步)"
)
_WHOM = re.compile(r"[問找向跟]誰|找(?:哪|什麼)|哪裡|哪個(?:單位|機關)|去哪|怎麼查|如何查|要不要(?:找|請|問)|聯絡")
_TURN = re.compile(r"不過|但是?(?!為)|只是|好啦|話說回來|倒是")


@cache
def _empty(broad: bool = False) -> re.Pattern[str]:
    return pattern(LIST, "moral", "filler", "brush", "unsure", *(_BROAD if broad else ()))


def refusal(texts: Texts) -> Objection | None:
    """Objects to a refusal said as such, and to a way out where the answer holds little else."""
    question = "\n".join(texts.questions)
    asked = bool(_ASKED.search(question))
    for text in texts.answers:
        prose = without_quotes(text).strip()
        if (texts.category != "translation" or not asked) and (found := pattern(LIST, "english").search(text)):
            return _objection(found[0])
        if not (asked and texts.category in _IN_VOICE | {"translation"}):
            if (found := _own(prose)) and not _goes_on(prose, found, question):
                return _objection(found[0])
            in_voice = texts.category in _IN_VOICE and _substance(prose, question) >= LEAST_SUBSTANCE
            if (found := _APOLOGY.search(prose)) and not in_voice and not _goes_on(prose, found, question):
                return _objection(found[0])
        if (
            len(letters(prose)) <= SHORT
            and (texts.category != "translation" or _SPEAKER.search(prose))
            and (found := pattern(LIST, "brush").search(prose))
            and _substance(prose, question) < LEAST_SUBSTANCE
            and not _goes_on(prose, found, question)
        ):
            return _objection(found[0])
        if seen := _nothing(prose, question, texts.category):
            return _objection(seen)
        if (found := pattern(LIST, "unsure").search(prose)) and _substance(prose, question) < LEAST_REASON:
            return _objection(found[0])
        if _REQUEST.search(question) and (found := pattern(LIST, "no").search(prose)):
            return _objection(found[0])
    return None


def _nothing(prose: str, question: str, category: str) -> str | None:
    """What stands in place of an answer where an explanation or help was asked for: questions back, generalities, appeals."""
    if category in _VOICES or not _COMPLETE.search(question) or len(letters(prose)) > BRIEF:
        return None
    said, talk = sentences(prose), category == "chit_chat"
    if not talk and said and not _GUESS.search(prose) and all(_BACK.search(part) and len(part) <= RHETORICAL for part in said):
        return said[0]
    found = pattern(LIST, "brush", *_BROAD).search(prose)
    least = LEAST_AFTER // 2 if talk else LEAST_SUBSTANCE
    if not found or _DETAIL.search(prose) or (_WHOM.search(question) and not talk):
        return None
    return found[0] if _substance(prose, question, broad=True) < least else None


def _own(prose: str) -> re.Match[str] | None:
    """The first refusal said as such that is not told of somebody else."""
    for found in pattern(LIST, "act").finditer(prose):
        if not _TOLD.search(re.split(r"[。！？\n]", prose[: found.start() + 1])[-1]):
            return found
    return None


def _objection(seen: str) -> Objection:
    return Objection(Rejection.REFUSAL, seen.strip("，。！？；：\n ")[:60])


def _goes_on(prose: str, found: re.Match[str], question: str) -> bool:
    """Whether something is said after a refusal: a turn, and then what is no way out either."""
    rest = prose[found.end() :]
    return bool(_TURN.search(rest)) and _substance(rest, question) >= LEAST_AFTER


def _substance(prose: str, question: str, broad: bool = False) -> int:
    """Letters and digits that the question lacks, of the clauses that neither evade, preach, greet nor ask."""
    clauses = [
        clause
        for sentence in sentences(prose)
        if sentence[-1] not in "？?" or len(sentence) > RHETORICAL
        for clause in re.split(r"[，,：:]", sentence)
    ]
    return sum(
        sum(character.isalnum() and character not in question for character in clause)
        for clause in clauses
        if not _empty(broad).search(clause)
    )
