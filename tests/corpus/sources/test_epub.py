"""EPUBs: the pages of the spine in order, what the book says of itself, and nothing that a hostile archive wants."""

from __future__ import annotations

import os
import random
import stat
import zipfile
from pathlib import Path

import pytest

from corpus.sources import epub
from corpus.sources.epub import Book, read_epub
from factory.records import Rejected
from tests.corpus.sources.epub_files import CONTAINER, METADATA, package, page, write_epub

PAGES = {
    "one.xhtml": page("<h1>第一章　渡船頭</h1><p>阿義每天傍晚都去點燈。</p>"),
    "two.xhtml": page("<h1>第二章　對岸</h1><p>對岸的人也看得見。</p>"),
}
TEXT = ["第一章　渡船頭", "阿義每天傍晚都去點燈。", "", "第二章　對岸", "對岸的人也看得見。"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "book.epub"


def read(path: str) -> tuple[Book | None, list[Rejected]]:
    items = list(read_epub(path))
    books = [item for item in items if isinstance(item, Book)]
    assert len(books) <= 1
    return next(iter(books), None), [item for item in items if isinstance(item, Rejected)]


def whole_fault(path: str) -> str:
    """The error of a book that is refused as a whole."""
    book, rejected = read(path)
    assert book is None and rejected[-1].locator == "file"
    return rejected[-1].error


def test_a_book(target: Path) -> None:
    book, rejected = read(write_epub(target, PAGES))
    assert not rejected and book is not None and book.lines == TEXT and (book.pages, book.unread_pages) == (2, 0)
    assert book.headings == {"第一章　渡船頭": 1, "第二章　對岸": 1}
    assert (book.title, book.creators, book.publisher) == ("渡船頭的燈", ["測試作者甲", "測試作者乙"], "測試出版社")
    assert (book.language, book.published, book.identifier) == ("zh-TW", "2021-05-06", "urn:isbn:9780000000002")


def test_the_spine_gives_the_order(target: Path) -> None:
    book, _ = read(write_epub(target, PAGES, opf=package(["two.xhtml", "one.xhtml"])))
    assert book is not None and book.lines == [*TEXT[3:], "", *TEXT[:2]]


def test_the_metadata_of_epub_2_and_of_several_titles(target: Path) -> None:
    metadata = (
        '<dc:title id="s">第三集</dc:title><dc:title id="m">潮汐表</dc:title><meta refines="#m" property="title-type">main</meta>'
        '<dc:date opf:event="modification">2024-01-01</dc:date><dc:date opf:event="publication">1998-07</dc:date>'
        '<dc:identifier id="x">u-1</dc:identifier><dc:identifier id="bid">u-2</dc:identifier>'
    )
    book, _ = read(write_epub(target, PAGES, opf=package(PAGES, metadata=metadata)))
    assert book is not None and (book.title, book.published, book.identifier) == ("潮汐表", "1998-07", "u-2")


def test_a_date_that_is_none_is_kept_as_stated(target: Path) -> None:
    book, _ = read(write_epub(target, PAGES, opf=package(PAGES, metadata="<dc:date>民國某年夏天</dc:date>")))
    assert book is not None and (book.title, book.published, book.published_stated) == (None, None, "民國某年夏天")


def test_navigation_covers_and_nonlinear_pages_are_left_out(target: Path) -> None:
    extra = {name: page("<p>不該出現</p>") for name in ("nav.xhtml", "answers.xhtml", "toc.html", "front.html", "cover.html")}
    items = (
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="ans" href="answers.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="toc" href="toc.html" media-type="text/html"/><item id="front" href="front.html" media-type="text/html"/>'
        '<item id="cover" href="cover.html" media-type="text/html"/>'
    )
    spine = '<itemref idref="nav"/><itemref idref="ans" linear="no"/><itemref idref="toc"/><itemref idref="front"/><itemref idref="cover"/>'
    guide = '<reference type="toc" href="toc.html"/><reference type="cover" href="front.html"/><reference type="cover" href="../../x"/>'
    book, rejected = read(write_epub(target, {**PAGES, **extra}, opf=package(PAGES, items, spine, guide)))
    assert not rejected and book is not None and book.lines == TEXT


def test_a_guide_that_points_into_the_text_leaves_nothing_out(target: Path) -> None:
    guide = (
        '<reference type="toc" href="one.xhtml#toc"/><reference type="cover" href="two.xhtml"/><reference type="text" href="two.xhtml"/>'
    )
    book, _ = read(write_epub(target, PAGES, opf=package(PAGES, guide=guide)))
    assert book is not None and book.lines == TEXT


def test_a_page_named_twice_is_read_once_and_pictures_are_no_pages(target: Path) -> None:
    items = '<item id="pic" href="a.png" media-type="image/png"/>'
    spine = '<itemref idref="i0"/><itemref idref="pic"/>'
    book, rejected = read(write_epub(target, PAGES, opf=package(PAGES, items, spine)))
    assert not rejected and book is not None and book.lines == TEXT


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bytes(range(128, 256)) * 50, "encoding"),
        ('<!DOCTYPE x [<!ENTITY a "哈">]><html><body><p>&a;</p></body></html>', "declares entities"),
        (b"", "no page"),
        (b"<p>" + b" " * (9 << 20), "the bound is"),
        ('<?xml version="1.0" encoding="zip"?><html/>', "unknown encoding"),
    ],
)
def test_a_bad_page_is_named_and_the_others_stand(target: Path, content: str | bytes, error: str) -> None:
    book, rejected = read(write_epub(target, {**PAGES, "bad.xhtml": content}))
    assert book is not None and book.lines == TEXT and book.unread_pages == 1
    assert [reject.locator for reject in rejected] == ["member OEBPS/bad.xhtml"] and error in rejected[0].error


def test_a_page_that_is_missing_is_named(target: Path) -> None:
    book, rejected = read(write_epub(target, PAGES, opf=package([*PAGES, "gone.xhtml"])))
    assert book is not None and book.lines == TEXT
    assert rejected[0].locator == "member OEBPS/gone.xhtml" and "no such member" in rejected[0].error


def test_a_damaged_page_is_named_and_the_others_stand(target: Path) -> None:
    path = Path(write_epub(target, PAGES))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("OEBPS/one.xhtml")
    start = info.header_offset + 30 + len(info.filename)
    content[start + 20 : start + 40] = bytes(20)
    path.write_bytes(content)
    book, rejected = read(str(path))
    assert book is not None and book.lines == TEXT[3:] and [reject.locator for reject in rejected] == ["member OEBPS/one.xhtml"]


def test_a_book_without_any_good_page_is_only_rejects(target: Path) -> None:
    book, rejected = read(write_epub(target, {"bad.xhtml": b""}))
    assert book is None and [reject.locator for reject in rejected] == ["member OEBPS/bad.xhtml"]


@pytest.mark.parametrize("name", ["../evil.xhtml", "/etc/evil.xhtml", "C:\\evil.xhtml", "a/../../evil.xhtml", "inner.zip", "a.tar.gz"])
def test_unsafe_members_are_named_and_never_written(target: Path, tmp_path: Path, name: str) -> None:
    path = write_epub(target, PAGES, [(name, page("<p>不該出現</p>"))])
    before = sorted(os.listdir(tmp_path))
    book, rejected = read(path)
    assert book is not None and book.lines == TEXT
    assert len(rejected) == 1 and rejected[0].locator.startswith("member ") and sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize(
    "href",
    ["../../evil.xhtml", "%2e%2e/%2e%2e/evil.xhtml", "..%2f..%2fevil.xhtml", "/evil.xhtml", "%2Fevil.xhtml", "file:///etc/passwd",
     "http://a.example/x.xhtml", "//a.example/x.xhtml", "..\\..\\evil.xhtml", "C:/evil.xhtml", "a%00b.xhtml", "http://[x/y"],
)  # fmt: skip
def test_references_that_lead_out_are_refused(target: Path, href: str) -> None:
    book, rejected = read(write_epub(target, PAGES, [("evil.xhtml", page("<p>不該出現</p>"))], opf=package([href, *PAGES])))
    assert book is not None and book.lines == TEXT
    assert [reject.error.endswith("leads out of the archive") for reject in rejected] == [True]
    assert "leads out" in whole_fault(write_epub(target, PAGES, container=CONTAINER.format(href)))


def test_a_reference_that_stays_inside_is_followed(target: Path) -> None:
    members = [("Text/第一頁 a.xhtml", page("<p>在裡面。</p>"))]
    book, rejected = read(write_epub(target, {}, members, opf=package(["../Text/%E7%AC%AC%E4%B8%80%E9%A0%81%20a.xhtml#top"])))
    assert not rejected and book is not None and book.lines == ["在裡面。"]


def test_links_are_refused(target: Path) -> None:
    info = zipfile.ZipInfo("OEBPS/link.xhtml")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    book, rejected = read(write_epub(target, PAGES, [(info, "/etc/passwd")], opf=package([*PAGES, "link.xhtml"])))
    assert book is not None and book.lines == TEXT and {"symbolic link" in reject.error for reject in rejected} == {True}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_members_are_refused(target: Path) -> None:
    members = [("OEBPS/two.xhtml", page("<p>另一個版本</p>"))] * 2
    book, rejected = read(write_epub(target, PAGES, members))
    assert book is not None and book.lines == TEXT[:2]
    assert [reject.locator for reject in rejected] == ["member OEBPS/two.xhtml"] * 2 and "twice" in rejected[0].error
    assert "twice" in whole_fault(write_epub(target, PAGES, [("META-INF/container.xml", "<x/>")]))


ENCRYPTION = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">'
    '<enc:EncryptedData><enc:EncryptionMethod Algorithm="{}"/><enc:CipherData><enc:CipherReference URI="{}"/></enc:CipherData>'
    "</enc:EncryptedData></encryption>"
)


def test_encrypted_books_are_refused_and_obfuscated_fonts_are_fine(target: Path) -> None:
    aes, font = "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding"
    for algorithm, uri, refused in [
        (aes, "OEBPS/one.xhtml", True),
        (aes, "OEBPS/else", True),
        (font, "OEBPS/one.xhtml", True),
        (font, "OEBPS/f.otf", False),
    ]:
        path = write_epub(target, PAGES, [("META-INF/encryption.xml", ENCRYPTION.format(algorithm, uri))])
        if refused:
            assert whole_fault(path).startswith("encrypted (DRM)")
        else:
            assert read(path)[1] == []


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"container": ""}, "no EPUB: no such member in the archive: META-INF/container.xml"),
        ({"container": "<container/>"}, "names no package document"),
        ({"container": "<container"}, "not well-formed"),
        ({"opf": ""}, "no such member"),
        ({"opf": "<package/>"}, "no spine"),
        ({"opf": package([])}, "no spine"),
        ({"opf": '<!DOCTYPE x [<!ENTITY a "b">]><package/>'}, "declares entities"),
        ({"mimetype": "application/zip"}, "mimetype is 'application/zip'"),
    ],
)
def test_what_is_no_book_is_one_reject(target: Path, changes: dict[str, str], error: str) -> None:
    assert error in whole_fault(write_epub(target, PAGES, **changes))


def test_a_mimetype_may_be_missing(target: Path) -> None:
    assert read(write_epub(target, PAGES, mimetype=""))[1] == []


def test_a_hundred_thousand_pages_are_refused(target: Path) -> None:
    opf = package(["one.xhtml"], extra_spine='<itemref idref="i0"/>' * 100_000)
    assert "the spine has 100001 pages" in whole_fault(write_epub(target, PAGES, opf=opf))


def test_fallbacks_in_a_circle_are_refused_and_others_are_followed(target: Path) -> None:
    items = (
        '<item id="a" href="a.pdf" media-type="application/pdf" fallback="b"/><item id="b" href="b.pdf" media-type="application/pdf" '
        'fallback="a"/><item id="c" href="c.pdf" media-type="application/pdf" fallback="i1"/><item id="d" href="d.pdf" media-type="x/y"/>'
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in ["c", "a", "d", "none"])
    opf = package(PAGES, items).replace('<itemref idref="i1"/>', spine)
    book, rejected = read(write_epub(target, PAGES, opf=opf))
    assert book is not None and book.lines == TEXT
    assert [reject.locator for reject in rejected] == ["member a.pdf", "member d.pdf", "member (spine) none"]
    assert "circle" in rejected[0].error and "media type 'x/y'" in rejected[1].error


def test_a_bomb_is_refused_before_it_is_read(target: Path) -> None:
    bomb = b"<p>" + b" " * (65 << 20)
    book, rejected = read(write_epub(target, {**PAGES, "bomb.xhtml": bomb}))
    assert target.stat().st_size < 1 << 20
    assert book is not None and book.lines == TEXT and "the bound is" in rejected[0].error


def test_a_book_of_too_many_bytes_stops_at_the_bound(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epub, "MAX_BOOK_BYTES", len(PAGES["one.xhtml"].encode()) + 10)
    book, rejected = read(write_epub(target, PAGES))
    assert book is not None and book.lines == TEXT[:2] and "exceed" in rejected[0].error


def test_a_table_of_members_that_is_too_large_is_refused(target: Path) -> None:
    members = [(f"OEBPS/{'x' * 4000}{number}", b"") for number in range(1100)]
    assert "table of members is over" in whole_fault(write_epub(target, PAGES, members))


def test_other_compression_is_refused(target: Path) -> None:
    write_epub(target, PAGES, opf=package([*PAGES, "three.xhtml"]))
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("OEBPS/three.xhtml", page("<p>丙</p>"), zipfile.ZIP_LZMA)
    book, rejected = read(str(target))
    assert book is not None and book.lines == TEXT and {"compression method 14" in reject.error for reject in rejected} == {True}


@pytest.mark.parametrize("keep", [0, 1, 100, -30])
def test_a_truncated_archive_is_one_reject(target: Path, keep: int) -> None:
    path = Path(write_epub(target, PAGES))
    path.write_bytes(path.read_bytes()[:keep])
    assert whole_fault(str(path))


def test_damage_anywhere_never_raises(target: Path) -> None:
    whole = Path(write_epub(target, PAGES)).read_bytes()
    chance = random.Random(20261123)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        target.write_bytes(content)
        items = list(read_epub(str(target)))
        assert items and all(isinstance(item, Book | Rejected) for item in items)


def test_metadata_of_the_fixture_is_read_without_a_network(target: Path) -> None:
    opf = '<!DOCTYPE package SYSTEM "http://127.0.0.1:9/x.dtd">' + package(PAGES, metadata=METADATA.replace("燈<", "燈&nbsp;&copy;<"))
    book, _ = read(write_epub(target, PAGES, opf=opf.replace('<?xml version="1.0"?>', "")))
    assert book is not None and book.title == "渡船頭的燈 ©"
