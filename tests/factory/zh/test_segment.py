"""rjieba's words are jieba's words."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from factory.storage import open_binary
from factory.zh.segment import words

SAMPLE = Path(__file__).parents[3] / "corpus" / "sample"
COMMON = "台灣的人民不在是了有大學生機車便當捷運站今天氣很好我們一起去吃飯吧"
OTHER = "aZ09+#&._%- \n\r\t\u3000，。！（）/:~'éñ㐀㗎𠮷𤺪\u9fd6\u9fef\uf900豈〇々あノ한Ａ１％ㄅ😀\u200d\u0301"


@pytest.fixture(scope="session", autouse=True)
def _quiet_jieba() -> None:
    import jieba

    jieba.setLogLevel(60)  # it announces on stderr that it loads its dictionary


def by_jieba(text: str) -> list[str]:
    import jieba

    return list(jieba.lcut(text))


def sample_texts() -> list[str]:
    rows = []
    for path in sorted(SAMPLE.rglob("*.jsonl")):
        if path.parent.name != "labels":
            rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [row["text"] for row in rows if "text" in row]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\r\n\r\n",
        "今天天氣真好，我們搭捷運去吃牛肉麵。",
        "7-ELEVEN 的 City_Cafe 買1送1，網址 www.example.com.tw/a-b_c.html",
        "v0.9.0 比 v0.8 快 3.5%，COVID-19、1.5m、-5、a--b、..a",
        "C++ 與 C#、AT&T、T恤、卡拉OK",
        "𠮷野家的㗎啡，𠮷𠮷𤺪-的",
        "👨\u200d👩\u200d👧 e\u0301 ㄅㄆㄇ ＡＢ１２％",
    ],
)
def test_equals_jieba_on_edge_cases(text: str) -> None:
    assert words(text) == by_jieba(text)


def test_equals_jieba_on_the_sample_corpus() -> None:
    texts = sample_texts()
    assert len(texts) >= 200
    assert [text for text in texts if words(text) != by_jieba(text)] == []


@settings(max_examples=300, deadline=None)
@given(st.text(st.one_of(st.sampled_from(COMMON), st.sampled_from(OTHER)), max_size=30))
def test_equals_jieba_on_random_strings(text: str) -> None:
    assume(not re.search(r"(.)\1\1", text))  # ties, broken by rounding: see the module
    assert words(text) == by_jieba(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text


@pytest.mark.parametrize("corpus", ["news_tw", "social_ptt", "law_moj", "cofacts_replies", "transcript_audreyt"])
def test_equals_jieba_on_real_text(twllm_data: Path, corpus: str) -> None:
    with open_binary(str(twllm_data / "corpus" / f"{corpus}.jsonl.zst")) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8")
        rows = [json.loads(line) for line, _ in zip(lines, range(60), strict=False)]
    assert [row["id"] for row in rows if words(row["text"][:800]) != by_jieba(row["text"][:800])] == []


def test_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        words("台\ud800灣")
