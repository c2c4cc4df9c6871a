"""A run: stage by stage, what the ledger lacks is asked for, and answers become rows. Rows depend on ledger and recipe alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice

from factory import manifest, storage
from factory.errors import UserError
from synth import batch, ledger
from synth.derive import Deriver
from synth.execute import Spent, execute
from synth.ledger import Call, Ledger
from synth.money import Estimate, estimate
from synth.output import Result, write
from synth.progress import Silent
from synth.provider import refuse_strangers
from synth.recipe import Plan, Stage
from synth.request import Request
from synth.rows import Rows, flat, is_pair
from synth.tasks import TASKS, Row, SelfInstruct

EVERY, FOR = 0.5, 0.05  # seconds: how often, and how long, rows are made while answers come in


def run(
    plan: Plan, on_premise: bool = False, retry: bool = False, watch: Silent | None = None, ask: bool = True, by_batch: bool = False
) -> Result:
    """Asks, reads, gates, and writes `accepted.jsonl`, `rejected.jsonl`, `preferences.jsonl`, `summary.json`, a report and a card.

    Killed at any moment and run again, it ends with the same files as if it had not been, given the same answers. Without `ask` it
    only derives the files from the ledger; with `by_batch` it asks through the endpoint's batch API. Raises UserError where it cannot
    go on; the ledger keeps what was answered.
    """
    if on_premise:
        refuse_strangers(plan.recipe.endpoint)
    watch = watch or Silent()
    with opened(plan) as book:
        rows = Rows(plan)
        try:
            asked, stopped = 0, False
            for stage in plan.recipe.stages:
                deriver = Deriver(requests(plan, stage, rows), book, rows, plan.recipe.license)
                if ask and not stopped:
                    watch.stage(stage.task, size(plan, stage, rows))
                    spent = _ask(plan, stage, rows, book, deriver, watch, retry, by_batch)
                    asked, stopped = asked + spent.asked, spent.stopped
                for _ in deriver.finish():
                    pass
                watch.rows(rows.accepted.count, rows.reasons)
            return write(plan, rows, book.spent(), asked, stopped)
        finally:
            watch.close()
            rows.close()


def _ask(plan: Plan, stage: Stage, rows: Rows, book: Ledger, deriver: Deriver, watch: Silent, retry: bool, by_batch: bool) -> Spent:
    """Asks for a stage; rows are made meanwhile, a twentieth of a second at a time (not in a retry, whose answers replace failures)."""
    recipe = plan.recipe
    price = recipe.prices.of(recipe.endpoint.model)
    last = time.monotonic()

    def note(call: Call) -> None:
        nonlocal last
        watch.call(call)
        if not retry and time.monotonic() - last >= EVERY:
            deriver.follow(FOR)
            watch.rows(rows.accepted.count, rows.reasons)
            last = time.monotonic()

    way = batch.execute if by_batch else execute
    return way(requests(plan, stage, rows), book, recipe.endpoint, price, recipe.cap, note, retry, watch.there)


def foresee(plan: Plan) -> tuple[Estimate, bool]:
    """What a run would still take and cost, and whether that is partly a guess.

    Where the ledger has answers, what they took is the measure, and the share of rows that passed tells how many the stages over
    accepted rows will get. Where it has none, the recipe's `answer_tokens` and a full pass are assumed, and it is a guess.
    """
    price = plan.recipe.prices.of(plan.recipe.endpoint.model)
    total = Estimate(0, 0, 0, Decimal(0))
    more = 0.0  # rows of one question and answer that requests not yet asked will give
    guess = False
    with opened(plan) as book:
        rows = Rows(plan)
        try:
            for stage in plan.recipe.stages:
                before, turned = rows.pairs, rows.reasons["judge"]
                over = rows.pairs
                missing, used = [], []
                for request, call in Deriver(requests(plan, stage, rows), book, rows, plan.recipe.license).finish():
                    if call is None:
                        missing.append(request)
                    elif call.status == ledger.ANSWERED:
                        used.append((_chars(request), call.prompt_tokens, call.completion_tokens))
                extra = 0
                if stage.over == "accepted":
                    room = max(0, (stage.limit or over + round(more)) - over)
                    extra = min(round(more), room) * stage.each
                part = estimate(missing, price, plan.recipe.tokens_per_char, stage.answer_tokens, used, extra)
                guess = guess or bool(part.requests and not used)
                if stage.task == "judge":
                    more *= 1 - (rows.reasons["judge"] - turned) / max(1, len(used))
                elif TASKS[stage.task].gives_pairs:
                    more += (len(missing) + extra) * ((rows.pairs - before) / len(used) if used else 1.0)
                total = total.plus(part)
        finally:
            rows.close()
    return total, guess


def piloted(plan: Plan, each_stage: int) -> Plan:
    """The plan with no more than `each_stage` requests in a stage, for a pilot whose answers the run then finds in the ledger."""
    stages = [
        stage.model_copy(
            update={"draws": min(each_stage, stage.draws)}
            if stage.draws
            else {"limit": min(each_stage, stage.limit or each_stage), "each": 1}
        )
        for stage in plan.recipe.stages
    ]
    return plan._replace(recipe=plan.recipe.model_copy(update={"stages": tuple(stages)}))


def _chars(request: Request) -> int:
    return sum(len(message["content"]) for message in request.body["messages"])


@contextmanager
def opened(plan: Plan) -> Iterator[Ledger]:
    """The ledger of a plan, with its folder and the run's locked."""
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


def requests(plan: Plan, stage: Stage, rows: Rows) -> Iterable[Request]:
    """The requests of a stage over the rows as they are now."""
    task, recipe = TASKS[stage.task], plan.recipe
    if isinstance(task, SelfInstruct):
        pool = [*rows.seeds, *(flat(row) for row in rows.standing() if is_pair(row))]
        return task.requests(SelfInstruct.draws(pool, stage.draws or 0, recipe.seed, recipe.mixture), 1, recipe.sampling, recipe.seed)
    if stage.over == "seeds":
        over: Iterable[Row] = rows.seeds
    elif stage.over == "accepted":
        over = (flat(row) for row in rows.standing() if is_pair(row))
    else:
        over = _read_rows(plan, stage, task.inputs)
    return task.requests(islice(over, stage.limit), stage.each, recipe.sampling, recipe.seed)


def size(plan: Plan, stage: Stage, rows: Rows) -> int:
    """How many requests a stage has over the rows as they are now."""
    if stage.draws is not None:
        return stage.draws
    over = {"seeds": len(rows.seeds), "accepted": rows.pairs}.get(stage.over)
    if over is None:
        over = len(_read_rows(plan, stage, TASKS[stage.task].inputs))
    return min(over, stage.limit or over) * stage.each


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
