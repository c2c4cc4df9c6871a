"""How often a login may be tried: failures are counted by account and by address, and each one too many doubles the wait."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

ACCOUNT_FAILURES = 5  # that many are free; a password of 20 random characters leaves no chance to five an hour
ADDRESS_FAILURES = 20  # an office behind one address, or a laptop on which everything is loopback
FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 900.0
FORGET_SECONDS = 3600.0
MAX_KEYS = 10_000  # about 2 MB; the one longest without a failure is forgotten first


class _Failures(NamedTuple):
    times: int
    last: float


class Throttle:
    """Counts in memory, by a hash of what is counted, so that no name stays. A restart forgets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._failures: OrderedDict[bytes, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait_seconds(self, account: str, address: str) -> int:
        """Whole seconds until the next try is heard; 0: now."""
        return max(self._wait(key, free) for key, free in _keys(account, address))

    def attempt(self, account: str, address: str) -> None:
        """Counts a try as failed before its outcome is known, so that many at once are many."""
        now = self._clock()
        for key, _ in _keys(account, address):
            self._failures[key] = _Failures(self._count(key) + 1, now)
            self._failures.move_to_end(key)
        while len(self._failures) > self._max_keys:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """The account starts afresh. The address loses what this try had counted and no more: it may be a guesser's, too."""
        (account_key, _), (address_key, _) = _keys(account, address)
        self._failures.pop(account_key, None)
        self._take_back(address_key)

    def undo(self, account: str, address: str) -> None:
        """Takes a try back that was no guess: the request itself was malformed."""
        for key, _ in _keys(account, address):
            self._take_back(key)

    def _take_back(self, key: bytes) -> None:
        if found := self._failures.get(key):
            if found.times > 1:
                self._failures[key] = found._replace(times=found.times - 1)
            else:
                del self._failures[key]

    def _count(self, key: bytes) -> int:
        found = self._failures.get(key)
        return found.times if found and self._clock() - found.last < FORGET_SECONDS else 0

    def _wait(self, key: bytes, free: int) -> int:
        over = self._count(key) - free
        if over < 0:
            return 0
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(over, 16), LONGEST_WAIT_SECONDS)
        return max(0, math.ceil(self._failures[key].last + wait - self._clock()))


def _keys(account: str, address: str) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    return (_key("account", account), ACCOUNT_FAILURES), (_key("address", address), ADDRESS_FAILURES)


def _key(kind: str, value: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{value}".encode(errors="surrogatepass")).digest()[:16]
