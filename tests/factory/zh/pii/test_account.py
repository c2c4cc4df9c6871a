"""Bank accounts and payment cards."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.zh.pii import find
from factory.zh.pii.account import has_luhn_checksum, is_card_number


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


@given(st.text(string.digits, min_size=1, max_size=18))
def test_exactly_one_check_digit(digits: str) -> None:
    assert sum(has_luhn_checksum(digits + last) for last in string.digits) == 1


@given(st.text(string.digits, min_size=8, max_size=17), st.data())
def test_luhn_notices_any_changed_digit(digits: str, data: st.DataObject) -> None:
    number = next(digits + last for last in string.digits if has_luhn_checksum(digits + last))
    place = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from(sorted(set(string.digits) - {number[place]})))
    assert not has_luhn_checksum(number[:place] + other + number[place + 1 :])


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("4111111111111111", True), ("5555555555554444", True), ("2223000048400011", True), ("378282246310005", True),
        ("3530111333300000", True),
        ("6011111111111117", True), ("30569309025904", False), ("38520000023237", True), ("4111111111111112", False),
        ("9111111111111111", False),
    ],
)  # fmt: skip
def test_cards_by_issuer(number: str, valid: bool) -> None:
    assert is_card_number(number) == valid


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("卡號 4111-1111-1111-1111", "card_number", "4111-1111-1111-1111"),
        ("刷 4111 1111 1111 1111 這張", "card_number", "4111 1111 1111 1111"),
        ("3782 822463 10005", "card_number", "3782 822463 10005"),
        ("匯款帳號：012-3456789012345", "bank_account", "012-3456789012345"),
        ("請匯到(822)1234567890123", "bank_account", "(822)1234567890123"),
        ("銀行代碼 822 帳號 123456789012", "bank_account", "123456789012"),
        ("郵局帳號 0001234-0567890", "bank_account", "0001234-0567890"),
        ("轉帳到我的戶頭：\n20123456789012", "bank_account", "20123456789012"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "訂單編號 1234567890123", "遊戲帳號 1234567890", "銀行客服專線 0800-123-456",
        "轉帳後的訂單編號：1234567890123", "學號 1234567890", "1234567890123",
        "匯款日期 2024-03-15 12", "4111111111111112", "IMEI 490154203237518", "https://x.tw/4111111111111111", "4311-95**-****-1234",
        "ISBN 9789570812345",
    ],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert found(text) == []


# values of the kind in the words around them
IN_CONTEXT = [
    ("保險公司匯款 案件 1120045678901", "bank_account", []),
    ("薪水會撥到台新 20123456789012，要等三天", "bank_account", ["20123456789012"]),
    ("押金請存到玉山銀行五股分行 0123456789123", "bank_account", ["0123456789123"]),
    ("合庫(006)城東分行 0560717903348 王小明", "bank_account", ["0560717903348"]),
    ("旅費請付 808-0123456789012", "bank_account", ["808-0123456789012"]),
    ("客戶數突破 1234567890123 這種數字", "bank_account", []),
    ("合庫今天賠了 1234567890 元", "bank_account", []),
    ("玉山銀行的年度報表編號 20231234567", "bank_account", []),
    ("我的抖音帳號 1234567890", "bank_account", []),
    ("銀行保全的巡邏條碼 1234567890123", "bank_account", []),
    ("學校系統帳號 1101234567，密碼忘了", "bank_account", []),
    ("合作社電話 07-1234567", "bank_account", []),
    ("帳號：03712345678901", "bank_account", ["03712345678901"]),
    ("華南的卡 4111-1111-1111-1111 不見了", "card_number", ["4111-1111-1111-1111"]),
]


@pytest.mark.parametrize(("text", "kind", "values"), IN_CONTEXT)
def test_in_context(text: str, kind: str, values: list[str]) -> None:
    assert [text[start:end] for found_kind, start, end in find(text) if found_kind == kind] == values


def test_a_date_with_a_clock_is_no_account() -> None:
    assert find("轉帳給 abc123 (稅後 $270) 08202021 02:51:13 支出 $300") == []
