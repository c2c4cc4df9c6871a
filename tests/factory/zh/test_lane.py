"""Each text goes to the lane of its language and script, and fastText is asked only where characters and words leave it open."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.zh import lane as lane_module
from factory.zh.charclass import CharClass, table
from factory.zh.lane import LANES, Lane, ScriptCounts, detect, lane_of
from factory.zh.matcher import Entry, Hit, hits
from factory.zh.normalize import normalize

CHINESE = "小明和小文一起去山上看日出，他走了三公里才到山下"  # no character of one script only


def counts_of(text: str) -> ScriptCounts:
    classes = [int(table()[ord(character)]) for character in text]
    return ScriptCounts(**{name: sum(bool(found & CharClass[name.upper()]) for found in classes) for name in ScriptCounts._fields})


def classify(text: str) -> Lane:
    text = normalize(text).text
    return lane_of(text, counts_of(text), hits(text))


def counts(**given_counts: int) -> ScriptCounts:
    return ScriptCounts(**{**dict.fromkeys(ScriptCounts._fields, 0), **given_counts})


def markers(language: str, *weights: int) -> list[Hit]:
    """One hit each of different markers with these weights."""
    return [Hit(Entry(f"標{number}", language, weight, ()), number, number + 1) for number, weight in enumerate(weights)]


@pytest.fixture
def no_fasttext(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the model only to prove that it is not asked."""

    def refuse(text: str) -> tuple[str, float]:
        pytest.fail(f"fastText was asked about {text!r}")

    monkeypatch.setattr(lane_module, "detect", refuse)


@pytest.mark.parametrize(
    ("lane", "text"),
    [
        ("zh-Hant", "下班後我先繞去五金行買燈泡，回家才發現尺寸不合，只好隔天再跑一趟。"),
        ("zh-Hant", "雲端發票"),
        ("zh-Hant", CHINESE),
        ("zh-Hant", "這個 function 回傳的 list 如果是空的，for loop 就不會執行，要記得檢查。"),
        ("zh-Hant", "老師說「さくら」是日文的櫻花，班上同學聽了都想去日本賞花，可惜機票太貴，只好在陽明山看。"),
        ("zh-Hant", "第 3 條 本辦法所稱申請人，指依本法規定提出申請之法人。"),
        ("zh-Hans", "周末我们去郊外骑车，路上遇到一只流浪猫，它跟着我们走了很远。"),
        ("zh-Hans", "这个软件的默认设置不对，请联系客服处理。"),
        ("zh-mixed", "這間店的服務很差，点餐之后等了一个小时还没来，問店員也說不知道。"),
        ("yue", "佢哋尋日喺公司開會開到好夜，我哋等咗佢哋好耐先至有得食飯。"),
        ("nan", "阮兜的貓仔逐工攏佇灶跤睏，叫伊嘛毋睬，食飽才會行出來。"),
        ("hak", "𠊎屋下个阿公盡好食粄，逐擺過年都愛𠊎兜轉去同佢共下做。"),
        ("nan", "Guá kin-á-ji̍t beh khì chhī-tiûnn bé tshài, lí kám beh tsò-hué khì? Lán ē-tàng kiânn-lōo khì."),
        ("nan", "Góa ê lāu-bú tī chháu-tē khòaⁿ tio̍h chi̍t chiah chiáu-á, chin hoaⁿ-hí, tò-lâi kā gún kóng."),
        ("ja", "昨日は雨が降ったので、家で本を読んで過ごしました。"),
        ("ja", "ｷﾉｳﾊ ｱﾒｶﾞ ﾌｯﾀﾉﾃﾞ ｲｴﾃﾞ ﾎﾝｦ ﾖﾝﾀﾞ"),
        ("ja", "東京電力福島第一原発、処理水の海洋放出開始から一年経過、漁協に説明"),
        ("ja", "市町村合併協議会の設置、県議会が可決。来年四月施行、関係条例改正案を提出予定"),
        ("ko", "어제는 비가 와서 집에서 책을 읽으며 시간을 보냈습니다."),
        ("ko", "오늘 국회(國會)에서 대통령(大統領)이 연설하였다."),
        ("other", "It rained all day, so we stayed at home and read the books from the library."),
        ("other", "Вчера весь день шёл дождь, и мы остались дома читать книги."),
        ("other", "Hôm qua trời mưa nên chúng tôi ở nhà đọc sách cả ngày."),
        ("other", "Aujourd'hui, peut-être sommes-nous allés là-bas, c'est-à-dire à côté."),
        ("other", "2026 1123 44.5% 0912-345-678"),
        ("other", "！？……──★☆"),
        ("other", "😀😀😀"),
        ("other", ""),
        ("other", "\n\n　\n"),
        ("other", "ㄅㄆㄇㄈ ㄉㄊㄋㄌ"),
    ],
)
def test_the_lane_of_a_text(lane: str, text: str) -> None:
    assert classify(text).lane == lane


@pytest.mark.parametrize(
    "text",
    ["Lán tsia̍h-pn̄g, koh tsia̍h thn̂g-á, m̄-thang sio-tsn̂g.", "Chia̍h-pn̄g liáu, thn̂g-á m̄-thang chia̍h, khì n̂g-phôe ê hn̂g-chhù."],
)
def test_romanised_taigi_with_syllables_without_a_vowel(text: str) -> None:
    assert classify(text).lane == "nan"


def test_hakka_that_shares_a_character_with_simplified_chinese_is_hakka() -> None:
    text = "佢講个話𠊎聽毋識，該細人仔个聲盡細，𠊎同佢講愛過大聲兜仔。"
    assert classify(text).lane == "hak"


def test_a_lone_marker_makes_no_language() -> None:
    assert classify("他的筆名叫做佢佢，寫過三本關於登山的書，去年還得了文學獎。").lane == "zh-Hant"


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_every_text_has_a_lane(text: str) -> None:
    first = classify(text)
    assert first.lane in LANES
    assert repr(classify(text)) == repr(first)


@pytest.mark.parametrize(
    ("lane", "given_counts"),
    [
        ("other", counts()),
        ("ko", counts(han=8, hangul=2, traditional=1)),
        ("zh-Hant", counts(han=81, hangul=19, traditional=1)),
        ("ja", counts(han=88, kana=12, traditional=1)),
        ("ko", counts(han=60, kana=20, hangul=20)),
        ("zh-Hans", counts(han=100, simplified=3, traditional=1)),
        ("zh-mixed", counts(han=100, simplified=2, traditional=1)),
        ("zh-mixed", counts(han=100, simplified=1, traditional=9)),
        ("zh-Hant", counts(han=100, simplified=1, traditional=10)),
        ("zh-Hans", counts(han=1, simplified=1)),
        ("zh-Hant", counts(han=3, latin=28, traditional=1)),
        ("zh-Hant", counts(han=30, other_letter=70, traditional=1)),
        ("zh-Hant", counts(han=19)),
    ],
)
@pytest.mark.usefixtures("no_fasttext")
def test_shares_decide_from_their_bound_on(lane: str, given_counts: ScriptCounts) -> None:
    assert lane_of(CHINESE, given_counts, []).lane == lane


@pytest.mark.parametrize(
    ("han", "weights", "lane"),
    [
        (100, (1, 1, 2), "yue"),
        (101, (1, 1, 2), "zh-Hant"),
        (100, (2, 2), "zh-Hant"),
        (100, (7, 8), "zh-Hant"),
        (100, (8, 8), "yue"),
        (101, (8, 8), "zh-Hant"),
        (100, (99,), "zh-Hant"),
    ],
)
@pytest.mark.usefixtures("no_fasttext")
def test_dense_markers_of_several_kinds_make_a_language(han: int, weights: tuple[int, ...], lane: str) -> None:
    assert lane_of(CHINESE, counts(han=han, traditional=20), markers("yue", *weights)).lane == lane


@pytest.mark.usefixtures("no_fasttext")
def test_one_marker_that_is_repeated_is_one_kind() -> None:
    repeated = markers("nan", 3) * 30
    found = lane_of(CHINESE, counts(han=100, traditional=20), repeated)
    assert found.lane == "zh-Hant"
    assert found.density == {"yue": 0.0, "nan": 90.0, "hak": 0.0}


@pytest.mark.usefixtures("no_fasttext")
def test_the_language_furthest_over_its_bound_wins() -> None:
    both = [*markers("yue", 2, 2, 2), *markers("hak", 3, 3, 3)]  # 6 of 4 needed, 9 of 5 needed
    assert lane_of(CHINESE, counts(han=100, traditional=20), both).lane == "hak"


@pytest.mark.usefixtures("no_fasttext")
def test_simplified_text_with_markers_stays_simplified() -> None:
    assert lane_of(CHINESE, counts(han=100, simplified=30, traditional=2), markers("nan", 3, 3, 3)).lane == "zh-Hans"


@pytest.mark.usefixtures("no_fasttext")
def test_hits_of_other_lists_do_not_count() -> None:
    found = lane_of(CHINESE, counts(han=10, traditional=1), markers("scam", 3, 3, 3))
    assert found.lane == "zh-Hant"
    assert found.density == {"yue": 0.0, "nan": 0.0, "hak": 0.0}


@pytest.mark.usefixtures("no_fasttext")
def test_the_evidence_is_in_the_answer() -> None:
    found = lane_of(CHINESE, counts(han=200, simplified=1, traditional=3), markers("yue", 1, 2))
    assert found.density == {"yue": 1.5, "nan": 0.0, "hak": 0.0}
    assert found.simplified_share == 0.25
    assert found.fasttext_label is None
    assert math.isnan(found.fasttext_score)


@pytest.mark.usefixtures("no_fasttext")
def test_a_text_without_one_script_characters_has_no_simplified_share() -> None:
    assert math.isnan(lane_of(CHINESE, counts(han=10), []).simplified_share)


@pytest.mark.parametrize(
    ("text", "label", "lane"),
    [
        (CHINESE, "zh", "zh-Hant"),
        ("We stayed at home and read all day.", "en", "other"),
        ("老師說「さくら」是日文的櫻花，班上同學聽了都想去日本賞花，可惜機票太貴。", "zh", "zh-Hant"),
    ],
)
def test_fasttext_decides_what_characters_leave_open(text: str, label: str, lane: str) -> None:
    found = classify(text)
    assert (found.lane, found.fasttext_label) == (lane, label)
    assert 0.5 < found.fasttext_score <= 1


def test_detect_reads_over_line_ends_and_only_the_head() -> None:
    assert detect("It rained all day.\nWe stayed at home.\n")[0] == "en"
    head = "It rained all day and we stayed at home. " * 60
    assert detect(head[:2_000] + CHINESE * 200) == detect(head[:2_000])


def test_detect_of_nothing_is_an_answer() -> None:
    label, score = detect("")
    assert isinstance(label, str)
    assert 0 <= score <= 1.01
