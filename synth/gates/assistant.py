"""Answers in which a machine speaks of itself, or of the data that it is making."""

from __future__ import annotations

import re

from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.prose import pattern, without_quotes

LIST = "assistant_talk.tsv"
LONG_QUESTION = 60  # characters: it brings a text along

_MACHINE = re.compile(
    r"AI|人工智|語言模型|機器|聊天程式|電腦|程式|演算法|ChatGPT|虛擬|助理|助手|智能|仿生|人造人|系統|軟體|導航|主控", re.IGNORECASE
)
_ROLE = re.compile(
    r"扮演|假裝|假設你是|你(?:現在)?是(?!誰|什麼)[^？?嗎]{2,}(?:[，。]|$)|當一|第一人稱|口吻|視角|角度|擬人|化身|模擬|語氣|故事|小說|劇本|舞台劇|台詞|獨白|日記|自述|寫一"
)
_PROMPT = re.compile(r"提示|prompt|指令|system|聊天 API|系統訊息", re.IGNORECASE)
_REWRITE = re.compile(r"改寫|改成|改得|精簡|潤飾|潤稿|縮|修改|重寫|在地化|用語|調整|對話|出題|題目|問答|設計|造句|換句話|換個")
_DRAFT = re.compile(
    r"客服|寒暄|收尾|結尾|回覆|信(?!仰|用|任|心)|書信|郵件|公告|通知|簡訊|訊息|草稿|範本|文案|貼文|自我介紹|邀請|致詞|感謝|email|mail|台詞|開場|結語|話術|櫃[台檯]|店員|面試",
    re.IGNORECASE,
)
_COMPUTING = re.compile(
    r"工作|公司|上班|產品|專案|網站|App|資料|訓練|客戶|遊戲|平台|模型|手機|用戶|使用者|後台|研究|論文|改版|伺服", re.IGNORECASE
)
_VOICES = frozenset({"creative_writing", "role_play", "translation", "summarization"})  # who speaks need not be the one who answers
_SOURCE = re.compile(r"段落|以下|文章|這段|下列|下面|上述|[：:「『]")
_HUMAN = re.compile(r"我[^，。！？\n]{0,4}(?:感冒|鼻塞|打?麻藥|確診|受傷|看牙|開刀|發燒|生病|過敏|車禍)")


def assistant(texts: Texts) -> Objection | None:
    """Objects to what the data file lists, outside quotations; a machine that the question asks to hear may speak as one."""
    question = "\n".join(texts.questions)
    asked = [bool(topic.search(question)) for topic in (_ROLE, _MACHINE, _PROMPT, _REWRITE, _SOURCE)]
    role, machine, prompt, rewrite, source = asked
    kinds = ["english", "knowledge", "making"]
    if not (role and machine):
        kinds += ["self", "ability"]
    if not role:
        kinds.append("body")
    if not machine:
        kinds.append("aside")
    if not (role or machine or prompt or _COMPUTING.search(question) or texts.category in _VOICES | {"code"}):
        kinds.append("machine")
    if not (role or _DRAFT.search(question) or texts.category in _VOICES):
        kinds.append("closing")
    if not rewrite:
        kinds.append("rewrite")
    if not prompt:
        kinds.append("prompt")
    if not source and len(question) <= LONG_QUESTION and texts.category != "summarization":
        kinds.append("passage")
    for text in texts.answers:
        prose = without_quotes(text)
        for kind in kinds:
            if kind == "body" and _HUMAN.search(prose):
                continue
            if found := pattern(LIST, kind).search(prose):
                return Objection(Rejection.ASSISTANT_TALK, found[0].strip()[:60])
    return None
