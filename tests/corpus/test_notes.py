"""Notes of workers: what is summed, who is missed, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.notes import FINE_BYTES, Done, Note, Notes, no_memory, position, started
from factory.errors import UserError


def test_notes_are_summed_and_finished_ones_stay(tmp_path: Path) -> None:
    notes = Notes(str(tmp_path), 900)
    assert notes.read() == Done(0, 0, 900)
    with Note(str(tmp_path), 0) as first:
        first.write(3, 100, 5)
        Note(str(tmp_path), 1).write(4, 250, 5)
        (tmp_path / "progress-2").write_text("{")  # being written
        (tmp_path / "stats.json").write_text("no note")
        assert notes.read() == Done(7, 350, 900)
        assert notes.failed() == {} and notes.lost() == {}
    assert notes.read() == Done(7, 350, 900)
    assert [notes.of_rank[rank]["state"] for rank in (0, 1)] == ["finished", "working"]
    assert Notes(str(tmp_path), 10).read() == Done(7, 350, 350)  # files grew: never more than all


@pytest.mark.parametrize(
    ("error", "said", "expected"), [(UserError("disk full"), "disk full", True), (KeyError("x"), "KeyError: 'x'", False)]
)
def test_a_note_says_what_ended_its_task(tmp_path: Path, error: Exception, said: str, expected: bool) -> None:
    with pytest.raises(type(error)), Note(str(tmp_path), 7):
        raise error
    notes = Notes(str(tmp_path), 0)
    notes.read()
    (note,) = notes.failed().values()
    assert (note["error"], note["expected"]) == (said, expected)


NOTE = "import sys; from corpus.notes import Note; Note(sys.argv[1], int(sys.argv[2])).write(1, 2, 3)"


def test_a_process_that_is_gone_is_missed_with_what_it_did_last(tmp_path: Path) -> None:
    with Note(str(tmp_path), 0):
        for rank in ("1", "2"):
            subprocess.run([sys.executable, "-c", NOTE, str(tmp_path), rank], check=True, cwd=Path(__file__).parents[2])
        elsewhere = json.loads((tmp_path / "progress-2").read_text())
        (tmp_path / "progress-2").write_text(json.dumps({**elsewhere, "host": "another"}))
        notes = Notes(str(tmp_path), 0)
        notes.read()
        assert list(notes.lost()) == [1]  # of another machine nothing can be said


def test_a_number_given_to_another_process_is_another_process() -> None:
    assert started(os.getpid()) is not None and started(os.getpid()) == started(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if sys.platform == "linux":
        assert started(child.pid) is None  # ended, though its parent has not asked yet
    child.wait()
    assert started(child.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are listed in /proc")
def test_the_place_in_a_large_file_is_known_and_in_a_small_one_not_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as stream:
        stream.truncate(FINE_BYTES)
    assert position(str(path), FINE_BYTES) == 0  # not open
    with open(path, "rb", buffering=0) as stream:
        stream.read(1_000)
        assert position(str(path), FINE_BYTES) == 1_000
        assert position(str(path), FINE_BYTES - 1) == 0
    assert position("s3://bucket/large", FINE_BYTES) == 0


FORKS = """
import os, signal
from corpus.engines import dying_with_parent
with dying_with_parent():
    if os.fork() == 0:
        print("ready", flush=True)
        signal.pause()
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_forked_process_dies_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
    parent.kill()
    assert parent.stdout.read() == b""  # ends only when the fork has closed its copy, too
    parent.wait()
    parent.stdout.close()


def test_the_line_for_want_of_memory_says_what_to_do() -> None:
    assert "a.jsonl" in no_memory("a.jsonl") and "--workers" in no_memory("a.jsonl")
