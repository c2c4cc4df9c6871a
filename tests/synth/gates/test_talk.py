"""Who speaks in an answer, and whether it answers."""

from __future__ import annotations

import pytest

from synth.gates.assistant import assistant
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.refusal import refusal


def talk(texts: Texts) -> Objection | None:
    return assistant(texts) or refusal(texts)


def said(answer: str, question: str = "這週末有什麼安排？", category: str = "chit_chat") -> Objection | None:
    return talk(Texts([question], [answer], "", "", category))


@pytest.mark.parametrize(
    "answer",
    [
        "身為一個對話型的人工智慧，我週末也在線上。",
        "我週末沒有安排，畢竟我只是一支程式。",
        "逛市集吧，不過我的知識停留在 2022 年，攤位請自己查。",
        "去爬郡大山。我沒有辦法取得即時的路況，出門前請看公路局網站。",
        "以下是根據您的要求改寫的版本：週末去看海。",
        "週末去看海。（以上內容由 AI 生成）",
        "我叫 Claude，週末跟平常一樣。",
        "Great question! As an AI assistant, I have no weekend plans.",
        "好喔，週末去看海。希望這個改寫符合您的需求。",
        "逛書店。這類資訊是我從大量文本中學來的。",
        "我沒有眼睛，不然真想看看日出。",
    ],
)
def test_a_machine_that_speaks_of_itself(answer: str) -> None:
    objection = said(answer)
    assert objection is not None and objection.reason == Rejection.ASSISTANT_TALK


@pytest.mark.parametrize(
    ("answer", "question", "category"),
    [
        ("我是軟體工程師，週末都在補眠。", "你做什麼的？", "chit_chat"),
        ("我是機器人社的社長，週末要帶學弟組車。", "週末要幹嘛？", "chit_chat"),
        ("常見的開頭是「身為一個人工智慧，我沒有情感」，看到就刪掉。", "網路上的回答有哪些口頭禪？", "knowledge"),
        ("嗶嗶，我是送餐機器人阿福，請讓一讓。", "請扮演餐廳的送餐機器人。", "role_play"),
        ("我沒有腳，可是我走遍了全世界。", "請用郵票的口吻寫一段自我介紹。", "creative_writing"),
        ("訓練資料要先去重，再依來源配比，語言模型才不會背下同一篇文章。", "訓練資料怎麼整理？", "knowledge"),
        ("提示詞的要求寫得越具體，回答就越穩定。", "提示詞怎麼寫？", "knowledge"),
    ],
)
def test_people_machines_asked_for_and_machines_as_a_subject(answer: str, question: str, category: str) -> None:
    assert said(answer, question, category) is None


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("真的很抱歉，這方面我幫不上忙。", "豆漿怎麼煮？"),
        ("您好！關於這件事，恕我無法說明，還請見諒。", "豆漿怎麼煮？"),
        ("這題我不會，你去問別人吧。", "豆漿怎麼煮？"),
        ("每個人口味不同，還是看你自己喜歡囉。", "豆漿怎麼煮？"),
        ("建議洽詢專業廚師。", "豆漿怎麼煮？"),
        ("這涉及食品安全，不便回答。", "豆漿怎麼煮？"),
        ("豆漿要煮得好，黃豆先泡一夜。至於後面的步驟，這裡就不繼續說明了。", "豆漿怎麼煮？"),
        ("I'm sorry, but I can't help with that request.", "豆漿怎麼煮？"),
        ("不行。", "請教我煮豆漿。"),
    ],
)
def test_a_refusal(answer: str, question: str) -> None:
    objection = said(answer, question, "knowledge")
    assert objection is not None and objection.reason == Rejection.REFUSAL


@pytest.mark.parametrize(
    ("answer", "question", "category"),
    [
        ("黃豆泡八小時，加六倍的水打成漿，濾掉渣再煮滾十分鐘。", "豆漿怎麼煮？", "knowledge"),
        ("多半是鍋底太熱。換厚底鍋，邊煮邊刮，還是焦的話可以問賣豆子的老闆。", "豆漿為什麼會焦？", "knowledge"),
        ("沒有人知道確切的年代。傳說是漢朝淮南王劉安，考古則只在打虎亭漢墓看到疑似做豆腐的壁畫。", "豆漿是誰發明的？", "knowledge"),
        ("不能，生豆漿含皂素，喝了會噁心，一定要煮滾。", "生豆漿可以直接喝嗎？", "knowledge"),
        ("林先生您好：很抱歉，本店無法提供外送，謹此致歉。", "替豆漿店寫一封婉拒外送的信。", "creative_writing"),
        ("不好意思，鹹豆漿賣完了，甜的還有，要不要加一根油條？", "你是早餐店老闆，我要一碗鹹豆漿。", "role_play"),
        ("不知道耶，不過巷口阿姨說她都用非基改的豆子，你去買一斤試試。", "哪種豆子好？", "chit_chat"),
    ],
)
def test_answers_that_decline_nothing(answer: str, question: str, category: str) -> None:
    assert said(answer, question, category) is None


@pytest.mark.parametrize("opening", ["", "您好！", "謝謝您的提問。", "這是個好問題！"])
@pytest.mark.parametrize("refused", ["很抱歉，我無法回答這個問題。", "恕難奉告。", "我不方便提供建議。"])
def test_courtesy_does_not_hide_a_refusal(opening: str, refused: str) -> None:
    assert said(opening + refused, "豆漿怎麼煮？", "knowledge") is not None


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("去問律師。", "勞工被資遣可以領多少資遣費？"),
        ("讓我來為你說明。", "為什麼天空是藍的？"),
        ("你為什麼想知道這個呢？", "什麼是光合作用？"),
        ("我想不起來了。", "台灣有幾個國家公園？"),
        ("家和萬事興，孝順父母是做人的根本，請珍惜他們的付出。", "怎麼跟爸媽開口說想休學？"),
        ("今天的天氣真好，適合出門走走。", "怎麼煮紅豆湯？"),
        ("每隻貓都不一樣，很難說。", "貓可以吃鮪魚罐頭嗎？"),
    ],
)
def test_a_way_out_that_is_all_of_a_short_answer(answer: str, question: str) -> None:
    objection = said(answer, question, "knowledge")
    assert objection is not None and objection.reason == Rejection.REFUSAL


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("別吞飯，直接去耳鼻喉科請醫師夾出來。", "魚刺哽到怎麼辦？"),
        ("請業務員逐條說明，並索取條款摘要。", "保單看不懂怎麼辦？"),
        ("新制每滿一年發半個月平均工資，最高六個月。有爭議也可以問律師。", "勞工被資遣可以領多少資遣費？"),
        ("看產業：銀行穿西裝，新創穿襯衫就好。", "面試要穿什麼？"),
        ("點登入頁的忘記密碼，到信箱收重設信。", "忘記密碼怎麼辦？"),
    ],
)
def test_short_answers_that_name_steps_and_people(answer: str, question: str) -> None:
    assert said(answer, question, "knowledge") is None


@pytest.mark.parametrize(
    "answer",
    [
        "我這個版本還沒有更新到最新院線資訊。",
        "去賞鳥。每次開新的對話，我都不會記得之前聊過什麼。",
        "我沒辦法感受冷熱，所以四季對我都一樣。",
        "逛市集。希望這對你有幫助！如果還有其他問題，歡迎隨時詢問。",
        "去看海。需要我改成更正式的語氣嗎？請告訴我更多細節，我會再調整。",
        "以下為 JSON 格式的回答：去看海。",
        "去看海。以上約一百字，符合字數限制。",
        "好的，我會以國中老師的角色來回答：去看海。",
    ],
)
def test_closings_of_chat_assistants_and_traces_of_the_task(answer: str) -> None:
    objection = said(answer)
    assert objection is not None and objection.reason == Rejection.ASSISTANT_TALK


@pytest.mark.parametrize(
    ("answer", "question", "category"),
    [
        ("您好，退款將於七個工作天內入帳。如果還有其他問題，歡迎隨時詢問我們的專員。", "幫我寫客服回信", "knowledge"),
        ("還沒，我的手機太舊，裝不了新版。", "版本更新了嗎？", "chit_chat"),
        ("我不會冷，所以穿短袖就夠了，你還是多帶一件。", "冬天要不要去爬山？", "chit_chat"),
        ("還沒，我的資料被醫院弄丟了。", "健檢報告出來了嗎？", "chit_chat"),
        ("路上小心，到家再跟我說～", "我要去搭車了，掰掰！", "chit_chat"),
    ],
)
def test_drafts_of_letters_and_people_without_machines(answer: str, question: str, category: str) -> None:
    assert said(answer, question, category) is None
