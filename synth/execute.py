"""Asks for what the ledger does not have yet. A slot is free again once its answer is on disk, so that a kill costs what is in flight."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import NamedTuple

from factory.errors import UserError
from synth import ledger
from synth.ledger import Call, Ledger
from synth.money import Price, cost
from synth.provider import Answer, Busy, Endpoint, Provider, Refused
from synth.request import Request

FIRST_WAIT, LONGEST_WAIT = 0.25, 20.0  # seconds before another try; doubled each time, full jitter
_CHUNK = 500  # requests that are looked up at once
DOWN = 8  # requests in a row that cannot be sent, with none answered yet: the endpoint is down
_DOWN = "{}: cannot be reached. Start the endpoint or correct endpoint.base_url, then use `twllm synth retry`."


class Spent(NamedTuple):
    """What asking came to."""

    asked: int
    answered: int
    failed: int
    cost: Decimal
    stopped: bool  # by the cap; the rest was not asked


class _Limit:
    """Requests at once: halved when the endpoint is busy, one more for each round of answers since."""

    def __init__(self, most: int) -> None:
        self._most, self._now, self._used = most, float(most), 0
        self._free = asyncio.Condition()
        self._halved = 0.0

    async def __aenter__(self) -> None:
        async with self._free:
            await self._free.wait_for(lambda: self._used < int(self._now))
            self._used += 1

    async def __aexit__(self, *_: object) -> None:
        async with self._free:
            self._used -= 1
            self._now = min(float(self._most), self._now + 1 / max(1.0, self._now))
            self._free.notify(1 + int(self._now) - self._used if self._now > self._used else 1)

    def slow_down(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._halved > 1.0:  # the answers of one burst count once
            self._now, self._halved = max(1.0, self._now / 2), now


class _Writer:
    """Puts calls into the ledger, all that have come in at once, in a thread of its own."""

    def __init__(self, book: Ledger) -> None:
        self._book = book
        self._waiting: list[tuple[Call, asyncio.Future[None]]] = []
        self._some = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)

    async def put(self, call: Call) -> None:
        """Returns once the call is on disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, done))
        self._some.set()
        await done

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._book.append, [call for call, _ in batch])
            except UserError as error:
                for _, done in batch:
                    done.set_exception(error)
                continue
            for _, done in batch:
                done.set_result(None)


def execute(
    requests: Iterable[Request],
    book: Ledger,
    endpoint: Endpoint,
    price: Price,
    cap: Decimal | None,
    note: Callable[[Call], None],
    retry: bool = False,
    there: Callable[[], None] = lambda: None,
) -> Spent:
    """Asks for the requests that have no call in the ledger yet, with `retry` also for those that were given up; `there` is told of each
    other one, `note` of each call.

    Stops asking once the ledger's cost reaches `cap`; what is in flight then still comes in. Raises UserError where the endpoint is
    down, knows neither key nor model, or the ledger cannot be written; what was answered before is in the ledger. Requests are drawn
    as they are needed: memory is that of their keys.
    """
    missing = missing_from(iter(requests), book, retry, there)
    first = next(missing, None)
    if first is None:
        return Spent(0, 0, 0, book.spent(), False)
    return asyncio.run(_execute(chain([first], missing), book, endpoint, price, cap, note))


def missing_from(requests: Iterator[Request], book: Ledger, retry: bool, there: Callable[[], None] = lambda: None) -> Iterator[Request]:
    """The requests that have no call in the ledger, each once; with `retry` also those that were given up. `there` is told of the rest."""
    seen: set[bytes] = set()
    while chunk := list(islice(requests, _CHUNK)):
        known = book.find([request.key for request in chunk])
        for request in chunk:
            digest = bytes.fromhex(request.key)[:16]
            if digest in seen or (request.key in known and not (retry and known[request.key].status == ledger.GAVE_UP)):
                there()
                continue
            seen.add(digest)
            yield request


async def _execute(
    requests: Iterable[Request], book: Ledger, endpoint: Endpoint, price: Price, cap: Decimal | None, note: Callable[[Call], None]
) -> Spent:
    limit, writer = _Limit(endpoint.max_in_flight), _Writer(book)
    spent, asked, answered, unreachable = book.spent(), 0, 0, 0
    stopped = False

    async def one(provider: Provider, request: Request) -> None:
        nonlocal spent, answered, unreachable
        try:
            status, text, answer = await _try(provider, request, endpoint.attempts, limit)
            unreachable = unreachable + 1 if status == ledger.GAVE_UP and text == "APIConnectionError" else 0
            if unreachable >= DOWN and not answered:
                raise UserError(_DOWN.format(endpoint.base_url))
            charged = cost(price, answer.prompt_tokens, answer.completion_tokens)
            finished = datetime.now(UTC).isoformat(timespec="milliseconds")
            tokens = answer.prompt_tokens, answer.completion_tokens
            call = Call(request.key, status, endpoint.model, text, *tokens, charged, finished, answer.finish_reason)
            await writer.put(call)
            spent += charged
            answered += status == ledger.ANSWERED
            note(call)
        finally:
            await limit.__aexit__()

    writing = asyncio.create_task(writer.run())
    try:
        async with Provider(endpoint) as provider, asyncio.TaskGroup() as tasks:
            for request in requests:
                await limit.__aenter__()
                if cap is not None and spent >= cap:
                    stopped = True
                    await limit.__aexit__()
                    break
                asked += 1
                tasks.create_task(one(provider, request))
    except BaseExceptionGroup as group:
        told = next((error for error in group.exceptions if isinstance(error, UserError)), None)
        raise told or group from None
    finally:
        writing.cancel()
    if unreachable and unreachable == asked:  # fewer than DOWN
        raise UserError(_DOWN.format(endpoint.base_url))
    return Spent(asked, answered, asked - answered, spent, stopped)


async def _try(provider: Provider, request: Request, attempts: int, limit: _Limit) -> tuple[str, str, Answer]:
    nothing = Answer("", 0, 0, "")
    reason = ""
    for attempt in range(attempts):
        try:
            answer = await provider.ask(request.body)
            return ledger.ANSWERED, answer.text, answer
        except Refused as error:
            return ledger.REFUSED, str(error), nothing
        except Busy as error:
            reason = str(error)
            if error.slow_down:
                limit.slow_down()
            if attempt + 1 < attempts:
                longest = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
                await asyncio.sleep(error.after if error.after is not None else random.uniform(0, longest))  # noqa: S311 - jitter
    return ledger.GAVE_UP, reason, nothing
