"""Engines: the same bytes from any number of workers, and one line where a worker dies, whatever kills it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.notes import started
from tests.corpus.conftest import REPOSITORY, differing, eight_sources, twllm

COMMAND = [sys.executable, "-c", "from factory.cli import main; main()", "corpus", "build"]
SECONDS = 120  # far more than anything here takes


def start(recipe: Path, run: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [*COMMAND, str(recipe), "--output", str(run), *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def first_note(run: Path, child: subprocess.Popen[str]) -> dict[str, Any]:
    """The first worker that says it is at work."""
    while True:
        for path in run.glob("logs/annotate-*/progress-*"):
            with contextlib.suppress(json.JSONDecodeError):  # it is being written
                note: dict[str, Any] = json.loads(path.read_text())
                if note["state"] == "working":
                    return note
        assert child.poll() is None, "the build ended before a worker could be killed"


def all_pids(run: Path) -> list[tuple[int, str]]:
    notes = [json.loads(path.read_text()) for path in run.glob("logs/annotate-*/progress-*")]
    return [(note["pid"], note["started"]) for note in notes]


@pytest.mark.parametrize("workers", ["2", "4"])
def test_any_number_of_workers_makes_the_same_bytes(eight_run: Path, tmp_path: Path, workers: str) -> None:
    done = twllm("corpus", "build", str(eight_sources(eight_run.parent)), "--workers", workers, "--output", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert differing(tmp_path / "run", eight_run) == []


def test_a_killed_worker_ends_the_run_with_one_line_and_no_process(eight_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    recipe = eight_sources(eight_run.parent)
    read_end, write_end = os.pipe()  # every process of the build holds the write end
    child = start(recipe, run, "--workers", "2", pass_fds=[write_end])
    os.close(write_end)
    os.kill(first_note(run, child)["pid"], signal.SIGKILL)
    _, error = child.communicate(timeout=SECONDS)
    lines = [line for line in error.splitlines() if line.startswith("twllm: ")]
    assert child.returncode == 2 and len(lines) == 1 and "Traceback" not in error
    assert "a worker was killed while it annotated" in lines[0] and "0.jsonl and 5 more files" in lines[0] and "--workers" in lines[0]
    with open(read_end, "rb") as pipe:
        assert select.select([pipe], [], [], 10)[0] and not pipe.read()
    assert all(started(pid) != since for pid, since in all_pids(run))
    again = twllm("corpus", "build", str(recipe), "--workers", "2", "--output", str(run))
    assert again.returncode == 0, again.stderr
    assert differing(run, eight_run) == []


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
def test_a_worker_without_memory_ends_the_run_with_one_line(tmp_path: Path) -> None:
    """A text of 54 MB in 2.5 GB of address space, which holds any other worker."""
    sources = {}
    for name, text in (("small", "茶園在山坡上，每年春天採收。" * 9), ("large", "茶園在山坡上，每年春天採收。" * 1_300_000)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n", encoding="utf-8")
        sources[name] = {"type": "rows", "paths": [f"{name}.jsonl"], "fields": {"id": "id", "text": "text"}}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"name": "memory", "output": "unset", "sources": sources}), encoding="utf-8")
    limit = 2_500_000 << 10
    child = start(recipe, tmp_path / "run", "--workers", "2", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    _, error = child.communicate(timeout=SECONDS)
    line = error.splitlines()[-1]
    # the allocator that meets the limit raises MemoryError or ends the process; either way there is one line that says what to do
    assert child.returncode == 2 and line.startswith("twllm: a worker ") and "large.jsonl" in line and "memory" in line, error
    assert error.count("twllm: ") == 1 and "Traceback" not in error


@pytest.mark.parametrize("megabytes", [2.0])
def test_a_full_disk_under_two_workers_is_one_line(eight_run: Path, tmp_path: Path, megabytes: float) -> None:
    probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    if probe.returncode:
        message = "needs 'unshare -rm' for a small file system"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    run = tmp_path / "run"
    run.mkdir()
    command = f"exec {sys.executable} -c 'from factory.cli import main; main()' corpus build {eight_sources(eight_run.parent)} --workers 2"
    text = f"mount -t tmpfs -o size={int(megabytes * 1e6)} tmpfs {run} && {command} --output {run}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", text], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("twllm: ") and "Traceback" not in done.stderr and "space" in done.stderr


# --- Ray


@pytest.fixture
def ray_files() -> Callable[[], list[str]]:
    """Names of what Ray has left among the temporary files since the test began."""
    import tempfile

    before = set(os.listdir(tempfile.gettempdir()))
    return lambda: [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("twllm-ray-") and name not in before]


@pytest.mark.parametrize("victim", ["pid", "parent"])
def test_ray_replaces_a_killed_worker_and_makes_the_same_bytes(
    eight_run: Path, tmp_path: Path, victim: str, ray_files: Callable[[], list[str]]
) -> None:
    """Four workers on a cluster of its own; killed is the process that works, or the actor that waits for it."""
    pytest.importorskip("ray")
    run = tmp_path / "run"
    child = start(eight_sources(eight_run.parent), run, "--engine", "ray", "--workers", "4")
    note = first_note(run, child)
    os.kill(note[victim], signal.SIGKILL)
    _, error = child.communicate(timeout=SECONDS)
    assert child.returncode == 0, error
    assert differing(run, eight_run) == []
    assert len({pid for pid, _ in all_pids(run)}) >= 4 and note["pid"] not in dict(all_pids(run))
    assert all(started(pid) != since for pid, since in all_pids(run)) and ray_files() == []


def test_a_ray_cluster_that_cannot_be_reached_is_one_line(eight_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    recipe = eight_sources(eight_run.parent, ray={"address": "auto"})
    done = twllm("corpus", "build", str(recipe), "--engine", "ray", "--output", str(tmp_path / "run"))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "ray.address: auto cannot be reached" in done.stderr.splitlines()[-1]


def test_ray_that_is_not_installed_is_one_line(eight_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from corpus import engines
    from corpus.build import build
    from corpus.recipe import load_plan
    from factory.errors import UserError

    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"twllm\[ray\]"):
        build(load_plan(str(eight_sources(eight_run.parent)), str(tmp_path / "run"), engine="ray"))
