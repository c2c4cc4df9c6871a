"""Whether an answer ends where it stops, and whether there is an answer at all."""

from __future__ import annotations

import re

from synth.gates.prose import pattern, without_code

LIST = "ending.tsv"
LEAST_EXPLAINED = 28  # the same, in an explanation
LEAST_PROSE = 40  # letters without a full stop in which one would stand
LEAST_LETTERS = 12  # of a last sentence that has no end: shorter ones are signatures, labels, exclamations
LEAST_EXPLANATION = 7  # letters of an answer to how, why, explain

_CLOSED = re.compile(r"[。！？!?…⋯～~」』）)》〉】\]}\"”'’`*_;；|>%℃°♪♡❤😀-🫸☀-➿^]$")
_OPEN = re.compile(r"[，、：,（(「『《〈【；]$|(?<![-—])——$|^\s*(?:\d+[.、)）]|[-*・•·+])$|^#{1,6}\s.*$|[=+×÷−/&]$|<\w*$|\\$|(?<=\s)[-<>]$")
_PAIRS = (("「", "」"), ("『", "』"), ("《", "》"), ("〈", "〉"), ("（", "）"), ("【", "】"))
_CODE_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))
_STRING = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|(?:#|//).*")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:\d+[.、)）]|[-*・•·+]|[（(][一二三四五六七八九十\d]+[)）]|[一二三四五六七八九十]+、|\||#)")
_CODE_OPEN = re.compile(
    r"^\s*(?:(?:async )?(?:def|for|with)\b|if|while|else|elif|try|except|finally|class)\b[^#\n]*:\s*$|[\w)\]\s](?:=|\+=|&&|\|\||\+)\s*$"
    r"|^\s*[\w.,* ]*\s(?:FROM|WHERE|AND|OR|BY|JOIN|SET|ON|VALUES)\s*$"
)
_RETURN = re.compile(r"^\s*return \S")
_END = re.compile(r"[。！？!?]$")
_SOURCE_END = re.compile(r"[。！？][」”\"]?\s*$")
_STOP = re.compile(r"[。！？]")
_HAN = re.compile(r"[\u3400-\u9fff]")
_EXPLAIN = re.compile(
    r"為什麼|為何|如何|怎麼(?!寫|念|唸|讀|稱呼|說)|說明|介紹|解釋|比較|分析|推論|理由|步驟|過程|流程|方法|證明|請列|列出|調適|心得|看法|討論|摘要|扮演"
    r"|寫一[個篇段首封則副]|演一段|造|怎樣|建議|成因|影響"
)
_TERM = re.compile(r"什麼是|是什麼(?:意思)?[？?]")
_BRIEF = re.compile(
    r"一行|一句|一個字|簡短|簡潔|精簡|字以內|字內|標題|標語|口號|名字|店名|暱稱|關鍵字|代號|惜字|不用解釋|不用說明|只要|只答|只回|就好|即可|是誰|多少|哪一?[個座年種]"
    r"|幾[個年歲點月號]|嗎[？?]|是不是|對或錯|是非"
)
_COUNTED = re.compile(
    r"([二兩三四五六七八九十]|[2-9]|10)(?:個|句|則|條|點|種|項|首|組|行|段)(?:[^，。？\n]{0,6})(標語|口號|句子|店名|名字|建議|方法|理由|重點|步驟"
    r"|例子|詩|短詩|諺語|食譜|特色|優點)"
)
_LABEL = re.compile(r"^(\w{2,6})[：:]", re.MULTILINE)
_AND = re.compile(r"[、和與及跟]")
_NUMBER = {
    **{str(number): number for number in range(2, 11)},
    **dict(zip("二兩三四五六七八九十", (2, 2, 3, 4, 5, 6, 7, 8, 9, 10), strict=True)),
}


def cut_off(text: str, question: str, category: str) -> str | None:
    """What shows that a text stops before its end; None where nothing does. A closing mark of a sentence always ends it."""
    text = text.rstrip()
    if len(_FENCE.findall(text)) % 2:
        return "a block of code without its end"
    if (category == "code" or text.endswith("```")) and (seen := _code(text)):
        return seen
    return (
        None
        if _END.search(text)
        else _unclosed(text, category) or _tail(text, category) or _fewer(text, question) or _source(text, question, category)
    )


def explains(question: str) -> bool:
    """Whether an explanation is asked for, and not a brief one."""
    return bool(_TERM.search(question) or (_EXPLAIN.search(question) and not _BRIEF.search(question)) or "有什麼" in question)


def fragment(text: str, question: str) -> str | None:
    """What shows that nothing is answered: a few letters where an explanation was asked for, or an announcement of one."""
    said = without_code(text)
    bare = "".join(filter(str.isalnum, text))
    if said.strip() != text.strip():
        return None
    if _TERM.search(question) and bare in question:
        return "the question's own words"
    if not _EXPLAIN.search(question) or (_BRIEF.search(question) and "分析" not in question):
        return None
    rest = pattern(LIST, "opening").sub("", re.sub(r"^\s*[(（][^()（）]{0,20}[)）]\s*$", "", text))
    letters, digits = sum(map(str.isalpha, rest)), sum(map(str.isdigit, rest))
    if letters + digits >= LEAST_EXPLANATION or (letters and digits) or "\n" in text.strip():
        return None
    return f"{letters + digits} letters of an answer"


def _unclosed(text: str, category: str) -> str | None:
    prose = without_code(text)
    if (text if category == "code" else prose).count("`") % 2:
        return "a backtick without its pair"
    for opening, closing in _PAIRS:
        if prose.count(opening) > prose.count(closing) and prose.rfind(opening) > prose.rfind(closing):
            return f"{opening} without {closing}"
    if category == "code":
        code = _STRING.sub("", text)
        for opening, closing in _CODE_PAIRS:
            if code.count(opening) > code.count(closing) and not _CLOSED.search(text.replace("`", "")):
                return f"{opening} without {closing}"
    return None


def _code(text: str) -> str | None:
    """A last line of code that opens a block, ends with an operator, or returns nothing where others return something."""
    lines = [line for line in text.removesuffix("```").rstrip().split("\n") if line.strip()]
    last = lines[-1] if lines else ""
    if _CODE_OPEN.search(last) or (last.strip() == "return" and any(_RETURN.search(line) for line in lines)):
        return f"ends with {last.strip()[-20:]}"
    return None


def _tail(text: str, category: str) -> str | None:
    last = text.rsplit("\n", 1)[-1]
    if text.endswith("```") or not text:
        return None
    if found := _OPEN.search(last):
        return None if category == "creative_writing" and found[0] == "——" else f"ends with {found[0][-20:]}"
    if last.startswith("|") and not last.endswith("|"):
        return "a row of a table without its end"
    if _CLOSED.search(last):
        return None
    if re.search(r"\([^()\n]*\w[^()\n]*$", last):
        return "( without )"
    if "/" not in last and (found := pattern(LIST, "tail").search(last)):
        return f"ends with {found[0]}"
    sentence = re.split(r"[。！？!?；]", last)[-1]
    letters = sum(map(str.isalnum, sentence))
    ended = bool(_STOP.search(text))
    weak = pattern(LIST, "particle" if _ITEM.search(last) else "weak").search(last)
    if weak and letters >= (LEAST_LETTERS if not ended else 3) and (ended or (_HAN.search(sentence) and re.search("[，,：]", text))):
        return f"ends with {weak[0]}"
    if category in ("creative_writing", "chit_chat", "code") or _ITEM.search(last):
        return None
    if len(letters_of := [c for c in sentence if _HAN.match(c)]) == 0:
        return None
    least = LEAST_EXPLAINED if category in ("knowledge", "reasoning") else LEAST_PROSE
    in_line = bool(_STOP.search(last))
    if in_line or (not ended and sum(map(str.isalnum, text)) >= least and text.count("，") >= 2 and "\n" not in text):
        return f"no end after {''.join(letters_of)[-10:]}"
    return None


def _source(text: str, question: str, category: str) -> str | None:
    """A translation into a language of Latin letters without the mark that its source ends with."""
    whole = (
        category == "translation"
        and _SOURCE_END.search(question)
        and re.search(r"[A-Za-z]{2,}$", text)
        and text.count(" ") >= 2
        and not re.search(r"[\n/]", text)
    )
    return "a translation without the end that its source has" if whole else None


def _fewer(text: str, question: str) -> str | None:
    """Fewer lines than the things that were asked for, and the last without an end."""
    for label in _LABEL.findall(text):
        together = next((part for part in re.split(r"[，。？！；：「」\s]", question) if label in part and _AND.search(part)), "")
        missing = [part for part in _AND.split(re.sub(r"^.*?(?:要有|包括|包含|分成|寫出|含)", "", together)) if part and part not in text]
        if missing and not _CLOSED.search(text):
            return f"no {missing[0]}"
    asked = _COUNTED.search(question)
    lines = [line for line in text.split("\n") if line.strip()]
    if not asked or _CLOSED.search(text):
        return None
    count, verse = _NUMBER[asked[1]], "行" in asked[0]
    listed = lines if verse else [line for line in lines if _ITEM.search(line)]
    return f"{len(listed)} of {count}" if 0 < len(listed) < count and len(listed) == len(lines) else None
