"""Postal addresses down to the house number."""

from __future__ import annotations

import pytest

from factory.zh import wordlists
from factory.zh.pii import find


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


@pytest.mark.parametrize(
    ("lead", "value"),
    [
        ("我住在", "台北市大安區信義路五段7號"),
        ("地址：106", "台北市大安區羅斯福路四段1號"),
        ("寄到", "臺南市東區大學路1號B1"),
        ("戶籍", "新竹縣新埔鎮照門里12鄰石頭坑5號"),
        ("", "高雄市前鎮區中華五路789巷12弄3號5樓之2"),
        ("", "彰化縣員林市中山路一段１２３巷４５弄６號７樓"),
        ("", "台北市中正區10053青島東路4號4樓之2"),
        ("店在", "中山路100號"),
        ("", "忠孝東路一百零六號"),
        ("", "民生村3鄰12號"),
        ("", "永康街7巷5號"),
        ("", "花蓮市國聯五路12之1號"),
        ("", "臺中市西屯區臺灣大道三段99號10樓1001室"),
    ],
)
def test_found(lead: str, value: str) -> None:
    assert found(f"{lead}{value}。") == [("address", value)]


@pytest.mark.parametrize(
    "text",
    [
        "台北市大安區", "中山路", "信義路五段", "國道1號", "台9線", "釋字第499號", "307號公車",
        "3號出口", "忠孝路3號出口", "第5號議案", "2號機", "10公里5號",
        "中山高速公路1號", "台議字第0940701160號", "中山段一小段123地號", "大樂透開出7號", "崇德里二號公園",
    ],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert found(text) == []


def test_all_counties_are_listed() -> None:
    names = [row[0] for row in wordlists.read_rows(wordlists.DATA / "places.txt")]
    assert len([name for name in names if name.endswith("縣")]) == 13
    assert {"臺北市", "新北市", "桃園市", "臺中市", "臺南市", "高雄市", "基隆市", "新竹市", "嘉義市"} <= set(names)


# values of the kind in the words around them
IN_CONTEXT = [
    ("民權一路 12 號", "address", ["民權一路 12 號"]),
    ("我一路12號都沒停", "address", []),
    ("大安區和平東路二段 106 巷 3 弄 7 號 5 樓", "address", ["大安區和平東路二段 106 巷 3 弄 7 號 5 樓"]),
    ("這個套路2號很常見", "address", []),
    ("沿著濱海公路2號", "address", []),
]


@pytest.mark.parametrize(("text", "kind", "values"), IN_CONTEXT)
def test_in_context(text: str, kind: str, values: list[str]) -> None:
    assert [text[start:end] for found_kind, start, end in find(text) if found_kind == kind] == values
