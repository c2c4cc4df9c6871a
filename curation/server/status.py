"""How a review server is doing."""

from __future__ import annotations

from typing import NamedTuple

from curation.server import health, processes
from curation.server.instance import Home, read_accounts, read_settings, url


class Status(NamedTuple):
    """`state`: `up`, `partly` (something runs and something is missing or does not answer), `down`, or `absent` (never started)."""

    state: str
    home: str
    url: str
    processes: dict[str, int | None]  # role: process number, None where it does not run
    answers: bool  # the web server, with this folder's database behind it, and Redis
    strays: int  # processes of this folder that no note tells of; `up` and `down` end them
    database_bytes: int
    free_bytes: int
    note: str  # what to do, where something is to be done


def of(place: Home) -> Status:
    settings = read_settings(place)
    free = health.free_bytes(place.path)
    if settings is None or not place.accounts.exists():
        return Status("absent", str(place.path), "", {}, False, 0, 0, free, "start one with `twllm review up`")
    read_accounts(place)  # a file that cannot be read is told here, with its remedy
    found = {role: processes.running(place, role) for role in processes.ROLES}
    answers = found["server"] is not None and health.all_answer(place, settings.port)
    strays = len(processes.strays(place))
    if answers and all(found.values()):
        state, note = "up", ""
    elif any(found.values()):
        state, note = "partly", "run `twllm review up` to start what is missing"
    else:
        state, note = "down", "start it with `twllm review up`"
    if free < health.FREE_BYTES:
        note = f"{free >> 20} MB of disk are left; answers will be lost when it is full. {note}".strip()
    size = place.database.stat().st_size if place.database.exists() else 0
    numbers = {role: known.pid if known else None for role, known in found.items()}
    return Status(state, str(place.path), url(settings.port), numbers, answers, strays, size, free, note)
