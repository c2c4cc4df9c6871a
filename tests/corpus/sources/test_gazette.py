"""Gazettes and decisions: no stray markup, and parts that give the document back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.gazette import LEVELS, clean, title_of
from corpus.sources.parts import split_document
from corpus.sources.spec import SourceSpec, open_source
from factory.records import Document, License, Rejected

Write = Callable[[str, bytes | str], str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]

MEETING = "院會紀錄\n一、立法院第九屆第九會期第{}次會議紀錄\n時　　間　某日\n主席：現在開會。\n報告事項\n{}\n討　論　事　項\n{}"


def test_a_text_file_is_one_document(write: Write, read: Read) -> None:
    content = '院會紀錄\r\n<img SRC="//x/y" ALIGN="LEFT" HSPACE="12">\r\n一、立法院第九屆第九會期第一次會議紀錄\r\n\r\n主席：開會&nbsp;了。'
    (document,), rejected = read(write("9001.txt", content), "gazette")
    assert not rejected
    assert document.text == "院會紀錄\n一、立法院第九屆第九會期第一次會議紀錄\n主席：開會 了。"
    assert (document.id, document.title) == ("src:9001", "立法院第九屆第九會期第一次會議紀錄")
    assert document.license is License.PUBLIC_RECORD


@pytest.mark.parametrize(("content", "error"), [(b"", "empty file"), (b"\xb0\xd3\xb7~", "invalid UTF-8"), (b"<br>", "nothing but markup")])
def test_unreadable_text_is_one_reject(write: Write, read: Read, content: bytes, error: str) -> None:
    documents, rejected = read(write("9001.txt", content), "gazette")
    assert not documents and len(rejected) == 1 and error in rejected[0].error


def test_a_truncated_gzip_is_one_reject(write: Write, read: Read) -> None:
    path = Path(write("9001.txt.gz", "主席：開會。" * 100))
    path.write_bytes(path.read_bytes()[:-12])
    documents, rejected = read(str(path), "gazette")
    assert not documents and rejected[0].locator == "file"


def test_text_members_of_a_zip(write_zip: Callable[..., str], read: Read) -> None:
    documents, rejected = read(write_zip([("a/9001.txt", "甲"), ("a/9002.txt", b"\xff"), ("/9003.txt", "丙")]), "gazette")
    assert [document.id for document in documents] == ["src:9001"]
    assert [reject.locator for reject in rejected] == ["member a/9002.txt", "member /9003.txt"]


def test_rows_with_fields(write_jsonl: Callable[..., str], read: Read) -> None:
    rows = [{"id": "cc-1", "text": "釋字第1號\n\n某事違憲？\n理由如上。", "date": "中華民國 38年01月06日"}, {"id": "cc-2"}]
    (document,), rejected = read(write_jsonl(rows), "gazette", fields={"id": "id", "published": "date"})
    assert (document.id, document.title, document.published) == ("src:cc-1", "釋字第1號", "1949-01-06")
    assert document.text == "釋字第1號\n某事違憲？\n理由如上。"
    assert rejected[0].error == "missing field text (column 'text')"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("甲<br>乙", "甲\n乙"),
        ("甲<br/>\n<p class='x'>乙</p>", "甲\n乙"),
        ("a < b > c", "a < b > c"),
        ("見<http://x.example/a>", "見<http://x.example/a>"),
        ("<檢察官之裁量>", "<檢察官之裁量>"),
        ("甲<!-- x\ny -->乙", "甲乙"),
        ("\t表格\t1\n　縮排", "\t表格\t1\n　縮排"),
        ("<img\nsrc='a'>甲", "甲"),
    ],
)
def test_markup_goes_and_text_stays(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("一、立法院第九屆第九會期第九次會議紀錄", 0),
        ("立法院第99屆第9會期測試委員會第9次全體委員會議紀錄", 0),
        ("一、澄湖市議會第三屆第二次定期大會第五次會議紀錄", 0),
        ("院會紀錄", 0),
        ("報告事項", 1),
        ("報　告　事　項", 1),
        ("討論事項", 1),
        ("質 詢 事 項", 1),
        ("貳、決定事項", 1),
        ("臨時提案", 1),
        ("乙、本院委員質詢部分", 1),
        ("主　文", 1),
        ("理由", 1),
        ("解釋理由書", 1),
        ("釋字第999號解釋不同意見書王小明大法官提出", 1),
        ("協同意見書", 1),
        ("壹、案件事實與聲請意旨【1】", 2),
        ("主席：現在進行討論事項。", None),
        ("進行討論事項第一案。", None),
        ("立法院經濟委員會函", None),
        ("三、本院委員提案，請審議案。", None),
        ("本席之理由", None),
    ],
)
def test_headings(line: str, level: int | None) -> None:
    assert next((number for number, is_heading in enumerate(LEVELS) if is_heading(line)), None) == level


PARAGRAPHS = st.lists(
    st.one_of(
        st.text(alphabet="甲乙丙，。", min_size=1, max_size=3000),
        st.sampled_from(["報告事項", "討論事項", "一、立法院第九屆第九會期第二次會議紀錄", "主文", "壹、甲", ""]),
    ),
    min_size=5,
    max_size=60,
)


@given(PARAGRAPHS)
def test_the_parts_joined_are_the_cleaned_document(paragraphs: list[str]) -> None:
    text = clean("\n".join(paragraphs))
    parts = split_document(Document("g:1", text, "g"), LEVELS)
    assert "\n".join(part.text for part in parts) == text


def test_a_long_gazette_is_split_at_its_headings(write: Write, read: Read) -> None:
    long = "\n".join("主席：請問院會，對本案照程序委員會意見處理，有無異議？" for _ in range(500))
    content = "\n".join(MEETING.format(number, long, long) for number in "一二")
    documents, _ = read(write("9001.txt", content), "gazette")
    assert "\n".join(document.text for document in documents) == clean(content)
    assert all(len(document.text) <= 20_000 for document in documents)
    assert [document.id for document in documents] == [f"src:9001#{number}" for number in range(1, len(documents) + 1)]
    firsts = [document.text.split("\n")[0] for document in documents]
    assert firsts[0] == "院會紀錄" and "討　論　事　項" in firsts and firsts.count("院會紀錄") == 2
    titles = [document.title or "" for document in documents]
    assert titles[0].startswith("立法院第九屆第九會期第一次會議紀錄") and titles[-1].startswith("立法院第九屆第九會期第二次會議紀錄")


def test_a_paragraph_is_never_cut(write: Write, read: Read) -> None:
    text = "意見書\n" + "甲" * 30_000 + "\n" + "乙" * 30_000
    documents, _ = read(write("o.txt", text), "gazette")
    assert [document.text[-1] for document in documents] == ["甲", "乙"]


@pytest.mark.parametrize("hostile", [" ", "\n", "<img ", "<!--", "<br", "&nbsp;", "立法院第", "報 告 事 項 "])
def test_hostile_runs_take_no_longer_than_reading(hostile: str) -> None:
    text = clean(f"甲{hostile * (100_000 // len(hostile))}乙")
    assert text.startswith("甲") and not any(is_heading(text) for is_heading in LEVELS)
    split_document(Document("g:1", text, "g"), LEVELS)


def test_titles() -> None:
    assert title_of("釋字第1號\n甲。") == "釋字第1號"
    assert title_of("甲乙丙。丁") is None
    assert title_of("甲" * 61) is None


def test_the_real_gazette(twllm_data: Path, read: Read) -> None:
    (document,), rejected = read(str(twllm_data / "raw/gazette/3364.txt"), "gazette")
    assert not rejected and document.id == "src:3364"
    assert "<img" not in document.text and (document.title or "").startswith("立法院第五屆")


@pytest.mark.parametrize(("name", "count"), [("ly_gazette_sample", 4), ("law_constitutional_court", 300)])
def test_real_rows_come_back_from_their_parts(twllm_data: Path, name: str, count: int) -> None:
    import io

    import zstandard

    path = twllm_data / f"corpus/{name}.jsonl.zst"
    with path.open("rb") as raw:
        lines = itertools.islice(io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(raw), encoding="utf-8"), count)
        texts = {f"g:{row['id']}": row["text"] for row in map(json.loads, lines)}
    source = open_source("g", SourceSpec(type="gazette", paths=["x"], fields={"id": "id", "published": "date"}))
    parts: dict[str, list[str]] = {}
    for item in source.read(str(path)):
        assert isinstance(item, Document)
        key = item.parent_id or item.id
        if key not in texts:
            break
        parts.setdefault(key, []).append(item.text)
    assert parts.keys() == texts.keys()
    assert all("\n".join(parts[key]) == clean(text) for key, text in texts.items())
