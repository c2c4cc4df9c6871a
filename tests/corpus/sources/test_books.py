"""Books: no text without rights, parts that give the book back, and the rights on every part."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.books import LEVELS, BooksSource, clean
from corpus.sources.parts import split_document
from corpus.sources.spec import SourceSpec, input_files, open_source, side_files
from factory.errors import UserError
from factory.records import Document, License, Rejected
from tests.corpus.sources.epub_files import RIGHTS, page, write_epub

Write = Callable[[str, bytes | str], str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]
UNSTATED = {"options": {"allow_unstated_rights": True}}
STORY = "阿義每天傍晚都去渡船頭點燈，雨天也不例外。"


@pytest.fixture
def shelf(write: Write, tmp_path: Path) -> Path:
    """A folder whose rights file speaks of every book in it."""
    write("shelf/rights.yaml", RIGHTS)
    return tmp_path / "shelf"


def chapters(count: int, paragraphs: int) -> str:
    return "\n\n".join(f"第{number}章　潮汐\n\n" + "\n".join([STORY] * paragraphs) for number in range(1, count + 1))


def test_an_epub_with_rights(shelf: Path, read: Read) -> None:
    path = write_epub(shelf / "lamp.epub", {"a.xhtml": page(f"<h1>第一章</h1><p>{STORY}</p>"), "b.xhtml": page("<p>完。</p>")})
    (document,), rejected = read(path, "books")
    assert not rejected and document.text == f"第一章\n{STORY}\n\n完。"
    assert (document.id, document.title, document.published, document.flags) == ("src:lamp", "渡船頭的燈", "2021-05-06", ())
    assert (document.license, document.rights_holder) == (License.PROPRIETARY, "測試作者甲")
    assert document.metadata == {
        "format": "epub",
        "creators": ["測試作者甲", "測試作者乙"],
        "publisher": "測試出版社",
        "language": "zh-TW",
        "identifier": "urn:isbn:9780000000002",
        "contract_id": "K-2026-001",
        "share": 0.6,
        "permitted_use": ["training", "evaluation"],
    }


def test_a_bad_page_is_a_reject_beside_the_book(shelf: Path, read: Read) -> None:
    path = write_epub(shelf / "lamp.epub", {"a.xhtml": page(f"<p>{STORY}</p>"), "b.xhtml": ""})
    (document,), (reject,) = read(path, "books")
    assert document.text == STORY and document.metadata["unread_pages"] == 1 and reject.locator == "member OEBPS/b.xhtml"


def test_a_long_epub_is_split_at_the_headings_that_its_pages_mark(shelf: Path, read: Read) -> None:
    long = f"<p>{STORY}</p>" * 500
    pages = {f"{name}.xhtml": page(f"<h2>{name}</h2>{long}") for name in ("風起", "潮落", "燈滅")}
    documents, _ = read(write_epub(shelf / "lamp.epub", pages), "books")
    assert [document.id for document in documents] == [f"src:lamp#{number}" for number in (1, 2, 3)]
    assert [document.title for document in documents] == [f"渡船頭的燈 {name}" for name in ("風起", "潮落", "燈滅")]
    assert {document.parent_id for document in documents} == {"src:lamp"}
    assert {(document.rights_holder, document.metadata["contract_id"], document.metadata["share"]) for document in documents} == {
        ("測試作者甲", "K-2026-001", 0.6)
    }


def test_a_text_with_chapters(shelf: Path, write: Write, read: Read) -> None:
    text = f"《潮汐表》\n\n楔子\n\n{STORY}\n\n{chapters(6, 400)}\n\n後記\n\n{STORY}\n"
    documents, rejected = read(write("shelf/tides.txt", text), "books")
    assert not rejected and "\n".join(document.text for document in documents) == clean(text)
    assert len(documents) == 3 and all(len(document.text) <= 20_000 for document in documents)
    assert [document.title for document in documents] == ["潮汐表", "潮汐表 第3章　潮汐", "潮汐表 第5章　潮汐"]
    assert all(document.text.startswith(("《潮汐表》", "第")) for document in documents)


def test_markdown_is_split_at_its_headings(shelf: Path, write: Write, read: Read) -> None:
    text = "# 潮汐表\n\n" + "\n\n".join(f"## 夜航{number}\n\n" + "\n\n".join([STORY] * 500) for number in range(3))
    documents, _ = read(write("shelf/tides.md", text), "books")
    assert "\n".join(document.text for document in documents) == text
    assert [document.title for document in documents] == ["潮汐表", "潮汐表 夜航1", "潮汐表 夜航2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "big5"])
def test_encodings_of_a_text(shelf: Path, write: Write, read: Read, encoding: str) -> None:
    (document,), _ = read(write("shelf/a.txt", f"渡船頭\r\n{STORY * 3}".encode(encoding)), "books")
    assert document.text == f"渡船頭\n{STORY * 3}"
    assert document.metadata.get("encoding") == {"utf-16": "utf-16-le", "big5": "cp950"}.get(encoding)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.txt", b"", "empty file"),
        ("a.txt", b"\n \n", "nothing but blank lines"),
        ("a.txt", bytes(range(128, 256)) * 50, "encoding"),
        ("a.pdf", b"%PDF", "unknown layout '.pdf'"),
        ("a.zip", b"PK", "unknown layout '.zip'"),
        ("a", b"x", "unknown layout ''"),
        ("a.epub", b"", "BadZipFile"),
        ("a.epub.gz", b"PK", "inside another compression"),
        ("cover.yaml", b"a: 1", "unknown layout '.yaml'"),
    ],
)
def test_what_is_no_book_is_one_reject(shelf: Path, write: Write, read: Read, name: str, content: bytes, error: str) -> None:
    documents, rejected = read(write(f"shelf/{name}", content), "books")
    assert not documents and len(rejected) == 1 and rejected[0].locator == "file" and error in rejected[0].error


def test_compressed_text_is_read(shelf: Path, write: Write, read: Read) -> None:
    (document,), _ = read(write("shelf/a.txt.zst", STORY), "books")
    assert document.text == STORY and document.id == "src:a"


def test_a_book_without_rights_is_rejected_before_it_is_read(write: Write, read: Read) -> None:
    documents, (reject,) = read(write("a.epub", "no archive at all"), "books")
    assert not documents and "no rights stated" in reject.error and "a.epub.rights.yaml" in reject.error


def test_a_book_without_rights_may_be_allowed(write: Write, read: Read) -> None:
    (document,), rejected = read(write("a.txt", STORY), "books", **UNSTATED)
    assert not rejected and (document.license, document.rights_holder, document.flags) == (License.UNKNOWN, None, ("rights_unstated",))
    assert "permitted_use" not in document.metadata


@pytest.mark.parametrize(
    ("rights", "error"),
    [
        (RIGHTS.replace("[training, ", "["), "not licensed for training"),
        (RIGHTS + "valid_until: 2020-01-01\n", "expired"),
        (RIGHTS.replace("share", "shar"), "unknown key 'shar'"),
    ],
)
@pytest.mark.parametrize("options", [{}, UNSTATED])
def test_rights_that_do_not_allow_it_reject_the_book(write: Write, read: Read, rights: str, error: str, options: dict[str, object]) -> None:
    write("a.txt.rights.yaml", rights)
    documents, (reject,) = read(write("a.txt", STORY), "books", **options)
    assert not documents and error in reject.error and STORY not in reject.excerpt


def test_the_day_is_todays_and_a_part_can_depend_on_it(write: Write) -> None:
    path = write("a.txt", STORY)
    write("a.txt.rights.yaml", RIGHTS + "valid_until: 2026-11-23\n")
    spec = SourceSpec(type="books", paths=[path])
    on_the_day = BooksSource("src", spec, lambda: date(2026, 11, 23))
    after_it = BooksSource("src", spec, lambda: date(2026, 11, 24))
    assert [type(item) for item in (*on_the_day.read(path), *after_it.read(path))] == [Document, Rejected]
    assert (on_the_day.key_facts(path), after_it.key_facts(path)) == (["expired: False"], ["expired: True"])


def test_a_folder_of_books_and_rights_files(shelf: Path, write: Write, read: Read) -> None:
    write("shelf/a.txt", STORY)
    write("shelf/b.txt", STORY)
    own = write("shelf/b.txt.rights.yaml", RIGHTS)
    spec = SourceSpec(type="books", paths=[str(shelf)])
    source = open_source("src", spec)
    paths = input_files("src", spec)
    assert [Path(path).name for path in paths] == ["a.txt", "b.txt", "b.txt.rights.yaml", "rights.yaml"]
    assert [len(list(source.read(path))) for path in paths] == [1, 1, 0, 0]
    assert [side_files(source, path) for path in paths] == [[str(shelf / "rights.yaml")], [own], [], []]


@pytest.mark.parametrize("key", ["license", "rights_holder", "licenses"])
def test_a_recipe_cannot_state_the_rights(key: str) -> None:
    value = {"license": "cc0-1.0", "rights_holder": "甲", "licenses": {"x": "mit"}}[key]
    with pytest.raises(UserError, match=rf"sources\.src\.{key}: type books takes"):
        open_source("src", SourceSpec.model_validate({"type": "books", "paths": ["a"], key: value}))


@pytest.mark.parametrize("value", ["yes", 1])
def test_the_option_is_a_bool(value: object) -> None:
    with pytest.raises(UserError, match="is not a bool"):
        open_source("src", SourceSpec.model_validate({"type": "books", "paths": ["a"], "options": {"allow_unstated_rights": value}}))


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("卷一　離家", 0), ("卷之三", 0), ("第二部", 0), ("第一卷 山", 0), ("上卷", 0), ("上篇：風", 0), ("序", 0), ("推薦序　某某", 0),
        ("楔　子", 0), ("後記", 0), ("附錄一　年表", 0), ("尾聲", 0), ("番外二", 0), ("　　自序", 0),
        ("第一章", 1), ("第 十二 章　渡口", 1), ("第３章", 1), ("第一百二十回　風雨夜歸人", 1), ("第五幕", 1), ("第7話 你是誰？", 1),
        ("# 第一章 風", 1),
        ("第二節　水路", 2),
        ("第三章我們已經談過，這裡不再重複。", None), ("第一次離家的那個晚上", None), ("第二部電影比較好看", None),
        ("第一節課他睡著了", None),
        ("序幕拉開以後", None), ("後記得關門", None), ("前言不搭後語", None), ("跋涉千里", None), ("第一章" + "長" * 60, None), ("", None),
    ],
)  # fmt: skip
def test_headings(line: str, level: int | None) -> None:
    assert next((number for number, is_heading in enumerate(LEVELS) if is_heading(line)), None) == level


LINES = st.lists(
    st.one_of(st.text(alphabet="甲乙丙，。 ", max_size=3000), st.sampled_from(["第一章", "第二節 風", "卷一", "序", "", "# 第三章"])),
    min_size=5,
    max_size=60,
)


@given(LINES)
def test_the_parts_joined_are_the_cleaned_text(lines: list[str]) -> None:
    text = clean("\n".join(lines))
    parts = split_document(Document("b:1", text, "b"), LEVELS)
    assert "\n".join(part.text for part in parts) == text


@pytest.mark.parametrize("hostile", [" ", "\n", "第", "# ", "序", "第1", "　"])
def test_hostile_runs_take_no_longer_than_reading(hostile: str) -> None:
    text = clean(f"甲{hostile * (200_000 // len(hostile))}乙")
    split_document(Document("b:1", text, "b"), LEVELS)
    assert not any(is_heading(text) for is_heading in LEVELS)


def test_damage_in_a_book_never_raises(shelf: Path) -> None:
    whole = Path(write_epub(shelf / "a.epub", {"a.xhtml": page(f"<p>{STORY}</p>")})).read_bytes()
    source = open_source("src", SourceSpec(type="books", paths=[str(shelf)]))
    chance = random.Random(7)
    for _ in range(50):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (shelf / "a.epub").write_bytes(content)
        assert all(isinstance(item, Document | Rejected) for item in source.read(str(shelf / "a.epub")))


def test_real_long_texts_come_back_from_their_parts(twllm_data: Path) -> None:
    import io
    import json

    import zstandard

    with (twllm_data / "corpus/blogs_books_zhtw.jsonl.zst").open("rb") as raw:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8")
        texts = [clean(text) for line in lines if len(text := json.loads(line)["text"]) > 20_000]
    assert len(texts) > 5
    for text in texts:
        parts = split_document(Document("b:1", text, "b"), LEVELS)
        assert "\n".join(part.text for part in parts) == text and len(parts) > 1
        # a lone heading takes the next stretch however long it is (corpus/sources/parts.py): 200 characters at most
        assert all(len(part.text) <= 20_200 or len(max(part.text.split("\n"), key=len)) > 19_800 for part in parts)
