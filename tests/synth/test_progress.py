"""What a run tells while it asks."""

from __future__ import annotations

import io
import json
from collections import Counter
from decimal import Decimal

from synth.ledger import Call
from synth.progress import Progress


def call(status: str = "answered") -> Call:
    return Call("k", status, "m", "好", 30, 10, Decimal("0.25"), "2026-11-30T00:00:00.000+00:00")


def told(as_json: bool) -> str:
    stream = io.StringIO()
    progress = Progress("TWD", as_json=as_json, stream=stream)
    progress.stage("paraphrase", 10)
    progress.there()
    for _ in range(4):
        progress.call(call())
    progress.call(call("gave_up"))
    progress.rows(3, Counter({"refusal": 1, "malformed": 2}))
    progress.close()
    return stream.getvalue()


def test_a_plain_line_has_it_all() -> None:
    line = told(as_json=False).splitlines()[-1]
    assert line.startswith("paraphrase 6 of 10: accepted 3, rejected 3 (malformed 2, refusal 1); 200 tokens, 1.2500 TWD; ")
    assert line.endswith("left") and "a second" in line


def test_events_are_json() -> None:
    events = [json.loads(line) for line in told(as_json=True).splitlines()]
    last = events[-1]
    assert events[0]["calls"] == 0 and last["calls"] == 5 and last["no_answer"] == 1
    assert (last["accepted"], last["rejected"], last["cost"]) == (3, {"malformed": 2, "refusal": 1}, "1.25")
    assert last["prompt_tokens"] == 150 and isinstance(last["seconds_left"], int)


def test_a_terminal_gets_a_table_that_is_drawn_anew() -> None:
    stream = io.StringIO()
    progress = Progress("TWD", live=True, stream=stream)
    progress.stage("judge", 2)
    progress.rows(1, Counter(threat=1))
    progress.call(call())
    progress.close()
    shown = stream.getvalue()
    assert "judge" in shown and "1 of 2 (50%)" in shown and "threat" in shown and "TWD this time" in shown
