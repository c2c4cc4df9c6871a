"""Engines: the same tasks on this machine's processes or on a Ray cluster, through datatrove's executors; Slurm is in `corpus.slurm`.

datatrove's pool waits for ever once one of its processes is killed, and its Ray executor ends without a word when it gives a
task up. So both run in a process of their own, and this one watches: a worker that is gone ends the run with one line, and after the
run each part is looked for. Nothing here shapes a part.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NoReturn

from corpus.notes import REMEDY, Done, Notes, die_with_parent, no_memory
from corpus.progress import quiet_datatrove
from corpus.recipe import CorpusRecipe
from corpus.tasks import TaskHead
from factory import manifest
from factory.errors import UserError

POLL_SECONDS = 0.5
GRACE_SECONDS = 30.0  # for the other workers once one has failed
_MAX_SOCKET_FOLDER = 22  # characters: Ray's socket paths are about 84 longer, and a system's limit is 107

Report = Callable[[Done], None]


def run_tasks(heads: Sequence[TaskHead], folder: str, recipe: CorpusRecipe, workers: int, report: Report) -> None:
    """Makes the parts of the tasks that `store_missing` wrote to `folder`. `report` is called about twice a second.

    Raises UserError, one line, where a worker died, memory or disk did not suffice or a part is missing at the end; no process
    stays behind. Parts that are finished stay.
    """
    if recipe.engine == "ray" and find_spec("ray") is None:
        raise UserError("engine 'ray': the package ray is not installed. Install twllm[ray], or use engine 'local'.")
    notes = Notes(folder, sum(head.bytes for head in heads))
    failure: Exception | None = None
    if recipe.engine == "local" and workers == 1:
        with dying_with_parent(), quiet_datatrove(f"{folder}.log"), _reporting(notes, report):
            _run_locally(folder, len(heads), 1)
    else:
        failure = _supervise(heads, folder, recipe, workers, notes, report)
    missing = [head for head in heads if manifest.read_record(f"{head.folder}/part.json", head.key) is None]
    if missing:
        raise failure or _given_up(missing, len(heads), notes, folder)


def _run_locally(folder: str, tasks: int, workers: int) -> None:
    from datatrove.executor import LocalPipelineExecutor

    from corpus.annotate import pipeline

    LocalPipelineExecutor(pipeline(folder), tasks=tasks, workers=workers, logging_dir=folder, skip_completed=False).run()


@contextmanager
def _reporting(notes: Notes, report: Report) -> Iterator[None]:
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(POLL_SECONDS):
            report(notes.read())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        report(notes.read())


def _supervise(
    heads: Sequence[TaskHead], folder: str, recipe: CorpusRecipe, workers: int, notes: Notes, report: Report
) -> Exception | None:
    """Runs the executor in a process group of its own and ends the group in any case; returns what went wrong."""
    scratch = _scratch() if recipe.engine == "ray" else None
    read_end, write_end = os.pipe()  # every fork holds the write end: end of file says that all are gone
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _drive(folder, len(heads), recipe, workers, scratch)
    os.close(write_end)
    ended: int | None = None
    failed_at: float | None = None
    try:
        while ended is None:
            select.select([read_end], [], [], POLL_SECONDS)
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                ended = os.waitstatus_to_exitcode(status)
            report(notes.read())
            if ended is not None:
                return _failure(heads, notes, folder, ended)
            if recipe.engine == "local":
                if notes.failed():
                    failed_at = failed_at or time.monotonic()
                    if time.monotonic() - failed_at > GRACE_SECONDS:
                        return _failure(heads, notes, folder, None)
                elif len(notes.of_rank) < len(heads) or any(note["state"] != "finished" for note in notes.of_rank.values()):
                    lost = notes.lost()
                    if lost:
                        return _lost(heads, lost)
        return None
    finally:
        _end(child, ended is not None)
        os.close(read_end)
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


def _scratch() -> str:
    place = tempfile.gettempdir()
    if len(place) > _MAX_SOCKET_FOLDER:
        place = "/tmp"  # noqa: S108 - mkdtemp makes a folder in it that nobody else can enter
    return tempfile.mkdtemp(prefix="twllm-ray-", dir=place)


def _end(child: int, reaped: bool) -> None:
    """Ends the executor's process group, whatever is left of it."""
    for _ in range(40):
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:  # macOS: only zombies are left
            return
        if not reaped:
            os.waitpid(child, 0)
            reaped = True
        time.sleep(0.05)


def _drive(folder: str, tasks: int, recipe: CorpusRecipe, workers: int, scratch: str | None) -> NoReturn:
    """The executor's process. It never returns into the code that forked it."""
    code = 3
    try:
        os.setpgid(0, 0)
        die_with_parent()
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        log = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        with dying_with_parent():
            if recipe.engine == "ray":
                from corpus.cluster import run_on_ray

                run_on_ray(folder, tasks, recipe.ray, workers, scratch)
            else:
                _run_locally(folder, tasks, workers)
        code = 0
    except BaseException as error:
        code = _tell(folder, error)
    finally:
        os._exit(code)


def _tell(folder: str, error: BaseException) -> int:
    os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    expected = isinstance(error, UserError)
    with open(f"{folder}/failure.json", "w", encoding="ascii") as stream:
        json.dump({"expected": expected, "memory": isinstance(error, MemoryError), "error": str(error) or type(error).__name__}, stream)
    return 2 if expected else 3


def _failure(heads: Sequence[TaskHead], notes: Notes, folder: str, code: int | None) -> Exception | None:
    """What ended the executor, as the error to raise where a part is missing."""
    failed = notes.failed()
    for note in failed.values():
        if note["expected"]:
            return UserError(note["error"])
    for rank, note in failed.items():
        return RuntimeError(f"{heads[rank].title}: {note['error']} (log: {folder}.log)")
    told = _read_failure(folder)
    if told is not None:
        if told["expected"]:
            return UserError(told["error"])
        return UserError(no_memory("a part")) if told["memory"] else RuntimeError(f"annotate: {told['error']} (log: {folder}.log)")
    if code is not None and code < 0:
        return UserError(
            f"the annotate stage was ended by signal {-code} from outside. Run the same command again to go on, with {REMEDY}."
        )
    return None


def _read_failure(folder: str) -> dict[str, Any] | None:
    try:
        with open(f"{folder}/failure.json", encoding="ascii") as stream:
            found: dict[str, Any] = json.load(stream)
            return found
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def _lost(heads: Sequence[TaskHead], lost: dict[int, dict[str, Any]]) -> UserError:
    at_work = [heads[rank].title for rank, note in lost.items() if note["state"] == "working"]
    where = f"while it annotated {'; '.join(at_work)}" if at_work else "between two parts"
    return UserError(
        f"a worker was killed {where}, most often by the system for want of memory. Finished parts are kept: "
        f"run the same command again with {REMEDY}."
    )


def _given_up(missing: Sequence[TaskHead], tasks: int, notes: Notes, folder: str) -> Exception:
    """Parts are missing and nobody said why: Ray has submitted a task four times and lost its worker each time."""
    expected = [note["error"] for note in notes.failed().values() if note.get("expected")]
    if expected:
        return UserError(expected[0])
    return UserError(
        f"{len(missing)} of {tasks} parts could not be made, first {missing[0].title}: its workers were lost again and again. "
        f"Look into {folder}.log, and run the same command again with {REMEDY}."
    )


@contextmanager
def dying_with_parent() -> Iterator[None]:
    """Processes forked meanwhile end when this one is killed (Linux). datatrove's manager would otherwise live on for ever."""
    if not _armed:  # a fork hook cannot be taken back: it is registered once and looks at the flag
        os.register_at_fork(after_in_child=lambda: die_with_parent() if _armed["now"] else None)
    _armed["now"] = True
    try:
        yield
    finally:
        _armed["now"] = False


_armed: dict[str, bool] = {}
