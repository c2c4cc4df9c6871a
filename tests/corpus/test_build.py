"""Whole runs: accounting, reuse of stages, bad input and bad places, agreement on the bundled sample."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.corpus.conftest import RECIPE, REPOSITORY, differing, twllm

Recipe = Callable[..., Path]
PROSE = (
    "山坡上的茶園清晨就有人彎腰採收，領班一邊秤重一邊記下每個人的斤兩，等太陽爬過稜線，大家才坐到樹蔭下喝第一口涼水。",
    "漁港的拍賣在凌晨三點開始，買主圍著一箱箱剛卸下的鮮魚比手勢，得標的人立刻把冰塊鋪滿，趕在天亮前送到各地市場。",
    "車站前的老書店下個月要收掉了，老闆說房租付不起，熟客輪流回來幫忙打包，順便把當年賒的帳一筆一筆還清。",
)


def prose(count: int) -> list[dict[str, str]]:
    """Rows of text that the default policy keeps and that are no copies of one another."""
    return [{"id": f"d{number}", "text": text} for number, text in enumerate(PROSE[:count])]


def build_json(recipe: Path, *arguments: str) -> dict[str, Any]:
    done = twllm("corpus", "build", str(recipe), "--json", *arguments)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_nothing_is_lost(sample_run: Path) -> None:
    funnel = json.loads((sample_run / "manifest.json").read_text())["funnel"]
    for counts in funnel.values():
        assert counts["documents"] == counts["kept"] + counts["removed"] + counts["quarantined"]
        assert sum(counts["reasons"].values()) == counts["removed"] + counts["quarantined"]
    decisions = pq.read_table(sample_run / "decisions.parquet")
    unreadable = len((sample_run / "quarantine.jsonl").read_text().splitlines())
    assert sum(counts["documents"] for counts in funnel.values()) == decisions.num_rows + unreadable
    for source in funnel:
        shards = [pq.read_table(path) for path in sorted((sample_run / "data").glob(f"{source}-*.parquet"))]
        kept = [row["id"] for row in decisions.to_pylist() if row["status"] == "kept" and row["source"] == source]
        assert [document for shard in shards for document in shard.column("id").to_pylist()] == kept


def test_agreement_with_labels(sample_run: Path) -> None:
    agreement = json.loads((sample_run / "manifest.json").read_text())["agreement"]
    assert agreement["labelled"] >= 250
    assert agreement["missing"] == []
    assert agreement["decisions_right"] / agreement["labelled"] >= 0.85


@pytest.mark.parametrize("workers", ["1", "4"])
def test_the_same_bytes_with_any_number_of_workers(sample_run: Path, tmp_path: Path, workers: str) -> None:
    build_json(RECIPE, "--output", str(tmp_path / "run"), "--workers", workers)
    assert differing(tmp_path / "run", sample_run) == []


def test_loads_with_datasets(sample_run: Path) -> None:
    import datasets

    rows = datasets.load_dataset(str(sample_run), split="train")
    assert rows.num_rows == pq.read_table(sample_run / "decisions.parquet", filters=[("status", "==", "kept")]).num_rows


def test_a_changed_threshold_repeats_only_what_follows(rows_recipe: Recipe, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    text = """
name: test
version: "1"
rules:
  - {id: too_short, reason: too_short, remove_if: {chars: {lt: LIMIT}}, unit: characters, origin: test, date: 2026-01-01}
"""
    policy.write_text(text.replace("LIMIT", "5"), encoding="utf-8")
    recipe = rows_recipe(prose(2), policy="policy.yaml")
    assert build_json(recipe)["funnel"]["rows"]["kept"] == 2
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/work/annotate").rglob("*.parquet")}
    assert all(build_json(recipe)["reused"].values())
    policy.write_text(text.replace("LIMIT", "5000"), encoding="utf-8")
    second = build_json(recipe)
    assert second["funnel"]["rows"]["reasons"] == {"too_short": 2}
    assert not any(second["reused"].values())
    assert parts == {path: path.stat().st_mtime_ns for path in (tmp_path / "run/work/annotate").rglob("*.parquet")}


def test_a_changed_file_is_read_again(rows_recipe: Recipe, tmp_path: Path) -> None:
    recipe = rows_recipe(prose(1))
    build_json(recipe)
    path = tmp_path / "rows.jsonl"
    before = path.stat()
    path.write_text(path.read_text(encoding="utf-8").replace("茶園", "果園"), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size and time: only the content tells
    build_json(recipe)
    assert "果園" in pq.read_table(tmp_path / "run/data/rows-00000.parquet").column("text")[0].as_py()


def test_broken_rows_are_quarantined_and_the_run_goes_on(rows_recipe: Recipe, tmp_path: Path) -> None:
    rows = prose(3)
    good = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    lines = [
        good[0],
        b'{"id": "x"}',
        b"\xff\xfe not utf-8",
        b"[1]",
        good[1],
        b'{"id": "d1", "text": "' + "重複的編號".encode() * 20 + b'"}',
        good[2],
    ]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    whole = gzip.compress(b"\n".join(json.dumps({"id": f"g{n}", "text": PROSE[0] + str(n)}).encode() for n in range(2000)))
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    sources = {"rows": {"type": "rows", "paths": ["*.jsonl", "cut.jsonl.gz"], "fields": {"id": "id", "text": "text"}}}
    counts = build_json(rows_recipe(sources=sources))["funnel"]["rows"]
    assert counts["documents"] == counts["kept"] + counts["removed"] + counts["quarantined"]
    rejected = [json.loads(line) for line in (tmp_path / "run/quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted({row["path"] for row in rejected}) == ["cut.jsonl.gz", "empty.jsonl", "rows.jsonl"]
    assert counts["reasons"]["unreadable"] == len(rejected) == 5
    assert counts["reasons"]["duplicate_id"] == 1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"polcy": "x"}, ["polcy", "policy"]),
        ({"policy": "nothing"}, ["nothing", "taiwan-v2"]),
        ({"deduplicate": {"near": {"threshold": 2}}}, ["deduplicate.near.threshold", "2"]),
        ({"sources": {"rows": {"type": "rows", "paths": ["missing.jsonl"]}}}, ["sources.rows.paths", "missing.jsonl"]),
        ({"sources": {"rows": {"type": "rows", "paths": ["${NOT_SET_ANYWHERE}/a"]}}}, ["NOT_SET_ANYWHERE"]),
        ({"mixture": {"tokenizer": "no.json"}}, ["mixture.tokenizer", "no.json"]),
    ],
)
def test_a_wrong_recipe_is_one_line(rows_recipe: Recipe, tmp_path: Path, changes: dict[str, Any], named: list[str]) -> None:
    done = twllm("corpus", "build", str(rows_recipe(prose(1), **changes)))
    assert done.returncode == 2
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("twllm: ") and all(name in message for name in named), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run/manifest.json").exists()


def test_unwritable_output_is_one_line(rows_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = twllm("corpus", "build", str(rows_recipe(prose(1))), "--output", str(tmp_path / "file" / "run"))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "cannot write" in done.stderr


def test_a_folder_that_holds_other_things_is_left_alone(rows_recipe: Recipe, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "data").mkdir(parents=True)
    (mine / "data" / "articles-00003.parquet").write_text("mine")
    (mine / "README.md").write_text("mine")
    done = twllm("corpus", "build", str(rows_recipe(prose(1))), "--output", str(mine))
    assert done.returncode == 2 and "holds no run" in done.stderr
    assert (mine / "README.md").read_text() == (mine / "data" / "articles-00003.parquet").read_text() == "mine"


def test_another_recipes_run_is_left_alone(rows_recipe: Recipe, tmp_path: Path) -> None:
    build_json(rows_recipe(prose(1)))
    done = twllm("corpus", "build", str(rows_recipe(name="other")))
    assert done.returncode == 2 and "'rows'" in done.stderr and "'other'" in done.stderr
    assert (tmp_path / "run" / "data" / "rows-00000.parquet").exists()


def test_two_runs_do_not_share_a_folder(rows_recipe: Recipe, tmp_path: Path) -> None:
    from factory.manifest import exclusive

    recipe = rows_recipe(prose(1))
    with exclusive(str(tmp_path / "run")):
        done = twllm("corpus", "build", str(recipe))
    assert done.returncode == 2 and "another run" in done.stderr


@pytest.mark.parametrize("megabytes", [0.02, 0.2])
def test_full_disk_is_one_line_and_space_lets_it_finish(rows_recipe: Recipe, tmp_path: Path, megabytes: float) -> None:
    """The output lies on a file system of a few hundred kilobytes, in a mount namespace of its own."""
    probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False) if shutil.which("unshare") else None
    if probe is None or probe.returncode:
        message = "needs 'unshare -rm' for a small file system"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    import random

    letters = random.Random(1)
    rows = [{"id": f"d{n}", "text": "".join(chr(letters.randrange(0x4E00, 0x9FA5)) for _ in range(500)) + "的是在"} for n in range(400)]
    recipe = rows_recipe(rows, workers=1)
    run = tmp_path / "run"
    run.mkdir()
    command = f"{sys.executable} -c 'from factory.cli import main; main()' corpus build {recipe}"
    script = f"mount -t tmpfs -o size={int(megabytes * 1e6)} tmpfs {run} && exec {command}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("twllm: ") and "Traceback" not in done.stderr
    assert "space" in done.stderr
    assert twllm("corpus", "build", str(recipe)).returncode == 0
