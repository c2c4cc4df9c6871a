"""Pages of books: what a reader would read stays, in order; what only the layout needs goes; hostile markup expands nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.chapter import parse_xml, read_chapter
from corpus.sources.inputs import InputError
from tests.corpus.sources.epub_files import page


def lines(body: str) -> list[str]:
    return read_chapter(page(body).encode()).lines


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>第一章<br/>起風</h1><p>　　天亮了。</p>", ["第一章 起風", "天亮了。"]),
        ("<p>甲<br/>乙</p>", ["甲", "乙"]),
        ("<div>甲<p>乙</p>丙</div>", ["甲", "乙", "丙"]),
        ("<p><ruby>\n 燈 <rp>(</rp><rt>ㄉㄥ</rt><rp>)</rp>塔<rt>ㄊㄚˇ</rt>\n</ruby>亮了</p>", ["燈塔亮了"]),
        ("<p>她站在渡船頭，\n  看著遠方。</p>", ["她站在渡船頭，看著遠方。"]),
        ("<p>read\n the  book</p>", ["read the book"]),
        ("<p>甲&nbsp;乙&mdash;&hellip;&amp;&lt;b&gt;</p>", ["甲 乙—…&<b>"]),
        ('<p>甲<img src="a.png" alt="船"/>乙<svg xmlns="http://www.w3.org/2000/svg"><text>圖</text></svg>丙</p>', ["甲乙丙"]),
        ("<script>var a = 1;</script><style>p {}</style><p>甲</p>", ["甲"]),
        ('<p>甲<span epub:type="pagebreak">12</span>乙</p>', ["甲乙"]),
        ('<nav epub:type="toc"><ol><li>第一章</li></ol></nav><p>甲</p>', ["甲"]),
        ('<section epub:type="cover"><p>封面</p></section><p>甲</p>', ["甲"]),
        ("<table><tr><td>年</td><td><p>事</p></td></tr></table>", ["年", "事"]),
        ("<table><tr><th>年</th><td>一</td></tr><tr><th>月</th><td>二</td></tr></table>", ["年\t一", "月\t二"]),
        ("<pre>一行\n  二行</pre>", ["一行", "二行"]),
        ('<p style="display: none">看不見</p><p hidden="">也是</p><p>看得見</p>', ["看得見"]),
        ("<!-- 註 --><p>甲<!-- 乙 -->丙</p>", ["甲丙"]),
    ],
)
def test_a_page_as_lines(body: str, expected: list[str]) -> None:
    assert lines(body) == expected


def test_notes_stand_at_the_end_of_their_chapter() -> None:
    body = (
        '<p>渡輪<a epub:type="noteref" href="#n1"><sup>1</sup></a>靠岸。</p>'
        '<aside epub:type="footnote" id="n1" hidden=""><p>1 往返兩岸的船。<a role="doc-backlink" href="#r">↩</a></p></aside>'
        '<p>人群散去。</p><ol class="footnotes"><li>另一則註。</li></ol><p>燈滅了。</p>'
    )
    assert lines(body) == ["渡輪[1]靠岸。", "人群散去。", "燈滅了。", "1 往返兩岸的船。", "另一則註。"]


def test_headings_carry_their_level() -> None:
    chapter = read_chapter(page("<h1>上卷</h1><h2>第一章</h2><p>甲</p>", "").encode())
    assert chapter.headings == {"上卷": 1, "第一章": 2}


def test_what_the_body_says_it_is() -> None:
    assert read_chapter(page("<p>甲</p>").replace("<body>", '<body epub:type="cover">').encode()).types == {"cover"}


@pytest.mark.parametrize(
    "content",
    [
        "<html><body><p>甲<b>乙</p><p>丙<br>丁</body>",
        '<html><body><p epub:type="x">甲乙</p><p>丙</p><p>丁</p></body></html>',
        "<html><head><title/><script/></head><body><a id='x'/><p>甲乙<p>丙<p>丁</body></html>",
        "<html><body><p>甲\x01乙</p><p>丙</p><p>丁</p></body></html>",
    ],
)
def test_a_page_that_is_not_well_formed_is_read_as_html(content: str) -> None:
    assert read_chapter(content.encode()).lines == ["甲乙", "丙", "丁"]


def test_an_entity_of_nobody_stays_as_it_is_written() -> None:
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">'
    assert read_chapter(f"{doctype}<html><body><p>甲&foo;乙&nbsp;丙</p></body></html>".encode()).lines == ["甲&foo;乙 丙"]


LAUGHS = '<!DOCTYPE html [<!ENTITY a "哈哈哈哈">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    "doctype",
    [LAUGHS, '<!DOCTYPE html [<!ENTITY j SYSTEM "file:///etc/passwd">]>', '<!doctype html [<!entity % p SYSTEM "http://x/">%p;]>'],
)
def test_declared_entities_are_refused(doctype: str) -> None:
    content = f"{doctype}<html><body><p>甲&j;乙</p></body></html>".encode()
    for read in (parse_xml, read_chapter):
        with pytest.raises(InputError, match="declares entities"):
            read(content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "big5"])
def test_encodings(encoding: str) -> None:
    content = (
        f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><html><body><p>渡船頭的燈還亮著，她沒有回頭。</p></body></html>'
    )
    assert read_chapter(content.encode(encoding)).lines == ["渡船頭的燈還亮著，她沒有回頭。"]


@pytest.mark.parametrize("encoding", ["zip", "unicode_escape", "idna", "no-such"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(InputError, match="unknown encoding"):
        read_chapter(f'<?xml version="1.0" encoding="{encoding}"?><html/>'.encode())


@pytest.mark.parametrize(
    "unit", ["<b>", "<p>", "<ruby>", "&", "<", "<!--", "<p/>", "<title ", "</p>", "&nbsp;", "<aside class='footnote'>"]
)
def test_hostile_runs_are_read_in_time(unit: str) -> None:
    try:
        chapter = read_chapter(f"<html><body><p>甲</p>{unit * 20_000}".encode())
    except InputError:
        return
    assert sum(map(len, chapter.lines)) <= 200_000


def test_a_tag_of_many_attributes_is_read_in_time() -> None:
    attributes = " ".join(f"a{number}=''" for number in range(300_000))
    for end in ("", "</body></html>"):  # as HTML and as XML
        assert read_chapter(f"<html><body><p {attributes}>甲</p>{end}".encode()).lines == ["甲"]


def test_what_html_says_of_an_element_is_heard() -> None:
    content = """<html><body><p class='x'>甲<aside class="footnote" id="n">乙</aside><span epub:type='pagebreak'>3</span><b>丙"""
    assert read_chapter(content.encode()).lines == ["甲", "丙", "乙"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["<p>", "</p>", "<ruby>", "<rt>", "</rt>", "</ruby>", "甲", "<td>", "&lt;", "<pre>", "<br/>", "\n", "<nav>"]))
)
def test_any_soup_gives_lines_without_breaks(pieces: list[str]) -> None:
    try:
        chapter = read_chapter(f"<html><body>{''.join(pieces)}</body></html>".encode())
    except InputError:
        return
    assert all(line.strip() == line and line and not set(line) & set("\n\x1e\x1f") for line in chapter.lines)
