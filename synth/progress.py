"""What a run tells while it asks: a live table on a terminal, else a line now and then, or JSON events for a program."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from synth.ledger import Call

LINE_SECONDS = 5.0  # between plain lines, or events
SHOWN = 4  # reasons of rejection on a plain line


class Silent:
    """Tells nothing; what the others are built on."""

    def stage(self, task: str, total: int) -> None:
        """A stage of `total` requests begins."""

    def there(self) -> None:
        """A request had its answer in the ledger already."""

    def call(self, call: Call) -> None:
        """An answer, or a failure, is in the ledger."""

    def rows(self, accepted: int, reasons: Counter[str]) -> None:
        """Rows so far: taken, and rejected by reason."""

    def close(self) -> None:
        """The run has ended."""


class Progress(Silent):
    """Keeps count. `as_json` tells in JSON lines; `live` in a table that is drawn anew; neither: in plain lines."""

    def __init__(self, currency: str, as_json: bool = False, live: bool | None = None, stream: TextIO = sys.stderr) -> None:
        self._currency, self._as_json, self._stream = currency, as_json, stream
        self._live: Any = None
        self._wants_live = (stream.isatty() if live is None else live) and not as_json
        self._task, self._total, self._done = "", 0, 0
        self._calls = self._failed = self._prompt = self._completion = self._stage_calls = 0
        self._cost, self._accepted = Decimal(0), 0
        self._reasons: Counter[str] = Counter()
        self._begun = self._told = time.monotonic()

    def stage(self, task: str, total: int) -> None:
        self._task, self._total, self._done, self._stage_calls = task, total, 0, 0
        self._begun = time.monotonic()
        self._tell()

    def there(self) -> None:
        self._done += 1

    def call(self, call: Call) -> None:
        self._calls += 1
        self._stage_calls += 1
        self._done += 1
        self._failed += call.status != "answered"
        self._prompt += call.prompt_tokens
        self._completion += call.completion_tokens
        self._cost += call.cost
        if time.monotonic() - self._told >= (0.25 if self._live else LINE_SECONDS):
            self._tell()

    def rows(self, accepted: int, reasons: Counter[str]) -> None:
        self._accepted, self._reasons = accepted, reasons

    def close(self) -> None:
        if self._calls:
            self._tell()
        if self._live:
            self._live.stop()
            self._live = None

    def facts(self) -> dict[str, Any]:
        """Where the run stands. `seconds_left` is of this stage, None until it can be told."""
        passed = time.monotonic() - self._begun
        rate = self._stage_calls / passed if passed > 0 else 0.0
        left = max(0, self._total - self._done)
        return {
            "task": self._task, "requests": self._total, "done": self._done, "calls": self._calls, "no_answer": self._failed,
            "accepted": self._accepted, "rejected": dict(self._reasons.most_common()), "prompt_tokens": self._prompt,
            "completion_tokens": self._completion, "cost": str(self._cost), "currency": self._currency,
            "calls_per_second": round(rate, 2), "seconds_left": round(left / rate) if rate else None,
        }  # fmt: skip

    def _tell(self) -> None:
        self._told = time.monotonic()
        if self._as_json:
            print(json.dumps(self.facts(), ensure_ascii=False), file=self._stream, flush=True)
        elif self._wants_live:
            self._draw()
        elif self._calls:
            print(_line(self.facts()), file=self._stream, flush=True)

    def _draw(self) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=Console(file=self._stream, force_terminal=True), transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(_table(self.facts()), refresh=True)


def _line(facts: dict[str, Any]) -> str:
    reasons = list(facts["rejected"].items())
    shown = ", ".join(f"{name} {count:,}" for name, count in reasons[:SHOWN]) + (", …" if len(reasons) > SHOWN else "")
    rejected = f"rejected {sum(facts['rejected'].values()):,}" + (f" ({shown})" if shown else "")
    tokens = f"{facts['prompt_tokens'] + facts['completion_tokens']:,} tokens, {Decimal(facts['cost']):.4f} {facts['currency']}"
    return (
        f"{facts['task']} {facts['done']:,} of {facts['requests']:,}: accepted {facts['accepted']:,}, {rejected}; "
        f"{tokens}; {facts['calls_per_second']:.1f} a second, {_time(facts['seconds_left'])} left"
    )


def _table(facts: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    share = facts["done"] / facts["requests"] if facts["requests"] else 1.0
    table.add_row(facts["task"], f"{facts['done']:,} of {facts['requests']:,} ({share:.0%}), {_time(facts['seconds_left'])} left")
    table.add_row("rate", f"{facts['calls_per_second']:.1f} a second, {facts['no_answer']:,} without an answer")
    table.add_row("tokens", f"{facts['prompt_tokens']:,} in, {facts['completion_tokens']:,} out")
    table.add_row("cost", f"{Decimal(facts['cost']):.4f} {facts['currency']} this time")
    table.add_row("accepted", f"{facts['accepted']:,}")
    for name, count in facts["rejected"].items():
        table.add_row(f"  {name}", f"{count:,}")
    return table


def _time(seconds: int | None) -> str:
    if seconds is None:
        return "?"
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
