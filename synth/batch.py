"""The OpenAI batch API: requests go up as a file, answers come down as one within a day, at a lower price.

What a batch costs is owed from the moment it is created, so the ledger says what is about to be created before it is: after a kill in
between, the endpoint's own list tells whether it was (batches carry the digest of their requests as metadata). Answers and the end of
their batch are written in one transaction.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from factory.errors import UserError
from synth import ledger
from synth.execute import FIRST_WAIT, Spent, missing_from
from synth.ledger import BatchEvent, Call, Ledger
from synth.money import MESSAGE_TOKENS, Price, cost
from synth.provider import Answer, Busy, Endpoint, Refused, key_of, read_completion, understood
from synth.request import Request

AT_ONCE = 4  # batches that are under way
MOST_BYTES = 100_000_000  # of one input file; the API takes 200 MB
PATH: Final = "/v1/chat/completions"
NAME = "twllm"  # of the metadata that holds a batch's digest
OVER = ("completed", "expired", "failed", "cancelled")
UNKNOWN_ANSWER = 1_000  # tokens that an answer is taken for against the cap where the recipe sets no max_tokens


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
    """As `synth.execute.execute`, by batches: those that an earlier run left open are read first, then what is missing goes up."""
    run = _Batches(book, endpoint, price.in_batch(), note)
    while under_way := run.under_way():  # what an earlier run left: its answers are not asked for again
        run.read(under_way)
    missing = missing_from(iter(requests), book, retry, there)
    left, stopped, asked = next(missing, None), False, 0
    while left is not None or run.under_way():
        while left is not None and len(run.under_way()) < AT_ONCE:
            room = None if cap is None else cap - book.spent() - run.owed
            if room is not None and room < most(left, price.in_batch()):  # batches under way may turn out to cost less than they could
                stopped = not run.under_way()
                break
            listed, left = _take(left, missing, endpoint, price.in_batch(), room)
            run.create(listed)
            asked += len(listed)
        if stopped:
            break
        run.read(run.under_way())
    return Spent(asked, run.answered, run.failed, book.spent(), stopped)


def _take(
    first: Request, rest: Iterator[Request], endpoint: Endpoint, price: Price, room: Decimal | None
) -> tuple[list[Request], Request | None]:
    """Requests of one batch: at least one, no more than fit into it and, at the most that they can cost, into `room`. And the next."""
    listed, size, owed = [first], len(_line(first, endpoint.model)), most(first, price)
    for request in rest:
        size, owed = size + len(_line(request, endpoint.model)), owed + most(request, price)
        if len(listed) >= endpoint.batch_requests or size > MOST_BYTES or (room is not None and owed > room):
            return listed, request
        listed.append(request)
    return listed, None


def most(request: Request, price: Price) -> Decimal:
    """What a request costs at most: a token a byte of its prompt, and as many of an answer as it allows."""
    messages = request.body["messages"]
    prompt = sum(len(message["content"].encode()) + MESSAGE_TOKENS for message in messages)
    return cost(price, prompt, int(request.body.get("max_tokens") or UNKNOWN_ANSWER))


def _line(request: Request, model: str) -> bytes:
    row = {"custom_id": request.key, "method": "POST", "url": PATH, "body": {"model": model, **request.body}}
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class _Batches:
    """The batches of a ledger at an endpoint."""

    def __init__(self, book: Ledger, endpoint: Endpoint, price: Price, note: Callable[[Call], None]) -> None:
        from openai import DefaultHttpxClient, OpenAI

        http = DefaultHttpxClient(timeout=endpoint.timeout_seconds, trust_env=False, follow_redirects=False)
        self._client = OpenAI(base_url=endpoint.base_url, api_key=key_of(endpoint), max_retries=0, http_client=http)
        self._book, self._endpoint, self._price, self._note = book, endpoint, price, note
        self._owed: dict[str, Decimal] = {}
        self._keys: dict[str, list[str]] = {}
        self.answered = self.failed = 0

    @property
    def owed(self) -> Decimal:
        """What the batches under way cost at most."""
        return sum(self._owed.values(), Decimal(0))

    def under_way(self) -> list[BatchEvent]:
        """Batches that were created and not read. One that was only intended is looked for at the endpoint; if it is not there, it ends."""
        found = []
        for event in self._book.open_batches():
            if event.event == ledger.INTENDED:
                name = self._find(event.digest)
                event = BatchEvent(event.digest, ledger.CREATED if name else ledger.ENDED, name or "")
                self._book.append([], event)
            if event.event == ledger.CREATED:
                found.append(event)
        return found

    def create(self, requests: list[Request]) -> None:
        """Uploads the requests and creates their batch."""
        keys = [request.key for request in requests]
        digest = hashlib.sha256("\n".join([self._endpoint.model, datetime.now(UTC).isoformat(), *keys]).encode()).hexdigest()
        content = b"".join(_line(request, self._endpoint.model) for request in requests)
        self._book.append([], BatchEvent(digest, ledger.INTENDED, ""))
        stream = io.BytesIO(content)
        stream.name = f"{digest[:16]}.jsonl"
        file = self._asked(lambda: self._client.files.create(file=(stream.name, content), purpose="batch"))
        made = self._asked(
            lambda: self._client.batches.create(
                input_file_id=file.id,
                endpoint=PATH,
                completion_window="24h",
                metadata={NAME: digest},
            ),
            once=True,
        )
        self._book.append([], BatchEvent(digest, ledger.CREATED, made.id))
        self._owed[digest] = sum((most(request, self._price) for request in requests), Decimal(0))
        self._keys[digest] = keys

    def read(self, under_way: list[BatchEvent]) -> None:
        """Waits until one of the batches is over, and puts its answers into the ledger."""
        while True:
            for event in under_way:
                state = self._asked(partial(self._client.batches.retrieve, event.id))
                if state.status in OVER:
                    self._end(event, state)
                    return
            time.sleep(self._endpoint.batch_poll_seconds)

    def _end(self, event: BatchEvent, state: Any) -> None:
        calls = [call for name in (state.output_file_id, state.error_file_id) if name for call in self._calls(name)]
        if not calls and state.status == "failed":
            self._book.append([], BatchEvent(event.digest, ledger.ENDED, event.id))
            said = next((error.message for error in getattr(state.errors, "data", None) or []), "no reason given")
            raise UserError(f"batch {event.id}: failed: {' '.join(str(said).split())[:200]}. Correct the recipe, then run again.")
        there = {call.key for call in calls}
        lost = [key for key in self._keys.get(event.digest, []) if key not in there]
        calls += [self._call(key, ledger.GAVE_UP, f"batch {state.status}", Answer("", 0, 0, "")) for key in lost]
        self._book.append(calls, BatchEvent(event.digest, ledger.ENDED, event.id))
        self._owed.pop(event.digest, None)
        for call in calls:
            self.answered += call.status == ledger.ANSWERED
            self.failed += call.status != ledger.ANSWERED
            self._note(call)

    def _calls(self, file: str) -> Iterator[Call]:
        content = self._asked(lambda: self._client.files.content(file).content)
        for line in content.splitlines():
            if line.strip():
                yield self._read_line(line)

    def _read_line(self, line: bytes) -> Call:
        from openai.types.chat import ChatCompletion

        nothing = Answer("", 0, 0, "")
        try:
            row = json.loads(line)
            key, response = str(row["custom_id"]), row.get("response") or {}
            code = response.get("status_code")
        except (ValueError, KeyError, AttributeError, TypeError):
            raise UserError(
                f"{self._endpoint.base_url}: a batch's file holds a line that is no answer. Report it to the endpoint."
            ) from None
        if code != 200:
            final = isinstance(code, int) and 400 <= code < 500 and code not in (408, 409, 425, 429)
            return self._call(key, ledger.REFUSED if final else ledger.GAVE_UP, f"HTTP {code}" if code else "batch error", nothing)
        try:
            answer = read_completion(ChatCompletion.model_construct(**ChatCompletion.model_validate(response["body"]).__dict__))
        except Refused as error:
            return self._call(key, ledger.REFUSED, str(error), nothing)
        except (Busy, KeyError, ValueError) as error:
            return self._call(key, ledger.GAVE_UP, str(error).splitlines()[0][:80], nothing)
        return self._call(key, ledger.ANSWERED, answer.text, answer)

    def _call(self, key: str, status: str, text: str, answer: Answer) -> Call:
        tokens = answer.prompt_tokens, answer.completion_tokens
        finished = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Call(key, status, self._endpoint.model, text, *tokens, cost(self._price, *tokens), finished, answer.finish_reason)

    def _find(self, digest: str) -> str | None:
        for listed in self._asked(lambda: list(self._client.batches.list(limit=100))):
            if (listed.metadata or {}).get(NAME) == digest:
                return str(listed.id)
        return None

    def _asked(self, ask: Callable[[], Any], once: bool = False) -> Any:
        """One answer of the API, with some tries. `once`: what would create a thing twice is not tried again."""
        import openai

        for attempt in range(1 if once else self._endpoint.attempts):
            try:
                return ask()
            except (TimeoutError, openai.OpenAIError, OSError, ValueError) as error:
                told = understood(error, self._endpoint)
            if not isinstance(told, Busy):
                break
            time.sleep(random.uniform(0, FIRST_WAIT * 2**attempt))  # noqa: S311 - jitter
        if isinstance(told, UserError):
            raise told
        raise UserError(f"{self._endpoint.base_url}: batch API: {told}. Run the same command again; what was created is not created twice.")
