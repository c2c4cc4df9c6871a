"""Text made uniform without changing what it says.

NFC; zero-width and control characters removed; line ends and blank lines made regular; Big5 leftovers in the private use
area mapped to their Unicode characters; runs of one punctuation mark cut to three; mojibake repaired where a cheap screen
flags it. Zhuyin, full-width punctuation, ideographic spaces and romanised Taigi and Hakka stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

_REMOVED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb]"
    "|(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d"  # a joiner between emoji is part of the emoji
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_PRIVATE = re.compile("[\ue000-\uf848]")
_LINE_END = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_TRAILING = re.compile("[ \t\u00a0\u3000]+(?=\n|$)")
_BLANK_LINES = re.compile("\n{3,}")
_REPEATED = re.compile(r"([!-/:-@\[-`{-~！？。，、；：～…─—＝－＊．﹏＿])\1{3,}")
# UTF-8 read as Windows-1252 or Latin-1 shows as an accented capital followed by a character of the upper half
_MOJIBAKE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)
_ACCENTED = re.compile("[\u00a0\u00c2-\u00f4]")  # no-break spaces, and what mojibake begins with
_MOJIBAKE_MINIMUM = 3
MIN_HAN_GAINED = 2  # one may be chance: accented words with quotes can spell the bytes of a character
_HAN = re.compile("[\u3400-\u9fff]")


class Normalized(NamedTuple):
    """The text, and what was done: characters removed, private-use characters mapped, mojibake repaired or not."""

    text: str
    removed_chars: int
    private_mapped: int
    mojibake_repaired: bool


def normalize(text: str) -> Normalized:
    """Idempotent: normalising a result changes nothing."""
    result = _normalize_once(text)
    while result.text != text and _is_flagged(result.text):  # what was taken out may have stood inside mojibake
        text = result.text
        again = _normalize_once(text)
        result = Normalized(
            again.text,
            result.removed_chars + again.removed_chars,
            result.private_mapped + again.private_mapped,
            result.mojibake_repaired or again.mojibake_repaired,
        )
    return result


def normalize_batch(texts: list[str]) -> list[Normalized]:
    """`normalize` of each text. One compiled pass finds the texts, most of them, that need no more than newlines stripped."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    plain = _is_plain(codes, offsets, _looks())
    return [
        Normalized(text.strip("\n"), 0, 0, False) if clean else normalize(text) for text, clean in zip(texts, plain.tolist(), strict=True)
    ]


_CLOSER, _BLANK, _MARK, _NEWLINE = 1, 2, 4, 8
_PLAIN_RANGES = (
    (0x00, 0x2FF), (0x2010, 0x2BFF), (0x3000, 0x3028), (0x3030, 0x3096), (0x309B, 0x312F), (0x3400, 0x9FFF), (0xAC00, 0xD7A3),
    (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x1F300, 0x1FAFF),
)  # fmt: skip


@cache
def _looks() -> npt.NDArray[np.uint8]:
    """What of each code point matters here, shape (0x110000,): a blank, a mark that may be repeated, a newline, or a reason to
    look closer: all that a step may change or that may combine with what stands before it."""
    looks = np.full(0x110000, _CLOSER, np.uint8)
    for low, high in _PLAIN_RANGES:
        for code in range(low, high + 1):
            character = chr(code)
            closer = any(step.search(character) for step in (_REMOVED, _SURROGATE, _PRIVATE, _LINE_END, _ACCENTED))
            if not closer and unicodedata.is_normalized("NFC", character):
                looks[code] = 0
            if _REPEATED.fullmatch(4 * character):
                looks[code] |= _MARK
    for blank in " \t\u3000":
        looks[ord(blank)] |= _BLANK
    looks[ord("\n")] |= _NEWLINE
    return looks


@numba.njit(cache=True, nogil=True)
def _is_plain(codes: Any, offsets: Any, looks: Any) -> Any:
    plain = np.ones(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        before, run = np.uint8(0), 0
        for position in range(offsets[text], offsets[text + 1]):
            look = looks[codes[position]]
            run = run + 1 if position > offsets[text] and codes[position] == codes[position - 1] else 1
            if look & _CLOSER or (look & _MARK and run == 4) or (look & _NEWLINE and (before & _BLANK or run == 3)):
                plain[text] = False
                break
            before = look
        if before & _BLANK:
            plain[text] = False
    return plain


def _normalize_once(text: str) -> Normalized:
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text, repaired = _repair_mojibake(text)
    text = _LINE_END.sub("\n", text)
    before = len(text)
    text = _REMOVED.sub("", text)
    removed = before - len(text)
    text, mapped = _map_private(text)
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    text = text.replace("\u00a0", " ")
    text = _REPEATED.sub(r"\1\1\1", text)
    text = _TRAILING.sub("", text)
    return Normalized(_BLANK_LINES.sub("\n\n", text).strip("\n"), removed, mapped, repaired)


def _is_flagged(text: str) -> bool:
    return sum(1 for _ in zip(_MOJIBAKE.finditer(text), range(_MOJIBAKE_MINIMUM), strict=False)) == _MOJIBAKE_MINIMUM


def _repair_mojibake(text: str) -> tuple[str, bool]:
    """ftfy (2.4 MB/s) runs only on what the screen flags, and its result counts only if it brings back Han characters."""
    if not _is_flagged(text):
        return text, False
    import ftfy

    fixed = ftfy.fix_encoding(text)
    if len(_HAN.findall(fixed)) - len(_HAN.findall(text)) >= MIN_HAN_GAINED:
        return fixed, True
    return text, False


def _map_private(text: str) -> tuple[str, int]:
    if not _PRIVATE.search(text):
        return text, 0
    mapped = text.translate(_big5_private())
    return mapped, sum(a != b for a, b in zip(text, mapped, strict=True))


@cache
def _big5_private() -> dict[int, str]:
    """Private-use code points that Windows gave to Big5's user-defined rows, to the character that Big5-HKSCS has there.

    Code page 950 assigns U+E000-U+F848 in order to the lead bytes FA-FE, 8E-A0, 81-8D and C6(A1)-C8, 157 trail bytes
    (40-7E, A1-FE) a row; the `big5hkscs` codec knows which of them HKSCS later filled.
    """
    trails = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    rows = [*range(0xFA, 0xFF), *range(0x8E, 0xA1), *range(0x81, 0x8E)]
    cells = [(lead, trail) for lead in rows for trail in trails]
    cells += [(lead, trail) for lead in range(0xC6, 0xC9) for trail in trails if (lead, trail) >= (0xC6, 0xA1)]
    table: dict[int, str] = {}
    for code, cell in enumerate(cells, 0xE000):
        try:
            character = bytes(cell).decode("big5hkscs")
        except UnicodeDecodeError:
            continue
        if len(character) == 1 and not 0xE000 <= ord(character) <= 0xF8FF:
            table[code] = character
    return table
