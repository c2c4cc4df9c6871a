"""Pages to documents: ids, addresses, dates, encodings, lists and statements, from WARC files, folders and archives."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.sources import web
from corpus.sources.spec import SourceSpec, open_source, side_files
from corpus.sources.web import path_below
from factory.errors import UserError
from factory.records import Document, License, Rejected

Write = Callable[[str, bytes | str], str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]

TEXT = "颱風天的早市只剩三攤，賣菜的阿姨把雨衣的帽子拉緊，笑著說客人來一個是一個，反正菜不賣也是爛掉。"


def page(head: str = "", text: str = TEXT) -> str:
    return f"<html><head><title>早市</title>{head}</head><body><p>{text}</p></body></html>"


def record(
    url: str, payload: bytes | str, headers: str = "Content-Type: text/html; charset=utf-8\r\n", warc: str = "", uuid: int | None = None
) -> bytes:
    body = payload.encode() if isinstance(payload, str) else payload
    block = f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode() + body
    identity = f"WARC-Record-ID: <urn:uuid:0a0b0c0d-0000-4000-8000-{uuid:012d}>\r\n" if uuid is not None else ""
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n{identity}{warc}Content-Length: {len(block)}\r\n\r\n"
    return head.encode() + block + b"\r\n\r\n"


def test_a_warc_document(write: Write, read: Read) -> None:
    data = record(
        "https://site.example/a?b=c", page('<meta name="date" content="2024-02-03">'), warc="WARC-Date: 2024-03-05T06:07:08Z\r\n", uuid=7
    )
    (document,), rejected = read(write("crawl.warc.gz", data), "web", license="cc-by-4.0", rights_holder="某報")
    assert not rejected
    assert document == Document(
        id="src:0a0b0c0d-0000-4000-8000-000000000007",
        text=TEXT,
        source="src",
        license=License.CC_BY_4,
        rights_holder="某報",
        url="https://site.example/a?b=c",
        title="早市",
        published="2024-02-03",
        retrieved="2024-03-05T06:07:08Z",
        metadata={"charset": "utf-8", "charset_declared": "utf-8", "extractor": "resiliparse", "content_type": "text/html"},
    )


def test_two_captures_of_a_page_are_two_documents_and_no_id_needs_a_place(write: Write, read: Read) -> None:
    data = record("https://site.example/", page()) + record("https://site.example/", page(text=TEXT + TEXT))
    documents, _ = read(write("crawl.warc", data), "web")
    assert [document.id for document in documents] == ["src:crawl-1", "src:crawl-2"]
    assert [document.retrieved for document in documents] == [None, None]


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.warc.zst", "a.warc.xz", "A.WARC"])
def test_layouts(write: Write, read: Read, name: str) -> None:
    documents, rejected = read(write(name, record("https://site.example/1", page()) + record("https://site.example/2", page())), "web")
    assert not rejected and [document.url for document in documents] == ["https://site.example/1", "https://site.example/2"]


@pytest.mark.parametrize(
    ("headers", "payload", "text"),
    [
        ("Content-Type: text/html\r\n", page(), TEXT),
        ("Content-Type: application/xhtml+xml; charset=UTF-8\r\n", page(), TEXT),
        ("", page(), TEXT),
        ("Content-Type: application/octet-stream\r\n", page(), TEXT),
        ("Content-Type: text/plain\r\n", TEXT + "\r\n第二行", TEXT + "\n第二行"),
        ("Content-Type: text/plain\r\n", page(), TEXT),
        ("", TEXT, None),
        ("Content-Type: application/octet-stream\r\n", b"\x89PNG", None),
        ("Content-Type: image/png\r\n", page(), None),
        ("Content-Type: application/json\r\n", "{}", None),
    ],
)
def test_what_is_a_document(write: Write, read: Read, headers: str, payload: str | bytes, text: str | None) -> None:
    documents, rejected = read(write("a.warc", record("https://site.example/", payload, headers)), "web")
    assert not rejected and [document.text for document in documents] == ([text] if text else [])


@pytest.mark.parametrize(
    ("header", "meta"), [("", "big5"), ("; charset=big5", ""), ("; charset=utf-8", "utf-8"), ("; charset=gb2312", "big5"), ("", "")]
)
def test_big5_pages_whatever_they_declare(write: Write, read: Read, header: str, meta: str) -> None:
    html = page(f'<meta charset="{meta}">' if meta else "").encode("cp950")
    (document,), rejected = read(write("a.warc", record("https://site.example/", html, f"Content-Type: text/html{header}\r\n")), "web")
    assert not rejected and (document.text, document.title, document.metadata["charset"]) == (TEXT, "早市", "cp950")
    assert document.metadata.get("charset_declared", "") == (header.rpartition("=")[2] or meta)


def test_pages_that_cannot_be_read_are_rejected_and_the_rest_is_read(write: Write, read: Read) -> None:
    html = "Content-Type: text/html\r\n"
    data = b"".join(
        [
            record("https://site.example/1", page()),
            record("https://site.example/2", "<html></html>"),
            record("https://site.example/3", (TEXT.encode("cp950") + TEXT.encode()) * 3),
            record("https://site.example/4", gzip.compress(page().encode())[:-9], html + "Content-Encoding: gzip\r\n"),
            record("https://site.example/5", "<div>" * 5000, html),
            record("https://site.example/6", page()),
        ]
    )
    documents, rejected = read(write("a.warc.gz", data), "web")
    assert [document.url for document in documents] == ["https://site.example/1", "https://site.example/6"]
    assert [reject.locator.split(" at")[0] for reject in rejected] == ["record 2", "record 3", "record 4", "record 5"]
    wanted = ["no text could be extracted", "mixed or unknown encoding", "damaged gzip content", "nested over 512 deep"]
    assert all(words in reject.error for words, reject in zip(wanted, rejected, strict=True))


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.warc", b"", "empty file"),
        ("a.warc.gz", b"", "empty file"),
        ("a.warc", b"not a warc at all", "no WARC file"),
        ("a.html", b"", "empty file"),
        ("a.html", b" \n", "empty file"),
        ("a.png", b"x", "unknown layout '.png'"),
        ("a.mhtml", b"x", "unknown layout"),
    ],
)
def test_files_that_cannot_be_read_are_one_reject(write: Write, read: Read, name: str, content: bytes, error: str) -> None:
    documents, rejected = read(write(name, content), "web")
    assert not documents and len(rejected) == 1 and error in rejected[0].error


def test_a_truncated_gzip_page_and_a_large_one(write: Write, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(write("a.html.gz", page() * 100))
    path.write_bytes(path.read_bytes()[:-9])
    documents, rejected = read(str(path), "web")
    assert not documents and len(rejected) == 1
    monkeypatch.setattr(web, "MAX_PAYLOAD_BYTES", 50)
    documents, rejected = read(write("b.html", page()), "web")
    assert not documents and "over 50 bytes" in rejected[0].error


def test_pages_of_a_folder(write: Write, tmp_path: Path) -> None:
    head = '<link rel="canonical" href="https://site.example/早市"><meta name="robots" content="noai">'
    paths = [write("pages/a/index.html", page(head)), write("pages/b/index.html", page()), write("pages/c.htm", page())]
    source = open_source("src", SourceSpec(type="web", paths=[str(tmp_path / "pages")]))
    documents = [item for path in paths for item in source.read(path) if isinstance(item, Document)]
    assert [document.id for document in documents] == ["src:pages/a/index.html", "src:pages/b/index.html", "src:pages/c.htm"]
    assert [document.url for document in documents] == ["https://site.example/早市", None, None]
    assert [document.flags for document in documents] == [("opt_out",), (), ()]


def test_pages_of_an_archive(write_zip: Callable[..., str], read: Read) -> None:
    path = write_zip(
        [("site/a.html", page()), ("b.xhtml", page()), ("a.css", "p {}"), ("in.warc", record("https://site.example/", page()))]
    )
    documents, rejected = read(path, "web")
    folder = Path(path).parent.name
    assert [document.id for document in documents] == [
        f"src:{folder}/members.zip/site/a.html",
        f"src:{folder}/members.zip/b.xhtml",
        "src:in-1",
    ]
    assert [reject.locator for reject in rejected] == ["member a.css"]


@pytest.mark.parametrize(
    ("path", "entries", "below"),
    [
        ("/data/pages/x/a.html", ["/data/pages"], "pages/x/a.html"),
        ("/data/pages/x/a.html", ["/data/pages/"], "pages/x/a.html"),
        ("/data/pages/x/a.html", ["/data/pages/**/*.html"], "pages/x/a.html"),
        ("/data/pages/x/a.html", ["/data/pages/*/a.html"], "pages/x/a.html"),
        ("/data/pages/x/a.html", ["/data/pages/x/a.html"], "x/a.html"),
        ("/data/pages/x/a.html", ["/other", "/data/pages/x"], "x/a.html"),
        ("/data/pages/x/a.html", ["/data/page"], "x/a.html"),
        ("/data/pages/x/a.html", [], "x/a.html"),
        ("s3://bucket/pages/a.html", ["s3://bucket/pages"], "pages/a.html"),
        ("a.html", [], "a.html"),
        ("/data/\udce4.html", [], "data/\\udce4.html"),
    ],
)
def test_where_a_folder_stands_does_not_matter(path: str, entries: list[str], below: str) -> None:
    assert path_below(path, entries) == below


def test_blocklists_flag_and_keep(write: Write, read: Read) -> None:
    blocked = write("list.txt", "bad.example\nsite.example/spam\n")
    data = b"".join(
        record(f"https://{place}", page())
        for place in ("www.bad.example/1", "notbad.example/", "site.example/spam/2", "site.example/spammer")
    )
    documents, rejected = read(write("a.warc", data), "web", blocklists=[blocked])
    assert not rejected
    assert [document.flags for document in documents] == [("blocklisted",), (), ("blocklisted",), ()]
    assert [document.metadata.get("blocklist_entry") for document in documents] == ["bad.example", None, "site.example/spam", None]


def test_blocklists_are_side_files_and_a_bad_one_stops(write: Write, tmp_path: Path) -> None:
    blocked = write("lists/domains", "bad.example\n")
    spec: dict[str, Any] = {"type": "web", "paths": ["x"]}
    assert side_files(open_source("src", SourceSpec(**spec)), "x") == []
    assert side_files(open_source("src", SourceSpec(**spec, blocklists=[str(tmp_path / "lists")])), "x") == [blocked]
    missing = open_source("src", SourceSpec(**spec, blocklists=[str(tmp_path / "none")]))
    with pytest.raises(UserError, match="matches no file"):
        side_files(missing, "x")


@pytest.mark.parametrize(
    ("headers", "head", "flags", "stated"),
    [
        ("X-Robots-Tag: noai, noimageai\r\n", "", ("opt_out",), {"robots": "noai, noimageai"}),
        ("X-Robots-Tag: noindex\r\nX-Robots-Tag: bot: nofollow\r\n", "", (), {"robots": "noindex, bot: nofollow"}),
        ("tdm-reservation: 1\r\ntdm-policy: https://site.example/p.json\r\n", "", ("opt_out",),
         {"tdm_reservation": "1", "tdm_policy": "https://site.example/p.json"}),
        ("", '<meta name="tdm-reservation" content="1">', ("opt_out",), {"tdm_reservation": "1"}),
        ("", '<meta name="robots" content="noindex">', (), {"robots": "noindex"}),
    ],
)  # fmt: skip
def test_statements_are_recorded(write: Write, read: Read, headers: str, head: str, flags: tuple[str, ...], stated: dict[str, str]) -> None:
    (document,), _ = read(write("a.warc", record("https://site.example/", page(head), f"Content-Type: text/html\r\n{headers}")), "web")
    assert document.text == TEXT and document.flags == flags
    assert {key: value for key, value in document.metadata.items() if key in ("robots", "tdm_reservation", "tdm_policy")} == stated


def test_options(write: Write, read: Read) -> None:
    path = write("a.html", page(text=TEXT * 3))
    (document,), _ = read(path, "web", options={"extractor": "trafilatura"})
    assert document.metadata["extractor"] == "trafilatura" and TEXT in document.text
    with pytest.raises(UserError, match=r"options\.extractor: 'lynx' is not known; use one of resiliparse, trafilatura"):
        read(path, "web", options={"extractor": "lynx"})
    with pytest.raises(UserError, match="no such option"):
        read(path, "web", options={"extractors": "trafilatura"})
    with pytest.raises(UserError, match="no such field"):
        read(path, "web", fields={"text": "body"})


def test_real_pages_wrapped_into_a_warc(twllm_data: Path, write: Write, read: Read) -> None:
    import io
    import tarfile

    import zstandard

    data = bytearray()
    count = 0
    for name in ("news_sites", "wordpress_pages"):
        with (twllm_data / f"html/{name}.tar.zst").open("rb") as raw:
            content = zstandard.ZstdDecompressor().stream_reader(raw).read()
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in [member for member in archive if member.isfile()][:25]:
                stream = archive.extractfile(member)
                assert stream is not None
                count += 1
                data += gzip.compress(record(f"https://site.example/{count}", stream.read(), "Content-Type: text/html\r\n", uuid=count))
    path = write("a.warc", b"")
    Path(path).with_name("real.warc.gz").write_bytes(data)
    documents, rejected = read(str(Path(path).with_name("real.warc.gz")), "web")
    assert not rejected and len(documents) == count == 28
    assert all(len(document.text) > 100 and document.title and document.metadata["charset"] == "utf-8" for document in documents)
    assert sum(document.published is not None for document in documents) >= 2
