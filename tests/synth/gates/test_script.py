"""Language and script."""

from __future__ import annotations

import pytest

from factory.zh import wordlists
from synth.gates.language import language
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.simplified import simplified


def script(texts: Texts) -> Objection | None:
    return language(texts) or simplified(texts)


def reason(answer: str, question: str = "為什麼竹子長得快？", category: str = "knowledge") -> Rejection | None:
    objection = script(Texts([question], [answer], "", "", category))
    return objection.reason if objection else None


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        ("Bamboo grows fast because every segment is already there in the shoot.", "knowledge"),
        ("竹子長得快。The reason is that each segment stretches at the same time, like a telescope.", "knowledge"),
        ("1. **節間**: every segment stretches at once.\n2. **養分**: the rhizome feeds the young shoot.", "knowledge"),
        ("竹は節ごとに成長点があるので、とても速く伸びます。", "knowledge"),
        ("대나무는 마디마다 자라기 때문에 빨리 자랍니다.", "knowledge"),
        ("Бамбук растёт быстро, потому что растёт каждый узел.", "knowledge"),
        ("Tre lớn nhanh vì đốt nào cũng dài ra cùng một lúc.", "knowledge"),
        ("Zhúzi zhǎng de kuài shì yīnwèi měi jié dōu zài zhǎng.", "knowledge"),
        ("竹生得快係因為佢每一節都喺度一齊生㗎，唔使等。", "knowledge"),
        ("```python\nprint(1)\n```\nThis prints the number one, and nothing else happens.", "code"),
        ("Because each node doubles, the height after n days is a power of two.", "mathematics"),
    ],
)
def test_another_language(answer: str, category: str) -> None:
    assert reason(answer, category=category) == Rejection.LANGUAGE


def test_a_translation_goes_where_the_question_says() -> None:
    assert reason("Bamboo grows fast.", "把「竹子長得快」翻成英文。", "translation") is None
    assert reason("Bamboo grows fast.", "把 Bambus wächst schnell 翻成中文。", "translation") == Rejection.LANGUAGE
    assert reason("竹はよく伸びる。", "請翻成中文：Bamboo grows well.", "translation") == Rejection.LANGUAGE
    assert reason("竹子長得快。", "請翻成中文：Bamboo grows fast.", "translation") is None


@pytest.mark.parametrize(
    ("answer", "question", "category"),
    [
        ("因為每一節都有居間分生組織（intercalary meristem），同時伸長。", "為什麼竹子長得快？", "knowledge"),
        ("「Bend, but do not break」是說竹子彎而不折，做人要有彈性。", "這句話怎麼理解？", "knowledge"),
        ("```python\nheight = 2 ** days  # doubles every day of the week until it stops\n```", "寫出公式。", "code"),
        ("h = 2^n", "n 天後多高？", "mathematics"),
        ("MacBook Air、iPad Pro、Apple Watch", "蘋果賣什麼？", "knowledge"),
        ("這個 deadline 很 tight，先把 draft 丟給我 review。", "用上班族的口吻催件。", "role_play"),
        ("「竹」（たけ）在日文裡也讀 chiku。", "竹的日文怎麼念？", "knowledge"),
        ("ㄓㄨˊ ㄗ˙", "竹子的注音？", "knowledge"),
        ("太平山、旺角都有竹棚。", "香港哪裡看得到竹棚？", "knowledge"),
    ],
)
def test_terms_quotations_code_and_what_was_asked_for(answer: str, question: str, category: str) -> None:
    assert reason(answer, question, category) is None


@pytest.mark.parametrize(
    "answer",
    [
        "竹子每一节都會伸長。",
        "竹子長得快，并且耐寒。",
        "院子里種了竹子。",
        "長到十公尺以后就停了。",
        "六种竹子都一樣快。",
        "竹炭可以制造濾芯。",
    ],
)
def test_one_simplified_character_or_use_is_enough(answer: str) -> None:
    assert reason(answer) == Rejection.SIMPLIFIED


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("「丽」是「麗」的簡體字。", "「丽」是哪個字？"),
        ("皇后種竹，公里外的鄉里都知道，里長只好准了。", "說個故事。"),
        ("机场在那边。", "把「機場在那邊」轉成簡體字。"),
        ("日文把「竹」之外的「樹」寫成「木」，「学」則是「學」的新字體。", "日文漢字？"),
    ],
)
def test_simplified_characters_where_they_are_the_subject(answer: str, question: str) -> None:
    assert reason(answer, question) is None


def test_every_character_of_the_list_is_found_in_a_plain_sentence() -> None:
    for character in sorted(wordlists.characters("simplified_only.txt"))[::25]:
        assert reason(f"竹子長得很快，農夫說這裡有{character}字，大家都這樣寫。") == Rejection.SIMPLIFIED, character


@pytest.mark.parametrize(
    "answer",
    [
        "竹子長得快，因為 every node can grow at the same time，所以一天能長一公尺。",
        "你睇下竹筍就知。",
        "竹子的節間よくのびるから，長得快。",
        "ㄓㄨˊ ㄗ˙ ㄓㄤˇ ㄉㄜ˙ ㄎㄨㄞˋ。",
    ],
)
def test_a_clause_in_another_language(answer: str) -> None:
    assert reason(answer) == Rejection.LANGUAGE


@pytest.mark.parametrize(
    "answer",
    [
        "這裡重點解釋節間，因而家家戶戶都看得到周邊度假村的竹林。",
        "推薦 Adele 的 Someone Like You 和披頭四的 I Want to Hold Your Hand。",
        "用 pip install requests 安裝，再執行 python main.py 就可以了。",
        "羊咩咩吃竹葉，咩咩叫。",
        "唔，竹子每一節都會長。",
    ],
)
def test_names_commands_and_sounds_are_no_other_language(answer: str) -> None:
    assert reason(answer) is None


@pytest.mark.parametrize("word", ["等于", "松開", "制作過程", "復雜", "關系", "對于", "手表壞", "鍋里", "擦干", "一碗面", "太咸", "煮好后"])
def test_words_in_which_a_character_of_both_scripts_is_simplified(word: str) -> None:
    assert reason(f"竹子{word}了。") == Rejection.SIMPLIFIED


@pytest.mark.parametrize(
    "answer",
    [
        "于美人和于右任都姓于。",
        "選手表現好，機關系統穩定，控制作物的生長。",
        "若干部位體重復胖，晚上方便面談。",
        "赤松開花，領導游走各地，恢復數據。",
        "球后將在週日出賽，皇后把杯子放下。",
        "這坪數換成公里面積太小，表面食用油要擦掉。",
    ],
)
def test_words_that_only_meet_side_by_side(answer: str) -> None:
    assert reason(answer) is None
