"""Blocklists: every layout, one spelling for each host, and borders that neither labels nor paths blur."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.blocklist import Blocklist, list_paths, normal_host
from factory.errors import UserError

Write = Callable[[str, bytes | str], str]


@pytest.fixture
def blocklist(write: Write) -> Blocklist:
    lines = """# a list
example.com
EXAMPLE.net.   # upper case, a final dot
中文網站.tw
xn--fiq228c.com
*.star.example
.dot.example
under_score.example
192.0.2.7
[2001:DB8::1]
https://paths.example/bad/folder/
paths.example/query?id=7
paths.example/中文/頁
http://user@port.example:8080/
"""
    return Blocklist.load([write("list.txt", lines)])


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://example.com/", "example.com"),
        ("https://example.com", "example.com"),
        ("http://EXAMPLE.COM./x", "example.com"),
        ("http://a.b.example.com:8080/x", "example.com"),
        ("http://user:word@example.com/", "example.com"),
        ("example.com/x", "example.com"),
        ("//example.com/x", "example.com"),
        ("http://ｅｘａｍｐｌｅ.com/", "example.com"),
        ("http://notexample.com/", None),
        ("http://example.com.tw/", None),
        ("http://example.co/", None),
        ("http://example.org/example.com", None),
        ("http://example.org/?u=example.com", None),
        ("http://example.com@other.org/", None),
        ("https://example.net/", "example.net"),
        ("https://中文網站.tw/首頁", "xn--fiq228c37oktc.tw"),
        ("https://XN--fiq228c37oktc.TW/", "xn--fiq228c37oktc.tw"),
        ("https://www.中文.com/", "xn--fiq228c.com"),
        ("https://中文。com/", "xn--fiq228c.com"),
        ("https://x.star.example/", "star.example"),
        ("https://x.dot.example/", "dot.example"),
        ("https://under_score.example/", "under_score.example"),
        ("http://192.0.2.7/x", "192.0.2.7"),
        ("http://3221225991/", "192.0.2.7"),
        ("http://0xc0.0.2.7/", "192.0.2.7"),
        ("http://1.192.0.2.7/", None),
        ("http://192.0.2.70/", None),
        ("http://[2001:db8:0::1]:80/", "2001:db8::1"),
        ("http://[2001:db8::2]/", None),
        ("https://paths.example/bad/folder", "paths.example/bad/folder"),
        ("https://www.paths.example/bad//folder/page.html?x=1", "paths.example/bad/folder"),
        ("https://paths.example/bad/folders", None),
        ("https://paths.example/bad", None),
        ("https://paths.example/", None),
        ("https://paths.example/query?id=7", "paths.example/query?id=7"),
        ("https://paths.example/query?id=70", None),
        ("https://paths.example/%E4%B8%AD%E6%96%87/%E9%A0%81/1", "paths.example/中文/頁"),
        ("http://port.example/", "port.example"),
        ("", None),
        ("http://", None),
        ("http://[bad/", None),
        ("mailto:someone@example.com", "example.com"),
        ("com", None),
    ],
)
def test_matching(blocklist: Blocklist, url: str, entry: str | None) -> None:
    assert blocklist.match(url) == entry


def test_hosts_files(write: Write) -> None:
    lines = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n0.0.0.0 0.0.0.0\n0.0.0.0 one.example two.example # both\n::1 three.example\n"
    found = Blocklist.load([write("hosts", lines)])
    assert found.entries == {"one.example", "two.example", "three.example"} and found.bad_lines == 0
    assert not found.match("http://localhost/") and not found.match("http://127.0.0.1/")


def test_a_ut1_folder_reads_its_two_files_only(write: Write, tmp_path: Path) -> None:
    for name, content in {
        "ut1/adult/domains": "one.example\n", "ut1/adult/urls": "two.example/a\n", "ut1/adult/expressions": "(a|b).*c\n",
        "ut1/adult/usage": "black\n", "ut1/games/domains": "three.example\n192.0.2.1\n", "ut1/games/urls": "", "ut1/README": "Read me.\n",
    }.items():  # fmt: skip
        write(name, content)
    found = Blocklist.load([str(tmp_path / "ut1")])
    assert found.entries == {"one.example", "two.example/a", "three.example", "192.0.2.1"}
    assert [Path(path).name for path in list_paths([str(tmp_path / "ut1")])] == ["domains", "urls", "domains", "urls"]


def test_bad_lines_are_counted(write: Write) -> None:
    content = b"one.example\ntwo.example\nthree.example\nfour.example\nno domain\ncom\n\xff\xfe.example\n" + b"x" * 20_000 + b".example\n"
    found = Blocklist.load([write("list.txt", content)])
    assert found.entries == {"one.example", "two.example", "three.example", "four.example"} and found.bad_lines == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html><body>\n<p>not found</p>\n</body></html>\n", "it is no list"),
        ("這是一篇文章，\n不是清單。\n", "it is no list"),
        (b"\x00\x01\x02\n\x03" * 50, "it is no list"),
        ("", "no entry"),
        ("# only a comment\n", "no entry"),
    ],
)
def test_a_file_that_is_no_list_is_said(write: Write, content: bytes | str, message: str) -> None:
    path = write("list.txt", content)
    with pytest.raises(UserError, match=message) as caught:
        Blocklist.load([path])
    assert path in str(caught.value)


def test_a_path_without_files_and_a_damaged_file(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UserError, match="matches no file"):
        Blocklist.load([str(tmp_path / "none.txt")])
    path = Path(write("list.txt.gz", "one.example\n" * 1000))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="cannot be read"):
        Blocklist.load([str(path)])


def test_a_list_is_loaded_once_until_it_changes(write: Write) -> None:
    path = write("list.txt", "one.example\n")
    first = Blocklist.load_once([path])
    assert Blocklist.load_once([path]) is first
    write("list.txt", "two.example\nthree.example\n")
    assert Blocklist.load_once([path]).entries == {"two.example", "three.example"}
    assert Blocklist.load_once([]).match("http://two.example/") is None


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)


@given(st.lists(LABEL, min_size=1, max_size=3), st.lists(LABEL, max_size=3), LABEL)
def test_subdomains_match_and_longer_names_do_not(labels: list[str], above: list[str], prefix: str) -> None:
    listed = ".".join([*labels, "example"])
    blocklist = Blocklist({listed})
    assert blocklist.match(f"https://{'.'.join([*above, listed])}/x") == listed
    assert blocklist.match(f"https://{prefix}{listed}/x") is None
    assert blocklist.match(f"https://{listed}{prefix}/x") is None


@given(st.text(max_size=60))
def test_no_host_or_address_raises(text: str) -> None:
    normal_host(text)
    Blocklist({"example.com", "example.com/a"}, has_paths=True).match(text)
    Blocklist({"example.com", "example.com/a"}, has_paths=True).match(f"http://{text}")


def test_real_lists(twllm_data: Path) -> None:
    paths = [str(path) for path in sorted((twllm_data / "terms").glob("cft_blocklist-hosts__*.txt"))]
    found = Blocklist.load(paths)
    assert len(paths) == 2 and len(found.entries) > 40_000 and found.bad_lines < 20
    for entry in sorted(found.entries)[::500]:
        assert found.match(f"https://www.{entry}/a?b=c") is not None
    for url in ("https://www.example.com/", "https://law.moj.gov.tw/", "https://www.ptt.cc/bbs/index.html"):
        assert found.match(url) is None
