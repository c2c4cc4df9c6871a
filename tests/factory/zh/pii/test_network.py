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
        ("連到 140.112.8.116:8080 看看", "ip", "140.112.8.116:8080"),
        ("DNS 設 8.8.8.8", "ip", "8.8.8.8"),
        ("IPv6 是 2001:b000:168::1", "ip", "2001:b000:168::1"),
        ("連到 [2001:b000:168::1]:443", "ip", "[2001:b000:168::1]:443"),
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
