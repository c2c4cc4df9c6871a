"""A run: stage by stage, what the ledger lacks is asked for, and answers become rows. Rows depend on ledger and recipe alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from factory import manifest, storage
from factory.errors import UserError
from factory.zh.overlap import Matcher, read_items
from synth import ledger, seeds
from synth.execute import Spent, execute
from synth.gates import LEAST_SCORE, Gates, Objection, Rejection
from synth.ledger import Call, Ledger
from synth.money import Estimate, estimate
from synth.provider import refuse_strangers
from synth.recipe import Plan, Stage
from synth.request import Request, canonical
from synth.tasks import TASKS, Candidate, Malformed, Row, SelfInstruct

NOT_NEW = ("judge", "preference", "multi_turn", "grounded_qa")  # tasks whose question is meant to be one that there is


class Result(NamedTuple):
    """What a run came to. `accepted` + rejected + `waiting` = candidates and requests without an answer."""

    output: str
    accepted: int
    rejected: dict[str, int]
    waiting: int  # requests that were not asked, for want of money or because `run` was stopped
    cost: Decimal
    asked: int
    stopped: bool


class _Rows:
    """Accepted rows, rejected ones, and the pool that later stages draw from."""

    def __init__(self, plan: Plan) -> None:
        self.seeds: list[Row] = [
            {"id": s.id, "category": s.category, "question": s.question, "answer": s.answer} for s in seeds.load(plan.seeds)
        ]
        items = [item for path in plan.evaluation for item in read_items(path)]
        matcher = Matcher(items) if items else None
        self.gates = Gates([row["question"] for row in self.seeds], matcher, plan.recipe.gates.novelty)
        self.accepted: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.waiting = 0


def run(
    plan: Plan, on_premise: bool = False, retry: bool = False, note: Callable[[Call], None] = lambda call: None, ask: bool = True
) -> Result:
    """Asks, reads, gates, and writes `accepted.jsonl`, `rejected.jsonl`, `preferences.jsonl` and `summary.json`.

    Killed at any moment and run again, it ends with the same files as if it had not been, given the same answers. Without `ask` it
    only derives the files from the ledger. Raises UserError where it cannot go on; the ledger keeps what was answered.
    """
    if on_premise:
        refuse_strangers(plan.recipe.endpoint)
    with _open(plan) as book:
        rows = _Rows(plan)
        asked, stopped, total = 0, False, Decimal(0)
        price = plan.recipe.prices.of(plan.recipe.endpoint.model)
        for stage in plan.recipe.stages:
            requests = list(_requests(plan, stage, rows))
            if ask and not stopped:
                spent: Spent = execute(requests, book, plan.recipe.endpoint, price, plan.recipe.cap, note, retry)
                asked, stopped = asked + spent.asked, spent.stopped
            _derive(plan, stage, requests, book, rows)
        total = book.spent()
        rejected = Counter(row["reason"] for row in rows.rejected)
        result = Result(plan.output, len(rows.accepted), dict(rejected.most_common()), rows.waiting, total, asked, stopped)
        _write(plan, rows, result)
        return result


def foresee(plan: Plan) -> tuple[Estimate, bool]:
    """What the requests that are not in the ledger yet would cost, as far as they are known before asking; whether more would follow.

    Where the ledger has answers, what they took is the measure.
    """
    price = plan.recipe.prices.of(plan.recipe.endpoint.model)
    with _open(plan) as book:
        rows = _Rows(plan)
        totals = Estimate(0, 0, 0, Decimal(0))
        open_end = False
        for stage in plan.recipe.stages:
            requests = list(_requests(plan, stage, rows))
            known = book.find([request.key for request in requests])
            missing = [request for request in requests if request.key not in known]
            answered = [(request, known[request.key]) for request in requests if request.key in known]
            used = [
                (_chars(request), call.prompt_tokens, call.completion_tokens)
                for request, call in answered
                if call.status == ledger.ANSWERED
            ]
            part = estimate(missing, price, plan.recipe.tokens_per_char, stage.answer_tokens, used)
            totals = Estimate(
                totals.requests + part.requests,
                totals.prompt_tokens + part.prompt_tokens,
                totals.completion_tokens + part.completion_tokens,
                totals.cost + part.cost,
            )
            open_end = open_end or (stage.over == "accepted" and bool(totals.requests))
            _derive(plan, stage, requests, book, rows)
        return totals, open_end


def _chars(request: Request) -> int:
    return sum(len(message["content"]) for message in request.body["messages"])


@contextmanager
def _open(plan: Plan) -> Iterator[Ledger]:
    folder = os.path.dirname(plan.ledger)
    with manifest.exclusive(plan.output):
        if os.path.abspath(folder) == plan.output:
            book = Ledger(plan.ledger)
            try:
                yield book
            finally:
                book.close()
            return
        with manifest.exclusive(folder):
            book = Ledger(plan.ledger)
            try:
                yield book
            finally:
                book.close()


def _requests(plan: Plan, stage: Stage, rows: _Rows) -> Iterable[Request]:
    task = TASKS[stage.task]
    if isinstance(task, SelfInstruct):
        pool = [*rows.seeds, *(_flat(row) for row in rows.accepted if len(row["messages"]) == 2)]
        return task.requests(SelfInstruct.draws(pool, stage.draws or 0, plan.recipe.seed), 1, plan.recipe.sampling, plan.recipe.seed)
    if stage.over == "seeds":
        over = rows.seeds
    elif stage.over == "accepted":
        over = [_flat(row) for row in rows.accepted if len(row["messages"]) == 2]
    else:
        over = _read_rows(plan, stage, task.inputs)
    return task.requests(over[: stage.limit], stage.each, plan.recipe.sampling, plan.recipe.seed)


def _flat(row: dict[str, Any]) -> Row:
    return {
        "id": row["id"],
        "category": row["category"],
        "question": row["messages"][0]["content"],
        "answer": row["messages"][1]["content"],
    }


def _read_rows(plan: Plan, stage: Stage, inputs: tuple[str, ...]) -> list[Row]:
    path = stage.over if os.path.isabs(stage.over) else os.path.join(plan.base, stage.over)
    found: list[Row] = []
    try:
        with storage.open_binary(path) as stream:
            for number, line in enumerate(stream, 1):
                row = json.loads(line)
                missing = [name for name in inputs if name not in row]
                if missing:
                    raise UserError(f"{path}:{number}: column {missing[0]!r} is missing, which task {stage.task} needs. Add it.")
                found.append({name: row[name] for name in inputs})
    except FileNotFoundError:
        raise UserError(f"stages: 'over' names {path!r}, and there is no such file. Correct it.") from None
    except ValueError as error:
        raise UserError(f"{path}: is not JSON lines: {error}. Correct it.") from None
    return found


def _derive(plan: Plan, stage: Stage, requests: list[Request], book: Ledger, rows: _Rows) -> None:
    """Reads the answers in the order of the requests: which came first changes nothing."""
    task = TASKS[stage.task]
    known = book.find([request.key for request in requests])
    for request in requests:
        call = known.get(request.key)
        if call is None:
            rows.waiting += 1
            continue
        if call.status != ledger.ANSWERED:
            rows.rejected.append(_rejected(request, call, Objection(Rejection.NO_ANSWER, f"{call.status}: {call.text}"), None))
            continue
        try:
            candidates = task.read(call.text, request.row)
        except Malformed as error:
            rows.rejected.append(_rejected(request, call, Objection(Rejection.MALFORMED, str(error)), None))
            continue
        for number, candidate in enumerate(candidates):
            _settle(plan, request, call, number, candidate, rows)


def _settle(plan: Plan, request: Request, call: Call, number: int, candidate: Candidate, rows: _Rows) -> None:
    if request.task == "judge":
        low = [f"{name} {score}" for name, score in candidate.extra["scores"].items() if score < LEAST_SCORE]
        (judged,) = candidate.parents
        for row in rows.accepted:
            if row["id"] == judged:
                row["judge"] = {**candidate.extra["scores"], "reason": candidate.extra["reason"], "model": call.model}
        if low:
            gone = [row for row in rows.accepted if row["id"] == judged]
            rows.accepted = [row for row in rows.accepted if row["id"] != judged]
            rows.rejected += [{**row, "reason": str(Rejection.JUDGE), "detail": ", ".join(low)} for row in gone]
        return
    same_question = bool(candidate.messages) and candidate.messages[0]["content"] == request.row.get("question")
    objection = rows.gates.object(candidate, novel=request.task not in NOT_NEW and not same_question)
    if objection is not None:
        rows.rejected.append(_rejected(request, call, objection, candidate))
        return
    if request.task not in NOT_NEW and not same_question:
        rows.gates.take(candidate)
    rows.accepted.append(_row(plan, request, call, number, candidate))


def _row(plan: Plan, request: Request, call: Call, number: int, candidate: Candidate) -> dict[str, Any]:
    name = hashlib.sha256(canonical([request.key, number])).hexdigest()[:16]
    lineage = {
        "task": request.task, "prompt": request.prompt, "model": call.model, "parents": list(candidate.parents), "request": request.key,
        "sampling": {key: value for key, value in request.body.items() if key != "messages"},
    }  # fmt: skip
    extra: dict[str, Any] = {key: candidate.extra[key] for key in ("spans", "rejected") if key in candidate.extra}
    return {"id": f"synth-{name}", "messages": candidate.messages, "category": candidate.category, "lineage": lineage,
            "license": plan.recipe.license, "review": None, **extra}  # fmt: skip


def _rejected(request: Request, call: Call, objection: Objection, candidate: Candidate | None) -> dict[str, Any]:
    return {
        "request": request.key, "task": request.task, "prompt": request.prompt, "model": call.model, "parent": request.row.get("id"),
        "reason": str(objection.reason), "detail": objection.detail,
        "messages": candidate.messages if candidate else None, "text": None if candidate else call.text,
    }  # fmt: skip


def _write(plan: Plan, rows: _Rows, result: Result) -> None:
    conversations = [{k: v for k, v in row.items() if k != "rejected"} for row in rows.accepted if "rejected" not in row]
    preferences = [_preference(row) for row in rows.accepted if "rejected" in row]
    for name, listed in (("accepted", conversations), ("rejected", rows.rejected), ("preferences", preferences)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in listed)
        storage.atomic_write_text(f"{plan.output}/{name}.jsonl", text)
    categories = Counter(row["category"] for row in conversations)
    tasks = Counter(row["lineage"]["task"] for row in rows.accepted)
    summary = {
        "name": plan.recipe.name, "accepted": result.accepted, "rejected": result.rejected, "waiting": result.waiting,
        "categories": dict(sorted(categories.items())), "tasks": dict(sorted(tasks.items())),
        "cost": str(result.cost), "currency": plan.recipe.prices.currency, "prices_dated": plan.recipe.prices.dated,
    }  # fmt: skip
    storage.atomic_write_text(f"{plan.output}/summary.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")


def _preference(row: dict[str, Any]) -> dict[str, Any]:
    worse = [{"role": "assistant", "content": row["rejected"]}]
    pair = {"id": row["id"], "prompt": row["messages"][:1], "chosen": row["messages"][1:], "rejected": worse}
    return {**pair, **{name: row[name] for name in ("category", "lineage", "license")}}
