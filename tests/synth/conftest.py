"""A counting endpoint in a process of its own, and recipes that ask it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]


class Endpoint(NamedTuple):
    url: str
    log: Path

    def asked(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").split() if self.log.exists() else []


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Endpoint]]:
    """Starts endpoints; `serve(delay=0.01)`."""
    started: list[subprocess.Popen[str]] = []

    def start(delay: float = 0.0) -> Endpoint:
        log = tmp_path / f"asked-{len(started)}.log"
        command = [sys.executable, "-m", "tests.synth.server", str(log), str(delay)]
        child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout is not None
        return Endpoint(f"http://127.0.0.1:{int(child.stdout.readline())}/v1", log)

    yield start
    for child in started:
        child.kill()
        child.wait()


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., str]:
    """Writes a recipe; keys replace the default ones."""

    def write(url: str, name: str = "test", **keys: Any) -> str:
        endpoint = {
            "base_url": url,
            "model": "counting",
            "max_in_flight": 8,
            "timeout_seconds": 5,
            "attempts": 2,
            **keys.pop("endpoint", {}),
        }
        content = {
            "name": name,
            "output": str(tmp_path / name),
            "endpoint": endpoint,
            "prices": {
                "dated": "2026-11-24",
                "models": {"counting": {"prompt": 1, "completion": 2}, "unknown": {"prompt": 0, "completion": 0}},
            },
            "stages": [{"task": "paraphrase", "each": 1}],
            **keys,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
        return str(path)

    return write
