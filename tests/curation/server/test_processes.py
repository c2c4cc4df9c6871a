"""Only what was started here is ever signalled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.server import processes
from curation.server.instance import Home, prepare, write_private
from curation.server.processes import Known

IDLE = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
DEAF = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"]
PARENT = [sys.executable, "-c", f"import subprocess, sys; subprocess.run({IDLE!r})"]


@pytest.fixture
def place(tmp_path: Path) -> Home:
    made = Home(tmp_path / "review")
    prepare(made)
    return made


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(IDLE, stdout=subprocess.PIPE) as running:
        yield running
        running.kill()


def _start(place: Home, role: str, command: list[str]) -> Known:
    known = processes.start(place, role, command, os.environ)
    processes.wait_until(lambda: b"ready" in place.log(role).read_bytes(), 20.0)
    return known


def test_started_noted_stopped(place: Home) -> None:
    known = _start(place, "worker", IDLE)
    assert processes.running(place, "worker") == known
    assert processes.stop_role(place, "worker", 10.0) is True
    assert processes.began(known.pid) is None
    assert processes.running(place, "worker") is None
    assert not (place.run / "worker.json").exists()


def test_one_that_does_not_listen_is_forced(place: Home) -> None:
    known = _start(place, "worker", DEAF)
    assert processes.stop_role(place, "worker", 0.3) is False
    assert processes.began(known.pid) is None


def test_a_number_used_again_is_left_alone(place: Home, stranger: subprocess.Popen[bytes]) -> None:
    """The note names a process that ended long ago; its number now belongs to another one."""
    boot = (processes.began(stranger.pid) or "").partition("/")[0]
    write_private(place.run / "server.json", {"pid": stranger.pid, "began": f"{boot}/1"})
    assert processes.running(place, "server") is None
    assert processes.stop_role(place, "server", 5.0) is None
    assert processes.stop(Known(stranger.pid, f"{boot}/1"), 5.0)
    assert stranger.poll() is None


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"pid": "x", "began": ""}', '{"began": "b"}'])
def test_a_torn_note_names_nobody(place: Home, torn: str) -> None:
    (place.run / "server.json").write_text(torn)
    assert processes.running(place, "server") is None


def test_children_of_a_killed_process_are_found_by_their_mark(place: Home) -> None:
    parent = _start(place, "worker", PARENT)
    os.kill(parent.pid, 9)
    processes.wait_until(lambda: processes.began(parent.pid) is None, 10.0)
    strays = processes.strays(place)
    assert len(strays) == 1
    assert processes.stop_strays(place) == 1
    assert processes.began(strays[0].pid) is None


def test_the_living_and_their_children_are_no_strays(place: Home) -> None:
    _start(place, "worker", PARENT)
    assert len(processes.marked(place)) == 2
    assert processes.stop_strays(place) == 0
    processes.stop_role(place, "worker", 10.0)
    processes.stop_strays(place)


def test_a_copied_folder_has_a_mark_of_its_own(place: Home, tmp_path: Path) -> None:
    known = _start(place, "worker", IDLE)
    copy = Home(tmp_path / "copy")
    prepare(copy)
    write_private(copy.secrets, processes.read_private(place.secrets))
    assert processes.marked(copy) == []
    assert processes.stop_strays(copy) == 0
    assert processes.began(known.pid) == known.began
    processes.stop_role(place, "worker", 10.0)


def test_logs_and_notes_are_private(place: Home) -> None:
    _start(place, "worker", IDLE)
    for path in (place.log("worker"), place.run / "worker.json", place.secrets):
        assert path.stat().st_mode & 0o777 == 0o600, path
    processes.stop_role(place, "worker", 10.0)
