"""Each character has the classes that its script and use give it."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from factory.zh.charclass import CODE_POINTS, LETTER, N_CLASSES, CharClass, table

HAN, LATIN, DIGIT, PUNCTUATION = CharClass.HAN, CharClass.LATIN, CharClass.DIGIT, CharClass.PUNCTUATION
SYMBOL, SPACE, KANA, HANGUL = CharClass.SYMBOL, CharClass.SPACE, CharClass.KANA, CharClass.HANGUL
ZHUYIN, TERMINAL, PRIVATE, ROMANIZED = CharClass.ZHUYIN, CharClass.TERMINAL, CharClass.PRIVATE, CharClass.ROMANIZED
KINDS = (HAN, LATIN, DIGIT, PUNCTUATION, SYMBOL, SPACE, ZHUYIN, KANA, HANGUL, PRIVATE, CharClass.OTHER_LETTER)  # what a character is


@pytest.mark.parametrize(
    ("characters", "classes"),
    [
        ("木𠮷㐀\uf900々〆〇", HAN),
        ("国", HAN | CharClass.SIMPLIFIED),
        ("國", HAN | CharClass.TRADITIONAL),
        ("的", HAN | CharClass.STOPWORD),
        ("AzĂŁøßＡｚ", LATIN),
        ("áÀēⁿǹŐǔḿ", LATIN | ROMANIZED),
        ("09１９①½", DIGIT),
        ("，、「『（《—〈〜・", PUNCTUATION),
        ("。！？!?…」』”：；", PUNCTUATION | TERMINAL),
        ("$€→■＋\uff5c😀🀄", SYMBOL),
        ("~～", SYMBOL | TERMINAL),
        (" \t\n\r\x0b\x0c\x85\u00a0\u3000\u2028\u2003", SPACE),
        ("ㄅㄩㆠㆺ", ZHUYIN),
        ("あンーヽｱﾝｰﾞﾟㇰ", KANA),
        ("한ㄱᄀ", HANGUL),
        ("Яαกع", CharClass.OTHER_LETTER),
        ("\ue000\uf8ff\ufffd\ud800\udfff\U000f0000\U0010ffff", PRIVATE),
        ("\x00\x1b\u0301\u0358\u030d\u200b\u200d\ufe0f\ufeff", CharClass(0)),
    ],
)
def test_classes_of_characters(characters: str, classes: CharClass) -> None:
    found = {character: CharClass(int(table()[ord(character)])) for character in characters}
    assert found == dict.fromkeys(characters, classes)


def test_the_table_covers_every_code_point_and_cannot_be_changed() -> None:
    assert table().shape == (CODE_POINTS,) == (0x110000,)
    assert table().dtype == np.uint32
    with pytest.raises(ValueError, match="read-only"):
        table()[0] = 1


def test_the_table_is_built_once() -> None:
    assert table() is table()


def test_classes_are_consecutive_bits() -> None:
    assert [kind.value for kind in CharClass] == [1 << position for position in range(N_CLASSES)]


def test_no_character_is_two_things() -> None:
    kinds = sum(((table() & kind) != 0).astype(int) for kind in KINDS)
    assert [chr(code) for code in np.flatnonzero(kinds > 1)] == []


def test_every_ideograph_that_python_knows_is_han() -> None:
    names = ("CJK UNIFIED IDEOGRAPH-", "CJK COMPATIBILITY IDEOGRAPH-")
    ideographs = [code for code in range(CODE_POINTS) if unicodedata.name(chr(code), "").startswith(names)]
    assert len(ideographs) > 90_000
    assert [hex(code) for code in ideographs if table()[code] & HAN == 0] == []


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("HIRAGANA LETTER", KANA),
        ("KATAKANA LETTER", KANA),
        ("HALFWIDTH KATAKANA", KANA),
        ("BOPOMOFO LETTER", ZHUYIN),
        ("HANGUL SYLLABLE", HANGUL),
        ("FULLWIDTH LATIN", LATIN),
        ("FULLWIDTH DIGIT", DIGIT),
        ("CYRILLIC CAPITAL LETTER", CharClass.OTHER_LETTER),
    ],
)
def test_letters_of_the_basic_plane_have_their_script(prefix: str, kind: CharClass) -> None:
    letters = [chr(code) for code in range(0x10000) if unicodedata.name(chr(code), "").startswith(prefix)]
    punctuation = "\uff65"  # HALFWIDTH KATAKANA MIDDLE DOT
    assert letters
    assert [letter for letter in letters if not table()[ord(letter)] & kind and letter != punctuation] == []


def test_one_script_characters_are_han_and_of_one_script_only() -> None:
    simplified, traditional = (table() & kind != 0 for kind in (CharClass.SIMPLIFIED, CharClass.TRADITIONAL))
    assert simplified.sum() > 2_000
    assert traditional.sum() > 2_000
    assert not (simplified & traditional).any()
    assert (table()[simplified | traditional] & HAN != 0).all()


@pytest.mark.parametrize("pair", ["国國", "学學", "发發", "说說", "这這", "们們"])
def test_pairs_of_everyday_characters_are_told_apart(pair: str) -> None:
    first, second = (int(table()[ord(character)]) for character in pair)
    assert first & CharClass.SIMPLIFIED
    assert second & CharClass.TRADITIONAL


@pytest.mark.parametrize("character", "台里后面只干于才云几")
def test_characters_that_taiwan_writes_too_are_not_simplified(character: str) -> None:
    assert not table()[ord(character)] & CharClass.SIMPLIFIED


def test_terminals_are_punctuation_or_symbols() -> None:
    assert (table()[table() & TERMINAL != 0] & (PUNCTUATION | SYMBOL) != 0).all()


def test_letters_are_the_classes_that_words_are_made_of() -> None:
    letters = {kind for kind in CharClass if kind & LETTER}
    assert letters == {HAN, LATIN, DIGIT, ZHUYIN, KANA, HANGUL, CharClass.OTHER_LETTER}
