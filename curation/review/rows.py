"""Rows of a dataset as items of a review: checked, redacted, with what is shown, what machines suggest and what they disagree on.

A row that cannot be shown is quarantined with its line number and the run goes on: in = items + quarantined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from curation.review.kinds import RATINGS, kind
from curation.review.queue import FIX_FROM, KEEP_FROM, Signals
from curation.review.redaction import redacted, redacted_row
from factory import storage
from factory.errors import UserError
from factory.manifest import digest

ID_LENGTH = 24  # hex digits
MAX_MESSAGE_CHARS, MAX_ROLE_CHARS, MAX_MESSAGES = 20_000, 20, 500  # Argilla's own
EXCERPT_CHARS = 120
JUDGED = {"fluency": "fluent", "taiwaneseness": "taiwanese", "factuality": "correct"}  # question -> what synth's judge calls it
JUDGE_SCORES = ("correct", "fluent", "taiwanese", "helpful")
_NOT_AGENT = re.compile(r"[^a-zA-Z0-9\-_:./ ]+")


class Suggestion(NamedTuple):
    """What a model would answer, and how sure it is (0 to 1; a judge's grade of 1 to 5 on that scale)."""

    question: str
    value: str | int
    score: float
    agent: str  # ASCII


class Item(NamedTuple):
    """One record of a review."""

    id: str  # of the record, a hash of what is shown
    line: int
    row: dict[str, Any]  # redacted
    fields: dict[str, Any]
    category: str  # annotators see it
    hidden: dict[str, Any]  # metadata for the owner
    suggestions: tuple[Suggestion, ...]
    signals: Signals
    gold: dict[str, Any] | None = None  # question -> the known answer


class Quarantined(NamedTuple):
    """A row that is not shown to anybody."""

    path: str
    line: int
    error: str
    excerpt: str  # redacted


class Read(NamedTuple):
    """What a file came to. Lines with content = items + quarantined."""

    items: list[Item]
    quarantined: list[Quarantined]
    found: Counter[str]  # personal data by kind


class Unusable(ValueError):
    """A row that cannot be shown; the message says why."""


def guess_kind(path: str) -> str:
    """The kind that a file's first readable row looks like. Raises UserError where none does."""
    for _, line in _lines(path):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict):
            for name, wanted in (("conversation", "messages"), ("preference", "chosen"), ("audit", "fields")):
                if wanted in row:
                    return name
    raise UserError(f"{path}: no row is a conversation, a preference or a document to audit. Correct the file or give --kind.")


def read(path: str, kind_name: str, is_gold: bool = False) -> Read:
    """The rows of a JSONL file (also compressed), in file order. With `is_gold` each row has `gold`, the known answers."""
    items: list[Item] = []
    quarantined: list[Quarantined] = []
    found: Counter[str] = Counter()
    seen: dict[str, tuple[int, str]] = {}
    for number, line in _lines(path):
        counts: Counter[str] = Counter()
        try:
            item = _item(line, number, kind_name, is_gold, counts)
            name = str(item.row["id"])
            if name in seen:
                before, same = seen[name]
                raise Unusable(f"id {name!r} stands on line {before} too" + ("" if same == item.id else ", with another content"))
            seen[name] = (number, item.id)
        except Unusable as error:
            excerpt = redacted(line[:4_000].decode("utf-8", "replace"), Counter())[:EXCERPT_CHARS].strip()
            quarantined.append(Quarantined(path, number, str(error), excerpt))
            continue
        found.update(counts)
        items.append(item)
    return Read(_with_classes(items) if kind_name == "audit" else items, quarantined, found)


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with storage.open_binary(path) as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Correct the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder. Name a file in it, such as accepted.jsonl.") from None


def _item(line: bytes, number: int, kind_name: str, is_gold: bool, counts: Counter[str]) -> Item:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"is not JSON: {error}") from None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not row["id"]:
        raise Unusable("has no 'id'")
    gold = _gold(row.pop("gold", None), kind_name) if is_gold else None
    row = redacted_row(row, counts)
    item = _READERS[kind_name](row)
    name = digest([kind_name, row["id"], item.fields])[:ID_LENGTH]
    return item._replace(id=name, line=number, gold=gold)


def _gold(stated: Any, kind_name: str) -> dict[str, Any]:
    """Known answers, checked. A preference's are told as chosen, rejected or tie: sides are drawn later."""
    wanted = kind(kind_name)
    if not isinstance(stated, dict) or wanted.decisive not in stated:
        raise Unusable(f"has no 'gold' with an answer to {wanted.decisive!r}")
    for name, value in stated.items():
        known = {question.name: question.values() for question in wanted.closed()}
        if kind_name == "preference":
            known["choice"] = ("chosen", "rejected", "tie")
        if value not in known.get(name, ()) or isinstance(value, bool):
            raise Unusable(f"gold: {name} {value!r} is not an answer; there are {', '.join(map(str, known.get(name, known)))}")
    return dict(stated)


def _messages(row: dict[str, Any], name: str) -> list[dict[str, str]]:
    stated = row.get(name)
    if not isinstance(stated, list) or not stated:
        raise Unusable(f"{name!r} is no list of messages")
    if len(stated) > MAX_MESSAGES:
        raise Unusable(f"{name!r} has {len(stated)} messages; Argilla shows {MAX_MESSAGES}")
    found = []
    for message in stated:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if not isinstance(role, str) or not 1 <= len(role) <= MAX_ROLE_CHARS or not isinstance(content, str) or not content.strip():
            raise Unusable(f"a message in {name!r} has no role or no content")
        if len(content) > MAX_MESSAGE_CHARS:
            raise Unusable(f"a message in {name!r} has {len(content):,} characters; Argilla shows {MAX_MESSAGE_CHARS:,}")
        found.append({"role": role, "content": content})
    return found


def _conversation(row: dict[str, Any]) -> Item:
    messages = _messages(row, "messages")
    if messages[-1]["role"] != "assistant":
        raise Unusable("the last message is not the assistant's")
    fields: dict[str, Any] = {"conversation": messages}
    spans = [str(span) for span in row.get("spans") or [] if isinstance(span, str)]
    if spans:
        fields["support"] = "\n\n".join(spans)
    judge = _judge(row)
    votes = [0.0 if row.get("reason") else 1.0, *([(sum(judge.values()) / len(judge) - 1) / 4] if judge else [])]
    return Item("", 0, row, fields, _category(row), _hidden(row, judge), _judged(row, judge),
                Signals(_category(row), tuple(votes), tuple(judge.values())))  # fmt: skip


def _chat(row: dict[str, Any]) -> Item:
    item = _conversation(row)
    fields = {"conversation": item.fields["conversation"]}
    return item._replace(fields=fields, suggestions=tuple(s for s in item.suggestions if s.question != "fluency"))


def _preference(row: dict[str, Any]) -> Item:
    prompt = _messages(row, "prompt")
    chosen, rejected = (_messages(row, side) for side in ("chosen", "rejected"))
    fields = {"prompt": prompt, "chosen": _text(chosen), "rejected": _text(rejected)}  # sides are drawn when it is pushed
    if fields["chosen"] == fields["rejected"]:
        raise Unusable("'chosen' and 'rejected' are the same")
    return Item("", 0, row, fields, _category(row), _hidden(row, {}), (), Signals(_category(row), (), ()))


def _audit(row: dict[str, Any]) -> Item:
    shown = row.get("fields")
    if not isinstance(shown, dict) or not isinstance(shown.get("text"), str) or not shown["text"].strip():
        raise Unusable("has no 'fields' with a 'text'")
    facts = row["metadata"] if isinstance(row.get("metadata"), dict) else {}
    if facts.get("status") not in ("kept", "removed"):
        raise Unusable(f"metadata.status {facts.get('status')!r} is not kept or removed")
    fields = {"text": shown["text"], **({"title": str(shown["title"])} if shown.get("title") else {})}
    hidden = {"gate": str(facts["status"]), "task": str(facts.get("stratum", "")), "source": str(shown.get("source", ""))}
    vote = 1.0 if facts["status"] == "kept" else 0.0
    return Item("", 0, row, fields, str(shown.get("source") or "none"), hidden, (), Signals(hidden["task"], (vote,), ()))


_READERS: dict[str, Callable[[dict[str, Any]], Item]] = {
    "conversation": _conversation, "chat": _chat, "preference": _preference, "audit": _audit,
}  # fmt: skip


def _text(messages: list[dict[str, str]]) -> str:
    return "\n\n".join(message["content"] for message in messages)


def _category(row: dict[str, Any]) -> str:
    return str(row.get("category") or "none")


def _hidden(row: dict[str, Any], judge: dict[str, int]) -> dict[str, Any]:
    lineage = row["lineage"] if isinstance(row.get("lineage"), dict) else {}
    found: dict[str, Any] = {
        "task": str(lineage.get("task") or "none"), "source": str(lineage.get("source") or lineage.get("model") or "none"),
        "gate": str(row.get("reason") or "accepted"),
    }  # fmt: skip
    return {**found, **({"judge": round(sum(judge.values()) / len(judge), 2)} if judge else {})}


def _judge(row: dict[str, Any]) -> dict[str, int]:
    """A judge's scores in the order of JUDGE_SCORES, {} where nothing judged."""
    stated = row.get("judge")
    if stated is None:
        return {}
    scores = {name: stated.get(name) for name in JUDGE_SCORES} if isinstance(stated, dict) else {}
    if not scores or any(isinstance(value, bool) or value not in RATINGS for value in scores.values()):
        raise Unusable("'judge' has no whole scores from 1 to 5 for correct, fluent, taiwanese and helpful")
    return {name: int(value) for name, value in scores.items() if value is not None}


def _judged(row: dict[str, Any], judge: dict[str, int]) -> tuple[Suggestion, ...]:
    if not judge:
        return ()
    agent = ascii_agent(str(row["judge"].get("model") or "judge"))
    mean = sum(judge.values()) / len(judge)
    verdict = "keep" if mean >= KEEP_FROM else "fix" if mean >= FIX_FROM else "reject"
    sure = min(1.0, min(abs(mean - KEEP_FROM), abs(mean - FIX_FROM)) / 2 + 0.5)  # 0.5 on a line, 1 a grade away
    return (
        Suggestion("verdict", verdict, round(sure, 3), agent),
        *(Suggestion(question, judge[score], (judge[score] - 1) / 4, agent) for question, score in JUDGED.items()),
    )


def ascii_agent(name: str) -> str:
    """A model's name as Argilla takes it."""
    return _NOT_AGENT.sub("-", name).strip("- ")[:200] or "model"


def _with_classes(items: list[Item]) -> list[Item]:
    """Audits with the threat classifier's class as a suggestion, and its vote beside the run's decision."""
    from factory.zh.classifiers.model import bundled

    model = bundled("threat")
    if not items:
        return items
    scores = model.score([item.fields["text"].encode("utf-8", "replace").decode() for item in items]).values
    threats = [index for index, label in enumerate(model.labels) if label != "clean"]
    found = []
    for item, values in zip(items, scores, strict=True):
        top = max(threats, key=lambda index: values[index])
        threshold = model.facts.labels[model.labels[top]].threshold
        label = model.labels[top] if threshold is not None and values[top] >= threshold else "clean"
        sure = float(values[top]) if label != "clean" else 1 - float(values[top])
        suggestion = Suggestion("class", label, round(sure, 4), ascii_agent(f"{model.facts.name} {model.facts.version}"))
        signals = item.signals._replace(votes=(*item.signals.votes, 1 - float(values[top])))
        found.append(item._replace(suggestions=(suggestion,), signals=signals))
    return found
