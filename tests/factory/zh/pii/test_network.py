"""Mail, public IP addresses, LINE IDs."""

from __future__ import annotations

import pytest

from factory.zh.pii import find


def found(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for kind, start, end in find(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("寄到a.b+c@mail.example.com.tw。", "email", "a.b+c@mail.example.com.tw"),
        ("信箱：ming＠example.tw", "email", "ming＠example.tw"),
        ("mailto:x@example.com.", "email", "x@example.com"),
        ("0912345678@example.com", "email", "0912345678@example.com"),
        ("來自: 140.112.8.116 (臺灣)", "ip", "140.112.8.116"),
        ("連到 140.112.8.116:8080 看看", "ip", "140.112.8.116"),
        ("DNS 設 8.8.8.8", "ip", "8.8.8.8"),
        ("IPv6 是 2001:b000:168::1", "ip", "2001:b000:168::1"),
        ("連到 [2001:b000:168::1]:443", "ip", "2001:b000:168::1"),
        ("LINE ID：wang_88", "line_id", "wang_88"),
        ("我的賴ID: ming.li", "line_id", "ming.li"),
        ("加賴 xyz789", "line_id", "xyz789"),
        ("加 LINE taiwan123", "line_id", "taiwan123"),
        ("Line：wang-88", "line_id", "wang-88"),
        ("官方 LINE帳號：@shop88", "line_id", "@shop88"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "@example.com", "x@example", "推 x@@example.com", "@user@mastodon.social", "user@host:~$ ls", "root@192.168.1.1",
        "@app.route('/')", "icon@2x.png", "蘋果@100",
        "vue@3.4.21", "https://user:pass@host.example/", "git@github.com:user/repo", "192.168.0.1", "10.1.2.3", "127.0.0.1",
        "203.0.113.7", "224.0.0.1", "v1.2.3.4",
        "版本 10.0.19.1", "第 3.2.1.4 節", "2024.1.2.3", "300.112.8.1", "140.112.8.1.5", "2001:db8::1", "fe80::1", "12:30:45",
        "LINE Pay", "加入 LINE 群組",
        "LINE TODAY", "加 LINE Pay", "online: abc123", "on line: abc123", "IG：abc123", "LINE：https://line.me/abc",
        "line = reader.readLine()", "賴：Facebook 上看到的",
    ],
)  # fmt: skip
def test_not_found(text: str) -> None:
    assert found(text) == []


# values of the kind in the words around them
IN_CONTEXT = [
    ("我有加她賴，帳號 mei_0304", "line_id", ["mei_0304"]),
    ("mei-0304 是我的 LINE 帳號", "line_id", ["mei-0304"]),
    ("要估價加line mei0304", "line_id", ["mei0304"]),
    ("我的 LINE ID 為「mei_0304」或「mei0305」", "line_id", ["mei_0304", "mei0305"]),
    ("他問了我的 LINE，我回 mei_0304，然後就沒然後了", "line_id", ["mei_0304"]),
    ("LINE ID -> mei.tw", "line_id", ["mei.tw"]),
    ("賴ID 打 mei_0304 就找得到", "line_id", ["mei_0304"]),
    ("不要加 LINE，用 mei_0304 找我的 IG", "line_id", []),
    ("已加 LINE，臉書是 mei_0304", "line_id", []),
    ("從 ([77.83.36.19]) 連進來", "ip", ["77.83.36.19"]),
    ("位址:2001:b000:168::1 斷線", "ip", ["2001:b000:168::1"]),
    ("第 1.2.3.4 節", "ip", []),
    ("kubelet@node1.service 掛了", "email", []),
    ("break@outer.loop", "email", []),
    ("寄 a@b.com(記得附檔)", "email", ["a@b.com"]),
    ("寄到 ming@example.studio", "email", ["ming@example.studio"]),
]


@pytest.mark.parametrize(("text", "kind", "values"), IN_CONTEXT)
def test_in_context(text: str, kind: str, values: list[str]) -> None:
    assert [text[start:end] for found_kind, start, end in find(text) if found_kind == kind] == values
