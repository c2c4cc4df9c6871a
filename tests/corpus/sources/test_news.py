"""News: an outlet's boilerplate is data, what it removes is counted, and the story stays."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.news import OUTLETS_FILE, Rules, load_outlets, strip
from corpus.sources.spec import SourceSpec, open_source
from factory.errors import UserError
from factory.records import Document, License, Rejected

Read = Callable[..., tuple[list[Document], list[Rejected]]]
STORY = "巷口的豆漿店今天熄燈，老客人一早就來排隊。老闆說，做了四十年，腰不行了。\n\n他打算先睡到中午，再想下一步。"
LONG = "".join(f"第{number}位客人說了自己的故事。" for number in range(30))
DEFAULT, OUTLETS = load_outlets()


def _row(text: str, **change: Any) -> dict[str, Any]:
    return {
        "id": "n1",
        "title": "豆漿店熄燈",
        "text": text,
        "url": "https://news.example/1",
        "published": "2024-08-21",
        "outlet": "島嶼日報",
        **change,
    }


def test_default_fields_and_the_count_of_what_was_removed(write_jsonl: Callable[..., str], read: Read) -> None:
    head = "（記者王小明／台南報導）"
    (document,), rejected = read(write_jsonl([_row(head + STORY)]), "news")
    assert not rejected
    assert document.text == STORY
    assert (document.id, document.title, document.published) == ("src:n1", "豆漿店熄燈", "2024-08-21")
    assert document.metadata == {"outlet": "島嶼日報", "boilerplate_chars": len(head)}
    assert document.license is License.UNKNOWN


def test_text_without_boilerplate_is_unchanged(write_jsonl: Callable[..., str], read: Read) -> None:
    (document,), _ = read(write_jsonl([_row(STORY)]), "news")
    assert document.text == STORY and document.metadata["boilerplate_chars"] == 0


@pytest.mark.parametrize(
    "head",
    [
        "（記者王小明／台南報導）",
        "（記者王小明、林小美╱綜合報導）",
        "〔記者王小明／台北報導〕",
        "（中央社記者王小明台北5日電）",
        "（晨光社記者王小明台北5日電）",
        "【王小明╱綜合報導】",
        "記者王小明／台北報導",
        "[記者王小明／台北報導]",
    ],
)
def test_a_reporters_tag_at_the_head_goes(head: str) -> None:
    assert strip(head + STORY, DEFAULT) == STORY
    assert strip(f"豆漿店熄燈 老客人不捨\n{head}{STORY}", DEFAULT) == f"豆漿店熄燈 老客人不捨\n{STORY}"


@pytest.mark.parametrize(
    "tail",
    [
        "\n\n延伸閱讀\n另一則標題\n又一則標題\n看更多 海風交通新聞",
        "\n看更多 海風交通新聞",
        "\n更多港都時報報導\n另一則標題",
        "\n\n※ 提醒您：外食請留意油鹽攝取，均衡飲食",
        "\n\n《港都時報》提醒您：飲酒過量有害健康",
        "\n\n（編輯：許小蓁）1130305",
        "(編輯：許小蓁)1130305",
        "\n\n※ 提醒您：請勿酒駕\n更多港都時報報導\n另一則標題",
        "（王小明／台北報導）",
    ],
)
def test_what_follows_the_story_goes(tail: str) -> None:
    assert strip(STORY + tail, DEFAULT) == STORY


@pytest.mark.parametrize(
    "text",
    [
        "延伸閱讀的習慣，他從小就有。" + STORY,
        "（台北訊）" + STORY,
        STORY + "他說，想看更多日出。",
        STORY + "記者會明天舉行。",
    ],
)
def test_the_same_words_inside_a_story_stay(text: str) -> None:
    assert strip(text, DEFAULT) == text


def test_tails_are_looked_for_in_the_last_two_fifths_only() -> None:
    text = "開頭。\n延伸閱讀\n" + STORY * 3
    assert strip(text, DEFAULT) == text


@pytest.mark.parametrize(
    ("row", "text", "story"),
    [
        ({"outlet": None, "url": "https://tw.appledaily.com/life/1"}, STORY + "\n看了這則新聞的人，也看了……\n別則", STORY),
        ({"outlet": "蘋果日報"}, "【更新影片】" + STORY + "\n相關新聞：別則", STORY),
        ({"outlet": None, "id": "apple_news-1"}, STORY + "（王小明／台北報導）\n豆漿\n早餐\n熄燈", STORY),
        ({"outlet": "中國時報"}, LONG[:200] + LONG, LONG),
        ({"outlet": None, "url": "https://udn.com/1"}, STORY + "【更多精采內容，詳見】", STORY),
    ],
)
def test_an_outlet_is_known_by_name_address_or_id(
    write_jsonl: Callable[..., str], read: Read, row: dict[str, Any], text: str, story: str
) -> None:
    (document,), _ = read(write_jsonl([_row(text, **row)]), "news")
    assert document.text == story


def test_another_outlets_patterns_do_not_apply(write_jsonl: Callable[..., str], read: Read) -> None:
    text = STORY + "\n看了這則新聞的人，也看了……"
    (document,), _ = read(write_jsonl([_row(text, url="https://notappledaily.com/1")]), "news")
    assert document.text == text


def test_nothing_but_boilerplate_is_rejected(write_jsonl: Callable[..., str], read: Read) -> None:
    documents, rejected = read(write_jsonl([_row("※ 提醒您：請勿酒駕"), {"id": "n2"}, {"text": STORY}]), "news")
    assert not documents
    assert [reject.error for reject in rejected] == [
        "field text (column 'text') holds nothing but boilerplate",
        "missing field text (column 'text')",
        "missing field id (column 'id')",
    ]


def test_a_bad_pattern_names_file_outlet_and_pattern(tmp_path: Path) -> None:
    path = tmp_path / "o.yaml"
    path.write_text("version: 1\ndefault: {}\noutlets:\n- {name: 測試報, match: {}, tail: ['(']}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_outlets(str(path))
    assert all(word in str(caught.value) for word in (str(path), "測試報", "'('"))


@pytest.mark.parametrize(
    "content", ["version: 1\ndefault: {heads: []}\n", "default: {}\n", "version: 1\ndefault: {head: ['x*']}\n", "version: 1\ndefault: 3\n"]
)
def test_a_bad_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "o.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(str(path))):
        load_outlets(str(path))


def test_the_packaged_file_has_each_outlet_once() -> None:
    known: list[str] = []
    for match, rules in OUTLETS:
        known += [*match.outlet, *match.domain, *match.id_prefix]
        assert match.outlet or match.domain or match.id_prefix
        assert rules.head[: len(DEFAULT.head)] == DEFAULT.head
    assert len(known) == len(set(known)) and Path(OUTLETS_FILE).is_file()


@given(st.text(alphabet="（記者王／台報導）。\n延伸閱讀※提醒您：甲", max_size=200))
def test_strip_never_adds(text: str) -> None:
    for rules in [DEFAULT, *(rules for _, rules in OUTLETS)]:
        assert len(strip(text, rules)) <= len(text)


@pytest.mark.parametrize("hostile", [" ", "\n", "　\n", "（甲／", "（甲／乙報導）\n", "延伸閱讀", "。_, ", "※ 提醒您\n", "甲"])
def test_hostile_runs_take_no_longer_than_reading(hostile: str) -> None:
    text = f"開頭。{hostile * (100_000 // len(hostile))}尾。"
    for rules in [DEFAULT, *(rules for _, rules in OUTLETS)]:
        assert strip(text, rules).startswith("開頭")


def test_rules_of_an_outlet_come_after_the_default() -> None:
    one = Rules((re.compile("a"),), (), (), ())
    assert (DEFAULT + one).head == (*DEFAULT.head, *one.head)


def test_real_articles(twllm_data: Path) -> None:
    fields = {"id": "id", "text": "text", "url": "url", "published": "date", "outlet": "source"}
    source = open_source("news", SourceSpec(type="news", paths=["x"], fields=fields))
    items = list(itertools.islice(source.read(str(twllm_data / "corpus/news_tw.jsonl.zst")), 300))
    documents = [item for item in items if isinstance(item, Document)]
    assert len(items) == 300 and len(documents) >= 295
    assert sum(document.metadata["boilerplate_chars"] > 3 for document in documents) > 100
    for document in documents:
        assert not re.search(r"看了這則新聞的人|訂閱《蘋果》|版權所有 不得轉載\Z", document.text)
        assert not re.match(r"【[^【】\n]{2,40}報導】", document.text)
