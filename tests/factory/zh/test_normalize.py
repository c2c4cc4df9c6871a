"""Text is made uniform without changing what it says, and a second time changes nothing."""

from __future__ import annotations

import unicodedata
from functools import cache

import ftfy.bad_codecs  # noqa: F401 - registers sloppy-windows-1252, where bytes that Windows leaves undefined pass as controls
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factory.zh.normalize import Normalized, normalize, normalize_batch

SENTENCE = "台灣的夜市裡有很多好吃的小吃，像是蚵仔煎與臭豆腐。"
CJK = "台灣好的豈\uf900\U0002f800㐀𠮷ㄅㄚˊ˙ㆠあアーｶﾞ한"
MARKS = "！？。，、；：…—～＝「」（）【】.!?-=<;_*#"
SPACES = " \t\u00a0\u3000\u2003\r\n\x0b\x0c\x85\u2028\u2029"
REMOVABLE = "\x00\x08\x0e\x1f\x7f\x80\x84\x86\x8f\x9f\u00ad\u200b\u200c\u200d\u200e\u202e\u2060\u2069\ufeff\ufff9"
COMBINING = "e\u0301o\u0358a\u030d\u0338\u0304n\u0303=\u1100\u1161"
ODD = "\ud800\udbff\udc00\udfff😀☀❤\ufe0f👨\U0001f3fb\ue000\uf6b1\uf848\uf8ff\ufffd\u037e\u212a\u1ffd"
LATIN_1 = "ÂÃåæçèé¥½°»¼â€™œš"
MOJIBAKE_BYTES = [character.encode().decode("latin-1") for character in "台灣好。，é"]
texts = st.one_of(
    st.text(st.sampled_from(CJK + MARKS + SPACES + REMOVABLE + COMBINING + ODD + LATIN_1), max_size=40),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from([*MOJIBAKE_BYTES, "\u200b", "\x8f", "\u00a0", "\u00ad", "\n", " ", "!", "å", "¥"]), max_size=20).map("".join),
)


@settings(max_examples=1_000, deadline=None)
@given(texts)
@example("å\u200b¥½" * 3)
@example("å¥\u00ad½" * 3 + "\ud800")
@example("😀\u200d\u200b\u200d" + "\r\u200b\n\u200b\r")
@example("====\u0338")
def test_a_second_time_changes_nothing(text: str) -> None:
    once = normalize(text).text
    assert normalize(once) == Normalized(once, 0, 0, False)


@settings(max_examples=500, deadline=None)
@given(texts)
def test_the_result_is_nfc_and_can_be_written_as_utf_8(text: str) -> None:
    result = normalize(text).text
    assert unicodedata.is_normalized("NFC", result)
    assert result.encode().decode() == result
    assert not set(result) & set("\r\x0b\x0c\x85\u2028\u2029\x00\x7f\u200b\ufeff\u00a0")
    assert "\n\n\n" not in result
    assert result == result.strip("\n")
    assert all(line == line.rstrip(" \t\u3000") for line in result.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ㄅㄆㄇ ㄋㄧˇ ㄏㄠˇ ˙ㄇㄚ ㄧㄨㄩ，ㆠㆣㆦ",
        "「全形標點」，『雙引號』；（括號）【方頭】《書名》〈篇名〉…——！？：、。～・",
        "Ｗｉｄｅ　１２３％＋－＝",
        "Guá sī Tâi-uân-lâng, lí ē-hiáu kóng Tâi-gí--bô? Tsi̍t-ê gín-á khì tha̍k-tsheh, ha̋nn.",
        "Góa ê lāu-bú tī chháu-tē khòaⁿ tio̍h chi̍t chiah chiáu-á; o͘, ó͘, ò͘, ô͘, ō͘, o̍͘.",
        "Ngài hàn-kín tshiu-sit, Pha̍k-fa-sṳ: ṳ̂ ṳ́ ṳ̀, ngaiˇ hagˋ gaˊ nginˇ",
        "　　段落以兩個全形空格開頭，姓名　王小明　電話",
        "甲\t乙\t丙",
        "第一段\n\n第二段\n第三行",
        "𠮷野家、㗎、冇、𤺪、豐年",
        "日本語のテキスト、ガギグ、한국어",
        "🇹🇼👨‍👩‍👧👍🏻❤️‍🔥1️⃣",
        "50 °C ± 2 %、3 × 4 ÷ 2、½、№、㈱、①",
        "！！！……。。。———",
        "a!!b??c",
    ],
)
def test_good_text_stays_as_it_is(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)
    assert normalize(text) == Normalized(text, 0, 0, False)


@given(st.text("ㄅㄆㄇㄈㄧㄨㄩˊˇˋ˙ˉㆠㆡㆢ，。「」（）！？：；、　台灣Ａ１", max_size=40))
def test_zhuyin_and_full_width_forms_never_change_inside_a_line(text: str) -> None:
    marked = (
        "始" + "".join(character if character != previous else "異" for character, previous in zip(text, "　" + text, strict=False)) + "終"
    )
    assert normalize(marked) == Normalized(marked, 0, 0, False)


def test_decomposed_romanisation_is_composed_and_means_the_same() -> None:
    decomposed = unicodedata.normalize("NFD", "Góa ê ó͘ tio̍h Tâi-lô ṳ̂")
    assert normalize(decomposed).text == "Góa ê ó͘ tio̍h Tâi-lô ṳ̂"


@pytest.mark.parametrize(
    ("text", "result", "removed"),
    [
        ("台\u200b灣\ufeff", "台灣", 2),
        ("\ufeff台灣", "台灣", 1),
        ("a\x00b\x1bc\x7fd\x9be", "abcde", 4),
        ("左\u202e右\u2066中\u2069", "左右中", 3),
        ("soft\u00adhyphen", "softhyphen", 1),
        ("台\u200d灣", "台灣", 1),
        ("👨\u200d👩", "👨\u200d👩", 0),
        ("👨\u200d\u200d👩", "👨\u200d👩", 1),
        ("甲\x0e\x0f乙", "甲乙", 2),
    ],
)
def test_controls_and_zero_width_characters_are_removed_and_counted(text: str, result: str, removed: int) -> None:
    assert normalize(text) == Normalized(result, removed, 0, False)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\x0bb\x0cc\x85d\u2028e\u2029f", "a\nb\nc\nd\ne\nf"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("a\n \n\u3000\n\t\nb", "a\n\nb"),
        ("a \t\u3000\nb\u00a0", "a\nb"),
        ("\n\na\n\n", "a"),
        ("　　a", "　　a"),
        ("\n　a", "　a"),
        ("a\u00a0b", "a b"),
        (" \n \n", ""),
    ],
)
def test_line_ends_and_blank_lines_become_regular(text: str, result: str) -> None:
    assert normalize(text) == Normalized(result, 0, 0, False)


@pytest.mark.parametrize("mark", "！？。，…—～=-*!_")
@pytest.mark.parametrize(("count", "left"), [(1, 1), (3, 3), (4, 3), (50, 3)])
def test_runs_of_one_mark_are_cut_to_three(mark: str, count: int, left: int) -> None:
    assert normalize(f"甲{mark * count}乙").text == f"甲{mark * left}乙"


@pytest.mark.parametrize("text", ["哈" * 9, "1" * 9, "a" * 9, "（" * 5, "!?!?!?!?!?", "😀" * 5, "　" * 5 + "甲"])
def test_other_runs_are_not_cut(text: str) -> None:
    assert normalize(text).text == text


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("甲\ud800乙", "甲\ufffd乙"),
        ("甲\udc00", "甲\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
    ],
)
def test_lone_surrogates_are_replaced_and_pairs_joined(text: str, result: str) -> None:
    assert normalize(text).text == result


@cache
def hkscs_of_windows() -> dict[str, str]:
    """Private-use code points by the formulas of Microsoft's best-fit table for code page 950, with what Big5-HKSCS has there."""

    def trail(offset: int) -> int:
        return offset + (0x40 if offset < 63 else 0x62)

    found = {}
    for code in range(0xE000, 0xF849):
        if code <= 0xE310:
            lead, offset = 0xFA + (code - 0xE000) // 157, (code - 0xE000) % 157
        elif code <= 0xEEB7:
            lead, offset = 0x8E + (code - 0xE311) // 157, (code - 0xE311) % 157
        elif code <= 0xF6B0:
            lead, offset = 0x81 + (code - 0xEEB8) // 157, (code - 0xEEB8) % 157
        else:
            lead, offset = 0xC6 + (code - 0xF672) // 157, (code - 0xF672) % 157
        try:
            character = bytes([lead, trail(offset)]).decode("big5hkscs")
        except UnicodeDecodeError:
            continue
        if len(character) == 1 and not 0xE000 <= ord(character) <= 0xF8FF:
            found[chr(code)] = character
    return found


def test_big5_leftovers_become_what_hkscs_has_in_their_place() -> None:
    table = hkscs_of_windows()
    assert len(table) > 4_000
    expected = {code: unicodedata.normalize("NFC", character) for code, character in table.items()}
    assert {code: normalize(f"甲{code}乙") for code in table} == {
        code: Normalized(f"甲{character}乙", 0, 1, False) for code, character in expected.items()
    }


@pytest.mark.parametrize(
    ("code", "character"),
    [("\ue000", "𠕇"), ("\uf6b1", "①"), ("\uf6f7", "ぁ"), ("\uf7a0", "А")],  # FA40, and of the ETEN rows C6A1, C6E7, C7F3
)
def test_some_big5_leftovers_by_hand(code: str, character: str) -> None:
    assert normalize(code).text == character


def test_private_use_without_a_meaning_stays_and_is_not_counted() -> None:
    unknown = [chr(code) for code in range(0xE000, 0xF900) if chr(code) not in hkscs_of_windows()]
    assert unknown
    text = "甲" + "乙".join(unknown) + "丙"
    assert normalize(text) == Normalized(text, 0, 0, False)


@pytest.mark.parametrize("encoding", ["latin-1", "sloppy-windows-1252"])
@pytest.mark.parametrize(
    "sentence",
    [
        SENTENCE,
        "第一條　本法所稱主管機關，在中央為內政部。",
        "ㄋㄧˇ ㄏㄠˇ，我是臺灣人！",
        "他說：「明天（星期五）下午 3:30 見」…… OK？",
        "媽媽叫我去買鹽，結果我買成糖。",
    ],
)
def test_a_sentence_that_was_decoded_wrongly_is_repaired(sentence: str, encoding: str) -> None:
    broken = sentence.encode().decode(encoding)
    assert normalize(broken) == Normalized(sentence, 0, 0, True)
    assert normalize(broken.encode().decode(encoding)) == Normalized(sentence, 0, 0, True)


@pytest.mark.parametrize("encoding", ["latin-1", "sloppy-windows-1252"])
def test_a_broken_line_among_good_ones_is_repaired(encoding: str) -> None:
    broken = SENTENCE.encode().decode(encoding)
    result = normalize(f"這一行是好的。\n{broken}\n這一行也是。")
    assert result == Normalized(f"這一行是好的。\n{SENTENCE}\n這一行也是。", 0, 0, True)


def test_zero_width_characters_inside_mojibake_do_not_hide_it() -> None:
    assert normalize("å\u200b¥½" * 3) == Normalized("好好好", 3, 0, True)


@pytest.mark.parametrize(
    "text",
    [
        "Le garçon naïf a mangé des crêpes à l’Élysée, où « Ça va ? » se dit.",
        "São Paulo, Ångström, Ærøskøbing, Øresund, Ñandú, Çeşme, Łódź, Đà Nẵng",
        "Müller, Größe, Äpfel – „Übung“ … Straße",
        "ÀÉÎÕÛ «É» Ã» Â« É™ Ñ€",
        "咖啡 café、法國 Élysée 宮、Beyoncé、Pokémon、señor、50 °C、£5、© 2026",
        "VÂ»Ã—É… 記號 Â£5 Â© Ã°",
    ],
)
def test_accented_words_are_not_mistaken_for_mojibake(text: str) -> None:
    assert normalize(text) == Normalized(text, 0, 0, False)


EUROPEAN = """été naïve garçon Élysée façade où Noël Île Ça Über Straße schön Ärger Öl Größe niño años Ñandú coração São
Ålesund Ærø smørrebrød Žižek"""
words = st.sampled_from(EUROPEAN.split())
european = st.lists(
    st.tuples(words, st.sampled_from([" ", ", ", "’", "”, ", " « ", " », ", "… ", " – ", "\n"])).map("".join), max_size=12
).map("".join)


@settings(deadline=None)
@given(european)
def test_european_words_never_become_han(text: str) -> None:
    assert not normalize(text).mojibake_repaired


def test_all_that_was_done_is_reported_together() -> None:
    broken = "好天氣，出門走走".encode().decode("latin-1")
    assert normalize(f"\ufeff{broken}\u200b\ue000\r\n\r\n\r\n完！！！！！") == Normalized("好天氣，出門走走𠕇\n\n完！！！", 2, 1, True)


PIECES = st.sampled_from(
    [
        "字",
        "。",
        "。。。。",
        "!!!!!",
        "\n",
        "\n\n\n",
        " ",
        "\t",
        "　",
        "\u00a0",
        "é",
        "e\u0301",
        "\u200b",
        "\ue000",
        "\ud800",
        "\r\n",
        "Ã©",
        "ä½",
        "か\u3099",
        "각",
    ]
)


@given(st.lists(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20)), max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    assert normalize_batch(texts) == [normalize(text) for text in texts]
