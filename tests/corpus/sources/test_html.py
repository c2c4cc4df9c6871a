"""Extraction: text, title, date and address of ordinary pages, and pages built to stop a parser."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.html import EXTRACTORS, declared_charset, extract, looks_like_html, plain_text
from corpus.sources.inputs import InputError

MAX_SECONDS = 15.0  # for one hostile page on a loaded machine; without the bounds they take minutes to hours
STORY = [
    "老街的雜貨店要收了，老闆把玻璃罐裡剩下的彈珠和沙士糖分給附近的孩子，說帶回家慢慢吃。",
    "隔壁理髮廳的阿姨說，她從嫁過來就在這裡買醬油，算一算也有四十年，以後不知道要去哪裡賒帳。",
    "鎮公所打算把屋子修好，改成放老照片的地方，不過老闆只問了一句，門口那張長板凳可不可以留著。",
]
PAGE = f"""<!DOCTYPE html><html lang="zh-TW"><head><meta charset="utf-8">
<title> 老街的
 雜貨店 </title>
<link rel="canonical" href="https://town.example/news/1">
<meta property="article:published_time" content="2023-11-05T08:00:00+08:00">
<meta name="robots" content="noai"></head><body>
<header><nav><ul><li><a href="/">首頁</a></li><li><a href="/about">關於我們</a></li></ul></nav></header>
<main><article><h1>老街的雜貨店</h1>{"".join(f"<p>{paragraph}</p>" for paragraph in STORY)}</article></main>
<div class="relatedPosts"><a href="/2">你可能也想看：廟口的麵攤</a></div><script>var a = "不是內文";</script>
<footer>版權所有</footer></body></html>"""


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_an_ordinary_page(extractor: str) -> None:
    page = extract(PAGE, extractor)  # type: ignore[arg-type]
    lines = page.text.split("\n")
    assert [line for line in lines if line in STORY] == STORY
    for furniture in ("關於我們", "不是內文", "廟口的麵攤", "版權所有"):
        assert furniture not in page.text
    assert page.title == "老街的 雜貨店"
    assert (page.published, page.url) == ("2023-11-05T08:00:00+08:00", "https://town.example/news/1")
    assert ("robots", "noai") in page.metas


@pytest.mark.parametrize(
    ("head", "published", "stated"),
    [
        ('<script type="application/ld+json">{"@type":"NewsArticle","datePublished":"2022-02-03"}</script>', "2022-02-03", None),
        ('<meta itemprop="datePublished" content="2022-02-03 10:00">', "2022-02-03T10:00:00", None),
        ('<meta name="pubdate" content="很久以前">', None, "很久以前"),
        ('<meta name="pubdate" content="很久以前"><meta name="date" content="2020-01-02">', "2020-01-02", None),
        ('<meta name="date">', None, None),
        ("", None, None),
    ],
)
def test_dates(head: str, published: str | None, stated: str | None) -> None:
    page = extract(f"<html><head>{head}</head><body><p>{STORY[0]}</p></body></html>", "resiliparse")
    assert (page.published, page.published_stated) == (published, stated)


@pytest.mark.parametrize(
    ("head", "url"),
    [
        ('<meta property="og:url" content="https://town.example/2">', "https://town.example/2"),
        ('<link rel="canonical" href="/relative"><meta property="og:url" content="https://town.example/2">', "https://town.example/2"),
        ('<link rel="canonical" href="javascript:alert(1)">', None),
        ('<link rel="canonical" href="https://">', None),
        ('<link rel="stylesheet" href="https://town.example/a.css">', None),
    ],
)
def test_stated_addresses(head: str, url: str | None) -> None:
    assert extract(f"<html><head>{head}</head><body><p>{STORY[0]}</p></body></html>", "resiliparse").url == url


def test_a_page_whose_wrapper_looks_like_furniture_keeps_its_text() -> None:
    page = extract(f'<html><body><div class="modal-page">{"".join(f"<p>{text}</p>" for text in STORY)}</div></body></html>', "resiliparse")
    assert page.text.split("\n") == STORY


def test_a_page_inside_a_form_keeps_its_text() -> None:
    page = extract(f'<html><body><form id="aspnetForm"><div><p>{STORY[0]}</p></div></form></body></html>', "resiliparse")
    assert page.text == STORY[0]


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("html", ["", " ", "<html></html>", "<script>1</script>", "<!-- only a comment", "\0\0"])
def test_nothing_to_extract_is_said(html: str, extractor: str) -> None:
    with pytest.raises(InputError, match="no text could be extracted"):
        extract(html, extractor)  # type: ignore[arg-type]


BODY = "<p>" + "</p><p>".join(STORY) + "</p>"
HOSTILE = {
    "100,000 open divs": ("<div>" * 100_000 + BODY, "nested over 512 deep|tags"),
    "100,000 closed divs": ("<div>" * 100_000 + BODY + "</div>" * 100_000, "nested over 512 deep|tags"),
    "tables in tables": ("<table><tr><td>" * 2_000 + BODY, "nested over 512 deep|tags"),
    "lists in lists": ("<ul><li>" * 5_000 + BODY, "nested over 512 deep|tags"),
    "unknown elements": ("<x-a>" * 20_000 + BODY, "nested over 512 deep|tags"),
    "100,000 attributes": (BODY + "<p " + " ".join(f"a{number}=1" for number in range(100_000)) + ">", "attributes"),
    "100,000 quoted attributes": (BODY + "<p " + " ".join(f"a{number}='<p>'" for number in range(100_000)) + ">", "attributes"),
    "3,000,000 tags": (BODY + "<p>茶" * 3_000_000, "tags"),
    "an attribute of 10 MB": (BODY + '<p title="' + "a" * 10_000_000 + '">', None),
    "an open comment": (BODY + "<!--" + "x" * 5_000_000, None),
    "an open attribute": (BODY + '<p title="' + "x" * 5_000_000, None),
    "an open script": (BODY + "<script>" + "x <p " * 40_000, None),
    "unclosed fonts": (BODY + "<p><font color=red>茶" * 5_000, None),
    "unclosed links": (BODY + "<a href=x>茶" * 20_000, None),
    "a line of 5 MB": (BODY + "<p>" + "茶" * 1_700_000, None),
    "ampersands": (BODY + "&" * 2_000_000, None),
}


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_end_in_bounded_time(name: str, extractor: str) -> None:
    html, error = HOSTILE[name]
    started = time.monotonic()
    if error:
        with pytest.raises(InputError, match=error):
            extract(html, extractor)  # type: ignore[arg-type]
    else:
        try:
            assert STORY[0] in extract(html, extractor).text  # type: ignore[arg-type]
        except InputError as refused:
            assert extractor == "trafilatura", refused
    assert time.monotonic() - started < MAX_SECONDS


def test_many_unclosed_paragraphs_are_not_deep() -> None:
    assert extract("<p>茶水" * 5_000, "resiliparse").text.count("茶水") == 5_000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*"<>/=\"'! -ap茶&;\0", "<p>", "</p>", "<div ", "<!--", "<script>", "<table>"]), max_size=200))
def test_no_page_raises_anything_else(pieces: list[str]) -> None:
    for extractor in EXTRACTORS:
        with contextlib.suppress(InputError):
            extract("".join(pieces), extractor)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        (b'<meta charset="Big5">', "Big5"),
        (b"<META HTTP-EQUIV=Content-Type CONTENT='text/html; charset=big5-hkscs'>", "big5-hkscs"),
        (b'<?xml version="1.0" encoding="GB2312"?>', "GB2312"),
        (b"<meta name=x>charset=big5", None),
        (b"<html>", None),
        (b" " * 5000 + b'<meta charset="Big5">', None),
    ],
)
def test_declared_encodings(content: bytes, declared: str | None) -> None:
    assert declared_charset(content) == declared


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html>", b"\xef\xbb\xbf <HTML>", b"<?xml version='1.0'?><html>", b"<!-- a --><head>", b"<p>x"]
)
def test_what_begins_as_html(content: bytes) -> None:
    assert looks_like_html(content)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4", b"{}", b"plain", b"<?xml version='1.0'?><rss>", b"\x89PNG"])
def test_what_does_not(content: bytes) -> None:
    assert not looks_like_html(content)


def test_plain_text() -> None:
    assert plain_text("\r\n一行  \r\n\r\n  兩行\0\r\n") == "一行\n\n  兩行"
    with pytest.raises(InputError, match="no text"):
        plain_text(" \r\n\0")


@pytest.mark.parametrize(("extractor", "least"), [("resiliparse", 0.97), ("trafilatura", 0.97)])
def test_real_pages_give_the_hand_separated_text(extractor: str, least: float, pages: list[tuple[str, str]]) -> None:
    from collections import Counter

    scores = []
    for html, gold in pages:
        made, wanted = (Counter("".join(text.split())) for text in (extract(html, extractor).text, gold))  # type: ignore[arg-type]
        scores.append(2 * (made & wanted).total() / (made.total() + wanted.total()))
    assert sum(scores) / len(scores) >= least


@pytest.fixture(scope="module")
def pages(twllm_data: Path) -> list[tuple[str, str]]:
    """Twenty saved pages and their hand-separated texts."""
    import io
    import tarfile

    import zstandard

    with (twllm_data / "html/appledaily_gold.tar.zst").open("rb") as raw:
        data = zstandard.ZstdDecompressor().stream_reader(raw).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        contents = {name: stream.read().decode("utf-8", "replace") for name, stream in files.items() if stream}
    names = sorted(name for name in contents if name.endswith(".htm"))[::10]
    return [(contents[name], contents[name.removesuffix("htm") + "txt"]) for name in names]
