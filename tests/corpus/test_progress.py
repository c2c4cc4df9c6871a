"""What a person or a program sees while a build runs: datatrove's chatter kept away, and figures that can be believed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.progress import LINE_SECONDS, Meter, Progress, as_json_lines, as_lines, duration, facts, quiet_datatrove
from tests.corpus.conftest import REPOSITORY


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


# --- figures and how they are shown


def test_speeds_and_time_left_come_from_stored_bytes() -> None:
    half = Progress("annotate", "progress", 10.0, documents=50, bytes=5_000_000, total_bytes=20_000_000)
    assert (half.documents_per_second, half.megabytes_per_second, half.share, half.seconds_left) == (5.0, 0.5, 0.25, 30.0)
    assert half.row() == {
        "event": "progress", "stage": "annotate", "seconds": 10.0, "documents": 50, "bytes": 5_000_000, "total_documents": None,
        "total_bytes": 20_000_000, "documents_per_second": 5.0, "megabytes_per_second": 0.5, "seconds_left": 30.0, "reused": False,
    }  # fmt: skip
    by_documents = half._replace(total_bytes=None, total_documents=100)
    assert by_documents.seconds_left == 10.0
    assert half._replace(total_bytes=None).seconds_left is None
    assert half._replace(bytes=0).seconds_left is None and half._replace(seconds=0.0).documents_per_second == 0.0


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0, 1e6))
def test_no_figure_is_negative_or_more_than_the_whole(done: int, total: int, seconds: float) -> None:
    found = Progress("annotate", "progress", seconds, documents=done, bytes=done, total_bytes=total)
    assert found.share is None or 0 <= found.share <= 1
    assert found.seconds_left is None or found.seconds_left >= 0
    assert "-" not in facts(found)


def test_a_meter_tells_beginning_middle_and_end() -> None:
    seen: list[Progress] = []
    meter = Meter("decide", seen.append, total_documents=10, total_bytes=100)
    meter.advance(5, 50)
    meter.done(10, 100, reused=True)
    assert [(p.event, p.documents, p.bytes, p.total_bytes, p.reused) for p in seen] == [
        ("stage", 0, 0, 100, False), ("progress", 5, 50, 100, False), ("done", 10, 100, 100, True),
    ]  # fmt: skip
    assert seen[0].seconds <= seen[1].seconds <= seen[2].seconds


STEPS = [
    Progress("annotate", "stage", 0.0, total_bytes=4_000_000),
    Progress("annotate", "progress", 1.0, documents=1, bytes=1_000_000, total_bytes=4_000_000),
    Progress("annotate", "progress", 2.0, documents=2, bytes=2_000_000, total_bytes=4_000_000),
    Progress("annotate", "done", 4.0, documents=4, bytes=4_000_000, total_documents=4, total_bytes=4_000_000),
]


def test_plain_lines_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("corpus.progress.time.monotonic", lambda: clock[0])
    stream = io.StringIO()
    with as_lines(stream) as report:
        for clock[0], step in zip((0.0, 10.0, LINE_SECONDS, LINE_SECONDS + 1), STEPS, strict=True):
            report(step)
    assert stream.getvalue().splitlines() == [
        "annotate …",
        "annotate: 2 documents, 2.0 MB, 1 documents/s, 1.0 MB/s, 2.0 s left",
        "annotate: 4 documents, 4.0 MB, 1 documents/s, 1.0 MB/s, 4.0 s",
    ]


def test_json_lines_are_objects_and_progress_is_bounded() -> None:
    stream = io.StringIO()
    with as_json_lines(stream) as report:
        for step in STEPS:
            report(step)
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [row["event"] for row in rows] == ["stage", "done"]  # the others came within a second
    assert rows[-1]["seconds_left"] == 0.0


def test_a_terminal_keeps_a_line_for_each_stage() -> None:
    """In a terminal of its own: what stands there at the end, without the codes that draw it."""
    code = (
        "import sys; from corpus.progress import as_bars; from tests.corpus.test_progress import STEPS\n"
        "with as_bars(sys.stderr) as report:\n"
        "    for step in [*STEPS, *(step._replace(stage='decide') for step in STEPS)]: report(step)\n"
    )
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stderr=slave, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    )
    os.close(slave)
    drawn = b""
    with contextlib.suppress(OSError):  # Linux: a terminal whose other end is closed
        while piece := os.read(master, 1 << 16):
            drawn += piece
    assert child.wait() == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode()).replace("\r", "\n").splitlines()
    for stage in ("annotate", "decide"):
        assert any(line.split()[:1] == [stage] and "4 documents, 4.0 MB, 1 documents/s, 1.0 MB/s, 4.0 s" in line for line in shown[-4:])


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
