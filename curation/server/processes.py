"""Processes that outlive the command that started them, known by number, time of start and a mark in their environment.

A number alone names another process once it is used again; so nothing is ever signalled whose time of start is not the
one noted, or which does not carry the folder's mark.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from curation.server.instance import Home, read_private, secret_of, write_private
from factory.errors import UserError

ROLES = ("redis", "server", "worker")  # in the order of starting; stopped the other way round
MARK = "TWLLM_REVIEW_MARK"
LOG_BYTES = 16 << 20  # a longer log is set aside, once, when its process starts
_POLL_SECONDS = 0.05
_children: dict[int, subprocess.Popen[bytes]] = {}  # those of this very process: to be reaped, or they stay as zombies


class Known(NamedTuple):
    """A process and when it began: together they never name another one."""

    pid: int
    began: str


def began(pid: int) -> str | None:
    """When that process began, in a form to compare; None where it is no more (a zombie is no more)."""
    if pid in _children:
        _children[pid].poll()
    if not Path("/proc/self/stat").exists():  # macOS and the BSDs
        asked = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        state, _, rest = asked.stdout.strip().partition(" ")
        return rest.strip() if rest and not state.startswith("Z") else None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[19]}"  # field 22 of the whole line: ticks since boot


def running(place: Home, role: str) -> Known | None:
    """The process noted for that role, where it is still the same one."""
    note = place.run / f"{role}.json"
    if not note.exists():
        return None
    try:
        found = read_private(note)
        known = Known(int(found["pid"]), str(found["began"]))
    except (UserError, KeyError, TypeError, ValueError):
        return None  # a note that was torn says nothing; the marks below still find the process
    return known if began(known.pid) == known.began else None


def mark(place: Home) -> str:
    """What this folder's processes carry. The folder's path is in it, so that a copied folder has a mark of its own."""
    return f"{secret_of(place)['mark']}:{place.path}"


def marked(place: Home) -> list[Known]:
    """All living processes that carry the folder's mark, noted or not (Linux; elsewhere none)."""
    wanted = f"{MARK}={mark(place)}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0") and (since := began(int(entry.name))):
                found.append(Known(int(entry.name), since))
    return found


def start(place: Home, role: str, command: Sequence[str], environment: Mapping[str, str]) -> Known:
    """Starts a process of its own session, its output in the role's log, and notes it."""
    log = place.log(role)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        child = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=place.path,
            env={**environment, MARK: mark(place)}, start_new_session=True, umask=0o077,
        )  # fmt: skip
    _children[child.pid] = child
    known = Known(child.pid, began(child.pid) or "gone")
    write_private(place.run / f"{role}.json", known._asdict())
    return known


def stop(known: Known, seconds: float) -> bool:
    """Asks it to end, waits, then forces it. Whether it ended by itself. A process that is not the noted one is left alone."""
    if not _signal(known, signal.SIGTERM) or _ended(known, seconds):
        return True
    _signal(known, signal.SIGKILL)
    _ended(known, 5.0)
    return False


def stop_role(place: Home, role: str, seconds: float) -> bool | None:
    """Stops the role's process, where it runs, and forgets it. None: it did not run."""
    known = running(place, role)
    ended = stop(known, seconds) if known else None
    (place.run / f"{role}.json").unlink(missing_ok=True)
    return ended


def strays(place: Home) -> list[Known]:
    """This folder's processes that no note tells of: children of a killed one, or those of a start that was killed."""
    noted = {known.pid for role in ROLES if (known := running(place, role))}
    return [known for known in marked(place) if not _descends(known.pid, noted)]


def stop_strays(place: Home) -> int:
    found = strays(place)
    for known in found:
        stop(known, 5.0)
    return len(found)


def _descends(pid: int, ancestors: set[int]) -> bool:
    while pid > 1:
        if pid in ancestors:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            return False
    return False


def _signal(known: Known, number: signal.Signals) -> bool:
    if began(known.pid) != known.began:
        return False
    with suppress(ProcessLookupError):
        os.kill(known.pid, number)
        return True
    return False


def _ended(known: Known, seconds: float) -> bool:
    return wait_until(lambda: began(known.pid) != known.began, seconds)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in that time."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_SECONDS)
    return True
