"""What the processes of a server have said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from curation.server.instance import Home
from factory.errors import UserError

SOURCES = ("server", "worker", "redis", "setup", "install")
_TAIL_BYTES = 1 << 20
_POLL_SECONDS = 0.3


def chosen(place: Home, source: str) -> dict[str, Path]:
    """The logs asked for that are there; an empty `source` asks for those of the three processes."""
    if source and source not in SOURCES:
        raise UserError(f"no log {source!r}; there are {', '.join(SOURCES)}")
    found = {name: place.log(name) for name in ((source,) if source else SOURCES[:3])}
    there = {name: path for name, path in found.items() if path.exists()}
    if not there:
        raise UserError(f"no log of {source or 'a server'} in {place.logs}; start a server with `twllm review up`")
    return there


def last_lines(path: Path, count: int) -> list[str]:
    """Of its last mebibyte."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return stream.read().decode(errors="replace").splitlines()[-count:] if count else []


def follow(paths: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Name and line of what is said from now on, until interrupted. A log that is set aside or cut is begun anew."""
    places = {name: path.stat().st_size for name, path in paths.items()}
    rests = dict.fromkeys(paths, b"")
    while True:
        for name, path in paths.items():
            size = path.stat().st_size if path.exists() else 0
            if size < places[name]:
                places[name] = 0
            if size > places[name]:
                with path.open("rb") as stream:
                    stream.seek(places[name])
                    said = rests[name] + stream.read(size - places[name])
                places[name] = size
                *lines, rests[name] = said.split(b"\n")
                for line in lines:
                    yield name, line.decode(errors="replace")
        time.sleep(_POLL_SECONDS)
