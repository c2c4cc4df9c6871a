"""Whether a server answers, whether it is ours, and what its log says where it does not."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path

from curation.server import redis
from curation.server.instance import Home, read_accounts, url
from factory.errors import UserError

FREE_BYTES = 256 << 20  # Argilla copies its pages (12 MB) at each start; the rest is room for records


def all_answer(place: Home, port: int) -> bool:
    """Whether the server on that port is this folder's: it knows the owner's key. And Redis answers."""
    _, owner, _ = read_accounts(place)
    return _who(port, owner.api_key) == owner.name and redis.answers(place)


def server_answers(place: Home, port: int) -> bool:
    _, owner, _ = read_accounts(place)
    return _who(port, owner.api_key) == owner.name


def last_words(log: str, place: Home) -> str:
    """What the log ends with, or the cause that the user can put right."""
    if re.search(r"No space left on device|database or disk is full|Errno 28", log[-20_000:]):
        return f"the disk of {place.path} is full ({free_bytes(place.path) >> 20} MB free); free space and run the same command again"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " / ".join(line[:200] for line in lines[-2:]) or "it said nothing"


def _who(port: int, api_key: str) -> str:
    """The name of the account that the key belongs to; empty where nobody answers or knows it."""
    asked = urllib.request.Request(f"{url(port)}/api/v1/me", headers={"X-Argilla-Api-Key": api_key})  # noqa: S310  our own address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxy is set
    try:
        with opener.open(asked, timeout=5.0) as answer:
            found = json.loads(answer.read(1 << 16))
            return str(found.get("username", "")) if isinstance(found, dict) else ""
    except (OSError, ValueError):
        return ""


def free_bytes(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(path: Path) -> None:
    if (free := free_bytes(path)) < FREE_BYTES:
        raise UserError(f"the disk of {path} has {free >> 20} MB free, the server needs {FREE_BYTES >> 20}; free space, or choose --home")
