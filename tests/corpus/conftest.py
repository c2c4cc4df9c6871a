"""Small recipes and runs for the corpus room's tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
RECIPE = REPOSITORY / "recipes" / "sample.yaml"


def twllm(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user does, in a process of its own."""
    command = [sys.executable, "-c", "from factory.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=options.pop("cwd", REPOSITORY), check=False, **options)


def tree_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a run that must be the same each time: all but logs and timings."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in ("logs", "timings.json")
    }


def differing(one: Path, other: Path) -> list[str]:
    """Names of the files that two runs do not both have with the same bytes."""
    first, second = tree_bytes(one), tree_bytes(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished, undisturbed build of the bundled sample. Tests read it and leave it as it is."""
    folder = tmp_path_factory.mktemp("sample") / "run"
    done = twllm("corpus", "build", str(RECIPE), "--output", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def rows_recipe(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe over JSONL files made of given rows, and returns its path."""

    def write(rows: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
        if rows is not None:
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
        recipe: dict[str, Any] = {
            "name": "rows",
            "output": str(tmp_path / "run"),
            "sources": {"rows": {"type": "rows", "paths": ["rows.jsonl"], "fields": {"id": "id", "text": "text"}}},
        }
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({**recipe, **changes}, allow_unicode=True), encoding="utf-8")
        return path

    return write
