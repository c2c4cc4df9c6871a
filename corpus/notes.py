"""What workers tell the run that started them: one small file a task, with its process, its state and how far it has come."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from types import TracebackType
from typing import Any, NamedTuple

from factory.errors import UserError

WORKING, FINISHED, FAILED = "working", "finished", "failed"
FINE_BYTES = 4 << 20  # of a file from which on the place inside it is looked up
_PR_SET_PDEATHSIG = 1


class Done(NamedTuple):
    """How far a stage has come."""

    documents: int
    bytes: int  # of input, as stored
    total_bytes: int


class Note:
    """A task's file `progress-<rank>` in the log folder. A lost update costs nothing; the last one says how the task ended."""

    def __init__(self, folder: str, rank: int) -> None:
        self._path = f"{folder}/progress-{rank}"
        self._facts: dict[str, Any] = {
            "state": WORKING, "host": socket.gethostname(), "pid": os.getpid(), "parent": os.getppid(), "started": started(os.getpid()),
            "documents": 0, "bytes": 0, "text_bytes": 0,
        }  # fmt: skip

    def __enter__(self) -> Note:
        self._store()
        return self

    def write(self, documents: int, input_bytes: int, text_bytes: int) -> None:
        """Notes documents and bytes done so far."""
        self._facts.update(documents=documents, bytes=input_bytes, text_bytes=text_bytes)
        self._store()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._facts["state"] = FINISHED if kind is None else FAILED
        if error is not None:
            self._facts["error"] = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self._facts["expected"] = isinstance(error, UserError)
        try:
            self._store()
        except OSError:
            if error is None:
                raise

    def _store(self) -> None:
        with open(self._path, "w", encoding="ascii") as stream:
            stream.write(json.dumps(self._facts))


class Notes:
    """All notes of one log folder, as last seen."""

    def __init__(self, folder: str, total_bytes: int) -> None:
        self._folder = folder
        self._total_bytes = total_bytes
        self.of_rank: dict[int, dict[str, Any]] = {}

    def read(self) -> Done:
        """Looks at the files again; finished tasks are not read twice."""
        for entry in os.scandir(self._folder):
            if not entry.name.startswith("progress-"):
                continue
            rank = int(entry.name.removeprefix("progress-"))
            if self.of_rank.get(rank, {}).get("state") == FINISHED:
                continue
            try:
                with open(entry.path, encoding="ascii") as stream:
                    self.of_rank[rank] = json.load(stream)
            except json.JSONDecodeError:
                continue  # it is being written
        done = sum(note["bytes"] for note in self.of_rank.values())
        return Done(sum(note["documents"] for note in self.of_rank.values()), done, max(done, self._total_bytes))

    def failed(self) -> dict[int, dict[str, Any]]:
        """Notes of the tasks that ended with an error."""
        return {rank: note for rank, note in self.of_rank.items() if note["state"] == FAILED}

    def lost(self) -> dict[int, dict[str, Any]]:
        """Last notes of processes of this machine that are no more, by the rank they worked on last."""
        newest: dict[int, tuple[int, dict[str, Any]]] = {}
        for rank, note in self.of_rank.items():
            if note["host"] == socket.gethostname() and (note["state"] == WORKING or note["pid"] not in newest):
                newest[note["pid"]] = rank, note
        return {rank: note for rank, note in newest.values() if not alive(note)}


def alive(note: dict[str, Any]) -> bool:
    """Whether the process that wrote a note still runs on this machine."""
    return bool(started(note["pid"]) == note["started"])


def started(pid: int) -> str | None:
    """When a process began (a number can be given again), None where there is none or only its exit status is left."""
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        return "running"
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in b"ZX" else fields[19].decode()


def position(path: str, size: int) -> int:
    """Stored bytes of a local file that this process has read, from its descriptor (Linux); 0 for small files and where it cannot tell."""
    if size < FINE_BYTES or "://" in path or not os.path.isdir("/proc/self/fd"):
        return 0
    real = os.path.realpath(path)
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") == real:
                return min(size, os.lseek(int(name), 0, os.SEEK_CUR))
        except OSError:
            continue  # closed since it was listed
    return 0


def die_with_parent() -> None:
    """Ends this process when the one that started it ends (Linux): what datatrove starts would otherwise live on after a kill."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def no_memory(title: str) -> str:
    """The line for a worker that ran out of memory."""
    return f"a worker ran out of memory while it annotated {title}. Finished parts are kept: run the same command again with {REMEDY}."


REMEDY = "more memory or fewer --workers"
