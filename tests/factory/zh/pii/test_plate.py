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


# values of the kind in the words around them
IN_CONTEXT = [
    ("他騎 MPX-8826 去牽車", "licence_plate", ["MPX-8826"]),
    ("車籍資料：BXY-1234，九人座", "licence_plate", ["BXY-1234"]),
    ("檢舉魔人買了 GRX-2000 行車紀錄器", "licence_plate", []),
    ("剛領牌的車是 BXY-1234，白色", "licence_plate", ["BXY-1234"]),
    ("垃圾車旁那台藍色 Honda BXY-1234 擋路", "licence_plate", ["BXY-1234"]),
    ("我看到油罐車 KLA-0102 漏油", "licence_plate", ["KLA-0102"]),
    ("甲車 ABE-1234 與乙車 BXY-5678 擦撞", "licence_plate", ["ABE-1234", "BXY-5678"]),
    ("plate_no: BXY-1234", "licence_plate", ["BXY-1234"]),
    ("機車坐墊 KY-5566 現貨", "licence_plate", []),
    ("休旅車車頂架選 RBX-2200，好裝", "licence_plate", []),
    ("卡車上載著 TKC-3000 發電機", "licence_plate", []),
    ("這台車的鑰匙電池是 CRA-2032", "licence_plate", []),
    ("計程車無線電頻道 KT-205", "licence_plate", []),
    ("車牌辨識主機 IPC-5500 維修", "licence_plate", []),
    ("停車場收費機 PMS-3000 故障，車主抱怨", "licence_plate", []),
    ("檢舉系統 APP-2024 上線", "licence_plate", []),
]


@pytest.mark.parametrize(("text", "kind", "values"), IN_CONTEXT)
def test_in_context(text: str, kind: str, values: list[str]) -> None:
    assert [text[start:end] for found_kind, start, end in find(text) if found_kind == kind] == values
