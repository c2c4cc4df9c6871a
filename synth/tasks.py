"""What is asked and how answers are read. Each task is pure: requests follow from rows, candidates from answers."""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from synth.answers import Malformed, fields, json_in, labelled, text_of
from synth.prompt import prompt
from synth.request import Message, Request, make

CATEGORIES = (
    "knowledge", "mathematics", "code", "reasoning", "summarization", "creative_writing", "translation", "role_play", "chit_chat",
)  # fmt: skip
CATEGORY_NAMES = dict(zip(CATEGORIES, ("知識", "數學", "程式", "推理", "摘要", "創意寫作", "翻譯", "角色扮演", "閒聊"), strict=True))
TONES = ("親切", "正式", "口語", "幽默", "簡潔", "耐心")
PERSONAS = ("剛畢業的上班族", "退休的阿公", "準備考試的高中生", "開小吃店的老闆娘", "剛來台灣的外國人", "帶小孩的爸爸")
REGISTERS = ("口語，像當面說話", "書面，像寫給人看的文字", "口語，像通訊軟體的訊息")
LENGTHS = ("和原文差不多", "大約短一半，只留重點", "分成幾句慢慢說")
REGIONS = ("不分地區", "北部人習慣的說法", "中部人習慣的說法", "南部人習慣的說法，可以夾一兩個台語詞", "東部人習慣的說法")
REWRITTEN = ("問題與回答", "回答，問題照抄", "問題，回答照抄")
HARDER = ("多加一個限制條件", "要求比較兩種作法並說明理由", "改成要用到兩個步驟才能回答", "放進一個具體的生活情境")
FAULTS = ("內容空泛、沒有回答重點", "語氣生硬，像從外文逐字翻譯", "有一處事實說錯", "混用中國大陸用語")
SCORES = ("correct", "fluent", "taiwanese", "helpful")
EXAMPLES = 3  # that self_instruct shows


class Candidate(NamedTuple):
    """What one answer gives: messages in TRL's form, or scores, or a worse answer, before the gates."""

    messages: list[Message]
    category: str
    parents: tuple[str, ...]  # ids of the rows that it was made from
    extra: dict[str, Any]  # of the task: spans, scores, rejected


Row = Mapping[str, Any]  # id, category, question, answer, ...


Facets = dict[str, str | int]  # what a request varies: tone, persona, ...


class Task(ABC):
    """A kind of request. `inputs` are columns that a row needs, `outputs` what an answer holds."""

    name: ClassVar[str]
    parser: ClassVar[int] = 2  # raised with every change to `read`
    prompt_id: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]] = ("question", "answer")
    gives_pairs: ClassVar[bool] = True  # rows of one question and one answer, which stages over accepted rows take

    @abstractmethod
    def variables(self, row: Row) -> dict[str, str | int]:
        """What the prompt takes from the row."""

    def facets(self, row: Row, number: int) -> Facets:
        """What the `number`-th request from a row varies; stated in the lineage."""
        return {}

    def requests(self, rows: Iterable[Row], each: int, sampling: Mapping[str, Any], seed: int) -> Iterator[Request]:
        """`each` requests for every row. Requests from the same row differ in their sampling seed."""
        text = prompt(self.prompt_id)
        for row in rows:
            for number in range(each):
                with_seed = {**sampling, "seed": seed + number}
                facets = self.facets(row, number)
                messages = text.render(**self.variables(row), **facets)
                yield make(self.name, self.parser, text.name, messages, with_seed, dict(row), facets)

    @abstractmethod
    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        """Candidates of an answer; `cut` where it ended at the token limit. Raises Malformed."""


def _pair(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _chosen(options: Sequence[str], row: Row, number: int, salt: str) -> str:
    """One of the options, in another order for each row, so that a single request a row meets them all."""
    digest = hashlib.sha256(f"{salt}:{row['id']}".encode()).digest()
    return options[(int.from_bytes(digest[:8], "big") + number) % len(options)]


def _question_and_answer(text: str, cut: bool) -> tuple[str, str]:
    try:
        value = json_in(text, dict)
    except Malformed as error:
        try:
            question, answer = labelled(text, "question", "answer", cut)[0]
        except Malformed:
            raise error from None
        value = {"question": question, "answer": answer}
    return text_of(value, "question"), text_of(value, "answer")


class _Pairs(Task):
    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        return [Candidate(_pair(*_question_and_answer(text, cut)), row["category"], (row["id"],), {})]


class Paraphrase(_Pairs):
    """換句話說: question, answer or both, by another person, in another tone, length, register and region."""

    name, prompt_id, inputs = "paraphrase", "paraphrase", ("id", "category", "question", "answer")

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"]}

    def facets(self, row: Row, number: int) -> Facets:
        return {
            "what": REWRITTEN[number % len(REWRITTEN)],
            "tone": _chosen(TONES, row, number, "tone"),
            "persona": _chosen(PERSONAS, row, number, "persona"),
            "register": _chosen(REGISTERS, row, number, "register"),
            "length": _chosen(LENGTHS, row, number, "length"),
            "region": _chosen(REGIONS, row, number, "region"),
        }


class Evol(_Pairs):
    """A harder question than the one there is (WizardLM, Xu et al. 2023, arXiv:2304.12244)."""

    name, prompt_id, inputs = "evol", "evol", ("id", "category", "question", "answer")

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"]}

    def facets(self, row: Row, number: int) -> Facets:
        return {"how": _chosen(HARDER, row, number, "how")}


class Localize(_Pairs):
    """English instructions into Taiwan's situations, not only its words."""

    name, prompt_id, inputs = "localize", "localize", ("id", "category", "instruction")

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"instruction": row["instruction"]}


class SelfInstruct(Task):
    """New questions from examples of the pool (Wang et al. 2023, arXiv:2212.10560)."""

    name, prompt_id, inputs = "self_instruct", "self_instruct", ("id", "category", "examples", "parents")
    count: ClassVar[int] = 3

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"examples": row["examples"], "category": CATEGORY_NAMES[row["category"]], "count": self.count}

    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        try:
            values = json_in(text, list)
        except Malformed as error:
            try:
                values = [{"question": one, "answer": other} for one, other in labelled(text, "question", "answer", cut)[: self.count]]
            except Malformed:
                raise error from None
        if not values:
            raise Malformed("the list is empty")
        pairs = [_pair(text_of(value, "question"), text_of(value, "answer")) for value in values]
        return [Candidate(pair, row["category"], tuple(row["parents"]), {}) for pair in pairs]

    @staticmethod
    def draws(pool: Sequence[Row], count: int, seed: int, shares: Mapping[str, float] | None = None) -> list[Row]:
        """`count` rows with EXAMPLES of one category each. Categories that fall short of their share of pool and draws together come
        first; without `shares` all are to be equal."""
        rng = random.Random(seed)  # noqa: S311 - a draw, not a secret
        by_category = {name: [row for row in pool if row["category"] == name] for name in CATEGORIES}
        usable = [name for name in CATEGORIES if by_category[name] and (shares is None or shares.get(name))]
        have = {name: len(by_category[name]) for name in usable}
        found: list[Row] = []
        for number in range(count if usable else 0):
            category = min(usable, key=lambda name: have[name] / (shares[name] if shares else 1.0))
            have[category] += SelfInstruct.count
            shown = rng.sample(by_category[category], min(EXAMPLES, len(by_category[category])))
            text = "\n\n".join(f"問：{row['question']}\n答：{row['answer']}" for row in shown)
            found.append({"id": f"draw-{seed}-{number}", "category": category, "examples": text, "parents": [row["id"] for row in shown]})
        return found


class GroundedQA(Task):
    """A question on a passage, with the spans that support the answer."""

    name, prompt_id, inputs = "grounded_qa", "grounded_qa", ("id", "text")
    outputs = ("question", "answer", "spans")

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"passage": row["text"]}

    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        value = json_in(text, dict)
        spans = value.get("spans")
        if not isinstance(spans, list) or not spans or not all(isinstance(span, str) and span.strip() for span in spans):
            raise Malformed("'spans' is no list of texts")
        question = f"{row['text']}\n\n{text_of(value, 'question')}"
        return [Candidate(_pair(question, text_of(value, "answer")), "knowledge", (row["id"],), {"spans": spans, "passage": row["text"]})]


class MultiTurn(Task):
    """A dialogue that goes on from a question: role-play and chit-chat with six kinds of people."""

    name, prompt_id, inputs = "multi_turn", "multi_turn", ("id", "category", "question")
    outputs = ("messages",)
    gives_pairs = False

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"question": row["question"]}

    def facets(self, row: Row, number: int) -> Facets:
        return {"persona": _chosen(PERSONAS, row, number, "persona"), "turns": int(_chosen("234", row, number, "turns"))}

    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        try:
            values = json_in(text, list)
        except Malformed as error:
            try:
                pairs = labelled(text, "user", "assistant", cut)
            except Malformed:
                raise error from None
            values = [{"role": role, "content": said} for pair in pairs for role, said in zip(("user", "assistant"), pair, strict=True)]
        messages = [{"role": text_of(value, "role"), "content": text_of(value, "content")} for value in values]
        roles = [message["role"] for message in messages]
        if not roles or len(roles) % 2 or roles != ["user", "assistant"] * (len(roles) // 2):
            raise Malformed("the turns do not alternate between user and assistant")
        return [Candidate(messages, row["category"], (row["id"],), {})]


class Judge(Task):
    """Scores with a reason."""

    name, prompt_id, inputs = "judge", "judge", ("id", "category", "question", "answer")
    outputs = (*SCORES, "reason")
    gives_pairs = False

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"]}

    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        try:
            value = json_in(text, dict)
        except Malformed as error:
            lines = fields(text)
            if not lines.keys() & set(SCORES):
                raise error from None
            value = {**lines, **{name: int(lines[name]) for name in SCORES if lines.get(name, "") in "12345" and lines.get(name)}}
        if not all(type(value.get(name)) is int and 1 <= value[name] <= 5 for name in SCORES):
            raise Malformed("a score is missing or not 1 to 5")
        scores = {name: value[name] for name in SCORES}
        return [Candidate([], row["category"], (row["id"],), {"scores": scores, "reason": text_of(value, "reason")})]


class WorseAnswer(Task):
    """The rejected half of a preference pair."""

    name, prompt_id, inputs = "preference", "worse_answer", ("id", "category", "question", "answer")
    outputs = ("answer",)
    gives_pairs = False

    def variables(self, row: Row) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"]}

    def facets(self, row: Row, number: int) -> Facets:
        return {"fault": _chosen(FAULTS, row, number, "fault")}

    def read(self, text: str, row: Row, cut: bool = False) -> list[Candidate]:
        worse = text_of(json_in(text, dict), "answer")
        if worse == row["answer"]:
            raise Malformed("the worse answer is the good one")
        return [Candidate(_pair(row["question"], row["answer"]), row["category"], (row["id"],), {"rejected": worse})]


TASKS: dict[str, Task] = {
    task.name: task for task in (Paraphrase(), SelfInstruct(), Evol(), Localize(), GroundedQA(), MultiTurn(), Judge(), WorseAnswer())
}
