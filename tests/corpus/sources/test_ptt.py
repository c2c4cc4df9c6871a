"""PTT boards: what was written stays, and no user id or address comes out."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.sources.spec import SourceSpec, open_source
from factory.errors import UserError
from factory.records import Document, Rejected

Write = Callable[[str, bytes | str], str]
Read = Callable[..., tuple[list[Document], list[Rejected]]]
ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")


def _article(**change: Any) -> dict[str, Any]:
    return {
        "article_id": "M.1540787655.A.0B1",
        "article_title": "[閒聊] 早餐店的阿姨",
        "author": "soupfan99 (早起的胃)",
        "board": "Food",
        "content": "阿姨今天多給我一顆蛋。\n\n--\n人生就是一場早餐\n--",
        "date": "Mon Oct 29 12:34:15 2018",
        "ip": "203.0.113.5",
        "message_count": {"all": 4},
        "messages": [
            {"push_content": "羨慕", "push_ipdatetime": "203.0.113.9 10/29 12:40", "push_tag": "推", "push_userid": "eggy"},
            {
                "push_content": "我家附近的阿姨只會叫我帥哥然後多收我五塊錢真的",
                "push_ipdatetime": "",
                "push_tag": "→",
                "push_userid": "breadman",
            },
            {"push_content": "很過分", "push_ipdatetime": "", "push_tag": "→", "push_userid": "breadman"},
            {"push_content": "推 breadman 的阿姨 203.0.113.77", "push_ipdatetime": "", "push_tag": "推", "push_userid": "eggy"},
        ],
        **change,
    }


def _crawl(*articles: Any) -> str:
    return json.dumps({"articles": articles}, ensure_ascii=False)


def test_an_article(write: Write, read: Read) -> None:
    (document,), rejected = read(write("Food.json", _crawl(_article())), "ptt")
    assert not rejected
    assert document.text == (
        "[閒聊] 早餐店的阿姨\n阿姨今天多給我一顆蛋。\n羨慕\n我家附近的阿姨只會叫我帥哥然後多收我五塊錢真的很過分\n推 的阿姨"
    )
    assert (document.id, document.published) == ("src:M.1540787655.A.0B1", "2018-10-29T12:34:15")
    assert document.url == "https://www.ptt.cc/bbs/Food/M.1540787655.A.0B1.html"
    assert document.metadata == {"board": "Food", "pushes": 4}
    assert document.title == "[閒聊] 早餐店的阿姨"


def test_pushes_may_be_left_out(write: Write, read: Read) -> None:
    (document,), _ = read(write("Food.json", _crawl(_article())), "ptt", options={"pushes": False})
    assert document.text == "[閒聊] 早餐店的阿姨\n阿姨今天多給我一顆蛋。"


def test_the_author_is_a_keyed_pseudonym(write: Write, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "k1")
    path = write("Food.json", _crawl(_article()))
    (document,), _ = read(path, "ptt", pseudonym_key_env="SECRET")
    assert document.metadata["author"] == hashlib.blake2b(b"soupfan99", key=b"k1").hexdigest()[:16]
    monkeypatch.setenv("SECRET", "k2" * 60)
    (other,), _ = read(path, "ptt", pseudonym_key_env="SECRET")
    assert other.metadata["author"] != document.metadata["author"]


def test_a_key_that_is_not_set_is_refused_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", None):
        monkeypatch.delenv("SECRET", raising=False) if value is None else monkeypatch.setenv("SECRET", value)
        with pytest.raises(UserError, match="SECRET"):
            open_source("src", SourceSpec(type="ptt", paths=["x"], pseudonym_key_env="SECRET"))


def test_the_crawlers_errors_and_faulty_articles_are_rejected_without_naming_anyone(write: Write, read: Read) -> None:
    faulty = [
        {"error": "invalid url"},
        _article(content=""),
        _article(article_id=""),
        _article(content=": 只有引言\n: 第二行"),
        _article(messages="none"),
        17,
    ]
    documents, rejected = read(write("Food.json", _crawl(*faulty, _article())), "ptt")
    assert len(documents) == 1
    assert [reject.locator for reject in rejected] == [f"row {number}" for number in range(1, 7)]
    assert "crawler reports an error: invalid url" in rejected[0].error
    assert not any(reject.excerpt for reject in rejected)


def test_a_truncated_crawl_gives_the_articles_before_the_cut(write: Write, read: Read) -> None:
    content = _crawl(_article(), _article(article_id="M.2"))
    documents, rejected = read(write("Food.json", content[:-30]), "ptt")
    assert len(documents) == 1 and [reject.locator for reject in rejected] == ["after row 1"]


def test_ids_of_the_thread_go_in_any_case_and_rare_ids_of_the_file_everywhere(write: Write, read: Read) -> None:
    one = _article(content="SoupFan99 說得好，eggy 也是，xsoupfan99 不是，walker2019x 呢，egg 呢")
    two = _article(article_id="M.2", author="walker2019x (走路)", messages=[])
    (document, _), _ = read(write("Food.json", _crawl(one, two)), "ptt", options={"pushes": False})
    assert document.text.split("\n")[1] == "說得好， 也是，xsoupfan99 不是， 呢，egg 呢"


def test_flattened_rows_take_the_first_line_for_the_title(write_jsonl: Callable[..., str], read: Read) -> None:
    row = {"k": "p1", "t": "[問卦] 標題\n內文 198.51.100.7\n\n--\n簽名", "u": "https://x.example/1", "author": "eggy", "ip": "198.51.100.7"}
    (document,), _ = read(write_jsonl([row]), "ptt", fields={"id": "k", "text": "t", "url": "u"})
    assert (document.title, document.text, document.url) == ("[問卦] 標題", "[問卦] 標題\n內文", "https://x.example/1")
    assert document.metadata == {}


def test_flattened_rows_with_author_and_board(write_jsonl: Callable[..., str], read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "k1")
    row = {"t": "eggy 的內文", "title": "標題", "author": "eggy (蛋)", "b": "Food"}
    fields = {"text": "t", "title": "title", "author": "author", "board": "b"}
    (document,), _ = read(write_jsonl([row]), "ptt", fields=fields, pseudonym_key_env="SECRET")
    assert document.text == "標題\n的內文"
    assert document.metadata == {"board": "Food", "author": hashlib.blake2b(b"eggy", key=b"k1").hexdigest()[:16]}


def test_a_header_block_gives_title_board_and_date(write_jsonl: Callable[..., str], read: Read) -> None:
    row = {"text": "作者: eggy (蛋) 看板: Food\n標題: [閒聊] 早餐\n時間: Mon Oct 29 12:34:15 2018\n\n吃了"}
    (document,), _ = read(write_jsonl([row]), "ptt")
    assert (document.title, document.text, document.published) == ("[閒聊] 早餐", "[閒聊] 早餐\n吃了", "2018-10-29T12:34:15")
    assert document.metadata == {"board": "Food"}


def test_a_row_of_quotes_only_is_rejected(write_jsonl: Callable[..., str], read: Read) -> None:
    documents, rejected = read(write_jsonl([{"text": "Re: [問卦] 標題\n: 引言"}]), "ptt")
    assert not documents and "nothing but quotes" in rejected[0].error


def test_no_id_and_no_address_of_a_real_board_comes_out(twllm_data: Path, read: Read) -> None:
    path = twllm_data / "raw/ptt/Gossiping.json"
    articles = json.loads(path.read_text(encoding="utf-8"))["articles"]
    users = {article["author"].split()[0].lower() for article in articles}
    addresses = {article["ip"] for article in articles if article["ip"]}
    for message in itertools.chain.from_iterable(article["messages"] for article in articles):
        users.add(message["push_userid"].lower())
        addresses.update(ADDRESS.findall(message["push_ipdatetime"]))
    assert len(users) > 1000 and len(addresses) > 1000

    documents, rejected = read(str(path), "ptt")
    assert len(documents) + len(rejected) == len(articles) and len(documents) >= len(articles) - 1
    outputs: list[list[object]] = [[document.text, document.title, document.url, document.metadata] for document in documents]
    outputs += [[reject.error, reject.excerpt, reject.locator] for reject in rejected]
    for fields in outputs:
        output = json.dumps(fields, ensure_ascii=False)
        assert not users & set(re.findall(r"(?<![a-z0-9_])[a-z][a-z0-9]{1,11}(?![a-z0-9_])", output.lower()))
        assert not any(address in output for address in addresses) and not ADDRESS.search(output)


def test_real_flattened_posts(twllm_data: Path) -> None:
    source = open_source("ptt", SourceSpec(type="ptt", paths=["x"], fields={"id": "id", "published": "date", "url": "url"}))
    items = list(itertools.islice(source.read(str(twllm_data / "corpus/social_ptt.jsonl.zst")), 300))
    documents = [item for item in items if isinstance(item, Document)]
    assert len(items) == 300 and len(documents) >= 290
    for document in documents:
        assert document.published and document.title
        assert not re.search(r"^(?:※ ?(?:引述|編輯|發信站|文章網址|\[本文轉錄)|: |--$|Sent from )", document.text, re.MULTILINE)
