"""A system that fails under the real command: full disk, no permission, no memory, files that change. One line, and then it can go on."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.corpus.conftest import REPOSITORY, differing, twllm

COMMAND = [sys.executable, "-c", "from factory.cli import main; main()", "corpus", "build"]
ROWS = {"type": "rows", "fields": {"id": "id", "text": "text"}}
WORDS = "".join(bytes((lead, trail)).decode("cp950") for lead in range(0xA4, 0xAF) for trail in range(0xA1, 0xFF)) + "的是在了，。" * 60
TEA = "清晨的茶園霧氣未散，採茶的人沿著田埂一路往上，竹簍裡的嫩葉還沾著露水。"


def write_recipe(folder: Path, sources: dict[str, Any], **changes: Any) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(
        yaml.safe_dump({"name": "hostile", "output": str(folder / "run"), "workers": 1, "sources": sources, **changes}), encoding="utf-8"
    )
    return path


def write_rows(path: Path, count: int, chars: int, seed: int = 1) -> None:
    """Rows of random common characters, which the policy keeps and which compress little."""
    letters = random.Random(seed)
    with open(path, "w", encoding="utf-8") as stream:
        for number in range(count):
            text = "".join(letters.choice(WORDS) for _ in range(chars))
            stream.write(json.dumps({"id": f"d{number}", "text": text}, ensure_ascii=False) + "\n")


def one_line(error: str) -> str:
    """The one line of a failed run."""
    assert "Traceback" not in error, error
    lines = [line for line in error.splitlines() if line.startswith("twllm: ")]
    assert len(lines) == 1 and "unexpected" not in lines[0], error
    return lines[0]


# --- full disk

# Runs inside a mount namespace of its own, where the run's folder is a small file system. For each stage: what it and later stages
# made goes, a filler takes all space but a few bytes, the command runs; once the filler is gone it must finish.
FULL_DISK = """
import json, os, shutil, subprocess, sys
command, run, cases, kept = json.loads(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", run], check=True)
told = []
filler = run + "/run.json.filler"  # of a name that a build does not take for a stranger's file
for stage, gone, free in [*cases, ["end", [], None]]:
    for root, folders, files in os.walk(run):
        for path in [os.path.join(root, name) for name in [*folders, *files]]:
            if os.path.relpath(path, run).startswith(tuple(gone)):
                shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)
    if free is not None:
        with open(filler, "wb") as stream:
            left = os.statvfs(run)
            stream.write(bytes(max(0, left.f_bavail * left.f_frsize - free)))
    done = subprocess.run(command, capture_output=True, text=True)
    told.append([stage, done.returncode, done.stderr])
    if free is not None:
        os.unlink(filler)
shutil.copytree(run, kept)
print(json.dumps(told))
"""
REPORT = ["manifest.json", "README.md", "report.html", "timings.json"]
ASSEMBLE = [*REPORT, "corpus.json", "decisions.parquet", "quarantine.jsonl", "data"]
DEDUPLICATE = [*ASSEMBLE, "work/deduplicate-"]
DECIDE = [*DEDUPLICATE, "work/decide-"]
ANNOTATE = [*DECIDE, "work/annotate", "logs"]


def test_a_full_disk_in_each_stage_is_one_line_and_space_lets_it_finish(tmp_path: Path) -> None:
    probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False) if shutil.which("unshare") else None
    if probe is None or probe.returncode:
        message = "needs 'unshare -rm' for a small file system"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    write_rows(tmp_path / "rows.jsonl", 300, 600)
    recipe = write_recipe(tmp_path, {"rows": {**ROWS, "paths": ["rows.jsonl"]}})
    reference = tmp_path / "reference"
    done = twllm("corpus", "build", str(recipe), "--output", str(reference))
    assert done.returncode == 0, done.stderr
    assert json.loads((reference / "manifest.json").read_text(encoding="utf-8"))["funnel"]["rows"]["kept"] > 250
    run = tmp_path / "run"
    run.mkdir()
    cases = [
        ("end", [], None),
        ("report", REPORT, 8_000),
        ("report", REPORT, 48_000),
        ("assemble", ASSEMBLE, 0),
        ("assemble", ASSEMBLE, 60_000),  # in the middle of the shard
        ("deduplicate", DEDUPLICATE, 0),
        ("decide", DECIDE, 0),
        ("annotate", ANNOTATE, 20_000),  # datatrove's log
        ("annotate", ANNOTATE, 200_000),  # in the middle of the documents
        ("begin", [*ANNOTATE, "work", "run.json"], 0),
    ]
    arguments = json.dumps([[*COMMAND, str(recipe)], str(run), cases, str(tmp_path / "kept")])
    driver = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", FULL_DISK, arguments], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert driver.returncode == 0, driver.stderr
    for stage, code, error in json.loads(driver.stdout):
        if stage == "end":
            assert code == 0, error
            continue
        assert code == 2, error
        assert "No space left" in one_line(error)
        reached = [line.removesuffix(" …") for line in error.splitlines() if line.endswith(" …")]
        assert (reached or ["begin"])[-1] == stage, error
    assert differing(tmp_path / "kept", reference) == []


# --- permission


def unprivileged(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command without the rights of root, for whom no file is closed: in a user namespace without a map it is uid 65534."""
    prefix = ["unshare", "-U"] if os.geteuid() == 0 else []
    return subprocess.run([*prefix, *COMMAND, *arguments], capture_output=True, text=True, cwd=REPOSITORY, check=False)


def test_closed_files_and_folders_are_rejected_and_a_closed_output_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0 and subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False).returncode:
        message = "needs 'unshare -U' where the tests run as root"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    inputs, closed = tmp_path / "in", tmp_path / "in/closed"
    closed.mkdir(parents=True)
    for path in (inputs / "a.jsonl", inputs / "secret.jsonl", closed / "b.jsonl"):
        path.write_text(json.dumps({"id": path.stem, "text": TEA}), encoding="utf-8")
    (inputs / "secret.jsonl").chmod(0)
    closed.chmod(0)
    recipe = write_recipe(tmp_path, {"rows": {**ROWS, "paths": ["in"]}})
    try:
        done = unprivileged(str(recipe))
    finally:
        closed.chmod(0o755)
    assert done.returncode == 0, done.stderr
    quarantine = [json.loads(line) for line in (tmp_path / "run/quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted((row["path"], row["error"]) for row in quarantine) == [
        ("closed", "PermissionError: Permission denied"),
        ("secret.jsonl", "PermissionError: Permission denied"),
    ]
    counts = json.loads((tmp_path / "run/manifest.json").read_text(encoding="utf-8"))["funnel"]["rows"]
    assert (counts["documents"], counts["quarantined"], counts["kept"] + counts["removed"]) == (3, 2, 1)


def test_an_output_or_a_recipe_that_is_closed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "a", "text": TEA}), encoding="utf-8")
    recipe = write_recipe(tmp_path, {"rows": {**ROWS, "paths": ["rows.jsonl"]}})
    output = tmp_path / "closed"
    output.mkdir(mode=0o555)
    done = unprivileged(str(recipe), "--output", str(output / "run"))
    assert done.returncode == 2 and "Permission denied" in one_line(done.stderr)
    recipe.chmod(0)
    done = unprivileged(str(recipe))
    assert done.returncode == 2 and "recipe.yaml" in one_line(done.stderr)


# --- a file that changes, memory


def test_a_file_that_changes_while_it_is_read_ends_the_run_with_one_line(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", 6_000, 500)
    recipe = write_recipe(tmp_path, {"rows": {**ROWS, "paths": ["rows.jsonl"]}}, deduplicate={"near": None, "lines": None})
    child = subprocess.Popen([*COMMAND, str(recipe)], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not any(b'"documents": 0' not in path.read_bytes() for path in (tmp_path / "run").glob("logs/annotate-*/progress-*")):
        assert child.poll() is None, "the build ended before the file was changed"
    with open(tmp_path / "rows.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "late", "text": TEA}) + "\n")
    _, error = child.communicate()
    assert child.returncode == 2, error
    assert "rows.jsonl: changed while it was read" in one_line(error)
    assert not (tmp_path / "run/manifest.json").exists()
    done = twllm("corpus", "build", str(recipe), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["funnel"]["rows"]["documents"] == 6_001


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")
def test_one_worker_without_memory_ends_the_run_with_one_line(tmp_path: Path) -> None:
    """Two workers, and a worker that is killed, are in tests/corpus/test_engines.py."""
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "large", "text": TEA * 500_000}, ensure_ascii=False) + "\n", encoding="utf-8")
    recipe = write_recipe(tmp_path, {"rows": {**ROWS, "paths": ["rows.jsonl"]}})
    limit = 2_500_000 << 10
    done = subprocess.run(
        [*COMMAND, str(recipe)], cwd=REPOSITORY, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr[-1_000:]
    assert "memory" in one_line(done.stderr) and "rows.jsonl" in one_line(done.stderr)
