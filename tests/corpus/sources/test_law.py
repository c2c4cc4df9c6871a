"""Laws in the ministry's two layouts and flattened: whole sentences, headings in place, abolished ones flagged."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.law import LEVELS, rejoin
from corpus.sources.spec import SourceSpec, open_source
from factory.records import Document, License, Rejected

Write = Callable[[str, bytes | str], str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]

WRAPPED = "為管理本市立圖書館之館藏並維護讀者之權益，特依圖書館法第四條第二項之\r\n規定，訂定本規則。\r\n本規則未規定者，適用其他法令。"
PER_LAW = {
    "法規性質": "命令",
    "法規名稱": "測試圖書館借閱規則",
    "法規網址": "https://law.example/LawAll.aspx?pcode=Z9990001",
    "法規類別": "行政＞測試市政府",
    "最新異動日期": "20240115",
    "沿革內容": "1.測試",
    "前言": WRAPPED,
    "法規內容": [
        {"編章節": "   第 一 章 總則"},
        {"條號": "第 1 條", "條文內容": "館藏分類如下：\r\n一、圖書。\r\n二、期刊：\r\n（一）中文。\r\n（二）外文。"},
        {"條號": "第 2 條", "條文內容": "（刪除）"},
    ],
}
BULK_LAW = {
    "LawLevel": "命令",
    "LawName": "測試圖書館借閱規則",
    "LawURL": "https://law.example/LawAll.aspx?pcode=Z9990001",
    "LawCategory": "行政＞測試市政府",
    "LawModifiedDate": "20240115",
    "LawEffectiveDate": "",
    "LawAbandonNote": "",
    "LawForeword": WRAPPED,
    "LawArticles": [
        {"ArticleType": "C", "ArticleNo": "", "ArticleContent": "   第 一 章 總則"},
        {"ArticleType": "A", "ArticleNo": "第 1 條", "ArticleContent": PER_LAW["法規內容"][1]["條文內容"]},  # type: ignore[index]
        {"ArticleType": "A", "ArticleNo": "第 2 條", "ArticleContent": "（刪除）"},
    ],
}
TEXT = (
    "測試圖書館借閱規則\n"
    "為管理本市立圖書館之館藏並維護讀者之權益，特依圖書館法第四條第二項之規定，訂定本規則。\n"
    "本規則未規定者，適用其他法令。\n"
    "第 一 章 總則\n"
    "第 1 條　館藏分類如下：\n一、圖書。\n二、期刊：\n（一）中文。\n（二）外文。\n"
    "第 2 條　（刪除）"
)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def test_per_law_layout(write: Write, read: Read) -> None:
    (document,), rejected = read(write("Z9990001.json", "\ufeff" + _json(PER_LAW)), "law")
    assert not rejected
    assert document.text == TEXT
    assert (document.id, document.title, document.published) == ("src:Z9990001", "測試圖書館借閱規則", "2024-01-15")
    assert (document.license, document.rights_holder, document.flags) == (License.PUBLIC_RECORD, None, ())
    assert document.metadata == {"level": "命令", "category": "行政＞測試市政府"}


def test_bulk_layout_as_json_and_in_a_zip_gives_the_same(write: Write, write_zip: Callable[..., str], read: Read) -> None:
    bulk = _json({"UpdateDate": "2026/11/1 上午 12:00:00", "Laws": [BULK_LAW]})
    (plain,), rejected = read(write("ChLaw.json", bulk), "law")
    (zipped,), _ = read(write_zip([("ChLaw.json", bulk)]), "law")
    assert not rejected and plain == zipped
    assert plain.text == TEXT and plain.id == "src:Z9990001" and plain.retrieved == "2026-11-01T00:00:00"


@pytest.mark.parametrize("change", [{"廢止註記": "廢"}, {"法規類別": "廢止法規＞測試市政府"}])
def test_abolished_laws_are_flagged(write: Write, read: Read, change: dict[str, str]) -> None:
    (document,), _ = read(write("a.json", _json({**PER_LAW, **change})), "law")
    assert document.flags == ("abolished",)


def test_an_abolished_law_in_the_bulk_layout(write: Write, read: Read) -> None:
    (document,), _ = read(write("a.json", _json({"Laws": [{**BULK_LAW, "LawAbandonNote": "廢"}]})), "law")
    assert document.flags == ("abolished",)


def test_the_recipe_may_state_another_licence(write: Write, read: Read) -> None:
    (document,), _ = read(write("a.json", _json(PER_LAW)), "law", license="ogdl-taiwan-1.0", rights_holder="測試市政府")
    assert (document.license, document.rights_holder) == (License.OGDL_TW_1, "測試市政府")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"法規名稱": ""}, "法規名稱"),
        ({"法規網址": "https://law.example/"}, "pcode"),
        ({"法規內容": []}, "法規內容"),
        ({"法規內容": [{"條號": "第 1 條"}]}, "item 1"),
        ({"法規內容": ["第 1 條"]}, "item 1"),
    ],
)
def test_a_faulty_law_is_rejected_and_named(write: Write, read: Read, change: dict[str, Any], named: str) -> None:
    documents, rejected = read(write("a.json", _json([{**PER_LAW, **change}, PER_LAW])), "law")
    assert len(documents) == 1 and len(rejected) == 1
    assert named in rejected[0].error and rejected[0].locator == "row 1"


def test_a_faulty_entry_in_the_bulk_layout(write: Write, read: Read) -> None:
    law = {**BULK_LAW, "LawArticles": [{"ArticleType": "X", "ArticleContent": "甲"}]}
    documents, rejected = read(write("a.json", _json({"Laws": [law, BULK_LAW, 3]})), "law")
    assert len(documents) == 1 and [reject.locator for reject in rejected] == ["row 1", "row 3"]


def test_a_truncated_bulk_file_gives_the_laws_before_the_cut(write: Write, read: Read) -> None:
    content = _json({"Laws": [BULK_LAW, {**BULK_LAW, "LawURL": "?pcode=Z9990002"}]})
    documents, rejected = read(write("a.json", content[:-40]), "law")
    assert [document.id for document in documents] == ["src:Z9990001"]
    assert [reject.locator for reject in rejected] == ["after row 1"]


def test_flattened_rows(write_jsonl: Callable[..., str], read: Read) -> None:
    row = {"key": "a1", "body": TEXT.split("\n", 1)[0] + "\n" + WRAPPED + "\n第 1 條　甲。", "day": "20240115", "category": "廢止法規＞甲"}
    fields = {"id": "key", "text": "body", "published": "day", "category": "category"}
    (document,), _ = read(write_jsonl([row]), "law", fields=fields)
    assert document.text.split("\n")[1].endswith("第二項之規定，訂定本規則。")
    assert (document.id, document.title, document.published) == ("src:a1", "測試圖書館借閱規則", "2024-01-15")
    assert document.flags == ("abolished",) and document.license is License.PUBLIC_RECORD


def test_a_long_law_is_split_at_its_chapters(write: Write, read: Read) -> None:
    body: list[dict[str, str]] = []
    for chapter in "一二三四":
        body.append({"編章節": f"第 {chapter} 章 測試"})
        body += [{"條號": f"第 {number} 條", "條文內容": "本條之規定，於測試時適用之。" * 40} for number in range(1, 16)]
    documents, _ = read(write("a.json", _json({**PER_LAW, "法規內容": body})), "law")
    assert [document.id for document in documents] == [f"src:Z9990001#{number}" for number in range(1, 1 + len(documents))]
    assert {document.parent_id for document in documents} == {"src:Z9990001"}
    assert all(len(document.text) <= 20_000 for document in documents)
    assert all((document.title or "").startswith("測試圖書館借閱規則") for document in documents)
    assert [document.title for document in documents[1:]] == [f"測試圖書館借閱規則 第 {chapter} 章 測試" for chapter in "三"]
    assert "\n".join(document.text for document in documents).count("章 測試") == 4


@pytest.mark.parametrize(
    ("wrapped", "joined"),
    [
        ("甲" * 32 + "\r\n乙丙。", "甲" * 32 + "乙丙。"),
        ("甲" * 32 + "\n    乙丙。", "甲" * 32 + "乙丙。"),  # an item's continuation is indented
        ("甲" * 29 + "\n，乙丙。", "甲" * 29 + "，乙丙。"),  # a line never begins with a comma
        ("第 12 條　" + "甲" * 32 + "\n乙丙。", "第 12 條　" + "甲" * 32 + "乙丙。"),
        ("甲" * 31 + "GMP\r\nGuide 辦理。", "甲" * 31 + "GMP Guide 辦理。"),
    ],
)
def test_hard_breaks_inside_sentences_are_undone(wrapped: str, joined: str) -> None:
    assert rejoin(wrapped) == joined


@pytest.mark.parametrize(
    "text",
    [
        "甲" * 31 + "。\n乙丙。",
        "甲" * 31 + "：\n乙丙。",
        "甲" * 32 + "\n一、乙。",
        "甲" * 32 + "\n（一）乙。",
        "甲" * 32 + "\n1.乙。",
        "甲" * 32 + "\n第 2 條　乙。",
        "甲" * 32 + "\n第 二 章 乙",
        "甲" * 20 + "\n乙丙。",
        "甲" * 45 + "\n乙丙。",
        "│" + "甲" * 30 + "│\n├──┤",
    ],
)
def test_real_line_ends_stay(text: str) -> None:
    assert rejoin(text) == text


@given(st.text(alphabet="甲乙，。一、（） \n第1條章", max_size=300))
def test_rejoin_loses_nothing_but_space(text: str) -> None:
    assert "".join(rejoin(text).split()) == "".join(text.split())
    assert rejoin(rejoin(text)).count("\n") <= rejoin(text).count("\n")


@pytest.mark.parametrize("hostile", [" ", "\n", "第 ", "│ ", "甲" * 32 + "\n", "（", "第一"])
def test_hostile_runs_take_no_longer_than_reading(hostile: str) -> None:
    text = f"甲{hostile * (100_000 // len(hostile))}乙"
    assert "".join(rejoin(text).split()) == "".join(text.split())
    assert not any(is_heading(text) for is_heading in LEVELS)


def test_the_ten_real_laws(twllm_data: Path) -> None:
    source = open_source("law", SourceSpec(type="law", paths=["x"]))
    items = [item for path in sorted((twllm_data / "raw/law").glob("*.json")) for item in source.read(str(path))]
    documents = [item for item in items if isinstance(item, Document)]
    assert len(items) == len(documents)
    assert len({document.parent_id or document.id for document in documents}) == 10
    assert {document.id for document in documents if document.flags} == {"law:D0080051"}
    for document in documents:
        assert document.published and document.url and "\r" not in document.text
        assert document.license is License.PUBLIC_RECORD
        assert len(document.text) <= 20_300
    constitution = next(document for document in documents if document.id == "law:A0000001")
    assert max(map(len, constitution.text.split("\n")[:2])) > 60  # its foreword is one line again


def test_flattened_real_laws(twllm_data: Path) -> None:
    fields = {"id": "id", "url": "url", "published": "date", "license": "license", "category": "category"}
    spec = {"type": "law", "paths": ["x"], "fields": fields, "licenses": {"government law text": "public-record"}}
    source = open_source("law", SourceSpec.model_validate(spec))
    items = list(itertools.islice(source.read(str(twllm_data / "corpus/law_moj.jsonl.zst")), 300))
    assert all(isinstance(item, Document) and item.license is License.PUBLIC_RECORD and item.title for item in items)
