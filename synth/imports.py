"""Human-collected data in the forms that it comes in, through the same gates, with licence and consent for each row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from factory import storage
from factory.errors import UserError
from factory.records import License
from synth.gates import Gates, Rejection
from synth.request import Message, canonical
from synth.tasks import CATEGORIES, Candidate

Form = Literal["alpaca", "sharegpt", "oasst", "trl"]
_ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "bot"), "assistant"),
    "system": "system",
}


class Imported(NamedTuple):
    """Counts. Rows of the file = accepted + rejected."""

    accepted: int
    rejected: dict[str, int]


class _Unusable(ValueError):
    """A row that is not in the form that was named."""


def _alpaca(row: Mapping[str, Any]) -> list[Message]:
    question = "\n\n".join(part for name in ("instruction", "input") if isinstance(part := row.get(name), str) and part.strip())
    return _messages([("user", question), ("assistant", row.get("output"))])


def _sharegpt(row: Mapping[str, Any]) -> list[Message]:
    turns = row.get("conversations")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise _Unusable("'conversations' is no list of turns")
    return _messages([(turn.get("from"), turn.get("value")) for turn in turns])


def _oasst(row: Mapping[str, Any]) -> list[Message]:
    """A tree: the first prompt, and at each turn the reply that people ranked first."""
    node, turns = row.get("prompt"), []
    while isinstance(node, dict):
        turns.append((node.get("role"), node.get("text")))
        replies = [reply for reply in node.get("replies") or [] if isinstance(reply, dict) and not reply.get("deleted")]
        node = min(replies, key=lambda reply: reply["rank"] if isinstance(reply.get("rank"), int) else 1_000, default=None)
    if turns and turns[-1][0] == "prompter":
        turns.pop()
    return _messages(turns)


def _trl(row: Mapping[str, Any]) -> list[Message]:
    if isinstance(row.get("messages"), list):
        return _messages([(m.get("role"), m.get("content")) for m in row["messages"] if isinstance(m, dict)])
    return _messages([("user", row.get("prompt")), ("assistant", row.get("completion"))])


def _messages(turns: list[tuple[Any, Any]]) -> list[Message]:
    found = []
    for role, text in turns:
        if not isinstance(role, str) or role not in _ROLES or not isinstance(text, str) or not text.strip():
            raise _Unusable(f"a turn of {role!r} has no text, or its role is not known")
        found.append({"role": _ROLES[role], "content": text.strip()})
    spoken = [message["role"] for message in found if message["role"] != "system"]
    if not spoken or spoken != ["user", "assistant"] * (len(spoken) // 2):
        raise _Unusable("the turns do not alternate between user and assistant")
    return found


FORMS: dict[Form, Callable[[Mapping[str, Any]], list[Message]]] = {"alpaca": _alpaca, "sharegpt": _sharegpt, "oasst": _oasst, "trl": _trl}


def import_rows(path: str, form: Form, license: str | None, consent: str | None, category: str, gates: Gates, output: str) -> Imported:
    """Writes `accepted.jsonl` and `rejected.jsonl` to the folder `output`.

    Licence and consent are the row's own `license` and `consent`, else those given; a row without either is refused. A JSON list and JSON
    lines are both read. Raises UserError where the file is neither.
    """
    if category not in CATEGORIES:
        raise UserError(f"--category {category!r}: there are {', '.join(CATEGORIES)}.")
    accepted: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    name = storage.stem(path)
    for number, row in _rows(path):
        own_license, own_consent = row.get("license") or license, row.get("consent") or consent
        own_category = row.get("category") if row.get("category") in CATEGORIES else category
        facts = {"source": name, "row": number}
        try:
            if own_license not in set(License):
                raise _Unusable(f"licence {own_license!r} is not known; give --license")
            if not isinstance(own_consent, str) or not own_consent.strip():
                raise _Unusable("no consent: the row has none and --consent is not given")
            candidate = Candidate(FORMS[form](row), str(own_category), (), {})
        except _Unusable as error:
            rejected.append({**facts, "reason": str(Rejection.MALFORMED), "detail": str(error)})
            continue
        own = candidate._replace(messages=[message for message in candidate.messages if message["role"] != "system"])
        objection = gates.object(own)
        if objection is not None:
            rejected.append({**facts, "reason": str(objection.reason), "detail": objection.detail, "messages": candidate.messages})
            continue
        gates.take(own)
        digest = hashlib.sha256(canonical([name, number, candidate.messages])).hexdigest()[:16]
        lineage = {"task": "import", "form": form, **facts, "consent": own_consent.strip(), "parents": []}
        accepted.append(
            {"id": f"import-{digest}", "messages": candidate.messages, "category": candidate.category, "lineage": lineage,
             "license": str(own_license), "review": None}
        )  # fmt: skip
    for kind, listed in (("accepted", accepted), ("rejected", rejected)):
        storage.atomic_write(f"{output}/{kind}.jsonl", partial(_write, listed))
    counts: dict[str, int] = {}
    for row in rejected:
        counts[row["reason"]] = counts.get(row["reason"], 0) + 1
    return Imported(len(accepted), counts)


def _write(rows: list[dict[str, Any]], stream: Any) -> None:
    for row in rows:
        stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with storage.open_binary(path) as stream:
            head = stream.read(1)
            while head.isspace():
                head = stream.read(1)
            if head == b"[":
                yield from enumerate(json.loads(head + stream.read()), 1)
                return
            rest = head + stream.readline()
            number = 1
            while rest:
                if rest.strip():
                    row = json.loads(rest)
                    if not isinstance(row, dict):
                        raise ValueError(f"line {number} is no object")
                    yield number, row
                rest, number = stream.readline(), number + 1
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Correct the path.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is neither a JSON list nor JSON lines of objects: {error}. Correct it.") from None
