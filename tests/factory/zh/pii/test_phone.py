"""Telephone numbers of Taiwan in the ways they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.zh.pii import find


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


@pytest.mark.parametrize(
    "value",
    [
        "0912345678", "0912-345-678", "0912-345678", "0912345-678", "0912 345 678", "0912 345-678", "0912.345.678", "(0912)345-678",
        "（０９１２）３４５－６７８",
        "+886-912-345-678", "+886912345678", "886 912 345 678", "(+886)912345678",
        "+886 9 1234 5678", "０９１２３４５６７８", "0912-34-5678",
    ],
)  # fmt: skip
def test_mobile(value: str) -> None:
    assert found(f"有事請打{value}，謝謝") == [("mobile", value)]
    assert found(value) == [("mobile", value)]


@given(st.integers(0, 10**8 - 1), st.sampled_from(["", "-", " "]), st.sampled_from(["", "-", " "]))
def test_every_mobile_number_is_found(number: int, first: str, second: str) -> None:
    digits = f"09{number:08d}"
    value = f"{digits[:4]}{first}{digits[4:7]}{second}{digits[7:]}"
    assert found(f"請打{value}。") == [("mobile", value)]


@pytest.mark.parametrize(
    "value",
    [
        "(02)2345-6789", "02-23456789", "02 2345 6789", "02-2345-6789", "（02）2345－6789", "03-1234567", "037-123456", "04-22345678",
        "049-2123456", "05-2345678",
        "06-234-5678", "07-2345678", "08-7654321", "089-123456", "082-312345", "0826-66123", "0836-22345", "+886-2-2345-6789",
        "+886 2 2345 6789",
        "02-2345-6789 分機 12", "02-2345-6789轉12", "(02)2345-6789#12", "02-2345-6789 ext. 12",
    ],
)  # fmt: skip
def test_landline(value: str) -> None:
    assert found(f"聯絡電話：{value}，謝謝") == [("landline", value)]


@pytest.mark.parametrize(
    "text",
    [
        "091234567", "09123456789", "10912345678", "02-0912345678", "0912--345-678", "0912\n345\n678", "2009123456", "0.912345678",
        "訂單編號 0912345678",
        "+81 0912345678", "0800-123-456", "0809-000-123", "0204-123-456", "1999", "2345-6789", "02-2345 頁", "2019-02-2345-6789",
        "02-1999-2005", "+81-3-1234-5678",
        "0940701160 號函", "台議字第0940701160號", "型號 02-2345-6789", "https://x.tw/0912345678", "AB-0912345678",
    ],
)  # fmt: skip
def test_not_a_number_of_a_person(text: str) -> None:
    assert found(text) == []


def test_several() -> None:
    assert [kind for kind, _ in found("02-2345-6789/0912345678 傳真 04-22345678 0987 654 321")] == [
        "landline",
        "mobile",
        "landline",
        "mobile",
    ]


# values of the kind in the words around them
IN_CONTEXT = [
    ("2024-05-01 INFO user_phone=0912345678 ok", "mobile", ["0912345678"]),
    ("https://x.tw/a?phone=0912345678", "mobile", []),
    ("token=0912345678 expired", "mobile", []),
    ("**0912-345-678**", "mobile", ["0912-345-678"]),
    ("0223456789一直打電話來，煩", "landline", ["0223456789"]),
    ("0223456789一直漲", "landline", []),
]


@pytest.mark.parametrize(("text", "kind", "values"), IN_CONTEXT)
def test_in_context(text: str, kind: str, values: list[str]) -> None:
    assert [text[start:end] for found_kind, start, end in find(text) if found_kind == kind] == values
