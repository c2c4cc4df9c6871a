"""Ports of the loopback interface: which is free, and who holds one that is not."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from curation.server.instance import LOOPBACK
from factory.errors import UserError

DEFAULT = 6900  # Argilla's own
PASSING = 10.0  # seconds for a port on which nobody listens: a process that is ending has it, or a connection going out


def free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will: a port in TIME_WAIT is free
        with suppress(OSError):
            tried.bind((LOOPBACK, port))
            return True
    return False


def any_free() -> int:
    with socket.socket() as tried:
        tried.bind((LOOPBACK, 0))
        return int(tried.getsockname()[1])


def choose(wanted: int | None, remembered: int | None) -> int:
    """The port asked for (0: any), else the one used before, else 6900, else any.

    Raises UserError where the one asked for, or used before, is taken: links and programs know that address.
    """
    if wanted == 0:
        return any_free()
    fixed = wanted or remembered
    if fixed is None:
        return DEFAULT if free(DEFAULT) else any_free()
    if not 1024 <= fixed <= 65535:
        raise UserError(f"port {fixed} cannot be used; choose one from 1024 to 65535, or 0 for any free one")
    until = time.monotonic() + PASSING
    while not free(fixed) and not holder(fixed) and time.monotonic() < until:
        time.sleep(0.1)
    if not free(fixed):
        raise UserError(f"port {fixed} is taken{holder(fixed)}; choose another with --port (0 for any free one)")
    return fixed


def holder(port: int) -> str:
    """` by NAME (process NUMBER)`, where the system tells; else nothing."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for entry in Path("/proc").glob("[0-9]*") if sockets else ():
        with suppress(OSError):
            for handle in (entry / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(handle) in sockets:
                        return f" by {(entry / 'comm').read_text().strip()} (process {entry.name})"
    return ""


def _listening(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A: listening
                    found.append(fields[9])
    return found
