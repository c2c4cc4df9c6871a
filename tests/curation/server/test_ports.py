"""A port that is taken is told, with whoever holds it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from curation.server import ports
from factory.errors import UserError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_taken_port_names_its_holder(taken: int) -> None:
    with pytest.raises(UserError, match=rf"port {taken} is taken by \S.* \(process {os.getpid()}\); choose another with --port"):
        ports.choose(taken, None)


def test_the_port_used_before_is_never_silently_left(taken: int) -> None:
    with pytest.raises(UserError, match=f"port {taken} is taken"):
        ports.choose(None, taken)


def test_zero_is_any_free_one(taken: int) -> None:
    found = ports.choose(0, taken)
    assert found != taken
    assert ports.free(found)


def test_the_first_time_another_is_taken_where_the_usual_one_is_not_free(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "DEFAULT", taken)
    assert ports.free(ports.choose(None, None))


@pytest.mark.parametrize("port", [-1, 80, 65536])
def test_ports_that_cannot_be(port: int) -> None:
    with pytest.raises(UserError, match="1024 to 65535"):
        ports.choose(port, None)


def test_a_port_on_which_nobody_listens_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is ending may still have it, or a connection that goes out."""
    passing = socket.socket()
    passing.bind(("127.0.0.1", 0))
    port = int(passing.getsockname()[1])
    monkeypatch.setattr(ports.time, "sleep", lambda seconds: passing.close())
    assert ports.choose(None, port) == port


def test_one_that_stays_is_told_without_a_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PASSING", 0.0)
    with socket.socket() as staying:
        staying.bind(("127.0.0.1", 0))
        port = int(staying.getsockname()[1])
        with pytest.raises(UserError, match=f"port {port} is taken; choose another"):
            ports.choose(None, port)
