"""What a classifier sees of a text: its characters, folded, singly and in runs of two and three."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

MAX_RUN = 3  # characters in the longest token; three code points fit one 64-bit key
_CODE_POINTS = 0x110000
_ASSIGNED = 0x33480  # beyond it lie tags, variation selectors and private planes: skipped
_SKIPPED = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cn", "Cs", "Mn")  # spaces, controls, joiners, variation selectors


@cache
def fold_table() -> npt.NDArray[np.uint32]:
    """Code point -> the code point it counts as; 0 for those left out. Shape (0x110000,).

    White space goes, so that letters set apart read as a word; capitals and full-width letters become small ones; every
    decimal digit becomes 0, so that a price or a phone number is a shape and not a value.
    """
    table = np.zeros(_CODE_POINTS, np.uint32)
    for code in range(_ASSIGNED):
        character = chr(code)
        kind = unicodedata.category(character)
        if kind in _SKIPPED:
            continue
        if kind == "Nd":
            table[code] = ord("0")
            continue
        folded = character
        if 0xFF01 <= code <= 0xFF5E and chr(code - 0xFEE0).isalnum():
            folded = chr(code - 0xFEE0)
        if len(folded.lower()) == 1:
            folded = folded.lower()
        table[code] = ord(folded)
    return table


def fold(text: str) -> str:
    """The characters that count, as they count."""
    codes = fold_table()[np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)]
    return codes[codes > 0].astype("<u4").tobytes().decode("utf-32-le")


def tokens(text: str, run: int) -> list[str]:
    """All runs of 1 to `run` folded characters, the shorter first; what a model is trained on, separated by spaces."""
    folded = fold(text)
    return [folded[i : i + n] for n in range(1, run + 1) for i in range(len(folded) - n + 1)]
