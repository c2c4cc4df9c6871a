"""One table from code point to character classes, so that every count over a text is one look-up a character."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import IntFlag
from functools import cache

import numpy as np
import numpy.typing as npt

from factory.zh import wordlists

CODE_POINTS = 0x110000


class CharClass(IntFlag):
    """Bits of the table. A character may carry several."""

    HAN = 1 << 0
    LATIN = 1 << 1  # ASCII and full-width letters, Latin with diacritics
    DIGIT = 1 << 2
    PUNCTUATION = 1 << 3
    SYMBOL = 1 << 4  # currency, mathematics, arrows, box drawing, emoji
    SPACE = 1 << 5
    ZHUYIN = 1 << 6
    KANA = 1 << 7
    HANGUL = 1 << 8
    TERMINAL = 1 << 9  # ends a sentence: 。！？… and closing quotes after them
    SIMPLIFIED = 1 << 10  # written so only in Simplified Chinese
    TRADITIONAL = 1 << 11  # written so only in Traditional Chinese
    STOPWORD = 1 << 12  # frequent function characters
    PRIVATE = 1 << 13  # private use area, replacement character
    ROMANIZED = 1 << 14  # Latin letters with the diacritics of Tâi-lô and POJ
    OTHER_LETTER = 1 << 15  # Cyrillic, Arabic, Thai, ...


LETTER = (
    CharClass.HAN | CharClass.LATIN | CharClass.DIGIT | CharClass.ZHUYIN | CharClass.KANA
    | CharClass.HANGUL | CharClass.OTHER_LETTER
)  # fmt: skip
N_CLASSES = len(CharClass)

_HAN_RANGES = [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF), (0x3005, 0x3007)]
_TERMINAL = '。！？!?…⋯；;」』”"）)～~.：:'
_ROMANIZED = "āáàâǎēéèêěīíìîǐōóòôǒőűūúùûǔńǹḿⁿ"


@cache
def table() -> npt.NDArray[np.uint32]:
    """Classes by code point, shape (0x110000,). About 0.1 s to build, once a process."""
    classes = np.zeros(CODE_POINTS, np.uint32)
    for code in range(0x20, 0x10000):
        classes[code] = _by_category(unicodedata.category(chr(code)))
    classes[[0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85]] = CharClass.SPACE
    classes[0x1F000:0x20000] = CharClass.SYMBOL
    _assign(classes, [(0x0041, 0x024F), (0x1E00, 0x1EFF), (0x2071, 0x207F), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A)], CharClass.LATIN)
    _assign(classes, [(0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)], CharClass.KANA)
    _assign(classes, [(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)], CharClass.HANGUL)
    _assign(classes, [(0x3105, 0x312F), (0x31A0, 0x31BF)], CharClass.ZHUYIN)
    for first, last in _HAN_RANGES:
        classes[first : last + 1] = CharClass.HAN
    for first, last in [(0xD800, 0xDFFF), (0xE000, 0xF8FF), (0xFFFD, 0xFFFD), (0xF0000, 0x10FFFF)]:
        classes[first : last + 1] = CharClass.PRIVATE
    _add(classes, _TERMINAL, CharClass.TERMINAL)
    _add(classes, _ROMANIZED + _ROMANIZED.upper(), CharClass.ROMANIZED)
    _add(classes, wordlists.characters("simplified_only.txt"), CharClass.SIMPLIFIED)
    _add(classes, wordlists.characters("traditional_only.txt"), CharClass.TRADITIONAL)
    _add(classes, wordlists.characters("stopwords.txt"), CharClass.STOPWORD)
    classes.flags.writeable = False
    return classes


def _by_category(category: str) -> int:
    match category[0]:
        case "P":
            return CharClass.PUNCTUATION
        case "S":
            return CharClass.SYMBOL
        case "Z":
            return CharClass.SPACE
        case "N":
            return CharClass.DIGIT
        case "L":
            return CharClass.OTHER_LETTER
        case _:
            return 0


def _assign(classes: npt.NDArray[np.uint32], ranges: list[tuple[int, int]], kind: CharClass) -> None:
    """Gives the letters inside the ranges their script; punctuation that lies among them keeps its class."""
    for first, last in ranges:
        block = classes[first : last + 1]
        block[block == CharClass.OTHER_LETTER] = kind


def _add(classes: npt.NDArray[np.uint32], characters: Iterable[str], kind: CharClass) -> None:
    for character in characters:
        classes[ord(character)] |= kind
