"""Feature rows: one document by hand, the edges, and that a row depends on its own text only."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import features
from corpus.features import FEATURES, MAX_LEXICON_WORDS, SCHEMA, annotate
from factory.records import Document
from factory.zh.matcher import THREATS, entries
from factory.zh.ngrams import NUM_PERM
from factory.zh.pii import KINDS

# 10 Han, 3 punctuation marks, a digit and a Latin letter; 的, 在, 上 and 個 are function characters, 個 and 餅 Traditional only
BY_HAND = "小明的家在山上。\n\n- 3個A餅\n好！"


def row_of(text: str, **more: Any) -> dict[str, Any]:
    _, table = annotate([Document("web:1", text, "web", **more)])
    (row,) = table.to_pylist()
    found: dict[str, Any] = row
    return found


def test_a_document_by_hand() -> None:
    expected = {
        "id": "web:1",
        "chars": 19,
        "bytes": 12 * 3 + 7,
        "han_chars": 10,
        "han_ratio": round(10 / 15, 6),
        "latin_ratio": round(1 / 15, 6),
        "digit_ratio": round(1 / 15, 6),
        "punctuation_ratio": 0.2,
        "symbol_ratio": 0.0,
        "zhuyin_chars": 0,
        "private_chars": 0,
        "stopword_ratio": 0.4,
        "lines": 3,
        "paragraphs": 2,
        "mean_line_chars": round(16 / 3, 6),
        "max_line_chars": 8,
        "short_line_ratio": 1.0,
        "list_line_ratio": round(1 / 3, 6),
        "ended_line_ratio": round(2 / 3, 6),
        **{f"{kind}_ngram_{n}": 0.0 for kind in ("dup", "top") for n in (4, 10, 20)},
        "lane": "zh-Hant",
        "simplified_share": 0.0,
        **{f"{language}_density": 0.0 for language in ("yue", "nan", "hak")},
        "fasttext_label": None,
        "fasttext_score": None,
        **{f"pii_{kind}": 0 for kind in KINDS},
        "pii_spans": [],
        "removed_chars": 0,
        "private_mapped": 0,
        "mojibake_repaired": False,
        "flags": [],
        "raw_sha256": hashlib.sha256(BY_HAND.encode()).digest(),
        "exact_hash": hashlib.blake2b("小明的家在山上。-3個A餅好！".encode(), digest_size=16).digest(),
        "line_hashes": [0, 0, 0, 0],
        "line_chars": [8, 0, 6, 2],
    }
    found = row_of(BY_HAND)
    assert {name: found[name] for name in expected} == expected


def test_repetition_by_hand() -> None:
    found = row_of("甲乙丙丁\n甲乙丙丁 戊")
    assert found["dup_ngram_4"] == round(4 / 9, 6)  # 甲乙丙丁 comes back; white space is left out
    assert found["top_ngram_4"] == round(8 / 9, 6)
    assert (found["dup_ngram_10"], found["top_ngram_10"]) == (0.0, 0.0)
    found = row_of("一二三四五六七八九十" * 3)
    assert found["dup_ngram_10"] == found["dup_ngram_4"] == round(20 / 30, 6)
    assert (found["top_ngram_10"], found["dup_ngram_20"], found["top_ngram_20"]) == (1.0, round(20 / 30, 6), 1.0)


def test_characters_of_rare_kinds() -> None:
    found = row_of("ㄅㄆㄇ ☀☁ \ufffd\U000f0000 ＡＢ１２")
    assert (found["zhuyin_chars"], found["private_chars"], found["han_chars"]) == (3, 2, 0)
    assert (found["symbol_ratio"], found["latin_ratio"], found["digit_ratio"]) == (round(2 / 11, 6),) * 3


def test_personal_data_is_counted_once_a_number() -> None:
    found = row_of(
        "電話 0912-345-678、0912345678 或 0987654321，身分證 A123456789，信箱 a@mail.example 與 b@mail.example 和 a@mail.example"
    )
    assert (found["pii_mobile"], found["pii_national_id"], found["pii_email"]) == (2, 1, 2)
    assert [span["kind"] for span in found["pii_spans"]] == ["mobile"] * 3 + ["national_id"] + ["email"] * 3
    assert row_of("身分證 A123456788")["pii_national_id"] == 0


def test_personal_data_is_placed_in_the_normalised_text() -> None:
    found = row_of("\u200b電話\x00 0912-345-678。")
    assert found["pii_spans"] == [{"kind": "mobile", "start": 3, "end": 15}]


def test_what_normalising_changed_is_counted() -> None:
    found = row_of("好\u200b的\x00。\r\n\r\n\r\n\r\n再見")
    assert (found["chars"], found["removed_chars"], found["paragraphs"]) == (7, 2, 2)
    assert found["raw_sha256"] == hashlib.sha256("好\u200b的\x00。\r\n\r\n\r\n\r\n再見".encode()).digest()
    assert row_of("台灣的天氣很好。".encode().decode("latin-1"))["mojibake_repaired"] is True


@pytest.mark.parametrize("threat", THREATS)
def test_a_phrase_of_a_lexicon_gives_its_weight_once_and_its_density_each_time(threat: str) -> None:
    listed = {entry.text for entry in entries()}
    alone = [e for e in entries() if e.group == threat and len(e.text) >= 4 and not any(o in e.text for o in listed if o != e.text)]
    entry = next(e for e in alone if all("\u4e00" <= character <= "\u9fff" for character in e.text))
    found = row_of(f"{entry.text}。\n{entry.text}。")
    han = 2 * len(entry.text)
    assert found[f"{threat}_points"] == entry.weight
    assert found[f"{threat}_density"] == round(1000 * 2 * entry.weight / han, 6)
    assert found["lexicon_words"] == [f"{threat}:{entry.text}"]
    assert all(found[f"{other}_points"] == 0 for other in THREATS if other != threat)


def test_the_words_shown_are_the_heaviest_and_not_too_many() -> None:
    many = [entry.text for entry in entries() if entry.group == "scam"][:60]
    found = row_of("。".join(many))
    assert len(found["lexicon_words"]) == MAX_LEXICON_WORDS
    weights = {f"{entry.group}:{entry.text}": entry.weight for entry in entries() if entry.group in THREATS}
    shown = [weights[word] for word in found["lexicon_words"]]
    assert shown == sorted(shown, reverse=True)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b\ufeff", "　\n　"])
def test_a_document_without_text_has_a_row_of_zeros(text: str) -> None:
    found = row_of(text)
    numbers = {
        name: found[name] for name, feature in FEATURES.items() if pa.types.is_integer(feature.type) or pa.types.is_floating(feature.type)
    }
    without_value = {name for name, value in numbers.items() if value is None}
    scores = {name for name in FEATURES if name.startswith("score_")}
    assert without_value == {"simplified_share", "fasttext_score", "roundtrip_changes"} | scores
    assert found["variety_label"] is None
    assert {name for name, value in numbers.items() if value} <= {"removed_chars"}
    assert (found["lane"], found["variety_lean"], found["fasttext_label"]) == ("other", None, None)
    assert (found["variety_words"], found["lexicon_words"], found["line_hashes"]) == ([], [], [0])
    assert found["minhash"] == b"\xff" * 4 * NUM_PERM


def test_no_documents_are_no_rows() -> None:
    texts, table = annotate([])
    assert texts == [] and table.num_rows == 0 and table.schema == SCHEMA


def test_flags_of_the_source_are_passed_on() -> None:
    assert row_of("字", flags=("abolished", "draft"))["flags"] == ["abolished", "draft"]


# --- independence of the batch

WORDS = "的|我們在山上|这是简体|繁體中文網路|ㄅㄆ|ひらがな|한국어|視頻質量|唔係嘅|保證獲利|Tâi-uân |abc |Ａ|12|。|！！！！|- |☀|é"
RARE = ["\n", "\n\n", " ", "　", "e\u0301", "\u200b", "\ue000", "\ud800", "\x00", "0912345678", "👨\u200d👩\u200d👧"]
PIECES = st.sampled_from([*WORDS.split("|"), *RARE])
TEXTS = st.one_of(
    st.lists(PIECES, max_size=40).map("".join), st.text(max_size=60), st.tuples(PIECES, st.integers(1, 60)).map(lambda p: p[0] * p[1])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=6))
def test_a_row_is_the_same_alone_and_among_others(texts: list[str]) -> None:
    documents = [Document(f"web:{number}", text, "web") for number, text in enumerate(texts)]
    together_texts, together = annotate(documents)
    alone = [annotate([document]) for document in documents]
    assert together_texts == [text for (text,), _ in alone]
    for number, (_, table) in enumerate(alone):
        assert together.slice(number, 1).to_pylist() == table.to_pylist()
    back_texts, back = annotate(documents[::-1])
    assert (back_texts[::-1], back.to_pylist()[::-1]) == (together_texts, together.to_pylist())


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_row_can_be_stored_and_compared(text: str) -> None:
    (normalized,), table = annotate([Document("web:1", text, "web")])
    assert table.schema == SCHEMA
    (row,) = table.to_pylist()
    assert row["chars"] == len(normalized) and row["bytes"] == len(normalized.encode())
    for name, feature in FEATURES.items():
        if pa.types.is_floating(feature.type) and row[name] is not None:
            assert math.isfinite(row[name]), name
            if feature.unit.startswith("share"):
                assert 0 <= row[name] <= 1, name
    assert len(row["line_hashes"]) == normalized.count("\n") + 1
    assert row["raw_sha256"] == hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def test_white_space_does_not_make_another_text() -> None:
    same = {row_of(text)["exact_hash"] for text in ("甲乙丙丁。", "甲 乙\n丙\n\n丁。", "　甲乙\t丙丁　。\r\n", "\u200b甲乙丙丁。")}
    assert same == {hashlib.blake2b("甲乙丙丁。".encode(), digest_size=16).digest()}
    assert row_of("甲乙丙丁")["exact_hash"] not in same


# --- lines


def test_lines_are_hashed_without_the_white_space_around_them() -> None:
    first, indented, other = row_of("這一行有十個字沒有錯\n　  這一行有十個字沒有錯 \n這一行有十個字沒有錯嗎")["line_hashes"]
    assert first == indented != 0
    assert other not in (0, first)


@pytest.mark.parametrize(
    ("line", "hashed"), [("字" * 9, False), ("字" * 10, True), (" " * 20, False), ("  " + "字" * 9 + "  ", False), ("", False)]
)
def test_short_lines_have_no_hash(line: str, hashed: bool) -> None:
    assert {bool(value) for value in row_of(f"{line}\n{line}")["line_hashes"]} == {hashed}


# --- the table of features


def test_each_feature_is_a_column_with_unit_and_meaning() -> None:
    assert list(FEATURES) == [name for name in SCHEMA.names if name in FEATURES]
    assert set(features.SCHEMA.names) - set(FEATURES) == {
        "id", "variety_words", "variety_paragraphs", "lexicon_words", "pii_spans", "raw_sha256", "exact_hash", "minhash",
        "line_hashes", "line_chars",
    }  # fmt: skip
    for name, feature in FEATURES.items():
        assert feature.type == SCHEMA.field(name).type
        assert feature.unit.strip() and feature.meaning.strip()
