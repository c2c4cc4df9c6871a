"""Argilla's environment appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curation.server import environment
from factory.errors import UserError


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWLLM_ARGILLA_ENV", str(tmp_path / "cache" / "argilla"))
    return tmp_path / "cache" / "argilla"


def test_pins_are_exact_and_name_the_version() -> None:
    pins = environment.pins()
    assert f"argilla-server=={environment.ARGILLA}" in pins
    assert all("==" in pin for pin in pins)
    assert len(pins) == len({pin.partition("==")[0].lower() for pin in pins}) > 80


def test_another_pin_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWLLM_ARGILLA_ENV", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = environment.folder()
    assert before.parent == tmp_path / "twllm" and before.name.startswith("argilla-2.8.0-")
    changed = tmp_path / "pins.txt"
    changed.write_text("# a comment\n" + environment.PINS.read_text())
    monkeypatch.setattr(environment, "PINS", changed)
    assert environment.folder() == before
    changed.write_text(environment.PINS.read_text().replace("click==8.1.8", "click==8.1.7"))
    assert environment.folder() != before


def test_a_build_that_fails_leaves_nothing_and_says_why(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = tmp_path / "pins.txt"
    impossible.write_text("twllm-no-such-distribution==1.0\n")
    monkeypatch.setattr(environment, "PINS", impossible)
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(UserError, match=r"installing Argilla's server failed: .*twllm-no-such-distribution.*; see .*install.log"):
        environment.ensure(tmp_path / "install.log")
    assert [path.name for path in elsewhere.parent.iterdir()] == [".argilla.lock"]


def test_a_folder_that_holds_something_else_is_not_touched(elsewhere: Path, tmp_path: Path) -> None:
    elsewhere.mkdir(parents=True)
    (elsewhere / "mine").write_text("kept")
    with pytest.raises(UserError, match="holds no working argilla-server 2.8.0; delete that folder"):
        environment.ensure(tmp_path / "install.log")
    assert (elsewhere / "mine").read_text() == "kept"


def test_an_environment_without_argilla_is_not_ready(tmp_path: Path) -> None:
    assert not environment.ready(tmp_path / "none")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    assert not environment.ready(tmp_path / "bare")


def test_the_system_redis_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.redis_server(tmp_path, tmp_path / "log") == str(program)


@pytest.mark.soak
def test_built_from_nothing(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of it, and the wheel's Redis, with no other on the PATH."""
    made = environment.ensure(tmp_path / "install.log")
    assert made == elsewhere and environment.ready(made)
    assert environment.ensure(tmp_path / "install.log") == made
    monkeypatch.setattr(shutil, "which", lambda name: None)
    program = environment.redis_server(made, tmp_path / "install.log")
    assert Path(program).is_relative_to(made)
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert "v=6.2" in said
    assert os.access(program, os.X_OK)
