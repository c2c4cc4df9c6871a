"""What holds for any text, and what is and is not personal data."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from factory.zh.pii import KINDS, PLACEHOLDERS, find, redact

PIECES = [
    "A123456789", "FA12345689", "04595257", "統編", "統一編號：", "0912-345-678",
    "０９１２３４５６７８", "+886-912-345-678", "(02)2345-6789",
    " 分機 12", "#12", "wang@mail.example.tw", "＠", "@", "140.112.8.116", ":8080",
    "2001:b000:168::1", "台北市大安區", "信義路五段", "中山路", "7號",
    "3樓之2", "巷", "里", "帳號", "匯款到", "012-3456789012", "(822)1234567890123",
    "4111 1111 1111 1111", "車牌", "ABC-1234", "LINE ID：", "加賴 ",
    "abc_123", "護照號碼", "301234567", "訂單編號", "https://x.tw/", "-", " ", "\n", "。",
    "，", "1", "９", "a", "路", "號", "[", "]", "第", "電話",
    "電話：", "\r\n", "\u2028", "LINE ID", "=", "*", "、", "abc_123", "銀行", "的",
]  # fmt: skip
texts = st.lists(st.sampled_from([*PIECES, *PLACEHOLDERS.values()]), max_size=14).map("".join)
any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@given(st.one_of(texts, any_text))
@example("\ud800號1號@\udfff.tw 0912\ud800345678")
@example("電話1234567890123 0912345678 帳號")
def test_spans_are_sorted_disjoint_and_within_a_line(text: str) -> None:
    spans = find(text)
    ends = [0, *(span.end for span in spans)]
    assert all(end <= span.start < span.end <= len(text) for end, span in zip(ends, spans, strict=False))
    assert all(span.kind in KINDS and len(text[span.start : span.end].splitlines()) == 1 for span in spans)


@given(st.one_of(texts, any_text))
def test_a_redacted_text_has_nothing_left_and_the_rest_is_unchanged(text: str) -> None:
    spans = find(text)
    redacted = redact(text, spans)
    assert find(redacted) == []
    assert redact(redacted, find(redacted)) == redacted
    kept = [text[a:b] for a, b in zip([0, *(span.end for span in spans)], [*(span.start for span in spans), len(text)], strict=True)]
    rest = redacted
    for piece, span in zip(kept, spans, strict=False):
        assert rest.startswith(piece + PLACEHOLDERS[span.kind])
        rest = rest[len(piece) + len(PLACEHOLDERS[span.kind]) :]
    assert rest == kept[-1]


def test_placeholders_are_distinct_and_hold_no_digits() -> None:
    assert len(KINDS) == len(set(PLACEHOLDERS.values())) == 13
    assert not any(character.isdigit() for word in PLACEHOLDERS.values() for character in word)


def test_redaction_names_the_kinds() -> None:
    text = "王小明，A123456789，手機 0912-345-678，信箱 ming@example.tw"
    assert redact(text, find(text)) == "王小明，[身分證字號]，手機 [手機號碼]，信箱 [電子郵件]"


UNITS = [
    "1",
    "a",
    "路",
    "@",
    "1.",
    "號",
    "路1號",
    "台北市路",
    "a@a.a",
    "帳號1",
    "LINE",
    "賴a",
    "車A1",
    "0912-",
    "統編1",
    "護照1 ",
    "1 ",
    "台北市路，路1號",
    "::1",
    "＠１",
    "賴a_1，",
    "加LINE，a_",
    "車A-123、",
    "統編\n12345675\n",
    "護照,\n1,",
    "銀行分行 1234567890",
    "*1",
    "a_1是LINE的",
    "LINE" + " " * 45,
    "LINE" + " 「" * 20,
    "加" + "我" * 40 + "賴",
    "銀行" + "一" * 40 + "1234567890123",
    "統編" + "、12345675" * 3,
]


@pytest.mark.parametrize("unit", UNITS)
def test_time_is_linear(unit: str) -> None:
    def seconds(chars: int) -> float:
        text = unit * (chars // len(unit))
        best = 1e9
        for _ in range(2):
            begin = time.process_time()
            find(text)
            best = min(best, time.process_time() - begin)
        return best

    small, large = seconds(20_000), seconds(200_000)
    assert large < 25 * small + 0.05
