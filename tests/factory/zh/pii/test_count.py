"""Personal data is counted where its pattern, and for national IDs its checksum, leaves no doubt."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.zh.pii import PersonalData, count_personal_data

# The Ministry of the Interior's table: county of first registration to its number
LETTER_NUMBERS = {
    "A": 10, "B": 11, "C": 12, "D": 13, "E": 14, "F": 15, "G": 16, "H": 17, "J": 18, "K": 19, "L": 20, "M": 21, "N": 22,
    "P": 23, "Q": 24, "R": 25, "S": 26, "T": 27, "U": 28, "V": 29, "X": 30, "Y": 31, "W": 32, "Z": 33, "I": 34, "O": 35,
}  # fmt: skip


def check_digit(letter: str, eight: str) -> str:
    """The ninth digit as schoolbooks do it: spell the letter as two digits, weigh 1, 9, 8, ..., 1, take what is missing to ten."""
    spelt = str(LETTER_NUMBERS[letter]) + eight
    total = int(spelt[0]) + sum(int(digit) * weight for digit, weight in zip(spelt[1:], range(9, 0, -1), strict=True))
    return str((10 - total % 10) % 10)


letters = st.sampled_from(sorted(LETTER_NUMBERS))
eights = st.builds(str.__add__, st.sampled_from("12"), st.text(string.digits, min_size=7, max_size=7))


@given(letters, eights)
def test_valid_numbers_are_counted_and_invalid_ones_are_not(letter: str, eight: str) -> None:
    number = letter + eight + check_digit(letter, eight)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert count_personal_data(f"身分證字號{number}，謝謝").national_ids == 1
    assert count_personal_data(f"身分證字號{wrong}，謝謝").national_ids == 0


@pytest.mark.parametrize(
    "text",
    [
        "A123456789",
        "身分證A123456789號",
        "（A123456789）",
        "ID:A123456789",
        "A123456789, A123456789\nA123456789",
        "A123456789號與A123456788號",
    ],
)
def test_a_national_id_is_counted_once(text: str) -> None:
    assert count_personal_data(text).national_ids == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A12345678",
        "A1234567890",
        "BA123456789",
        "7A123456789",
        "a123456789",
        "A323456789",
        "A023456789",
        "A1234 56789",
        "https://example.tw/item/A123456789",
        "https://example.tw/?id=A123456789",
        "SN-A123456789",
        "part_A123456789",
    ],
)
def test_what_only_looks_like_a_national_id_is_not_counted(text: str) -> None:
    assert count_personal_data(text).national_ids == 0


def test_different_national_ids_are_counted_each() -> None:
    numbers = [letter + "1234567" + "0" for letter in "ABC"]
    numbers = [number[0] + number[1:9] + check_digit(number[0], number[1:9]) for number in numbers]
    assert count_personal_data("、".join([*numbers, *numbers])).national_ids == 3


@pytest.mark.parametrize(
    "text",
    [
        "0912345678",
        "0912-345-678",
        "0912-345678",
        "0912345-678",
        "0912 345 678",
        "0912 345-678",
        "電話0912345678請撥",
        "(0912)345678 或 0912-345-678",
        "0912-345-678、0912 345 678、0912345678",
    ],
)
def test_a_mobile_number_is_counted_once_with_any_separators(text: str) -> None:
    assert count_personal_data(text).mobiles == 1


@pytest.mark.parametrize(
    "text",
    [
        "091234567",
        "09123456789",
        "10912345678",
        "0812345678",
        "02-2345-6789",
        "02-0912345678",
        "0912--345-678",
        "0912.345.678",
        "0912\n345\n678",
        "09-12345678",
        "2009123456",
        "統編 09123456",
        "民國九十一年0912",
    ],
)
def test_what_only_looks_like_a_mobile_number_is_not_counted(text: str) -> None:
    assert count_personal_data(text).mobiles == 0


@given(st.integers(0, 10**8 - 1), st.sampled_from(["", "-", " "]), st.sampled_from(["", "-", " "]))
def test_every_mobile_number_is_found(number: int, first: str, second: str) -> None:
    digits = f"09{number:08d}"
    assert count_personal_data(f"請打{digits[:4]}{first}{digits[4:7]}{second}{digits[7:]}。").mobiles == 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a.b+c@mail.example.com.tw", 1),
        ("寄到service@example.tw。", 1),
        ("x@example.com, X@Example.com", 1),
        ("x@example.com y@example.com", 2),
        ("mailto:x@example.com.", 1),
        ("@example.com", 0),
        ("x@example", 0),
        ("x @example.com", 0),
        ("x＠example.com", 0),
        ("推 x@@example.com", 0),
        ("@ts7 twitter", 0),
    ],
)
def test_mail_addresses(text: str, count: int) -> None:
    assert count_personal_data(text).emails == count


def test_all_kinds_in_one_text() -> None:
    text = "王小明，A123456789，手機 0912-345-678 / 0987 654 321，信箱 ming@example.tw"
    assert count_personal_data(text) == PersonalData(national_ids=1, mobiles=2, emails=1)


def test_long_runs_of_digits_and_letters_are_scanned() -> None:
    """A pattern that backtracks takes hours on these."""
    assert count_personal_data("1" * 200_000 + "@") == PersonalData(0, 0, 0)
    assert count_personal_data("11-" * 70_000 + "a" * 200_000 + "@" + "a" * 200_000) == PersonalData(0, 0, 0)
    assert count_personal_data("a@" + "a." * 70_000) == PersonalData(0, 0, 1)
