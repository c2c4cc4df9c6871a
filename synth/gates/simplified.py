"""Whether an answer has characters of Simplified Chinese."""

from __future__ import annotations

import re
from functools import cache

from factory.zh import wordlists
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.prose import entries

_TOPIC = re.compile(r"簡體|簡化|簡字|简体|简化|殘體|俗字|俗體|異體|新字體|繁簡|簡繁|正簡|OpenCC|日文|日語|日本|漢字寫法", re.IGNORECASE)
_ASKED = re.compile(
    r"(?:翻譯?|譯|轉換?|改寫?|換|寫)(?:成|為|作|到|回)[^，。；：:「」\n]{0,6}(?:簡體|简体|簡化)|用(?:簡體|简体|簡化)|(?:簡體"
    r"|簡化)(?:中文)?(?:字)?(?:版|怎麼寫|寫法|是什麼)"
)
_QUOTED = re.compile(
    r"「[^」]{1,40}」|『[^』]{1,40}』|\"[^\"\n]{1,40}\"|“[^”]{1,40}”|'[^'\n]{1,40}'|（[^）]{1,20}）"
    r"|`[^`]{1,80}`|```.*?```",
    re.DOTALL,
)
_SPOKEN = re.compile(r"台語|臺語|客語|客家|閩南")  # which write 个 themselves
_WARDS = re.compile(r"里長|里民|里程|鄰里|村里")
_JAPAN = re.compile(r"日語|日文|日本|日治")
_JAPANESE = frozenset("当学国会体楽来図駅円売読")  # common in Japanese words
_PIECE = re.compile(r"[^。！？\n，「」（）]+")
_KANA = re.compile(r"[\u3041-\u30fa]")


@cache
def _words() -> re.Pattern[str]:
    """Words that show a Simplified use of a character that Traditional Chinese has too, each with what may not stand around it."""
    listed = []
    for word, *rest in entries("simplified_words.tsv"):
        before, after = [*rest, "", ""][:2]
        listed.append((f"(?<![{before}])" if before else "") + re.escape(word) + (f"(?![{after}])" if after else ""))
    return re.compile("|".join(listed))


@cache
def _simplified() -> frozenset[str]:
    return wordlists.characters("simplified_only.txt")


def simplified(texts: Texts) -> Objection | None:
    """Objects to one character; free are what the question asks for or holds itself, quotations where script is the topic, and Japanese."""
    question, text = "\n".join(texts.questions), "\n".join(texts.answers)
    if _ASKED.search(question):
        return None
    prose = _PIECE.sub(lambda piece: " " if _KANA.search(piece[0]) else piece[0], text)
    if _TOPIC.search(question) or _TOPIC.search(text):
        prose = _QUOTED.sub(" ", prose)
    alphabet = _simplified() - _JAPANESE if _JAPAN.search(question + text) else _simplified()
    quoted_in_question = {character for found in _QUOTED.findall(question) for character in found}
    found = [character for character in prose if character in alphabet and character not in quoted_in_question]
    if found:
        return Objection(Rejection.SIMPLIFIED, f"{len(found)} characters: {''.join(dict.fromkeys(found))[:12]}")
    spoken, wards = bool(_SPOKEN.search(question + text)), bool(_WARDS.search(question + text))
    for match in _words().finditer(prose):
        if not (spoken and match[0] == "个") and not (wards and match[0].endswith("里")):
            return Objection(Rejection.SIMPLIFIED, match[0])
    return None
