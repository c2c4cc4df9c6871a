"""A build killed at any moment and run again ends byte-identical to one that was never killed."""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus.conftest import RECIPE, REPOSITORY, differing, twllm

STAGES = ("annotate", "decide", "deduplicate", "assemble", "report")
SEED = 20261123

# The child runs the real command with os.replace wrapped: it counts renames and dies before or after one of them.
# Renames are where the state of a run changes, so this places kills in each stage, however short it is.
KILLED_AT_RENAME = """
import os, signal, sys
from pathlib import Path
replace, seen = os.replace, [0]
def counting(source, target):
    seen[0] += 1
    if seen[0] == {number} and not {after}: os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
    Path({log!r}).open("a").write(os.path.relpath(str(target), {run!r}) + "\\n")
    if seen[0] == {number} and {after}: os.kill(os.getpid(), signal.SIGKILL)
os.replace = counting
import multiprocessing
from corpus.recipe import load_plan
from corpus.build import build
if __name__ == "__main__":
    build(load_plan({recipe!r}, {run!r}, workers=1))  # one worker: every rename happens in this process
"""


def _run_killed_at_rename(run: Path, log: Path, number: int, after: bool) -> int:
    code = KILLED_AT_RENAME.format(recipe=str(RECIPE), run=str(run), log=str(log), number=number, after=after)
    child = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return child.returncode


def _stage_of(target: str) -> str:
    for stage in ("annotate", "decide", "deduplicate"):
        if target.startswith((f"work/{stage}-", f"work/{stage}/")):
            return stage
    if target == "run.json":  # written before anything else
        return "annotate"
    return "report" if target in ("manifest.json", "README.md", "report.html", "timings.json") else "assemble"


def test_killed_around_renames_of_every_stage(sample_run: Path, tmp_path: Path) -> None:
    """Two kills in each stage: before a rename, and between a rename and the record that would have followed."""
    log = tmp_path / "renames.log"
    assert _run_killed_at_rename(tmp_path / "whole", log, number=10**9, after=False) == 0
    targets = log.read_text().splitlines()
    chosen: list[tuple[int, bool]] = []
    picker = random.Random(SEED)
    for stage in STAGES:
        numbers = [number for number, target in enumerate(targets, 1) if _stage_of(target) == stage]
        assert len(numbers) >= 2, f"{stage} renames {len(numbers)} files"
        chosen += [(picker.choice(numbers), False), (numbers[-2], True)]
    for number, after in chosen:
        run = tmp_path / f"killed-{number}-{after}"
        assert _run_killed_at_rename(run, tmp_path / "log", number, after) == -signal.SIGKILL
        assert not (run / "timings.json").exists(), "no work was left to do"
        done = twllm("corpus", "build", str(RECIPE), "--output", str(run))
        assert done.returncode == 0, done.stderr
        assert differing(run, sample_run) == [], f"after rename {number} ({targets[number - 1]}), after={after}"


@pytest.mark.soak
def test_killed_around_every_rename(sample_run: Path, tmp_path: Path) -> None:
    """All renames of a build, before and after each; the count goes to benchmarks/results/kills.json."""
    log = tmp_path / "renames.log"
    assert _run_killed_at_rename(tmp_path / "whole", log, number=10**9, after=False) == 0
    targets = log.read_text().splitlines()
    kills: dict[str, int] = dict.fromkeys(STAGES, 0)
    for number, target in enumerate(targets, 1):
        for after in (False, True):
            run = tmp_path / "killed"
            assert _run_killed_at_rename(run, tmp_path / "log", number, after) == -signal.SIGKILL
            assert twllm("corpus", "build", str(RECIPE), "--output", str(run)).returncode == 0
            assert differing(run, sample_run) == [], f"{target}, after={after}"
            kills[_stage_of(target)] += 1
            shutil.rmtree(run)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, text=True).strip()
    figures = {"what": "kill -9 before and after each rename of a sample build, rerun byte-identical", "kills": kills, "commit": commit}
    (REPOSITORY / "benchmarks" / "results" / "kills.json").write_text(json.dumps(figures, indent=1) + "\n")


@pytest.mark.parametrize("fraction", [0.3, 0.55, 0.8])
def test_killed_on_the_clock(sample_run: Path, tmp_path: Path, fraction: float) -> None:
    """kill -9 of the whole process group at a seeded share of the time that an undisturbed run took."""
    seconds = sum(json.loads((sample_run / "timings.json").read_text())["seconds"].values())
    jitter = random.Random(f"{SEED}-{fraction}").uniform(-0.1, 0.1)
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from factory.cli import main; main()", "corpus", "build", str(RECIPE), "--output", str(run)]
    for attempt in range(3):  # the machine may be quicker now than when the undisturbed run was timed
        shutil.rmtree(run, ignore_errors=True)
        child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            child.wait(timeout=max(0.5, seconds * (fraction + jitter) * 0.6**attempt))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            break
    assert child.returncode == -signal.SIGKILL, "the run was over before the kill: no work remained"
    done = twllm("corpus", "build", str(RECIPE), "--output", str(run))
    assert done.returncode == 0, done.stderr
    assert differing(run, sample_run) == []


def test_a_killed_build_leaves_no_process(tmp_path: Path) -> None:
    """kill -9 of the command alone, in the middle of annotate: its helpers end with it."""
    run = tmp_path / "run"
    command = [sys.executable, "-c", "from factory.cli import main; main()", "corpus", "build", str(RECIPE), "--output", str(run)]
    read_end, write_end = os.pipe()  # every process of the build holds the write end; end of file says that all are gone
    child = subprocess.Popen(command, cwd=REPOSITORY, stdout=write_end, stderr=subprocess.DEVNULL)
    os.close(write_end)
    while not list(run.glob("logs/annotate-*/progress-*")):
        assert child.poll() is None, "the build ended before it could be killed"
    child.kill()
    child.wait()
    with open(read_end, "rb") as pipe:
        assert select.select([pipe], [], [], 60)[0] and not pipe.read()
