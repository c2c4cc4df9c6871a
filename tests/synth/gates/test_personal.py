"""A private person's data is objected to, however it is written; what institutions publish and manuals print is not."""

from __future__ import annotations

import pytest

from synth.gates.objection import Texts
from synth.gates.personal import personal


def kind(answer: str, question: str = "請問？") -> str | None:
    found = personal(Texts([question], [answer], "", "", "knowledge"))
    return None if found is None else found.detail


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("我住台中市西屯區文心路二段 88 號 7 樓，歡迎來玩。", "address"),
        ("包裹請寄新北市板橋區文化路一段 120 號 5 樓，陳小姐收。", "address"),
        ("陳老師家電話 02-2938-1746，晚上打。", "landline"),
        ("號碼是零九三三，一二四，八七六，晚上再打。", "mobile"),
        ("身分證字號：B 1 2 2 3 4 5 6 7 2", "national_id"),
        ("寫信給我：amy.lin (at) gmail.com", "email"),
        ("可以匯到我玉山銀行的帳號 0288-9790-1234-5", "bank_account"),
        ("車牌 BKW-3721 是王先生的車，擋到出口了。", "licence_plate"),
        ("加我賴：happy_cat88", "line_id"),
        ("我朋友的護照 CHEN, MEI-LING，312456789", "passport"),
        ("請寄 No. 12, Ln. 33, Zhongxiao Rd., Banqiao Dist., Mr. Chen", "address"),
        ("連線來自 61.230.47.118。", "ip"),
    ],
)
def test_private(answer: str, expected: str) -> None:
    assert kind(answer) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "台大醫院在台北市中正區中山南路 7 號，總機 02-2312-3456。",
        "本店位於台中市西區公益路 68 號，訂位 04-2326-1234。",
        "市立動物園：台北市文山區新光路二段 30 號。",
        "測試卡號 4242 4242 4242 4242，不會扣款。",
        "寄到 user@example.com 試試。",
        "預設閘道是 192.168.1.1，文件用 203.0.113.7。",
        "格式像 09XX-XXX-XXX。",
        "今年是一九四五年，隔年是一九四六年，再隔三年。",
        "訂單編號 202411230045 已出貨。",
        "郵政劃撥帳號 19876543，戶名是某某協會。",
        "line_height 設成 1.5 就好。",
    ],
)
def test_public_or_for_tests(answer: str) -> None:
    assert kind(answer) is None
