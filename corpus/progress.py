"""What a person sees while a build runs: a bar on a terminal, plain lines elsewhere; datatrove's own log goes to a file."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def quiet_datatrove(log_path: str) -> Iterator[None]:
    """Sends standard error of this process and of the workers it starts to a file.

    datatrove logs there from every process and offers no switch. Whoever must still reach the terminal keeps a duplicate
    of the descriptor (see `terminal`).
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
