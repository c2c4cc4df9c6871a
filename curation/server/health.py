"""Whether a server answers, whether it is ours, and what its log says where it does not."""

from __future__ import annotations

import hmac
import http.client
import json
import re
import secrets
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from curation.server import redis
from curation.server.instance import Home, read_accounts, secret_of, url
from factory.errors import UserError

FREE_BYTES = 256 << 20  # Argilla copies its pages (12 MB) at each start; the rest is room for records
FULL_BYTES = 1 << 20


def all_answer(place: Home, port: int) -> bool:
    """Whether Redis answers, and this folder's server on that port."""
    return server_answers(place, port) and redis.answers(place)


def server_answers(place: Home, port: int) -> bool:
    """Whether what listens there is this folder's server, and its database knows the owner.

    It has to prove that it knows the folder's mark before it is sent a key: the port may have become someone else's.
    """
    nonce = secrets.token_hex(16)
    proof = hmac.new(secret_of(place)["mark"].encode(), nonce.encode(), "sha256").hexdigest()
    if not hmac.compare_digest(str(_asked(port, f"/twllm/alive?{nonce}", {}).get("proof", "")), proof):
        return False
    _, owner, _ = read_accounts(place)
    return _asked(port, "/api/v1/me", {"X-Argilla-Api-Key": owner.api_key}).get("username") == owner.name


def last_words(log: str, place: Home) -> str:
    """What the log ends with, or the cause that the user can put right."""
    full = free_bytes(place.path) < FULL_BYTES  # the log itself may be cut where it would have said so
    if full or re.search(r"No space left on device|database or disk is full|Errno 28", log[-20_000:]):
        return f"the disk of {place.path} is full ({free_bytes(place.path) >> 20} MB free); free space and run the same command again"
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " / ".join(line[:200] for line in lines[-2:]) or "it said nothing"


def _asked(port: int, path: str, headers: dict[str, str]) -> dict[str, Any]:
    """A JSON object; empty where nobody answers, or something else."""
    request = urllib.request.Request(url(port) + path, headers=headers)  # noqa: S310  our own address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxy is set
    try:
        with opener.open(request, timeout=10.0) as answer:
            found = json.loads(answer.read(1 << 16))
            return found if isinstance(found, dict) else {}
    except (OSError, ValueError, http.client.HTTPException):
        return {}


def free_bytes(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(path: Path) -> None:
    if (free := free_bytes(path)) < FREE_BYTES:
        raise UserError(f"the disk of {path} has {free >> 20} MB free, the server needs {FREE_BYTES >> 20}; free space, or choose --home")
