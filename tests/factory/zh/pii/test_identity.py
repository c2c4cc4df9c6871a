"""Checksums of ID card, resident certificate and company number, and the words that make eight digits a company's."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.zh.pii import find
from factory.zh.pii.identity import is_company_id, is_national_id, is_resident_certificate

# The Ministry of the Interior's table: county of first registration to its number
LETTER_NUMBERS = {
    "A": 10, "B": 11, "C": 12, "D": 13, "E": 14, "F": 15, "G": 16, "H": 17, "J": 18, "K": 19, "L": 20, "M": 21, "N": 22,
    "P": 23, "Q": 24, "R": 25, "S": 26, "T": 27, "U": 28, "V": 29, "X": 30, "Y": 31, "W": 32, "Z": 33, "I": 34, "O": 35,
}  # fmt: skip
letters = st.sampled_from(sorted(LETTER_NUMBERS))
sevens = st.text(string.digits, min_size=7, max_size=7)


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


def check_digit(spelt: str) -> str:
    """The last digit as schoolbooks do it: letter spelt as two digits, weights 1, 9, 8, …, 1, and what is missing to ten."""
    total = int(spelt[0]) + sum(int(digit) * weight for digit, weight in zip(spelt[1:], range(9, 0, -1), strict=True))
    return str((10 - total % 10) % 10)


@given(letters, st.sampled_from("1289"), sevens)
def test_exactly_one_last_digit_is_valid(letter: str, kind: str, seven: str) -> None:
    check = is_national_id if kind in "12" else is_resident_certificate
    right = check_digit(str(LETTER_NUMBERS[letter]) + kind + seven)
    assert [digit for digit in string.digits if check(letter + kind + seven + digit)] == [right]


@given(letters, st.sampled_from("ABCD"), sevens)
def test_the_old_certificate_counts_the_units_of_its_second_letter(letter: str, second: str, seven: str) -> None:
    right = check_digit(str(LETTER_NUMBERS[letter]) + str(LETTER_NUMBERS[second] % 10) + seven)
    assert [digit for digit in string.digits if is_resident_certificate(letter + second + seven + digit)] == [right]


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("04595257", True),
        ("12345675", True),
        ("12345676", True),
        ("12345674", False),
        ("00000000", False),
        ("1234567", False),
        ("10458575", True),
    ],
)
def test_company_numbers(number: str, valid: bool) -> None:
    assert is_company_id(number) == valid


@given(st.text(string.digits, min_size=6, max_size=6))
def test_every_company_number_of_the_old_rule_is_valid_by_the_new(six: str) -> None:
    numbers = [f"{six}{last:02d}" for last in range(100)]
    sums = {
        number: sum(int(digit) for d, w in zip(number, "12121241", strict=True) for digit in str(int(d) * int(w))) for number in numbers
    }
    assert all(is_company_id(number) for number, total in sums.items() if total % 10 == 0 and number != "00000000")
    assert not any(is_company_id(number) for number, total in sums.items() if total % 5 and number[6] != "7")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("身分證A123456789號", "national_id", "A123456789"),
        ("他是a123456789，沒錯", "national_id", "a123456789"),
        ("Ａ１２３４５６７８９", "national_id", "Ａ１２３４５６７８９"),
        ("ID:A123456789", "national_id", "A123456789"),
        ("居留證 A800000014", "resident_certificate", "A800000014"),
        ("舊證號FA12345689", "resident_certificate", "FA12345689"),
        ("統編：04595257", "company_id", "04595257"),
        ("統一編號\n04595257", "company_id", "04595257"),
        ("04595257（統編）", "company_id", "04595257"),
        ("VAT: TW04595257", "company_id", "04595257"),
        ("護照號碼：301234567", "passport", "301234567"),
        ("持護照 AB1234567 入境", "passport", "AB1234567"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "A123456788", "A12345678", "A1234567890", "BA123456789", "A323456789", "https://example.tw/item/A123456789",
        "https://example.tw/?id=A123456789",
        "SN-A123456789", "part_A123456789", "A123456789.pdf", "型號：A123456789", "A12345****", "04595257", "統編 04595256",
        "統編另附，日期 20240315",
        "統編未填，電話 04595257", "301234567", "護照費用 301234567 元", "護照排名第 33",
        "簽證號碼 301234567", "護照遺失請撥電話 037123456",
    ],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert "landline" in {kind for kind, _ in found(text)} or found(text) == []


# values of the kind in the words around them
IN_CONTEXT = [
    ("統編查不到，案號 28471038", "company_id", []),
    ("廠商 A（04595257）統編錯誤", "company_id", ["04595257"]),
    ("護照收據 301234567", "passport", []),
    ("護照案件 IM1234567", "passport", []),
    ("請款單上賣方：28471038", "company_id", ["28471038"]),
    ("報帳那天櫃台問統編多少？我說是04595257啦", "company_id", ["04595257"]),
    ("04595257 ← 我們公司的統編", "company_id", ["04595257"]),
    ("甲04595257和乙28471038的統編請核對", "company_id", ["04595257", "28471038"]),
    ("店名,電話,統編\n阿土麵店,略,04595257\n阿金冰店,略,28471038", "company_id", ["04595257", "28471038"]),
    ("vat_no = '04595257'", "company_id", ["04595257"]),
    ("統編優惠活動到 20241127 截止", "company_id", []),
    ("買方請於 20241127 前付款", "company_id", []),
    ("統編查詢系統今天的流量 28471038 次", "company_id", []),
    ("sha=A123456789", "national_id", []),
    ("national_id=A123456789, name=x", "national_id", ["A123456789"]),
    ("*A123456789*", "national_id", ["A123456789"]),
    ("A123456789*", "national_id", []),
    ("抄下護照的號碼：301234567", "passport", ["301234567"]),
    ("持號碼 AB1234567 之護照入境", "passport", ["AB1234567"]),
    ("301234567，這是我的護照", "passport", ["301234567"]),
    ("姓名\t護照號碼\n甲\t301234567\n乙\t301234568", "passport", ["301234567", "301234568"]),
    ("運動護照的集點編號 500817442", "passport", []),
    ("護照套的商品條碼 301234567", "passport", []),
    ("看護照料日誌 301234567", "passport", []),
]


@pytest.mark.parametrize(("text", "kind", "values"), IN_CONTEXT)
def test_in_context(text: str, kind: str, values: list[str]) -> None:
    assert [text[start:end] for found_kind, start, end in find(text) if found_kind == kind] == values
