"""Failures are counted by account and address, waits double, memory is bounded."""

from __future__ import annotations

import pytest

from curation.argilla_plugin.twllm_argilla import throttle
from curation.argilla_plugin.twllm_argilla.throttle import Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _fail(tried: Throttle, times: int, account: str = "amei", address: str = "127.0.0.1") -> None:
    for _ in range(times):
        tried.attempt(account, address)


def test_the_first_failures_cost_no_wait(clock: Clock) -> None:
    tried = Throttle(clock)
    _fail(tried, throttle.ACCOUNT_FAILURES - 1)
    assert tried.wait_seconds("amei", "127.0.0.1") == 0
    _fail(tried, 1)
    assert tried.wait_seconds("amei", "127.0.0.1") == throttle.FIRST_WAIT_SECONDS


def test_each_further_failure_doubles_the_wait_to_a_limit(clock: Clock) -> None:
    tried = Throttle(clock)
    _fail(tried, throttle.ACCOUNT_FAILURES)
    waits = []
    for _ in range(12):
        waits.append(tried.wait_seconds("amei", "127.0.0.1"))
        clock.now += waits[-1]
        assert tried.wait_seconds("amei", "127.0.0.1") == 0
        _fail(tried, 1)
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == throttle.LONGEST_WAIT_SECONDS


def test_another_account_is_free_until_the_address_has_failed_too_often(clock: Clock) -> None:
    tried = Throttle(clock)
    for number in range(throttle.ADDRESS_FAILURES):
        assert tried.wait_seconds("ahao", "192.0.2.1") == 0
        _fail(tried, 1, f"guess{number}", "192.0.2.1")
    assert tried.wait_seconds("ahao", "192.0.2.1") > 0
    assert tried.wait_seconds("ahao", "192.0.2.2") == 0


def test_an_account_waits_whatever_the_address(clock: Clock) -> None:
    tried = Throttle(clock)
    for number in range(throttle.ACCOUNT_FAILURES):
        _fail(tried, 1, "amei", f"192.0.2.{number}")
    assert tried.wait_seconds("amei", "198.51.100.7") > 0


def test_success_frees_the_account_and_not_the_address(clock: Clock) -> None:
    tried = Throttle(clock)
    _fail(tried, throttle.ADDRESS_FAILURES - 1, "guess")
    tried.attempt("amei", "127.0.0.1")
    tried.succeeded("amei", "127.0.0.1")
    assert tried.wait_seconds("amei", "127.0.0.1") == 0
    _fail(tried, 1, "another")
    assert tried.wait_seconds("amei", "127.0.0.1") > 0, "a right password in between must not clear what the address has tried"


def test_what_is_old_is_forgotten(clock: Clock) -> None:
    tried = Throttle(clock)
    _fail(tried, 30)
    clock.now += throttle.FORGET_SECONDS
    assert tried.wait_seconds("amei", "127.0.0.1") == 0
    _fail(tried, 1)
    assert tried.wait_seconds("amei", "127.0.0.1") == 0


def test_memory_is_bounded_and_the_latest_stay(clock: Clock) -> None:
    tried = Throttle(clock, max_keys=100)
    for number in range(5_000):
        _fail(tried, 1, "x" * 1_000 + str(number), f"192.0.2.{number}")
    assert len(tried) == 100
    _fail(tried, throttle.ACCOUNT_FAILURES)
    assert tried.wait_seconds("amei", "127.0.0.1") > 0


def test_a_name_is_not_kept(clock: Clock) -> None:
    tried = Throttle(clock)
    _fail(tried, 1, "a-password-typed-into-the-wrong-field")
    assert b"a-password" not in b"".join(tried._failures)
