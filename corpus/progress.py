"""What a person sees while a build runs: a bar on a terminal, plain lines elsewhere; datatrove's own log goes to a file."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1


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


@contextmanager
def dying_with_parent() -> Iterator[None]:
    """Processes forked meanwhile end when this one is killed (Linux). datatrove's manager would otherwise live on for ever."""
    if sys.platform == "linux":
        _enable_death_signal()
    try:
        yield
    finally:
        _death_signal["armed"] = False


_death_signal: dict[str, bool] = {}


def _enable_death_signal() -> None:
    if not _death_signal:  # a fork hook cannot be taken back: it is registered once and looks at the flag
        import ctypes

        prctl = ctypes.CDLL(None).prctl

        def die_with_parent() -> None:
            if _death_signal["armed"]:
                prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

        os.register_at_fork(after_in_child=die_with_parent)
    _death_signal["armed"] = True


@contextmanager
def watching(folder: str, total_bytes: int, report: Callable[[int, int], None]) -> Iterator[None]:
    """Calls `report(text bytes so far, input bytes in all)` twice a second from the progress files that tasks leave."""
    os.makedirs(folder, exist_ok=True)
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(0.5):
            report(_done(folder), total_bytes)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        report(_done(folder), total_bytes)


def _done(folder: str) -> int:
    done = 0
    for entry in os.scandir(folder):
        if entry.name.startswith("progress-"):
            with open(entry.path, encoding="ascii") as stream:
                done += int(stream.read() or 0)
    return done
