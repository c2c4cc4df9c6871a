"""What is asked and how answers are read. Each task is pure: requests follow from rows, candidates from answers."""

from __future__ import annotations

import json
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from synth.prompt import prompt
from synth.request import Message, Request, make

CATEGORIES = (
    "knowledge", "mathematics", "code", "reasoning", "summarization", "creative_writing", "translation", "role_play", "chit_chat",
)  # fmt: skip
TONES = ("親切", "正式", "口語", "幽默", "簡潔", "耐心")
PERSONAS = ("剛畢業的上班族", "退休的阿公", "準備考試的高中生", "開小吃店的老闆娘", "剛來台灣的外國人", "帶小孩的爸爸")
HARDER = ("多加一個限制條件", "要求比較兩種作法並說明理由", "改成要用到兩個步驟才能回答", "放進一個具體的生活情境")
FAULTS = ("內容空泛、沒有回答重點", "語氣生硬，像從外文逐字翻譯", "有一處事實說錯", "混用中國大陸用語")
SCORES = ("correct", "fluent", "taiwanese", "helpful")
EXAMPLES = 3  # that self_instruct shows
_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$", re.MULTILINE)


class Malformed(ValueError):
    """An answer that is not in the form that was asked for."""


class Candidate(NamedTuple):
    """What one answer gives: messages in TRL's form, or scores, or a worse answer, before the gates."""

    messages: list[Message]
    category: str
    parents: tuple[str, ...]  # ids of the rows that it was made from
    extra: dict[str, Any]  # of the task: spans, scores, rejected


Row = Mapping[str, Any]  # id, category, question, answer, ...


class Task(ABC):
    """A kind of request. `inputs` are columns that a row needs, `outputs` what an answer holds."""

    name: ClassVar[str]
    parser: ClassVar[int] = 1  # raised with every change to `read`
    prompt_id: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]] = ("question", "answer")

    @abstractmethod
    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        """Of the prompt, for the `number`-th request from a row."""

    def requests(self, rows: Iterable[Row], each: int, sampling: Mapping[str, Any], seed: int) -> Iterator[Request]:
        """`each` requests for every row. Requests from the same row differ in their sampling seed."""
        text = prompt(self.prompt_id)
        for row in rows:
            for number in range(each):
                with_seed = {**sampling, "seed": seed + number}
                yield make(self.name, self.parser, text.name, text.render(**self.variables(row, number)), with_seed, dict(row))

    @abstractmethod
    def read(self, text: str, row: Row) -> list[Candidate]:
        """Candidates of an answer. Raises Malformed."""


def parsed(text: str, kind: type) -> Any:
    """The JSON object or list in an answer, with or without a code fence and words around it."""
    text = _FENCE.sub("", text).strip()
    opening = "[" if kind is list else "{"
    decoder = json.JSONDecoder()
    start = text.find(opening)
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(text[start:])
        except (ValueError, RecursionError):
            start = text.find(opening, start + 1)
            continue
        if isinstance(value, kind):
            return value
        start = text.find(opening, start + 1)
    raise Malformed(f"no JSON {'list' if kind is list else 'object'} in the answer")


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(found, str) or not found.strip():
        raise Malformed(f"{name!r} is missing or empty")
    return found.strip()


def _pair(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


class _Pairs(Task):
    def read(self, text: str, row: Row) -> list[Candidate]:
        value = parsed(text, dict)
        return [Candidate(_pair(_text(value, "question"), _text(value, "answer")), row["category"], (row["id"],), {})]


class Paraphrase(_Pairs):
    """換句話說: question, answer or both, in another tone."""

    name, prompt_id, inputs = "paraphrase", "paraphrase", ("id", "category", "question", "answer")

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        what = ("問題與回答", "回答，問題照抄", "問題，回答照抄")[number % 3]
        return {"question": row["question"], "answer": row["answer"], "tone": TONES[number % len(TONES)], "what": what}


class Evol(_Pairs):
    """A harder question than the one there is (WizardLM, Xu et al. 2023, arXiv:2304.12244)."""

    name, prompt_id, inputs = "evol", "evol", ("id", "category", "question", "answer")

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"], "how": HARDER[number % len(HARDER)]}


class Localize(_Pairs):
    """English instructions into Taiwan's situations, not only its words."""

    name, prompt_id, inputs = "localize", "localize", ("id", "category", "instruction")

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"instruction": row["instruction"]}


class SelfInstruct(Task):
    """New questions from examples of the pool (Wang et al. 2023, arXiv:2212.10560)."""

    name, prompt_id, inputs = "self_instruct", "self_instruct", ("id", "category", "examples", "parents")
    count: ClassVar[int] = 3

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"examples": row["examples"], "category": row["category"], "count": self.count}

    def read(self, text: str, row: Row) -> list[Candidate]:
        values = parsed(text, list)
        if not values:
            raise Malformed("the list is empty")
        return [Candidate(_pair(_text(v, "question"), _text(v, "answer")), row["category"], tuple(row["parents"]), {}) for v in values]

    @staticmethod
    def draws(pool: Sequence[Row], count: int, seed: int) -> list[Row]:
        """`count` rows with EXAMPLES of one category each, categories in turn: the quotas are equal."""
        rng = random.Random(seed)  # noqa: S311 - a draw, not a secret
        by_category = {name: [row for row in pool if row["category"] == name] for name in CATEGORIES}
        usable = [name for name in CATEGORIES if by_category[name]]
        found: list[Row] = []
        for number in range(count if usable else 0):
            category = usable[number % len(usable)]
            shown = rng.sample(by_category[category], min(EXAMPLES, len(by_category[category])))
            text = "\n\n".join(f"問：{row['question']}\n答：{row['answer']}" for row in shown)
            found.append({"id": f"draw-{seed}-{number}", "category": category, "examples": text, "parents": [row["id"] for row in shown]})
        return found


class GroundedQA(Task):
    """A question on a passage, with the spans that support the answer."""

    name, prompt_id, inputs = "grounded_qa", "grounded_qa", ("id", "text")
    outputs = ("question", "answer", "spans")

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"passage": row["text"]}

    def read(self, text: str, row: Row) -> list[Candidate]:
        value = parsed(text, dict)
        spans = value.get("spans")
        if not isinstance(spans, list) or not spans or not all(isinstance(span, str) and span.strip() for span in spans):
            raise Malformed("'spans' is no list of texts")
        question = f"{row['text']}\n\n{_text(value, 'question')}"
        return [Candidate(_pair(question, _text(value, "answer")), "knowledge", (row["id"],), {"spans": spans, "passage": row["text"]})]


class MultiTurn(Task):
    """A dialogue that goes on from a question."""

    name, prompt_id, inputs = "multi_turn", "multi_turn", ("id", "category", "question")
    outputs = ("messages",)

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"question": row["question"], "persona": PERSONAS[number % len(PERSONAS)], "turns": 2 + number % 3}

    def read(self, text: str, row: Row) -> list[Candidate]:
        values = parsed(text, list)
        messages = [{"role": _text(value, "role"), "content": _text(value, "content")} for value in values]
        roles = [message["role"] for message in messages]
        if not roles or len(roles) % 2 or roles != ["user", "assistant"] * (len(roles) // 2):
            raise Malformed("the turns do not alternate between user and assistant")
        return [Candidate(messages, row["category"], (row["id"],), {})]


class Judge(Task):
    """Scores with a reason."""

    name, prompt_id, inputs = "judge", "judge", ("id", "category", "question", "answer")
    outputs = (*SCORES, "reason")

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"]}

    def read(self, text: str, row: Row) -> list[Candidate]:
        value = parsed(text, dict)
        if not all(type(value.get(name)) is int and 1 <= value[name] <= 5 for name in SCORES):
            raise Malformed("a score is missing or not 1 to 5")
        scores = {name: value[name] for name in SCORES}
        return [Candidate([], row["category"], (row["id"],), {"scores": scores, "reason": _text(value, "reason")})]


class WorseAnswer(Task):
    """The rejected half of a preference pair."""

    name, prompt_id, inputs = "preference", "worse_answer", ("id", "category", "question", "answer")
    outputs = ("answer",)

    def variables(self, row: Row, number: int) -> dict[str, str | int]:
        return {"question": row["question"], "answer": row["answer"], "fault": FAULTS[number % len(FAULTS)]}

    def read(self, text: str, row: Row) -> list[Candidate]:
        worse = _text(parsed(text, dict), "answer")
        if worse == row["answer"]:
            raise Malformed("the worse answer is the good one")
        return [Candidate(_pair(row["question"], row["answer"]), row["category"], (row["id"],), {"rejected": worse})]


TASKS: dict[str, Task] = {
    task.name: task for task in (Paraphrase(), SelfInstruct(), Evol(), Localize(), GroundedQA(), MultiTurn(), Judge(), WorseAnswer())
}
