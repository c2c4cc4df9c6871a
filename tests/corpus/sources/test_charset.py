"""Encodings: declared or not, truly or not, whole or damaged."""

from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources import charset
from corpus.sources.charset import CharsetError, codec, decode
from corpus.sources.inputs import FILE_ERRORS

TAIWAN = "巷口那家豆漿店開了三十年，老闆娘總是一早就站在門口招呼客人，油條炸得又香又脆，配上一碗鹹豆漿，剛好驅走冬天的寒意。"
HONG_KONG = "佢哋喺旺角行街，睇到好多鋪頭都執咗笠，啲細路仔仲喺度食緊雪糕，邨裏嘅阿婆話今年啲嘢越嚟越貴。"
MAINLAND = "这家店的老板每天早上五点就开始准备，来买早饭的人从门口一直排到马路对面，价钱也很公道，大家都说味道比从前更好。"
DECLARED = (None, "Big5", "utf-8", "GB2312", "gbk", "big5-hkscs", "ISO-8859-1", "windows-1252", "x-nonsense", "")


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TAIWAN, "utf-8"),
        (TAIWAN, "cp950"),
        (HONG_KONG, "utf-8"),
        (HONG_KONG, "big5hkscs"),
        (MAINLAND, "utf-8"),
        (MAINLAND, "gb18030"),
        (MAINLAND, "gbk"),
        (TAIWAN, "gb18030"),
        ("碁銹裏墻恒粧嫺這七個字是倚天加的，" + TAIWAN, "cp950"),
    ],
)
def test_the_bytes_decide_whatever_is_declared(text: str, encoding: str, declared: str | None) -> None:
    found = decode(text.encode(encoding), declared)
    assert (found.text, found.replaced) == (text, 0)


@pytest.mark.parametrize("declared", DECLARED)
def test_marked_and_plain_text(declared: str | None) -> None:
    assert decode(b"plain text", declared) == ("plain text", "ascii", 0)
    assert decode(b"", declared).text == ""
    assert decode(b"\xef\xbb\xbf" + TAIWAN.encode(), declared) == (TAIWAN, "utf-8", 0)
    assert decode(TAIWAN.encode("utf-16"), declared)[:2] == (TAIWAN, "utf-16-le")
    assert decode(b"\xfe\xff" + TAIWAN.encode("utf-16-be"), declared)[:2] == (TAIWAN, "utf-16-be")


def test_utf_16_without_a_mark_needs_its_declaration() -> None:
    assert decode(("<p>" + TAIWAN).encode("utf-16-le"), "utf-16le").text == "<p>" + TAIWAN
    assert decode(b"<p>not wide at all", "utf-16").encoding == "ascii"


@pytest.mark.parametrize(
    ("pair", "character"),
    [("c6a1", "①"), ("c6e8", "あ"), ("f9d6", "碁"), ("a145", "‧"), ("a241", "∕"), ("a1fe", "／"), ("a3e1", "€"), ("a277", "─")],
)
def test_big5_is_read_as_browsers_read_it(pair: str, character: str) -> None:
    content = TAIWAN.encode("cp950") + bytes.fromhex(pair)
    assert decode(content, "big5").text == TAIWAN + character


@pytest.mark.parametrize("declared", ["hex", "zip", "rot13", "unicode_escape", "utf-7", "idna", "punycode", "../x", "undefined"])
def test_codecs_that_are_no_web_encodings_are_out_of_reach(declared: str) -> None:
    assert codec(declared) is None
    assert decode(b"+AGEAYg- \\u0041", declared).text == "+AGEAYg- \\u0041"


def test_other_languages_with_a_true_declaration() -> None:
    japanese = "これは日本語の文章です。毎朝、駅の前で新聞を読みます。"
    korean = "아침마다 시장에 가서 두부와 채소를 삽니다. 날씨가 참 좋습니다."
    russian = "Каждое утро я хожу на рынок за хлебом и овощами, а потом пью чай."
    french = "L’été dernier, nous avons goûté un thé très léger à l’hôtel — c’était délicieux."
    for text, encoding in [
        (japanese, "shift_jis"), (japanese, "euc-jp"), (korean, "euc-kr"), (russian, "windows-1251"), (russian, "koi8-r"),
        (french, "windows-1252"),
    ]:  # fmt: skip
        assert decode(text.encode(encoding), encoding).text == text
    assert decode(french.encode("cp1252")).text == french  # also without one


@given(st.integers(0, 150), st.integers(0, 150))
def test_a_cut_page_stays_utf_8(start: int, end: int) -> None:
    content = ("x" + TAIWAN * 3).encode()
    cut = content[start : len(content) - end]
    found = decode(cut, "big5")
    assert found.encoding == "utf-8" and found.replaced <= 5
    assert found.text.strip("\ufffd") in "x" + TAIWAN * 3


def test_a_few_bad_bytes_are_counted() -> None:
    content = TAIWAN.encode() * 5
    found = decode(content[:300] + b"\xff\xfe" + content[300:])
    assert (found.encoding, found.replaced) == ("utf-8", 2)
    stated = decode((TAIWAN + "\ufffd").encode() + b"\xff" + TAIWAN.encode())
    assert stated.replaced == 1  # the one that the page itself holds is not counted


@pytest.mark.parametrize("declared", [None, "big5", "utf-8"])
def test_a_page_that_mixes_encodings_is_refused(declared: str | None) -> None:
    mixed = (TAIWAN.encode("cp950") + TAIWAN.encode("utf-8")) * 3
    with pytest.raises(CharsetError, match=r"mixed or unknown encoding"):
        decode(mixed, declared)
    assert issubclass(CharsetError, FILE_ERRORS)


def test_noise_is_refused() -> None:
    noise = random.Random(1).randbytes(4000)
    with pytest.raises(CharsetError, match="mixed or unknown encoding"):
        decode(noise)


@given(st.binary(max_size=300), st.sampled_from(DECLARED))
def test_no_bytes_raise_anything_else(content: bytes, declared: str | None) -> None:
    try:
        found = decode(content, declared)
    except CharsetError as error:
        assert "\n" not in str(error)
        return
    found.text.encode("utf-8", "surrogatepass")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_valid_utf_8_is_utf_8(text: str) -> None:
    assert decode(text.encode(), "big5").text == text.removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("file", "encoding"),
    [("news_tw", "cp950"), ("social_ptt", "cp950"), ("hk_legco_hansard", "big5hkscs"), ("zhcn_cnews", "gb18030"), ("law_moj", "utf-8")],
)
def test_real_text_under_lying_declarations(twllm_data: Path, file: str, encoding: str) -> None:
    import io

    import zstandard

    with (twllm_data / f"corpus/{file}.jsonl.zst").open("rb") as raw:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8")
        texts = [json.loads(line)["text"][:2000] for line in itertools.islice(lines, 40)]
    right = 0
    for text, declared in itertools.product(texts, (None, "utf-8", "big5", "gbk")):
        text = re.sub("[々〆〇ヾゝゞ\u3041-\u30fe\u0401-\u0451①-⑩⑴-⑽]", "", text)  # Python encodes these as Big5 pages do not
        content = text.encode(encoding, "ignore")
        truth = content.decode(encoding).translate(charset._hkscs_symbols() if encoding == "big5hkscs" else {})
        right += decode(content, declared).text == truth
    assert right == 4 * len(texts)
