"""Licence plates where a vehicle is spoken of."""

from __future__ import annotations

import pytest

from factory.zh.pii import find


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


@pytest.mark.parametrize(
    "value", ["ABC-1234", "AB-1234", "1234-AB", "AB-123", "ABC-123", "123-ABC", "EAA-1234", "MNP 5678", "AKL1234", "ＡＢＣ－１２３４"]
)
def test_found(value: str) -> None:
    assert found(f"車牌號碼{value}，請協尋") == [("licence_plate", value)]


@pytest.mark.parametrize(
    ("text", "value"), [("一輛AKL-1234的轎車闖紅燈", "AKL-1234"), ("掛 AB-1234 牌", "AB-1234"), ("肇事車輛為 BCD-5678", "BCD-5678")]
)
def test_found_by_the_vehicle(text: str, value: str) -> None:
    assert found(text) == [("licence_plate", value)]


@pytest.mark.parametrize(
    "text",
    [
        "ABC-1234",
        "RTX-4090 顯卡",
        "ABC-1234 螺絲",
        "車廠通過 ISO-9001",
        "搭 CI-100 去日本",
        "車牌的格式是三個字母加四個數字",
        "課程 ABC-1234",
        "輪胎規格 ABC-1234，汽車用",
    ],
)
def test_not_found(text: str) -> None:
    assert found(text) == []
