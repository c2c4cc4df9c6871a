"""Bytes to text where the declared character encoding may be missing or wrong: Big5 and its extensions, GB18030, UTF-8, UTF-16."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.sources.inputs import InputError
from factory.zh import charclass
from factory.zh.charclass import CharClass

SAMPLE_BYTES = 1 << 16  # bytes, after runs of ASCII are shortened, that the candidates are compared on
MAX_BAD_SHARE = 0.05  # of the bytes above 0x7F; more under every candidate: the page mixes encodings or has an unknown one
MIN_BAD_BYTES = 5  # a snippet that is cut at both ends has up to four bad bytes, whatever its length
# Mean log-probability of the characters above U+007F. 99 % of right readings of Chinese lie above -9.4 and 99 % of Big5 read as
# GB18030 below -12.7 (benchmarks/charset_detection.py, 2026-11); posts of little but symbols reach -11.
MIN_MEAN_LOG_PROBABILITY = -12.0
MIN_JUDGED_CHARS = 16  # a title of five characters may be rare ones
DECLARED_BONUS = 5.0  # in nats: a declaration decides between readings that are equally good, and none that is worse
FOREIGN_BONUS = 1.5  # a character: pages in Chinese rarely declare EUC-JP, and Japanese reads almost as well as GB 2312

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CANDIDATES = ("utf-8", "cp950", "big5hkscs", "gb18030", "cp1252")
# Names as https://encoding.spec.whatwg.org/#names-and-labels folds them, and no codec beyond: Python's registry also holds
# `zip`, `unicode_escape` and `utf-7`, which a page must not reach.
_FOLDED = {
    "utf8": "utf-8", "unicode11utf8": "utf-8", "xunicode20utf8": "utf-8",
    "big5": "cp950", "cnbig5": "cp950", "csbig5": "cp950", "xxbig5": "cp950", "big5tw": "cp950", "big5eten": "cp950", "cp950": "cp950",
    "windows950": "cp950", "ms950": "cp950", "big5hkscs": "big5hkscs",
    "gb2312": "gb18030", "gb231280": "gb18030", "gb": "gb18030", "gbk": "gb18030", "xgbk": "gb18030", "gb18030": "gb18030",
    "cp936": "gb18030", "windows936": "gb18030", "euccn": "gb18030", "chinese": "gb18030",
    "shiftjis": "cp932", "sjis": "cp932", "xsjis": "cp932", "windows31j": "cp932", "cp932": "cp932", "eucjp": "euc_jp", "xeucjp": "euc_jp",
    "euckr": "cp949", "ksc56011987": "cp949", "ksc5601": "cp949", "cp949": "cp949", "windows949": "cp949",
    "latin1": "cp1252", "iso88591": "cp1252", "usascii": "cp1252", "ascii": "cp1252",
    "koi8r": "koi8-r", "koi8u": "koi8-u", "utf16": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "unicode": "utf-16-le",
    **{f"windows125{number}": f"cp125{number}" for number in range(9)},
    **{f"cp125{number}": f"cp125{number}" for number in range(9)},
    **{f"iso8859{number}": f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
}  # fmt: skip
_ASCII_RUN = re.compile(rb"([\x00-\x7f])[\x00-\x7f]+([\x00-\x7f])")
_HIGH = bytes(range(0x80, 0x100))
_REPLACEMENT = "\ufffd"
# Rows 0xC6A1 to 0xC8FE hold ETEN's kana, Cyrillic and circled numbers in Big5 as pages use it (and in Big5-HKSCS); Python's
# cp950 gives them another order from an old table of the Unicode consortium, so a text that reaches them is read as HKSCS.
_ETEN = re.compile("[々〆〇ヾゝゞ\u3041-\u30fe\u0401-\u0451①-⑩⑴-⑽]")
_BIG5_SYMBOLS = range(0xA140, 0xA3FF)

_COMMON_PUNCTUATION = "，。、：；？！「」『』（）《》〈〉【】…—～·・“”‘’％　"
# Shares of each class among the characters above U+007F, rounded from 300 documents each of statutes, news, posts, Hansard and
# Simplified news (2026-11): nothing here needs more than the order of magnitude.
_STOPWORD_SHARE, _COMMON_SHARE, _PUNCTUATION_SHARE = 0.25, 0.6, 0.1
_ASCII, _CYRILLIC, _HANGUL, _LETTER = -3.5, -3.6, -7.8, -8.0  # letters of other languages, for pages that declare theirs
_WIDE, _LATIN, _KANA, _SYMBOL, _RARE_HAN, _NEVER = -8.7, -10.0, -10.6, -13.0, -17.0, -18.0


class CharsetError(InputError):
    """No candidate reads the bytes as text; the message gives the share of bad bytes under each."""


class Decoded(NamedTuple):
    """A text, the Python codec that read it, and how many U+FFFD stand in it for bytes that are no characters."""

    text: str
    encoding: str
    replaced: int


def decode(content: bytes, declared: str | None = None) -> Decoded:
    """The text of `content`, whatever its declaration says.

    A byte order mark decides, then strict UTF-8 where it holds (a Chinese text in another encoding is never valid UTF-8 by
    chance), else the reading of the greatest likelihood among UTF-8 with errors, cp950, Big5-HKSCS, GB18030, windows-1252 and
    the declared encoding, under a unigram model of character classes: function characters, the common levels of Big5 and
    GB 2312, punctuation, kana, symbols, rare Han, errors. `declared` is a label from a header or a meta tag; an unknown one
    is ignored. Names returned: ascii, utf-8, utf-16-le, utf-16-be, utf-32-*, cp950 (Big5), big5hkscs, gb18030 (GBK, GB 2312),
    or the declared codec.

    Raises CharsetError where more than 5 % of the bytes above 0x7F are bad, or the characters are improbable, under every
    candidate. Cost: about one decode of the whole and five of at most 64 kB (1 ms); memory about 6 bytes for each byte.
    Big5-UAO, which differs from HKSCS in the rows they both extend, is not told apart.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return _checked(content, _read(content[len(mark) :], encoding), {})
    label = codec(declared)
    if label in ("utf-16-le", "utf-16-be") and b"\0" in content:
        return _checked(content, _read(content, label), {})
    if content.isascii():
        return Decoded(content.decode("ascii"), "ascii", 0)
    try:
        return Decoded(content.decode("utf-8"), "utf-8", 0)
    except UnicodeDecodeError:
        pass
    sample = _ASCII_RUN.sub(rb"\1\2", content)[:SAMPLE_BYTES]
    scores = {name: _log_probabilities(_read(sample, name).text).sum() for name in _CANDIDATES}
    if label in scores:
        scores[label] += DECLARED_BONUS
    elif label and not label.startswith("utf-16"):
        values = _log_probabilities(_read(sample, label).text)
        scores[label] = values.sum() + DECLARED_BONUS + FOREIGN_BONUS * len(values)
    best = max(scores, key=lambda name: float(scores[name]))
    if best == "cp950" and _ETEN.search(_read(content, best).text):
        best = "big5hkscs"
    return _checked(content, _read(content, best), scores)


def codec(label: str | None) -> str | None:
    """The Python codec for a declared label (`Big5`, `x-gbk`, `iso-8859-1`); None where it is unknown or not for web pages."""
    return _FOLDED.get(re.sub(r"[^a-z0-9]", "", label.lower())) if label else None


def _read(content: bytes, encoding: str) -> Decoded:
    text = content.decode(encoding, "replace")
    if encoding == "big5hkscs":
        text = text.translate(_hkscs_symbols())
    stated = {"utf-8": b"\xef\xbf\xbd", "gb18030": b"\x84\x31\xa4\x37"}.get(encoding)
    return Decoded(text, encoding, text.count(_REPLACEMENT) - (content.count(stated) if stated else 0))


@cache
def _hkscs_symbols() -> dict[int, str]:
    """The symbols of rows 0xA1 to 0xA3 that Python's Big5-HKSCS and cp950 (and every browser) read differently."""
    pairs = [code.to_bytes(2, "big") for code in _BIG5_SYMBOLS]
    readings = [(pair.decode("big5hkscs", "replace"), pair.decode("cp950", "replace")) for pair in pairs]
    times = Counter(hkscs for hkscs, _ in readings)
    table = {
        ord(hkscs): microsoft
        for hkscs, microsoft in readings
        if hkscs != microsoft and len(hkscs) == len(microsoft) == times[hkscs] == 1 and _REPLACEMENT not in hkscs + microsoft
    }
    return table


def _checked(content: bytes, decoded: Decoded, candidates: dict[str, float]) -> Decoded:
    """`decoded` itself. Raises CharsetError where it is no text."""
    high = max(1, len(content) - len(content.translate(None, _HIGH)))
    if decoded.replaced >= MIN_BAD_BYTES and decoded.replaced > MAX_BAD_SHARE * high:
        shares = {name: _read(content, name).replaced / high for name in candidates} or {decoded.encoding: decoded.replaced / high}
        stated = ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items()))
        raise CharsetError(f"mixed or unknown encoding (bad bytes: {stated})")
    if candidates and decoded.encoding != "utf-8":  # the form of UTF-8 is evidence enough
        values = _log_probabilities(_ASCII_RUN_TEXT.sub("", decoded.text[:SAMPLE_BYTES]))
        if len(values) >= MIN_JUDGED_CHARS and values.mean() < MIN_MEAN_LOG_PROBABILITY:
            raise CharsetError(f"mixed or unknown encoding (best guess {decoded.encoding} gives no plausible text)")
    return decoded


_ASCII_RUN_TEXT = re.compile("[\x00-\x7f]+")


def _log_probabilities(text: str) -> npt.NDArray[np.float32]:
    """Natural logarithm of each character's probability, shape (characters,)."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found: npt.NDArray[np.float32] = _table()[codes]
    return found


@cache
def _table() -> npt.NDArray[np.float32]:
    """Log-probability by code point, shape (0x110000,), 4.5 MB; about 0.1 s to build, once a process."""
    classes = charclass.table()
    values = np.full(len(classes), _NEVER, np.float32)
    for kind, value in (
        (CharClass.OTHER_LETTER, _LETTER),
        (CharClass.HANGUL, _HANGUL),
        (CharClass.PUNCTUATION | CharClass.SYMBOL | CharClass.SPACE | CharClass.DIGIT, _SYMBOL),
        (CharClass.KANA | CharClass.ZHUYIN, _KANA),
        (CharClass.LATIN, _LATIN),
        (CharClass.HAN, _RARE_HAN),
    ):
        values[classes & kind != 0] = value
    common = np.array(sorted(_common_han()))
    values[common] = np.log(_COMMON_SHARE / len(common))
    stopwords = np.flatnonzero(classes & CharClass.STOPWORD)
    values[stopwords] = np.log(_STOPWORD_SHARE / len(stopwords))
    values[0xFF10:0xFF5B] = values[0x2500:0x2580] = _WIDE  # full-width letters; the lines that tables are drawn with
    values[[ord(character) for character in _COMMON_PUNCTUATION]] = np.log(_PUNCTUATION_SHARE / len(_COMMON_PUNCTUATION))
    values[0x20:0x7F] = values[[0x09, 0x0A, 0x0D]] = _ASCII
    values[:0x20] = np.where(values[:0x20] == _ASCII, _ASCII, _NEVER)
    values[0x0430:0x0450] = _CYRILLIC
    values[0x7F:0xA0] = values[classes & CharClass.PRIVATE != 0] = _NEVER
    values.flags.writeable = False
    return values


def _common_han() -> set[int]:
    """The Han characters that Big5 and GB 2312 put on their first levels as the common ones: 6,700 together."""
    rows = [("cp950", lead, (*range(0x40, 0x7F), *range(0xA1, 0xFF))) for lead in range(0xA4, 0xC7)]
    rows += [("gb2312", lead, tuple(range(0xA1, 0xFF))) for lead in range(0xB0, 0xD8)]
    text = "".join(bytes((lead, trail)).decode(name, "ignore") for name, lead, trails in rows for trail in trails)
    classes = charclass.table()
    return {ord(character) for character in text if classes[ord(character)] & CharClass.HAN}
