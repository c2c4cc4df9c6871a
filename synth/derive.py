"""From answers to rows, in the order of the requests: which answer came first changes nothing."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from synth import ledger
from synth.answers import Malformed
from synth.gates import Objection, Rejection
from synth.ledger import Call, Ledger
from synth.prompt import repeats
from synth.request import Request, canonical
from synth.rows import Rows
from synth.tasks import TASKS, Candidate

CHUNK = 500  # requests whose answers are looked up at once
AHEAD = 50  # the same while answers come in
NOT_NEW = ("judge", "preference", "multi_turn", "grounded_qa")  # tasks whose question is meant to be one that there is


class Deriver:
    """The rows of one stage. What `follow` has taken while answers come in, `finish` does not take again."""

    def __init__(self, requests: Iterable[Request], book: Ledger, rows: Rows, license: str) -> None:
        self._requests, self._book, self._rows, self._license = iter(requests), book, rows, license
        self._pending: deque[Request] = deque()

    def follow(self, seconds: float) -> None:
        """Takes answers as long as the next request has one, for about so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._pending.extend(islice(self._requests, AHEAD - len(self._pending)))
            known = self._book.find([request.key for request in self._pending])
            if not self._pending or self._pending[0].key not in known:
                return
            while self._pending and (call := known.get(self._pending[0].key)) and time.monotonic() < until:
                self._read(self._pending.popleft(), call)

    def finish(self) -> Iterator[tuple[Request, Call | None]]:
        """Takes all the rest. Yields each request with its call; one without is waiting."""
        while chunk := [self._pending.popleft() for _ in range(len(self._pending))] or list(islice(self._requests, CHUNK)):
            known = self._book.find([request.key for request in chunk])
            for request in chunk:
                call = known.get(request.key)
                if call is None:
                    self._rows.waiting += 1
                else:
                    self._read(request, call)
                yield request, call

    def _read(self, request: Request, call: Call) -> None:
        if call.status != ledger.ANSWERED:
            self._reject(request, call, Objection(Rejection.NO_ANSWER, f"{call.status}: {call.text}"), None)
            return
        try:
            candidates = TASKS[request.task].read(call.text, request.row, call.finish == "length")
        except Malformed as error:
            self._reject(request, call, Objection(Rejection.MALFORMED, str(error)), None)
            return
        for number, candidate in enumerate(candidates):
            self._settle(request, call, number, candidate)

    def _settle(self, request: Request, call: Call, number: int, candidate: Candidate) -> None:
        rows = self._rows
        if request.task == "judge":
            (judged,) = candidate.parents
            rows.judge(judged, {**candidate.extra["scores"], "reason": candidate.extra["reason"], "model": call.model})
            return
        for message in candidate.messages:
            if run := repeats(TASKS[request.task].prompt_id, message["content"]):
                self._reject(request, call, Objection(Rejection.MALFORMED, f"repeats the prompt: {run}"), candidate)
                return
        same_question = bool(candidate.messages) and candidate.messages[0]["content"] == request.row.get("question")
        novel = request.task not in NOT_NEW and not same_question
        objection = rows.gates.object(candidate, novel=novel)
        if objection is not None:
            self._reject(request, call, objection, candidate)
            return
        if novel:
            rows.gates.take(candidate)
        rows.accept(self._row(request, call, number, candidate))

    def _row(self, request: Request, call: Call, number: int, candidate: Candidate) -> dict[str, Any]:
        name = hashlib.sha256(canonical([request.key, number])).hexdigest()[:16]
        lineage = {
            "task": request.task, "prompt": request.prompt, "facets": dict(request.facets), "model": call.model,
            "parents": list(candidate.parents), "request": request.key,
            "sampling": {key: value for key, value in request.body.items() if key != "messages"},
        }  # fmt: skip
        extra: dict[str, Any] = {key: candidate.extra[key] for key in ("spans", "rejected") if key in candidate.extra}
        return {"id": f"synth-{name}", "messages": candidate.messages, "category": candidate.category, "lineage": lineage,
                "license": self._license, "review": None, **extra}  # fmt: skip

    def _reject(self, request: Request, call: Call, objection: Objection, candidate: Candidate | None) -> None:
        self._rows.reject({
            "request": request.key, "task": request.task, "prompt": request.prompt, "model": call.model, "parent": request.row.get("id"),
            "reason": str(objection.reason), "detail": objection.detail,
            "messages": candidate.messages if candidate else None, "text": None if candidate else call.text,
        })  # fmt: skip
