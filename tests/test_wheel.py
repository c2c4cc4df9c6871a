"""The wheel holds all that a build needs, and works in a folder that is not the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources and unpacked by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for line in subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY, text=True).splitlines():
        path = REPOSITORY / line
        if path.is_file():
            (source / line).parent.mkdir(parents=True, exist_ok=True)
            (source / line).write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], check=True)
    (wheel,) = folder.glob("twllm-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder


def test_only_the_rooms_are_in_it(installed: Path) -> None:
    (wheel,) = installed.glob("*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "corpus", "curation", "evaluation", "factory", "recipes", "synth", "training",
    }  # fmt: skip


def test_the_sample_builds_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    script = "import corpus, sys; from factory.cli import main; print(corpus.__file__, file=sys.stderr); main()"
    command = [sys.executable, "-c", script, "corpus", "build", "sample", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(str(installed / "site"))
    assert json.loads(done.stdout.splitlines()[-1])["agreement"]["labelled"] >= 250
    assert (tmp_path / "runs" / "sample" / "report.html").is_file()


def test_seeds_and_prompts_are_in_it(installed: Path, tmp_path: Path) -> None:
    script = """
from curation.review.kinds import KINDS, guidelines, kind
from factory.cli import main
from synth.gates import Gates
from synth.prompt import locked, names
from synth.tasks import Candidate

assert len(names()) == 8 and len(locked()) == 16 and all(kind(name) and guidelines(name) for name in KINDS)
assert Gates().object(Candidate([{"role": "assistant", "content": "打開手機看視頻。"}], "knowledge", (), {})) is not None
main()
"""
    environment = {**os.environ, "PYTHONPATH": str(installed / "site")}
    done = subprocess.run([sys.executable, "-c", script, "synth", "lint"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "100 seeds, 0 findings\n"), done.stderr
