"""A text without what is not its own prose: code, formulas, addresses, quotations, brackets; and its sentences."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from factory.zh import wordlists

_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]{1,200}\$|\\\[.*?\\\]|\\\(.*?\\\)", re.DOTALL)
_ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.[\w.]+|\b(?:[\w-]+\.)+(?:com|org|net|edu|gov|tw|io|jp"
    r"|uk)\b[/\w.?=&%-]*",
    re.ASCII,
)
_QUOTE = re.compile(r"「[^「」]*」|『[^『』]*』|《[^《》\n]*》|〈[^〈〉\n]*〉|“[^“”]*”|\"[^\"\n]*\"|(?<!\w)'[^'\n]{2,}'(?!\w)|＂[^＂\n]*＂")
_BRACKET = re.compile(r"（[^（）]*）|\([^()]*\)|【[^【】\n]*】|\[[^\[\]\n]*\]")
_SENTENCE = re.compile(r"[^。！？!?\n；;]+[。！？!?；;]*|[。！？!?；;]+")
_KEYWORDS = (
    "import|from|def|class|return|SELECT|FROM|INSERT|WHERE|JOIN|UPDATE|DELETE|CREATE|ORDER|GROUP|const|let|var|function|public|for|if|else|elif|while"
    "|print|echo|sudo|git|npm|pip|docker"
)
_CODE_LINE = re.compile(
    r"^\s*(?:#|//|/\*|\*|--|<[!/\w]|\$ |>>>|@|\.\w|[{}()\[\]])|[{};]\s*$|^\s*[\w.\[\]\"']+\s*(?:=|\+=|:=)\s|=>|\b\w+\([^)]*\)"
    rf"|^\s*(?:{_KEYWORDS})\b(?![^\n]*[，。])"
)


@cache
def entries(name: str) -> tuple[tuple[str, ...], ...]:
    """The entries of `synth/gates/data/<name>`, columns split by tabs."""
    return tuple(tuple(row) for row in wordlists.read_rows(files("synth.gates") / "data" / name))


@cache
def pattern(name: str, *kinds: str) -> re.Pattern[str]:
    """One expression for the entries of a list whose first column is one of `kinds`; `{NAME}` stands for the words of kind NAME."""
    words: dict[str, list[str]] = {}
    for kind, word, *_ in entries(name):
        words.setdefault(kind, []).append(word)
    alternatives = [word for kind in kinds for word in words[kind]]
    for kind, listed in words.items():
        if kind.isupper():
            one = "(?:" + "|".join(sorted(listed, key=len, reverse=True)) + ")"
            alternatives = [text.replace("{" + kind + "}", one) for text in alternatives]
    return re.compile("|".join(alternatives), re.IGNORECASE | re.MULTILINE)


def without_code(text: str, lines: bool = False) -> str:
    """Without fenced and inline code, formulas and addresses; with `lines`, also without lines that look like code."""
    text = _ADDRESS.sub(" ", _FORMULA.sub(" ", _INLINE.sub(" ", _FENCE.sub("\n", text))))
    return "\n".join(line for line in text.split("\n") if not _CODE_LINE.search(line)) if lines else text


def without_quotes(text: str) -> str:
    """Without what stands in quotation marks or names a work, unless that is all there is."""
    rest = _QUOTE.sub("「」", _QUOTE.sub("「」", text))
    return rest if any(character.isalnum() for character in rest) else text


def without_brackets(text: str) -> str:
    """Without what stands in brackets."""
    return _BRACKET.sub(" ", _BRACKET.sub(" ", text))


def sentences(text: str) -> list[str]:
    """Sentences and lines with their closing marks, blank ones left out."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip()]


def letters(text: str) -> str:
    """Letters of any script, without digits, marks and spaces."""
    return "".join(character for character in text if character.isalpha())
