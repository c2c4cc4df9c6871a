"""Dumps of Wikipedia and rows of its plain text: documents, what is no article, and files that mean harm."""

from __future__ import annotations

import bz2
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.sources import wikipedia
from factory.records import Document, License, Rejected

Read = Callable[..., tuple[list[Document], list[Rejected]]]
Write = Callable[[str, bytes | str], str]

PAGES = Path(__file__).with_name("wikipedia")
SITE = """<siteinfo><sitename>Wikipedia</sitename><dbname>zhwiki</dbname><base>https://zh.wikipedia.org/wiki/Wikipedia:%E9%A6%96%E9%A1%B5</base>
<namespaces><namespace key="0" case="first-letter" /><namespace key="6" case="first-letter">Bunken</namespace></namespaces></siteinfo>"""


def page(number: int, title: str, text: str, ns: int = 0, extra: str = "", model: str = "wikitext") -> str:
    return (
        f"<page><title>{escape(title)}</title><ns>{ns}</ns><id>{number}</id>{extra}<revision><id>{number}00</id><parentid>7</parentid>"
        f"<timestamp>2024-05-0{number % 9 + 1}T12:34:56Z</timestamp><contributor><username>某人</username><id>99</id></contributor>"
        f"<comment>改</comment><origin>1</origin><model>{model}</model><format>text/x-wiki</format>"
        f'<text bytes="9" sha1="x" xml:space="preserve">{escape(text)}</text><sha1>x</sha1></revision></page>'
    )


def dump(*pages: str, site: str = SITE, end: str = "</mediawiki>", version: str = "0.11") -> str:
    namespace = f"http://www.mediawiki.org/xml/export-{version}/"
    return f'<mediawiki xmlns="{namespace}" version="{version}" xml:lang="zh">{site}{"".join(pages)}{end}'


def handwritten() -> str:
    files = sorted(PAGES.glob("*.wiki"))
    return dump(*(page(number, file.stem, file.read_text("utf-8")) for number, file in enumerate(files, 1)))


@pytest.mark.parametrize("version", ["0.10", "0.11"])
def test_an_article(write: Write, read: Read, version: str) -> None:
    text = "{{NoteTA|1=zh-cn:信息;zh-tw:資訊}}\n'''信息 (學)'''是一門[[學科]]。[[Bunken:x.jpg|圖]]\n== 參見 ==\n* [[甲]]"
    (document,), rejected = read(write("zhwiki.xml", dump(page(12, "信息 (學)/甲?", text), version=version)), "wikipedia")
    assert not rejected
    assert document.text == "資訊 (學)是一門學科。"
    assert (document.id, document.title) == ("src:12", "資訊 (學)/甲?")
    assert document.url == "https://zh.wikipedia.org/wiki/%E4%BF%A1%E6%81%AF_(%E5%AD%B8)/%E7%94%B2%3F"
    assert (document.license, document.rights_holder) == (License.CC_BY_SA_4, "Wikipedia contributors")
    assert (document.published, document.retrieved, document.flags) == ("2024-05-04T12:34:56Z", None, ())
    assert document.metadata == {"revision": 1200, "wiki": "zhwiki", "sections_cut": 1}


def test_a_base_that_is_no_address_gives_no_address(write: Write, read: Read) -> None:
    """Found by fuzzing: it ended the run."""
    (document,), rejected = read(write("w.xml", dump(page(1, "甲", "文字"), site=SITE.replace("https://", "https://["))), "wikipedia")
    assert not rejected and document.url is None


def test_the_recipe_decides_licence_and_holder(write: Write, read: Read) -> None:
    path = write("w.xml", dump(page(1, "甲", "文字")))
    (document,), _ = read(path, "wikipedia", license="cc-by-sa-3.0", rights_holder="某社")
    assert (document.license, document.rights_holder) == (License.CC_BY_SA_3, "某社")


def test_what_is_no_article_is_passed_over(write: Write, read: Read) -> None:
    pages = [
        page(1, "Talk:甲", "討論", ns=1),
        page(2, "Template:甲", "模板", ns=10),
        page(3, "乙", "#REDIRECT [[甲]]", extra='<redirect title="甲" />'),
        page(4, "丙", "#重定向 [[甲]]"),
        page(5, "丁", "{}", model="json"),
        page(6, "戊", "文字"),
    ]
    documents, rejected = read(write("w.xml", dump(*pages)), "wikipedia")
    assert [document.id for document in documents] == ["src:6"] and not rejected


def test_disambiguation_pages_are_flagged(write: Write, read: Read) -> None:
    pages = [page(1, "甲", "甲可以指：\n{{disambig}}"), page(2, "乙 (消歧義)", "乙可以指："), page(3, "丙", "文字")]
    documents, _ = read(write("w.xml", dump(*pages)), "wikipedia")
    assert [document.flags for document in documents] == [("disambiguation",), ("disambiguation",), ()]


def test_the_last_revision_counts(write: Write, read: Read) -> None:
    second = "<revision><id>9</id><timestamp>2025-01-01T00:00:00Z</timestamp><model>wikitext</model><text>新的</text></revision></page>"
    (document,), _ = read(write("w.xml", dump(page(1, "甲", "舊的").replace("</page>", second))), "wikipedia")
    assert (document.text, document.metadata["revision"], document.published) == ("新的", 9, "2025-01-01T00:00:00Z")


def test_a_second_slot_is_not_the_text(write: Write, read: Read) -> None:
    slot = "<content><role>mediainfo</role><model>json</model><text>{}</text></content></revision>"
    (document,), _ = read(write("w.xml", dump(page(1, "甲", "正文").replace("</revision>", slot))), "wikipedia")
    assert document.text == "正文"


@pytest.mark.parametrize("base", ["", "<base>javascript:alert(1)/x</base>", "<base>not an address</base>"])
def test_without_a_web_address_there_is_no_url(write: Write, read: Read, base: str) -> None:
    (document,), _ = read(write("w.xml", dump(page(1, "甲", "文字"), site=f"<siteinfo>{base}</siteinfo>")), "wikipedia")
    assert document.url is None and "wiki" not in document.metadata


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".xz", ".bz2"])
@pytest.mark.parametrize("layout", [".xml", ".xml-p1p187712"])
def test_handwritten_pages_in_every_compression(write: Write, read: Read, suffix: str, layout: str) -> None:
    content = handwritten().encode()
    path = write(f"zhwiki-20250101-pages-articles1{layout}{suffix}", bz2.compress(content) if suffix == ".bz2" else content)
    documents, rejected = read(path, "wikipedia")
    assert not rejected and len(documents) == 8
    assert sum("disambiguation" in document.flags for document in documents) == 1


def test_multistream_bz2(write: Write, read: Read) -> None:
    halves = dump(page(1, "甲", "一")), dump(page(2, "乙", "二"))
    head, tail = halves[0].removesuffix("</mediawiki>"), halves[1][halves[1].index("<page>") :]
    documents, rejected = read(write("w.xml.bz2", bz2.compress(head.encode()) + bz2.compress(tail.encode())), "wikipedia")
    assert len(documents) == 2 and not rejected


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (page(2, "乙", ""), "missing field text"),
        (page(2, "乙", "{{Infobox}}"), "nothing but markup"),
        (page(2, "", "文字"), "missing field title"),
        (page(2, "乙", "文字").replace("<id>2</id>", ""), "missing field id"),
        (
            page(2, "乙", "文字").replace('<text bytes="9" sha1="x" xml:space="preserve">文字</text>', '<text deleted="deleted" />'),
            "missing field text",
        ),
    ],
)
def test_a_bad_page_is_rejected_and_reading_goes_on(write: Write, read: Read, bad: str, error: str) -> None:
    documents, rejected = read(write("w.xml", dump(page(1, "甲", "一"), bad, page(3, "丙", "三"))), "wikipedia")
    assert [document.id for document in documents] == ["src:1", "src:3"]
    assert [error in reject.error for reject in rejected] == [True]


def test_a_page_over_the_bound_is_rejected(write: Write, read: Read) -> None:
    big = "甲" * 10_000_000  # 30 MB
    documents, rejected = read(write("w.xml.zst", dump(page(1, "大", big), page(2, "小", "文字"))), "wikipedia")
    assert [document.id for document in documents] == ["src:2"]
    assert [(reject.locator, "4000000 characters" in reject.error) for reject in rejected] == [("page 1", True)]


def test_a_page_at_the_bound_is_read(write: Write, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikipedia, "MAX_PAGE_CHARS", 10)
    documents, rejected = read(write("w.xml", dump(page(1, "甲", "甲" * 10), page(2, "乙", "甲" * 11))), "wikipedia")
    assert [len(documents), len(rejected)] == [1, 1]


GOOD = page(1, "甲", "文字")


@pytest.mark.parametrize(
    ("content", "documents", "error"),
    [
        (dump(GOOD, page(2, "乙", "文字"))[:-250], 1, "unclosed token"),
        (dump(GOOD, end=""), 1, "no element found"),
        (dump(GOOD, "<page><title>&undefined;</title></page>"), 1, "undefined entity"),
        (dump(GOOD).encode() + b"<more/>", 1, "junk after document element"),
        (dump(GOOD, page(2, "乙", "壞")).encode().replace("壞".encode(), b"\xe6\x9f"), 1, "invalid token"),
        (dump(GOOD, page(2, "乙", "\x00")), 1, "invalid token"),
        (dump(GOOD, "<page></pgae>"), 1, "mismatched tag"),
        (dump(GOOD, "<a>" * 100_000), 1, "nested over 20 levels"),
        ("<html><body>登入</body></html>", 0, "<html>, not <mediawiki>"),
        (dump(), 0, "no pages"),
        ("", 0, "empty file"),
        ("登入", 0, "syntax error"),
    ],
)
def test_a_damaged_dump_gives_what_stands_before(write: Write, read: Read, content: bytes | str, documents: int, error: str) -> None:
    found, rejected = read(write("w.xml", content), "wikipedia")
    assert len(found) == documents
    assert len(rejected) == 1 and error in rejected[0].error
    assert rejected[0].locator == ("after page 1" if documents else "file")


@pytest.mark.parametrize("suffix", [".bz2", ".gz", ".zst", ".xz"])
def test_a_truncated_file_gives_what_stands_before(write: Write, read: Read, tmp_path: Path, suffix: str) -> None:
    content = dump(*(page(number, "甲", f"{number * 7919 % 10007} " * 2000) for number in range(1, 200))).encode()
    path = Path(write(f"w.xml{suffix}", bz2.compress(content, 1) if suffix == ".bz2" else content))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    documents, rejected = read(str(path), "wikipedia")
    assert 0 < len(documents) < 199
    assert len(rejected) == 1 and rejected[0].locator == f"after page {len(documents)}"


BOMB = "<!DOCTYPE m [<!ENTITY a 'ha'>" + "".join(f"<!ENTITY {chr(98 + level)} '{f'&{chr(97 + level)};' * 20}'>" for level in range(9))


@pytest.mark.parametrize(
    "declaration",
    [
        BOMB + "]>",
        "<!DOCTYPE m [<!ENTITY j SYSTEM 'file:///etc/hostname'>]>",
        "<!DOCTYPE m SYSTEM 'http://127.0.0.1:9/x.dtd'>",
        "<!DOCTYPE m [<!ENTITY % p SYSTEM 'file:///etc/hostname'> %p;]>",
    ],
)
def test_entities_are_never_expanded(write: Write, read: Read, declaration: str) -> None:
    content = declaration + dump(page(1, "甲", "@").replace("@", "&j;"))
    documents, rejected = read(write("w.xml", content), "wikipedia")
    assert not documents and len(rejected) == 1
    assert "document type declaration" in rejected[0].error


def test_one_endless_tag_is_refused(write: Write, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikipedia, "MAX_TOKEN_BYTES", 1 << 18)
    documents, rejected = read(write("w.xml", dump(GOOD, "<page " + "a" * 3_000_000)), "wikipedia")
    assert len(documents) == 1 and "one XML tag is over" in rejected[0].error


def test_memory_does_not_grow_with_the_file(write: Write, read: Read) -> None:
    content = dump(*(page(number, "Talk:甲", "討論" * 20_000, ns=1) for number in range(1, 600)), GOOD)  # 70 MB
    path = write("w.xml", content)
    del content
    tracemalloc.start()
    try:
        documents, _ = read(path, "wikipedia")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(documents) == 1 and peak < 20 << 20


@pytest.mark.parametrize("unit", ["{{a|", "[[a|b", "{|\n", "-{", "'''a''", "<ref>"])
def test_hostile_pages_end(write: Write, read: Read, unit: str) -> None:
    started = time.perf_counter()
    documents, rejected = read(write("w.xml", dump(page(1, "壞", unit * 100_000), GOOD)), "wikipedia")
    assert len(documents) + len(rejected) == 2
    assert time.perf_counter() - started < 10


ROWS: list[dict[str, Any]] = [
    {
        "id": "1",
        "url": "https://zh.wikipedia.org/wiki/甲",
        "title": "甲",
        "text": "-{zh-hans:软件;zh-hant:軟件;zh-tw:軟體}-很多。\n\n'''不是標記'''",
    },
    {"id": "2", "url": "https://zh.wikipedia.org/wiki/乙", "title": "乙 (消歧義)", "text": "-{H|zh-cn:乙;zh-tw:丙}-乙可以指"},
    {"id": "3", "url": "https://zh.wikipedia.org/wiki/丙", "title": "丙", "text": "-{H|zh-cn:乙;zh-tw:丙}-"},
    {"id": "4", "url": "https://zh.wikipedia.org/wiki/丁", "title": "丁", "text": None},
]


def check_rows(documents: list[Document], rejected: list[Rejected]) -> None:
    assert [document.id for document in documents] == ["src:1", "src:2"]
    assert [document.text for document in documents] == ["軟體很多。\n\n'''不是標記'''", "丙可以指"]
    assert [document.title for document in documents] == ["甲", "丙 (消歧義)"]
    assert [document.flags for document in documents] == [(), ("disambiguation",)]
    assert documents[0].url == "https://zh.wikipedia.org/wiki/甲" and documents[0].published is None
    assert {document.license for document in documents} == {License.CC_BY_SA_4}
    assert {document.rights_holder for document in documents} == {"Wikipedia contributors"}
    assert [("nothing but markup" in reject.error, "missing field text" in reject.error) for reject in rejected] == [
        (True, False),
        (False, True),
    ]


def test_rows_of_jsonl(write_jsonl: Callable[..., str], read: Read) -> None:
    check_rows(*read(write_jsonl(ROWS), "wikipedia"))


def test_rows_of_parquet(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    check_rows(*read(str(path), "wikipedia"))


def test_rows_under_other_names(write_jsonl: Callable[..., str], read: Read) -> None:
    row = {"key": 7, "name": "甲", "body": "文字", "dumped": "2024-05-01", "views": 3}
    fields = {"id": "key", "title": "name", "text": "body", "retrieved": "dumped"}
    (document,), _ = read(write_jsonl([row]), "wikipedia", fields=fields)
    assert (document.id, document.title, document.text, document.retrieved) == ("src:7", "甲", "文字", "2024-05-01")
    assert document.metadata == {"views": 3}
