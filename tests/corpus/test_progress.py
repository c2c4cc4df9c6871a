"""What a person sees while a build runs: datatrove's chatter kept away, and figures that end at the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.progress import quiet_datatrove, watching


def test_standard_error_goes_to_the_log_and_comes_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "logs" / "run.log"
    with quiet_datatrove(str(log)):
        print("from python", file=sys.stderr)
        os.write(2, b"from the descriptor\n")
        subprocess.run([sys.executable, "-c", "import sys; print('from a child', file=sys.stderr)"], check=True)
        print("to the user")
    os.write(2, b"after\n")
    out, err = capfd.readouterr()
    assert (out, err.endswith("after\n"), "descriptor" in err, "child" in err) == ("to the user\n", True, False, False)
    assert {"from the descriptor", "from a child"} <= set(log.read_text().splitlines())


def test_standard_error_comes_back_after_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), quiet_datatrove(str(tmp_path / "run.log")):
        raise RuntimeError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_second_run_adds_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    for text in (b"one\n", b"two\n"):
        with quiet_datatrove(str(log)):
            os.write(2, text)
    assert log.read_bytes() == b"one\ntwo\n"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with quiet_datatrove(str(tmp_path / "run.log")):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_progress_ends_at_the_sum_of_all_tasks(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with watching(str(tmp_path / "logs"), 900, lambda done, total: seen.append((done, total))):
        for task, done in enumerate(("100", "250", "")):
            (tmp_path / "logs" / f"progress-{task}").write_text(done)
        (tmp_path / "logs" / "stats.json").write_text("no figure")
    assert seen[-1] == (350, 900)
    assert all(total == 900 and done <= 350 for done, total in seen)


def test_progress_without_tasks_is_nothing_done(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with watching(str(tmp_path / "new"), 5, lambda done, total: seen.append((done, total))):
        pass
    assert seen[-1] == (0, 5)


def test_progress_is_reported_once_more_where_the_work_fails(tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(RuntimeError), watching(str(tmp_path), 5, lambda done, total: seen.append(done)):
        (tmp_path / "progress-0").write_text("3")
        raise RuntimeError
    assert seen[-1] == 3


FORKS = """
import os, signal
from corpus.progress import dying_with_parent
with dying_with_parent():
    if os.fork() == 0:
        print("ready", flush=True)
        signal.pause()
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_forked_process_dies_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
    parent.kill()
    assert parent.stdout.read() == b""  # ends only when the fork has closed its copy, too
    parent.wait()
    parent.stdout.close()
