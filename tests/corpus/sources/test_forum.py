"""Forum threads: title, post, comments; no floor mentions and no lines that are only a picture."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.sources.forum import clean
from corpus.sources.spec import SourceSpec, open_source
from factory.records import Document, Rejected

Read = Callable[..., tuple[list[Document], list[Rejected]]]
THREAD: dict[str, Any] = {
    "id": "t1",
    "forum": "美食",
    "title": "巷口的豆漿店",
    "content": "今天又去了。\nhttps://i.imgur.com/abcdefg.jpg\n真的好喝",
    "createdAt": "2024-05-01T08:00:00Z",
    "comments": [
        {"floor": 1, "content": "想去", "createdAt": "2024-05-01T09:00:00Z"},
        {"floor": 2, "content": "B1 我也想", "createdAt": "2024-05-01T09:01:00Z"},
        {"floor": 3, "content": None, "createdAt": "2024-05-01T09:02:00Z"},
        {"floor": 4, "content": "https://i.imgur.com/b.png", "createdAt": "2024-05-01T09:03:00Z"},
    ],
    "author": "somebody",
    "url": "https://forum.example/p/t1",
}


def test_a_thread(write_jsonl: Callable[..., str], read: Read) -> None:
    (document,), rejected = read(write_jsonl([THREAD]), "forum")
    assert not rejected
    assert document.text == "巷口的豆漿店\n今天又去了。\n真的好喝\n想去\n我也想"
    assert (document.id, document.title, document.published) == ("src:t1", "巷口的豆漿店", "2024-05-01T08:00:00Z")
    assert document.metadata == {"comments": 2, "forum": "美食"}


def test_comments_may_be_left_out(write_jsonl: Callable[..., str], read: Read) -> None:
    (document,), _ = read(write_jsonl([THREAD]), "forum", options={"comments": False})
    assert document.text == "巷口的豆漿店\n今天又去了。\n真的好喝"


def test_flattened_rows(write_jsonl: Callable[..., str], read: Read) -> None:
    row = {"id": "d1", "text": "標題\n感謝 B65 提醒\nhttps://www.youtube.com/watch?v=x", "when": "2021-12-08"}
    (document,), _ = read(write_jsonl([row]), "forum", fields={"id": "id", "published": "when"})
    assert (document.text, document.published, document.metadata) == ("標題\n感謝 提醒", "2021-12-08", {})


@pytest.mark.parametrize("change", [{"content": ""}, {"content": None}, {"comments": "none"}, {"comments": ["x"]}, {"id": None}])
def test_faulty_threads_are_rejected(write_jsonl: Callable[..., str], read: Read, change: dict[str, Any]) -> None:
    documents, rejected = read(write_jsonl([{**THREAD, **change}, THREAD]), "forum")
    assert len(documents) == 1 and [reject.locator for reject in rejected] == ["line 1"]


def test_a_thread_of_pictures_only_is_rejected(write_jsonl: Callable[..., str], read: Read) -> None:
    documents, rejected = read(write_jsonl([{**THREAD, "content": "https://imgur.com/a1", "comments": []}]), "forum")
    assert not documents and "nothing but" in rejected[0].error


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("B3 我也覺得", "我也覺得"),
        ("@B12，謝謝", "謝謝"),
        ("B3你說得對", "你說得對"),
        ("詳情請看B17", "詳情請看"),
        ("我 B12 跟 B13 都推", "我 跟 都推"),
        ("維他命 B12 很重要", "維他命 B12 很重要"),
        ("維他命B12", "維他命B12"),
        ("BAUME B5", "BAUME B5"),
        ("停車場在 B2 樓", "停車場在 B2 樓"),
        ("B2樓停車", "B2樓停車"),
        ("色號 B08 白", "色號 B08 白"),
        ("USB3 很快", "USB3 很快"),
        ("看 https://b23.tv/av1 B3", "看 https://b23.tv/av1 B3"),
    ],
)
def test_floor_mentions(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize("url", ["https://i.imgur.com/a.jpg", "http://x.tw/p/a.PNG?x=1", "https://youtu.be/abc", "https://imgur.com/abc"])
def test_lone_media_lines_go(url: str) -> None:
    assert clean(f"甲\n  {url} \n乙") == "甲\n乙"
    assert clean(f"甲 {url}") == f"甲 {url}"


def test_other_addresses_stay() -> None:
    assert clean("甲\nhttps://example.org/recipe") == "甲\nhttps://example.org/recipe"


@pytest.mark.parametrize("hostile", [" ", "\n", "B1 ", "B1", "https://", "https://x.jpg", "x.jpg", "看B"])
def test_hostile_runs_take_no_longer_than_reading(hostile: str) -> None:
    run = hostile * (100_000 // len(hostile))
    for text in (f"甲{run}乙", run, f"https://x.example/{run.strip()} x"):
        assert len(clean(text)) <= len(text)


def test_real_posts(twllm_data: Path) -> None:
    source = open_source("f", SourceSpec(type="forum", paths=["x"], fields={"id": "id", "published": "date", "url": "url"}))
    items = list(itertools.islice(source.read(str(twllm_data / "corpus/social_dcard_mobile01.jsonl.zst")), 300))
    documents = [item for item in items if isinstance(item, Document)]
    assert len(items) == 300 and len(documents) >= 295
    assert all(document.published for document in documents)
    lone = re.compile(r"^\s*https?://(?:i\.)?imgur\.com/\S+\s*$", re.MULTILINE)
    assert not any(lone.search(document.text) for document in documents)
