"""A second snapshot is compared with the index of the first, without its text."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from corpus.build import build, forget_documents
from corpus.forget import Selectors
from corpus.recipe import load_plan
from corpus.signatures import segments_of
from corpus.why import explain
from tests.corpus.conftest import REPOSITORY, differing

STORY = "第{0}天，村長帶著大家到溪邊撿石頭，準備把去年被水沖壞的堤岸補起來。{1}中午吃的是鹹粥，下午有人帶了一把月琴來彈，小孩子在旁邊堆沙。"


def text(number: int, tail: str = "") -> str:
    return STORY.format(number, "".join(chr(0x4E00 + (number * 997 + k * 31) % 9000) for k in range(120))) + tail


def snapshot(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    rules = [{"id": "one", "reason": "too_short", "remove_if": {"chars": {"lt": 1}}, "unit": "chars", "origin": "t", "date": "2026-11-24"}]
    (folder / "plain.yaml").write_text(yaml.safe_dump({"name": "plain", "version": "1", "description": "", "rules": rules}), "utf-8")
    content = {
        "name": name, "output": str(folder / f"run-{name}"), "workers": 1, "policy": "plain.yaml",
        "sources": {"web": {"type": "rows", "paths": [f"{name}.jsonl"], "fields": {"id": "id", "text": "text"}}},
        "deduplicate": {"index": "index", "lines": None},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return str(path)


def test_copies_of_the_first_snapshot_go_and_name_it(tmp_path: Path) -> None:
    first = snapshot(tmp_path, "winter", [{"id": f"a{i}", "text": text(i)} for i in range(20)])
    rows = [{"id": "same", "text": text(3)}, {"id": "near", "text": text(4, "後來堤岸撐過了那年的颱風。")}]
    second = snapshot(tmp_path, "spring", [*rows, *({"id": f"b{i}", "text": text(100 + i)} for i in range(5))])
    assert build(load_plan(first)).funnel["web"].kept == 20
    shutil.rmtree(tmp_path / "run-winter")
    result = build(load_plan(second))
    assert result.funnel["web"].reasons == {"exact_duplicate": 1, "near_duplicate": 1} and result.funnel["web"].kept == 5
    same, near = (explain(result.output, f"web:{name}").decision for name in ("same", "near"))
    assert (same["kept_id"], same["similarity"]) == ("web:a3", 1.0)
    assert near["kept_id"] == "web:a4" and 0.6 <= near["similarity"] < 1
    assert {name: found.count for name, found in segments_of(str(tmp_path / "index")).items()} == {"winter": 20, "spring": 5}
    assert all(build(load_plan(second)).reused.values())
    assert build(load_plan(first)).funnel["web"].kept == 20  # what came later takes nothing away


def test_what_is_forgotten_leaves_the_index(tmp_path: Path) -> None:
    first = load_plan(snapshot(tmp_path, "winter", [{"id": f"a{i}", "text": text(i)} for i in range(4)]))
    build(first)
    forget_documents(first, Selectors(ids=("web:a2",)))
    (stored,) = segments_of(str(tmp_path / "index")).values()
    assert stored.ids() == ["web:a0", "web:a1", "web:a3"]


KILLED = """
import os, signal, sys
real, seen, stop = os.replace, 0, int(sys.argv[2])
def replace(*args, **more):
    global seen
    seen += 1
    if seen == stop and sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args, **more)
    if seen == stop:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
from corpus.build import build
from corpus.recipe import load_plan
build(load_plan(sys.argv[1]))
print(seen)
"""


def test_killed_anywhere_a_second_snapshot_ends_the_same_and_so_does_its_index(tmp_path: Path) -> None:
    """kill -9 before and after seeded renames of a build that reads an index and adds to it, the index's own renames among them."""
    first = snapshot(tmp_path, "winter", [{"id": f"a{i}", "text": text(i)} for i in range(12)])
    copies = [{"id": f"c{i}", "text": text(i, "後來堤岸撐過了那年的颱風。")} for i in range(6)]
    second = snapshot(tmp_path, "spring", [*copies, *({"id": f"b{i}", "text": text(100 + i)} for i in range(5))])
    build(load_plan(first))
    run, index = tmp_path / "run-spring", tmp_path / "index"
    shutil.copytree(index, tmp_path / "index-before")

    def again(stop: int, side: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(run, ignore_errors=True)
        shutil.rmtree(index)
        shutil.copytree(tmp_path / "index-before", index)
        return subprocess.run([sys.executable, "-c", KILLED, second, str(stop), side], cwd=REPOSITORY, capture_output=True, text=True)

    whole = again(10**9, "after")
    assert whole.returncode == 0, whole.stderr
    renames = int(whole.stdout)
    for name in ("run-spring", "index"):
        shutil.copytree(tmp_path / name, tmp_path / f"whole-{name}")
    picker = random.Random(20261124)
    chosen = {*picker.sample(range(1, renames), 5), *range(renames - 6, renames)}  # the last ones write index and report
    for stop in sorted(chosen):
        side = picker.choice(["before", "after"])
        assert again(stop, side).returncode == -signal.SIGKILL
        build(load_plan(second))
        assert differing(run, tmp_path / "whole-run-spring") == [], (stop, side)
        assert differing(index, tmp_path / "whole-index") == [], (stop, side)
    assert {name: found.count for name, found in segments_of(str(index)).items()} == {"winter": 12, "spring": 5}


def test_killed_while_a_segment_is_replaced_it_keeps_its_place(tmp_path: Path) -> None:
    """Between moving the old segment aside and giving the new one its name, the index has neither."""
    first = snapshot(tmp_path, "winter", [{"id": f"a{i}", "text": text(i)} for i in range(4)])
    second = snapshot(tmp_path, "winter.late", [{"id": "b", "text": text(50)}])  # its name begins like the first's
    for path in (first, second):
        build(load_plan(path))
    index = tmp_path / "index"
    (index / "winter").rename(index / "winter.4711.old.tmp")
    (index / "winter.4711.tmp").mkdir()
    build(load_plan(first))
    assert {name: found.order for name, found in segments_of(str(index)).items()} == {"winter": 1, "winter.late": 2}
    assert sorted(entry.name for entry in index.iterdir()) == ["winter", "winter.late"]
