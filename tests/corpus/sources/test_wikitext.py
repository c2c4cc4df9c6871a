"""Wiki markup to prose, on handwritten pages in `wikipedia/` and on markup that means harm."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sources.wikitext import MAX_NESTING, plain_text

PAGES = Path(__file__).with_name("wikipedia")


def text_of(markup: str) -> str:
    return plain_text(markup, "題").text


def page(name: str) -> tuple[str, bool, int]:
    article = plain_text((PAGES / f"{name}.wiki").read_text("utf-8"), name)
    return article.text, article.disambiguation, article.sections_cut


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("'''粗''' ''斜'' '''''粗斜'''''", "粗 斜 粗斜"),
        ("''''粗''''", "'粗'"),
        ("L'Oréal", "L'Oréal"),
        ("[[甲]][[甲|乙]]丙", "甲乙丙"),
        ("[[甲#節|乙]][[#節]]", "乙節"),
        ("[[:Category:甲|分類甲]] [[:en:Foo|英文]]", "分類甲 英文"),
        ("甲[[Category:乙]][[分類:丙|排序]]", "甲"),
        ("甲[[File:x.jpg|thumb|圖說[[乙]]與{{lang|en|c}}]]丙", "甲丙"),
        ("甲\n[[en:Foo]]\n[[zh-min-nan:Bar]]", "甲"),
        ("見[[Re:零]]", "見Re:零"),
        ("[http://x.example/a?b=c 標籤] [//x.example 乙]", "標籤 乙"),
        ("甲[http://x.example]乙", "甲乙"),
        ("https://x.example 留著", "https://x.example 留著"),
        ("甲<!-- 註 -->乙", "甲乙"),
        ("甲<ref>註</ref>乙<ref name=a />丙<REF name='b'>註</REF>", "甲乙丙"),
        ("甲<ref>註{{cite|x=<nowiki>}}</nowiki>}}</ref>乙", "甲乙"),
        ("甲<br />乙<p>丙</p>", "甲\n乙\n丙"),
        ("<span style='x'>甲</span><u>乙</u>", "甲乙"),
        ("1 < 2 > 0，<台北>", "1 < 2 > 0，<台北>"),
        ("m<sup>2</sup>、10<sup>6</sup>", "m²、106"),
        ("<ruby>漢<rp>(</rp><rt>hàn</rt><rp>)</rp></ruby>字", "漢（hàn）字"),
        ("<math>a-{b}-\\frac{1}{2}</math>", "$a-{b}-\\frac{1}{2}$"),
        ("<nowiki>'''[[甲]]''' &lt;b&gt; {{乙}}</nowiki>", "'''[[甲]]''' <b> {{乙}}"),
        ("甲&nbsp;乙&amp;丙&lt;丁&#x4E59;", "甲 乙&丙<丁乙"),
        ("__NOTOC__甲__目錄__乙 a__b", "甲乙 a__b"),
        ("* 甲\n** 乙\n# 丙\n: 丁\n; 戊\n*", "- 甲\n- 乙\n- 丙\n丁\n戊"),
        ("甲\n----\n乙", "甲\n\n乙"),
        ("甲\n\n\n\n\n乙", "甲\n\n乙"),
        ("甲\r\n乙", "甲\n乙"),
        ("甲\n{|\n| 乙\n{|\n| 丙\n|}\n|}\n丁", "甲\n\n丁"),
        (":{| class=x\n| 甲 || {{a|\n|}}\n|}\n乙", "乙"),
        ("#重定向甲", "- 重定向甲"),
        ("{{{1|甲}}}乙{{{2}}}", "甲乙"),
        ("\x00甲\ufdd0乙\ufdd2", "甲乙"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{lang|en|text}}", "text"),
        ("{{Lang|en|[[a|b]]}}", "b"),
        ("{{lang|1=en|2=text}}", "text"),
        ("{{lang-en|text}}", "英語：text"),
        ("{{lang-xx|text}}", "text"),
        ("{{le|中文|English}}", "中文"),
        ("{{link-en|中文|English|顯示}}", "顯示"),
        ("{{link-ja|中文|日本語}}", "中文"),
        ("{{Internal link helper/en|中文|English}}", "中文"),
        ("{{tsl|en|English|中文}}", "中文"),
        ("{{tsl|en|English|中文|顯示}}", "顯示"),
        ("{{ill|中文|en|English|lt=顯示}}", "顯示"),
        ("{{nowrap|{{lang|en|a b}}}}", "a b"),
        ("{{ruby|字|ㄗˋ}}", "字（ㄗˋ）"),
        ("{{bd|1900年|1月1日|1980年|2月}}", "1900年1月1日－1980年2月"),
        ("{{bd|1900年||}}", "1900年－"),
        ("{{nihongo|中文|日本語|romaji}}", "中文（日本語）"),
        ("{{convert|3|km|mi}}", "3公里"),
        ("{{convert|3|to|5|furlong}}", "3–5 furlong"),
        ("{{formatnum:1234}}", "1234"),
        ("{{PAGENAME}}", "題"),
        ("{{!}}", "|"),
        ("{{色|紅}}", ""),
        ("{{Infobox|a={{lang|en|b}}|c=[[d|e]]}}", ""),
        ("{{#if:a|b|c}}", ""),
        ("{{nowrap|http://x.example/?a=b}}", "http://x.example/?a=b"),
        ("-{{lang|en|a}}-", "-a-"),
        ("-{{{lang|en|a}}}-", "a"),
        ("-{zh-cn:[[甲|丙]];zh-tw:{{lang|en|b}}}-", "b"),
        ("[[甲|-{R|乙}-]]", "乙"),
        ("{{nowrap|-{R|a}-|b}}", "a"),
        ("-{zh-tw:a{{!}}b;zh-cn:c}-", "a|b"),
    ],
)
def test_templates(template: str, words: str) -> None:
    assert text_of(f"前{template}後") == f"前{words}後"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("甲（{{IPA-x|a}}）乙", "甲乙"),
        ("甲（{{x}}，英語：a，{{y}}）乙", "甲（英語：a）乙"),
        ("呼叫main()", "呼叫main()"),
    ],
)
def test_brackets_that_a_template_leaves_empty(text: str, cleaned: str) -> None:
    assert text_of(text) == cleaned


def test_sections() -> None:
    bodies = [
        "導言",
        "== 歷史 ==",
        "=== 早期 ===",
        "文",
        "== 空的 ==",
        "{{x}}",
        "== 註釋與參考資料 ==",
        "文",
        "=== 書 ===",
        "文",
        "== 影響 ==",
        "文",
    ]
    markup = "\n".join([*bodies, "==外部連結==", "* 甲"])
    article = plain_text(markup, "題")
    assert article.text == "導言\n\n歷史\n\n早期\n文\n\n影響\n文"
    assert article.sections_cut == 2


@pytest.mark.parametrize(
    "heading", ["參考資料", "-{zh-cn:参考资料;zh-tw:參考資料}-", "腳註及參考文獻", "See also", "Gōa-pō͘ liân-kiat", "'''參見'''"]
)
def test_appendices(heading: str) -> None:
    assert plain_text(f"甲\n== {heading} ==\n乙", "題")[0::3] == ("甲", 1)


@pytest.mark.parametrize("heading", ["參考價格", "與", "埃及", "來源", "="])
def test_other_sections_stay(heading: str) -> None:
    assert plain_text(f"甲\n== {heading} ==\n乙", "題")[0::3] == (f"甲\n\n{heading}\n乙", 0)


@pytest.mark.parametrize(
    "mark", ["{{disambig}}", "{{Disambig|Cat=x}}", "{{消歧義}}", "{{人名消歧義}}", "{{School disambig}}", "__DISAMBIG__", "__消歧義__"]
)
def test_disambiguation(mark: str) -> None:
    article = plain_text(f"甲可以指：\n{mark}", "甲")
    assert (article.text, article.disambiguation) == ("甲可以指：", True)


@pytest.mark.parametrize(
    "mark", ["{{消歧義連結}}", "{{otheruses}}", "{{disambiguation needed}}", "<nowiki>{{disambig}}</nowiki>", "<!-- {{disambig}} -->"]
)
def test_hatnotes_make_no_disambiguation(mark: str) -> None:
    assert not plain_text(f"甲{mark}", "甲").disambiguation


def test_the_wikis_own_names_of_namespaces() -> None:
    assert plain_text("甲[[Bunrui:乙]][[Others:丙]]", "題", ["Bunrui"]).text == "甲Others:丙"


def test_a_river() -> None:
    text, disambiguation, cut = page("石板溪")
    first = text.split("\n")[0]
    assert first.startswith(
        "石板溪（英語：Sekiban River，Chio̍h-pang-khe）是一條虛構的河流，發源於雲根山西側，全長42.5公里，流域面積310平方公里。"
    )
    assert "石板水庫建於民國67年，是下游氾濫平原居民的主要水源。" in text  # NoteTA's terms and one-way rule
    assert "- 電廠的即時資訊由管理處每小時公布一次；" in text
    assert "$Q = A v$" in text and "（m²）" in text
    assert "支流" not in text and "Infobox" not in text and "管理處\n" not in text  # the table and its heading, the box, the links
    assert (disambiguation, cut) == (False, 3)


def test_a_writer() -> None:
    text, _, cut = page("林石頭")
    assert text.startswith("林石頭（1950年1月2日－2019年11月），臺灣虛構的小說家，筆名阿礫（ㄚ ㄌㄧˋ），曾任湖畔出版總編輯。")
    assert "我不是在寫故鄉，我是在還債。" in text
    assert "還替網際網路寫過一則短文：\n「線很長，人很近。」" in text
    assert "不是因為偷懶，而是怕讀者等不及。" in text
    assert "作品列表" not in text and "石頭記事" not in text and cut == 2


def test_a_station() -> None:
    text, _, _ = page("雲津站")
    assert "「雲津站」三字" in text and "雲津（くもつ）" in text and "站房於昭和10年落成" in text
    assert "候車室設在地下道" in text
    assert "鄰近車站" not in text and "Kumotsu 1" not in text


def test_an_algorithm() -> None:
    text, _, _ = page("排序")
    assert "    for i in range(len(a)):" in text.split("\n")
    assert "輸入[[1, 2], '''3''']時" in text and "要寫成a-{b}-。" in text
    assert "石子沉，石子浮，\n最重的那顆不回頭。" in text


@pytest.mark.parametrize("name", ["nan", "hak"])
def test_taigi_and_hakka(name: str) -> None:
    text, _, _ = page(name)
    assert "石板溪" in text and "\u030d" in text  # tone marks stay
    assert "http" not in text and "Lūi-pia̍t" not in text and "Fûn-lui" not in text


def test_a_disambiguation_page() -> None:
    text, disambiguation, _ = page("雲津")
    assert disambiguation and text.endswith("- 雲津鎮：虛構的鄉鎮")


def test_a_broken_page_keeps_its_prose() -> None:
    text, _, _ = page("殘頁")
    assert "殘頁是一篇故意寫壞的條目，[[連結沒有關，-{zh-tw:轉換也沒有關，表格更是如此。" in text
    assert "下一段還是正常的文字，標籤也在，這個註沒有關。" in text


@pytest.mark.parametrize("name", ["石板溪", "林石頭", "雲津站", "排序", "雲津", "nan", "hak"])
def test_prose_holds_no_markup(name: str) -> None:
    text = re.sub(r"輸入.*。\n\n", "", page(name)[0])  # a line that quotes markup
    assert not re.search(r"\{\{|\}\}|\[\[|\]\]|'''|<\w|&\w+;|==|-\{|\n\n\n|[\ufdd0-\ufdef]", text)


HOSTILE = [
    *[
        "{{",
        "}}",
        "[[",
        "]]",
        "{|\n",
        "|}\n",
        "{{{",
        "}}}",
        "-{",
        "}-",
        "<",
        "<!--",
        "<!-- -->",
        "<b>",
        "<li>a",
        "<div a=",
        "<ref>a",
        "<ref ",
        "</ref>",
    ],
    *[
        "<math>",
        "<math>x</math>",
        "'' a",
        "'''a\n",
        "[http://a ",
        "[//a b",
        "==\n",
        "= \n",
        "== a ==\n",
        "== 參見 ==\n",
        "參見與",
        " and ",
        "*a\n",
        ":::",
    ],
    *["&amp", "{{!}}", "（", "（，", ", ", "\n", "__a", "[[a]]", "[[a|", "{{a|", "{{convert|", "{{a|b}}", "<b>{{a", "-{A|b=>zh-tw:cc}-b"],
]


@pytest.mark.parametrize("unit", [*HOSTILE, "[[a|b", "{|\n|a\n", "{{a|[[b|<ref>''", "{{NoteTA|1=zh-tw:a;zh-cn:b}}b"])
def test_hostile_runs_take_linear_time(unit: str) -> None:
    markup = unit * (200_000 // len(unit))
    started = time.perf_counter()
    plain_text(markup, "題")
    assert time.perf_counter() - started < 5  # what is quadratic takes minutes


@pytest.mark.parametrize(
    ("opens", "closes"), [("{{nowrap|", "}}"), ("[[a|", "]]"), ("-{", "}-"), ("{|\n", "\n|}"), ("<b>", "</b>"), ("{{{a|", "}}}")]
)
def test_deep_nesting(opens: str, closes: str) -> None:
    started = time.perf_counter()
    article = plain_text("甲\n" + opens * 100_000 + "x" * 500_000 + closes * 100_000 + "\n乙", "題")
    assert article.text.startswith("甲") and article.text.endswith("乙")
    assert time.perf_counter() - started < 10


def test_nesting_up_to_the_bound_is_resolved() -> None:
    assert text_of("{{nowrap|" * MAX_NESTING + "甲" + "}}" * MAX_NESTING) == "甲"


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "甲", "|", "\n", "a=", "lang|en|", "File:", "= x =", "</nowiki>", "<nowiki>", "\ufdd0", "\x00"]),
        max_size=25,
    )
)
def test_any_markup_gives_text(pieces: list[str]) -> None:
    article = plain_text("".join(pieces), "題")
    assert article.text == article.text.strip()
    assert not re.search("[\x00\ufdd0-\ufdef]", article.text + article.title)


@given(st.text(alphabet="甲乙丙，。「」 abc123", max_size=80))
def test_plain_text_stays(text: str) -> None:
    assert text_of(text) == text.strip()
