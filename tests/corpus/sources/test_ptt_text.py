"""Quotes, signatures, system lines, pushes, ids and addresses in PTT text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.ptt_text import Push, clean, is_rare_id, merge_pushes, scrub, split_header


def test_quotes_go_and_the_reply_stays() -> None:
    text = "※ 引述《eggy (蛋)》之銘言：\n: 第一行引言\n: : 更早的引言\n:\n我的回覆\n: 又一段引言\n第二段回覆"
    assert clean(text, is_reply=True) == "我的回覆\n第二段回覆"


def test_a_quote_line_that_the_crawler_cut_or_changed_goes() -> None:
    assert clean("※ 引述《eggy (蛋\n蛋)》之銘言：\n: 引言\n回覆", is_reply=True) == "回覆"
    assert clean("回覆\n※ 引述《eggy (", is_reply=True) == "回覆"
    assert clean("引述eggy (蛋)之銘言：: 引言 回覆的話", is_reply=True) == "回覆的話"


def test_colons_inside_a_line_are_no_quotes() -> None:
    assert clean("時間 : 晚上\n地點: 台北\n：全形", is_reply=True) == "時間 : 晚上\n地點: 台北\n：全形"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (": 引言甲 還是引言 : 引言乙 回覆的話 第二句", "回覆的話 第二句"),
        ("※ 引述《eggy (蛋)》之銘言： : 引言甲 : 引言乙 回覆", "回覆"),
        (": 引言 : : Sent from JPTT on my Pixel 3. 回覆", "回覆"),
        ("時間 : 晚上", "時間 : 晚上"),
    ],
)
def test_a_reply_whose_lines_were_joined_keeps_its_own_words(text: str, reply: str) -> None:
    assert clean(text, is_reply=True) == reply


def test_joined_lines_of_what_is_no_reply_are_left_alone() -> None:
    assert clean("甲 : 乙 : 丙 丁", is_reply=False) == "甲 : 乙 : 丙 丁"


@pytest.mark.parametrize(
    "tail",
    [
        "--\n簽名一\n簽名二",
        "--\n簽名\n--\n※ 發信站: 批踢踢實業坊(ptt.cc), 來自: 203.0.113.5 (臺灣)\n※ 文章網址: https://www.ptt.cc/bbs/F/M.1.A.html",
        "--",
        "-----\nSent from JPTT on my iPhone",
        "Sent from my Pixel 3",
        "※ 編輯: eggy (203.0.113.5 臺灣), 12/17/2024 13:47:05",
        "※ [本文轉錄自 Food 看板 #1cscl5k8 ]",
        "◆ From: 203.0.113.5",
        "eggy:轉錄至看板 Drama 10/29 13:01",
    ],
)
def test_signatures_and_system_lines_go(tail: str) -> None:
    assert clean(f"內文第一段\n\n內文第二段\n{tail}", is_reply=False) == "內文第一段\n\n內文第二段"


def test_a_rule_in_the_middle_of_a_long_article_is_no_signature() -> None:
    body = "上半\n--\n" + "\n".join(f"下半第{number}行" for number in range(20))
    assert clean(body, is_reply=False) == body.replace("--\n", "")


def test_a_cross_posts_header_goes() -> None:
    header = "作者: eggy (蛋 蛋) 看板: Food\n標題: [閒聊] 早餐\n時間: Mon Oct 29 12:34:15 2018"
    assert clean(f"轉錄如下\n\n{header}\n\n吃了", is_reply=False) == "轉錄如下\n\n吃了"


def test_a_title_line_of_a_news_form_stays() -> None:
    assert clean("標題: 新聞標題\n時間：113年5月31日\n作者不詳", is_reply=False) == "標題: 新聞標題\n時間：113年5月31日\n作者不詳"


def test_joined_header_and_system_text_go() -> None:
    text = "內文 作者 eggy (蛋) 看板 Food 時間 Mon Oct 29 12:34:15 2018 尾巴 toast5 :轉錄至看板 Drama 10/29 13:01"
    assert clean(text, is_reply=False).split() == ["內文", "尾巴"]


def test_colours_go() -> None:
    assert clean("*[1;33m紅字*[m \x1b[32m綠字\x1b[m", is_reply=False) == "紅字 綠字"


def test_push_lines_keep_what_they_say() -> None:
    text = "內文\n推 eggy: 好203.0.113.5 11/27 02:43\n→ toast5 : 上面說得對 11/27 02:44\n→ toast5 : 真的"
    assert clean(text, is_reply=False) == "內文\n好\n上面說得對 真的"
    assert clean(text, is_reply=False, with_pushes=False) == "內文"


def test_bare_pushes_are_a_block_at_the_end() -> None:
    assert clean("內文\n\n噓 不同意\n推 同意\n→ 補充", is_reply=False) == "內文\n不同意\n同意\n補充"
    assert clean("內文\n推 這間店", is_reply=False) == "內文\n推 這間店"


def test_pushes_of_one_user_are_one_line() -> None:
    long = "這是一則寫滿整個輸入欄位所以被切成兩行的推文"
    assert merge_pushes([Push("a", long), Push("a", "續")]) == [long + "續"]
    assert merge_pushes([Push("a", "短"), Push("a", "又一句"), Push("b", "別人"), Push("a", "回來")]) == ["短 又一句", "別人", "回來"]
    assert merge_pushes([Push("", "甲"), Push("", "乙"), Push("a", "")]) == ["甲", "乙"]


@pytest.mark.parametrize(
    ("user", "rare"), [("xddddddddd", True), ("a000000000", True), ("oz5566", True), ("p2p", False), ("apple", False), ("basketbal", False)]
)
def test_rare_ids(user: str, rare: bool) -> None:
    assert is_rare_id(user) is rare


def test_scrub_leaves_other_lines_as_they_are() -> None:
    text = "  縮排  的詩\nEggy 說 1.2.3.4 好"
    assert scrub(text, {"eggy"}, frozenset()) == "縮排  的詩\n說 好"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("203.0.113.5", ""),
        ("連到203.0.113.5。", "連到。"),
        ("12:4242.73.130.25010/21", "12:4210/21"),
        ("203.0.113.511/27 02:43", "11/27 02:43"),
        ("第 999.999.999.999 號", "第 999.999.999.999 號"),
        ("1989.1992.1995.1997", "1989.1992.1995.1997"),
        ("v1.2.3", "v1.2.3"),
    ],
)
def test_addresses(text: str, scrubbed: str) -> None:
    assert scrub(text, frozenset(), frozenset()) == scrubbed


OCTETS = st.tuples(*[st.integers(0, 255)] * 4)


@given(st.text(alphabet="甲乙 ，。a\n", max_size=20), OCTETS, st.text(alphabet="甲乙 ，。a\n", max_size=20))
def test_no_address_between_other_words_survives(before: str, octets: tuple[int, int, int, int], after: str) -> None:
    address = ".".join(map(str, octets))
    assert address not in scrub(f"{before}{address}{after}", frozenset(), frozenset())


@given(st.text(max_size=200), st.booleans())
def test_clean_never_raises_and_never_adds(text: str, is_reply: bool) -> None:
    assert len(clean(text, is_reply)) <= len(text)


@pytest.mark.parametrize(
    "hostile",
    [" ", "\n", ": ", " : ", "推 eggy: \n", "推 a:   ", "eggy (", "作者 ab (", "--\n", "1.", "※ 引述《", "Sent from my ", "a" * 13],
)
def test_hostile_runs_take_no_longer_than_reading(hostile: str) -> None:
    text = f"推 eggy: {hostile * (100_000 // len(hostile))}x"
    for content in (text, f"{text}\nx\ny", hostile * (100_000 // len(hostile))):
        clean(content, is_reply=True)
        split_header(content)
        scrub(content, {"eggy"}, frozenset())


def test_split_header() -> None:
    header, rest = split_header("eggy (蛋)\nFood\n[閒聊] 早餐\nSat Feb  3 01:40:26 2024\n吃了")
    assert header is not None and (header.author, header.board, header.title, rest) == ("eggy", "Food", "[閒聊] 早餐", "吃了")
    assert split_header("一般的文章\n第二行") == (None, "一般的文章\n第二行")
