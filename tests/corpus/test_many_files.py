"""Folders of very many small files: parts of many files, memory that does not grow with their texts. The full count is `make soak`'s."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from corpus.tasks import LEAST_FILES, PART_FILES
from tests.corpus.conftest import REPOSITORY, twllm

MEASURED = """
import json, resource, sys
from corpus.build import build
from corpus.recipe import load_plan
if __name__ == "__main__":
    result = build(load_plan(sys.argv[1], sys.argv[2]))
    usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"kept": sum(counts.kept for counts in result.funnel.values()), "max_rss_mb": round(max(usage) / 1024)}))
"""


def many(folder: Path, count: int) -> Path:
    """A recipe over files of one short document each, a thousand in a folder."""
    for number in range(count):
        place = folder / "in" / f"{number // 1000:04d}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        weather = f"氣溫{number % 40}度、濕度{number % 97}、風速{number % 13}"
        text = f"第{number}號觀測站今天的紀錄是{weather}，值班的人在傍晚六點把儀器收進屋裡，簽名之後下山。"
        (place / f"{number}.jsonl").write_text(json.dumps({"id": str(number), "text": text}) + "\n", encoding="utf-8")
    sources = {"many": {"type": "rows", "paths": ["in"], "fields": {"id": "id", "text": "text"}}}
    recipe = {"name": "many", "output": "unset", "sources": sources, "deduplicate": {"exact": False, "near": None, "lines": None}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return folder / "recipe.yaml"


def test_files_are_taken_together_and_each_is_accounted_for(tmp_path: Path) -> None:
    count = PART_FILES + 400
    done = twllm("corpus", "build", str(many(tmp_path, count)), "--output", str(tmp_path / "run"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["funnel"]["many"]["documents"] == count
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert 2 <= len(manifest["parts"]) <= count / LEAST_FILES + 1
    assert sum(part["files"] for part in manifest["parts"]) == count
    named = [
        json.loads(line)["file"]
        for part in manifest["parts"]
        for line in (tmp_path / "run/work/annotate" / part["folder"] / "files.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert sorted(named) == sorted(f"{number}.jsonl" for number in range(count))


@pytest.mark.soak
def test_a_million_files(tmp_path: Path) -> None:
    """A build of a million files; seconds and memory go to benchmarks/results/many_files.json."""
    count = 1_000_000
    recipe = many(tmp_path, count)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(recipe), str(tmp_path / "run")], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    timings = json.loads((tmp_path / "run/timings.json").read_text())
    assert found["max_rss_mb"] < 8_000
    figures = {
        "what": "corpus build of a million JSONL files with one short document each",
        "files": count,
        "seconds": timings["seconds"],
        **found,
        "commit": subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, text=True).strip(),
    }
    (REPOSITORY / "benchmarks" / "results" / "many_files.json").write_text(json.dumps(figures, indent=1) + "\n")
