"""A run: stage by stage, what the ledger lacks is asked for, and answers become rows. Rows depend on ledger and recipe alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from typing import IO, Any, NamedTuple

from factory import manifest, storage
from factory.errors import UserError
from factory.zh.overlap import Matcher, read_items
from synth import ledger, report, seeds
from synth.execute import Spent, execute
from synth.gates import LEAST_SCORE, Gates, Objection, Rejection
from synth.ledger import Call, Ledger
from synth.money import Estimate, estimate
from synth.provider import refuse_strangers
from synth.recipe import Plan, Stage
from synth.request import Request, canonical
from synth.tasks import SCORES, TASKS, Candidate, Malformed, Row, SelfInstruct

CHUNK = 500  # requests whose answers are looked up at once
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
        self.accepted = _Spool(f"{plan.output}/accepted.tmp")
        self.rejected = _Spool(f"{plan.output}/rejected.tmp")
        self.judged: dict[str, dict[str, Any]] = {}  # id of an accepted row -> scores, reason, model
        self.waiting = 0

    def standing(self) -> Iterator[dict[str, Any]]:
        """Accepted rows that no judge has turned down, with their scores."""
        for row in self.accepted:
            judge = self.judged.get(row["id"])
            if judge is None:
                yield row
            elif not _too_low(judge):
                yield {**row, "judge": judge}

    def turned_down(self) -> Iterator[dict[str, Any]]:
        """Accepted rows that a judge has turned down."""
        for row in self.accepted:
            judge = self.judged.get(row["id"])
            if judge is not None and (low := _too_low(judge)):
                yield {**row, "judge": judge, "reason": str(Rejection.JUDGE), "detail": ", ".join(low)}

    def close(self) -> None:
        """Removes what was only needed while the run lasted."""
        self.accepted.close()
        self.rejected.close()


def _too_low(judge: dict[str, Any]) -> list[str]:
    return [f"{name} {judge[name]}" for name in SCORES if judge[name] < LEAST_SCORE]


class _Spool:
    """Rows on disk, in order: a run of many holds few of them in memory."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream = open(path, "w", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._count = 0

    def append(self, row: dict[str, Any]) -> None:
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._count += 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows so far; what is added meanwhile comes with the next reading."""
        self._stream.flush()
        count = self._count
        with open(self._path, encoding="utf-8") as stream:
            for line in islice(stream, count):
                yield json.loads(line)

    def close(self) -> None:
        self._stream.close()
        os.unlink(self._path)


def run(
    plan: Plan, on_premise: bool = False, retry: bool = False, note: Callable[[Call], None] = lambda call: None, ask: bool = True
) -> Result:
    """Asks, reads, gates, and writes `accepted.jsonl`, `rejected.jsonl`, `preferences.jsonl`, `summary.json`, a report and a card.

    Killed at any moment and run again, it ends with the same files as if it had not been, given the same answers. Without `ask` it
    only derives the files from the ledger. Raises UserError where it cannot go on; the ledger keeps what was answered.
    """
    if on_premise:
        refuse_strangers(plan.recipe.endpoint)
    with _open(plan) as book:
        rows = _Rows(plan)
        try:
            asked, stopped = 0, False
            price = plan.recipe.prices.of(plan.recipe.endpoint.model)
            for stage in plan.recipe.stages:
                if ask and not stopped:
                    spent: Spent = execute(_requests(plan, stage, rows), book, plan.recipe.endpoint, price, plan.recipe.cap, note, retry)
                    asked, stopped = asked + spent.asked, spent.stopped
                for _ in _derive(plan, _requests(plan, stage, rows), book, rows):
                    pass
            result = _write(plan, rows, book.spent(), asked, stopped)
            report.write(plan.output, plan.recipe.license, plan.recipe.endpoint.model, len(rows.seeds), plan.recipe.seed)
            return result
        finally:
            rows.close()


def foresee(plan: Plan) -> tuple[Estimate, bool]:
    """What the requests that are not in the ledger yet would cost, as far as they are known before asking; whether more would follow.

    Where the ledger has answers, what they took is the measure.
    """
    price = plan.recipe.prices.of(plan.recipe.endpoint.model)
    with _open(plan) as book:
        rows = _Rows(plan)
        totals = Estimate(0, 0, 0, Decimal(0))
        open_end = False
        try:
            for stage in plan.recipe.stages:
                missing, used = [], []
                for request, call in _derive(plan, _requests(plan, stage, rows), book, rows):
                    if call is None:
                        missing.append(request)
                    elif call.status == ledger.ANSWERED:
                        used.append((_chars(request), call.prompt_tokens, call.completion_tokens))
                part = estimate(missing, price, plan.recipe.tokens_per_char, stage.answer_tokens, used)
                totals = Estimate(
                    totals.requests + part.requests,
                    totals.prompt_tokens + part.prompt_tokens,
                    totals.completion_tokens + part.completion_tokens,
                    totals.cost + part.cost,
                )
                open_end = open_end or (stage.over == "accepted" and bool(totals.requests))
        finally:
            rows.close()
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
        pool = [*rows.seeds, *(_flat(row) for row in rows.standing() if len(row["messages"]) == 2)]
        return task.requests(SelfInstruct.draws(pool, stage.draws or 0, plan.recipe.seed), 1, plan.recipe.sampling, plan.recipe.seed)
    if stage.over == "seeds":
        over: Iterable[Row] = rows.seeds
    elif stage.over == "accepted":
        over = (_flat(row) for row in rows.standing() if len(row["messages"]) == 2)
    else:
        over = _read_rows(plan, stage, task.inputs)
    return task.requests(islice(over, stage.limit), stage.each, plan.recipe.sampling, plan.recipe.seed)


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


def _derive(plan: Plan, requests: Iterable[Request], book: Ledger, rows: _Rows) -> Iterator[tuple[Request, Call | None]]:
    """Reads the answers in the order of the requests, so that which came first changes nothing. Yields each request with its call."""
    remaining = iter(requests)
    while chunk := list(islice(remaining, CHUNK)):
        known = book.find([request.key for request in chunk])
        for request in chunk:
            call = known.get(request.key)
            if call is None:
                rows.waiting += 1
            else:
                _read(plan, request, call, rows)
            yield request, call


def _read(plan: Plan, request: Request, call: Call, rows: _Rows) -> None:
    if call.status != ledger.ANSWERED:
        rows.rejected.append(_rejected(request, call, Objection(Rejection.NO_ANSWER, f"{call.status}: {call.text}"), None))
        return
    try:
        candidates = TASKS[request.task].read(call.text, request.row)
    except Malformed as error:
        rows.rejected.append(_rejected(request, call, Objection(Rejection.MALFORMED, str(error)), None))
        return
    for number, candidate in enumerate(candidates):
        _settle(plan, request, call, number, candidate, rows)


def _settle(plan: Plan, request: Request, call: Call, number: int, candidate: Candidate, rows: _Rows) -> None:
    if request.task == "judge":
        (judged,) = candidate.parents
        rows.judged[judged] = {**candidate.extra["scores"], "reason": candidate.extra["reason"], "model": call.model}
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


def _write(plan: Plan, rows: _Rows, cost: Decimal, asked: int, stopped: bool) -> Result:
    counts: dict[str, Counter[str]] = {"categories": Counter(), "tasks": Counter(), "rejected": Counter()}

    def conversations() -> Iterator[dict[str, Any]]:
        for row in rows.standing():
            counts["tasks"][row["lineage"]["task"]] += 1
            if "rejected" not in row:
                counts["categories"][row["category"]] += 1
                yield row

    def rejected() -> Iterator[dict[str, Any]]:
        for row in chain(rows.rejected, rows.turned_down()):
            counts["rejected"][row["reason"]] += 1
            yield row

    preferences = (_preference(row) for row in rows.standing() if "rejected" in row)
    for name, listed in (("accepted", conversations()), ("rejected", rejected()), ("preferences", preferences)):
        storage.atomic_write(f"{plan.output}/{name}.jsonl", partial(_write_lines, listed))
    accepted = sum(counts["tasks"].values())
    result = Result(plan.output, accepted, dict(counts["rejected"].most_common()), rows.waiting, cost, asked, stopped)
    summary = {
        "name": plan.recipe.name, "accepted": accepted, "rejected": result.rejected, "waiting": result.waiting,
        "categories": dict(sorted(counts["categories"].items())), "tasks": dict(sorted(counts["tasks"].items())),
        "cost": str(cost), "currency": plan.recipe.prices.currency, "prices_dated": plan.recipe.prices.dated,
    }  # fmt: skip
    storage.atomic_write_text(f"{plan.output}/summary.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    return result


def _write_lines(rows: Iterable[dict[str, Any]], stream: IO[bytes]) -> None:
    for row in rows:
        stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _preference(row: dict[str, Any]) -> dict[str, Any]:
    worse = [{"role": "assistant", "content": row["rejected"]}]
    pair = {"id": row["id"], "prompt": row["messages"][:1], "chosen": row["messages"][1:], "rejected": worse}
    return {**pair, **{name: row[name] for name in ("category", "lineage", "license")}}
