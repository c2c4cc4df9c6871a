"""What a person or a program sees while a build runs: bars on a terminal, plain lines elsewhere, JSON lines on demand.

datatrove's own log goes to a file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

LINE_SECONDS = 30.0  # between two plain lines of one stage
JSON_SECONDS = 1.0
SETTLED = 0.005  # share of a stage from which on its time left is told


class Progress(NamedTuple):
    """How far one stage of a run has come."""

    stage: str
    event: str  # "stage" when it begins, "progress", "done"
    seconds: float  # since the stage began
    documents: int = 0
    bytes: int = 0  # annotate: stored input; other stages: text
    total_documents: int | None = None
    total_bytes: int | None = None
    reused: bool = False  # a stored result was taken

    @property
    def documents_per_second(self) -> float:
        """Since the stage began."""
        return self.documents / self.seconds if self.seconds > 0 else 0.0

    @property
    def megabytes_per_second(self) -> float:
        """Since the stage began; a megabyte is 10^6 bytes."""
        return self.bytes / 1e6 / self.seconds if self.seconds > 0 else 0.0

    @property
    def share(self) -> float | None:
        """Part of the stage that is done, by bytes or else by documents; None where the whole is not known."""
        for done, total in ((self.bytes, self.total_bytes), (self.documents, self.total_documents)):
            if total:
                return min(1.0, done / total)
        return None

    @property
    def seconds_left(self) -> float | None:
        """At the mean speed so far; None where nothing can be said yet."""
        share = self.share
        return self.seconds * (1 - share) / share if share is not None and share >= SETTLED else None

    def row(self) -> dict[str, Any]:
        """As one JSON object."""
        left = self.seconds_left
        return {
            "event": self.event, "stage": self.stage, "seconds": round(self.seconds, 3), "documents": self.documents, "bytes": self.bytes,
            "total_documents": self.total_documents, "total_bytes": self.total_bytes,
            "documents_per_second": round(self.documents_per_second, 1), "megabytes_per_second": round(self.megabytes_per_second, 3),
            "seconds_left": None if left is None else round(left, 1), "reused": self.reused,
        }  # fmt: skip


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """A report that nobody reads."""


class Meter:
    """Measures one stage and reports it: `advance` while it runs, `done` at its end."""

    def __init__(self, stage: str, report: Report, total_documents: int | None = None, total_bytes: int | None = None) -> None:
        self._report = report
        self._start = time.monotonic()
        self._last = Progress(stage, "stage", 0.0, total_documents=total_documents, total_bytes=total_bytes)
        report(self._last)

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return time.monotonic() - self._start

    def advance(self, documents: int, done_bytes: int = 0, total_bytes: int | None = None) -> None:
        """Reports documents and bytes done so far."""
        total = self._last.total_bytes if total_bytes is None else total_bytes
        self._last = self._last._replace(event="progress", seconds=self.seconds, documents=documents, bytes=done_bytes, total_bytes=total)
        self._report(self._last)

    def done(self, documents: int, done_bytes: int, reused: bool = False) -> None:
        """Reports the end of the stage with its totals."""
        self._report(
            self._last._replace(
                event="done", seconds=self.seconds, documents=documents, bytes=done_bytes, total_documents=documents, reused=reused
            )
        )


@contextmanager
def as_bars(stream: IO[str]) -> Iterator[Report]:
    """One line a stage on a terminal; finished stages stay with their totals."""
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description:<12}"), BarColumn(24), TextColumn("{task.fields[facts]}"))
    tasks: dict[str, Any] = {}
    with Bars(*columns, console=Console(file=stream, highlight=False)) as bars:

        def show(progress: Progress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(progress.stage, total=None, facts="")
            share = 1.0 if progress.event == "done" else progress.share if progress.event == "progress" else None
            bars.update(tasks[progress.stage], total=None if share is None else 1.0, completed=share or 0.0, facts=facts(progress))

        yield show


@contextmanager
def as_lines(stream: IO[str]) -> Iterator[Report]:
    """A line when a stage begins and ends, and every LINE_SECONDS."""
    told = 0.0

    def show(progress: Progress) -> None:
        nonlocal told
        if progress.event == "progress" and time.monotonic() - told < LINE_SECONDS:
            return
        told = time.monotonic()
        print(f"{progress.stage} …" if progress.event == "stage" else f"{progress.stage}: {facts(progress)}", file=stream, flush=True)

    yield show


@contextmanager
def as_json_lines(stream: IO[str]) -> Iterator[Report]:
    """Each event as one JSON object on a line; progress at most every JSON_SECONDS."""
    told = 0.0

    def show(progress: Progress) -> None:
        nonlocal told
        if progress.event == "progress" and time.monotonic() - told < JSON_SECONDS:
            return
        told = time.monotonic()
        write_event(progress.row(), stream)

    yield show


def write_event(event: dict[str, Any], stream: IO[str]) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(event, ensure_ascii=False, default=str), file=stream, flush=True)


def facts(progress: Progress) -> str:
    """Documents, bytes, speeds and time of a stage, as far as they are known."""
    said = []
    if progress.documents:
        said.append(f"{progress.documents:,} documents")
    if progress.bytes:
        said.append(f"{progress.bytes / 1e6:,.1f} MB")
    if progress.event == "done" and progress.reused:
        return ", ".join([*said, "reused"])
    if progress.documents and progress.seconds > 0:
        said.append(f"{progress.documents_per_second:,.0f} documents/s")
    if progress.bytes and progress.seconds > 0:
        said.append(f"{progress.megabytes_per_second:,.1f} MB/s")
    if progress.event == "done":
        said.append(f"{duration(progress.seconds)}")
    elif progress.seconds_left is not None:
        said.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(said)


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def quiet_datatrove(log_path: str) -> Iterator[None]:
    """Sends standard error of this process and of the workers it starts to a file.

    datatrove logs there from every process and offers no switch. Whoever must still reach the terminal keeps a duplicate
    of the descriptor (as `corpus.cli` does).
    """
    os.makedirs(os.path.dirname(log_path), exist_ok=True)
    sys.stderr.flush()
    saved = os.dup(2)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 2)
    os.close(log)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
