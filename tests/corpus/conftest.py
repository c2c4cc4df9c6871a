"""Small recipes and runs for the corpus room's tests."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory import manifest

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


def eight_sources(folder: Path, **changes: Any) -> Path:
    """Writes a recipe of eight sources, and so eight parts, with six files each, and returns its path. The text is of random characters."""
    sources = {}
    for number in range(8):
        (folder / f"s{number}").mkdir(parents=True, exist_ok=True)
        for file in range(6):
            letters = random.Random(f"{number}-{file}")
            text = "".join(chr(letters.randrange(0x4E00, 0x9FA5)) if letters.random() < 0.7 else "的" for _ in range(4_000 * (number + 1)))
            row = json.dumps({"id": f"{number}-{file}", "text": text}, ensure_ascii=False)
            (folder / f"s{number}" / f"{file}.jsonl").write_text(row + "\n", encoding="utf-8")
        sources[f"s{number}"] = {"type": "rows", "paths": [f"s{number}"], "fields": {"id": "id", "text": "text"}}
    recipe = {"name": "eight", "output": "unset", "sources": sources, **changes}
    path = folder / f"{manifest.digest(changes)[:8]}.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def eight_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished, undisturbed build of `eight_sources` with one worker; the inputs lie beside it. Tests read it and leave it as it is."""
    folder = tmp_path_factory.mktemp("eight")
    done = twllm("corpus", "build", str(eight_sources(folder)), "--workers", "1", "--output", str(folder / "run"))
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "run/work/annotate").iterdir())) == 8
    return folder / "run"


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
