"""A forgotten document's words are in no file of the run, and do not come back."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from corpus.build import build, forget_documents
from corpus.forget import LIST, PROOF, Selectors, find, host_of
from corpus.recipe import Plan, load_plan
from corpus.why import explain
from factory.errors import UserError
from tests.corpus.conftest import REPOSITORY, differing, twllm

SECRET = "王阿土住在柑仔店後面第三間"
FIELDS = {"id": "id", "text": "text", "url": "url", "rights_holder": "holder"}
STORY = (
    "民國五十八年的颱風夜，村子裡的人都躲進了國小的禮堂。{who}，他抱著一隻黑狗坐在講台旁邊，整夜沒有說話。隔天早上水退了，"
    "大家走回家的時候才發現橋已經被沖走，稻田變成一片黃色的湖，只有廟前的榕樹還站著。"
)


def rows() -> list[dict[str, Any]]:
    found = [
        {
            "id": f"n{i}",
            "text": f"第{i}天的紀錄寫著：" + "".join(chr(0x4E00 + (i * 131 + k * 17) % 3000) for k in range(90)),
            "url": f"https://news.example/{i}",
        }
        for i in range(12)
    ]
    found.append({"id": "secret", "text": STORY.format(who=SECRET), "url": "https://blog.example/a", "holder": "林小姐"})
    found.append({"id": "copy", "text": STORY.format(who=SECRET) + "\n", "url": "https://mirror.example/x"})
    found.append({"id": "near", "text": STORY.format(who=SECRET) + "後來他們又蓋了一座新的橋。", "url": "https://sub.blog.example/b"})
    return found


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()), "utf-8")
    content = {
        "name": "small", "output": str(tmp_path / "run"), "workers": 1,
        "sources": {"web": {"type": "rows", "paths": ["rows.jsonl"], "fields": FIELDS}},
        "policy": "plain.yaml",
    }  # fmt: skip
    policy = {
        "name": "plain",
        "version": "1",
        "description": "keeps all",
        "rules": [
            {
                "id": "one",
                "reason": "too_short",
                "remove_if": {"chars": {"lt": 1}},
                "unit": "characters",
                "origin": "test",
                "date": "2026-11-24",
            }
        ],
    }
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(policy), "utf-8")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return load_plan(str(tmp_path / "recipe.yaml"))


def holding(run: str, words: str) -> list[str]:
    """Files of a run in which words stand, Parquet's pages opened."""
    found = []
    for folder, _, names in os.walk(run):
        for name in names:
            path = os.path.join(folder, name)
            content = str(pq.read_table(path).to_pylist()) if name.endswith(".parquet") else Path(path).read_text("utf-8", "replace")
            if words in content or words in Path(path).read_text("utf-8", "replace"):
                found.append(os.path.relpath(path, run))
    return found


def test_the_words_leave_every_file_and_the_copies_go_too(plan: Plan) -> None:
    first = build(plan)
    assert first.funnel["web"].kept == 13 and len(holding(plan.output, SECRET)) >= 2
    named = forget_documents(plan, Selectors(ids=("web:secret",)))
    assert named.ids == ("web:secret",) and named.copies == ("web:copy", "web:near")
    assert holding(plan.output, SECRET) == [] == holding(plan.output, "黑狗坐在講台")
    decision = explain(plan.output, "web:secret").decision
    assert (decision["status"], decision["reason"], decision["rule"]) == ("removed", "forgotten", "forget")
    again = build(plan)
    assert all(again.reused.values())
    assert (again.funnel["web"].documents, again.funnel["web"].kept, again.funnel["web"].reasons) == (15, 12, {"forgotten": 3})
    (proof,) = json.loads(Path(plan.output, PROOF).read_text("utf-8"))
    assert proof["documents"] == 1 and proof["copies"] == 2
    assert {name.split("/")[0] for name in proof["files"]} == {"work", "data"}
    assert all(digests["before"] != digests["after"] for digests in proof["files"].values())


def test_a_copy_may_stay_and_then_takes_the_place(plan: Plan) -> None:
    build(plan)
    shown = explain(plan.output, "web:secret").decision
    assert forget_documents(plan, Selectors(ids=("web:near",)), with_copies=False).copies == ()
    assert "後來他們又蓋了" not in str(holding(plan.output, "後來他們又蓋了")) and holding(plan.output, "後來他們又蓋了") == []
    assert shown["status"] in ("kept", "removed") and build(plan).funnel["web"].kept == 13


def test_what_is_read_again_stays_forgotten_also_under_another_id(plan: Plan) -> None:
    build(plan)
    forget_documents(plan, Selectors(holders=("林小姐",)))
    source = Path(plan.files[0].path)
    more = [*rows(), {"id": "again", "text": STORY.format(who=SECRET), "url": "https://other.example"}, {"id": "new", "text": "今天" * 40}]
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in more), "utf-8")
    result = build(load_plan(plan.recipe_path))
    assert result.funnel["web"].reasons["forgotten"] == 4 and holding(plan.output, SECRET) == []


@pytest.mark.parametrize(
    ("selectors", "ids"),
    [
        (Selectors(urls=("https://news.example/3",)), ("web:n3",)),
        (Selectors(domains=("blog.example",)), ("web:near", "web:secret")),
        (Selectors(ids=("web:n1",), urls=("https://news.example/2",)), ("web:n1", "web:n2")),
    ],
)
def test_selectors(plan: Plan, selectors: Selectors, ids: tuple[str, ...]) -> None:
    build(plan)
    assert find(plan.output, selectors, with_copies=False).ids == ids


@pytest.mark.parametrize("url", [None, "", "no address", "http://[bad", "mailto:a@b.example"])
def test_what_is_no_address_has_no_host(url: str | None) -> None:
    assert host_of(url) is None


def test_nothing_that_matches_is_one_line(plan: Plan) -> None:
    with pytest.raises(UserError, match="holds no finished run"):
        forget_documents(plan, Selectors(ids=("web:n1",)))
    build(plan)
    with pytest.raises(UserError, match="no document matches ids web:gone") as caught:
        forget_documents(plan, Selectors(ids=("web:gone",)))
    assert "\n" not in str(caught.value) and not Path(plan.output, LIST).exists()


def test_the_command_says_what_it_would_do_and_does_it(plan: Plan) -> None:
    build(plan)
    told = twllm("corpus", "forget", plan.recipe_path, "--domain", "NEWS.example", "--dry-run", "--json")
    assert told.returncode == 0, told.stderr
    assert len(json.loads(told.stdout)["ids"]) == 12 and not Path(plan.output, LIST).exists()
    done = twllm("corpus", "forget", plan.recipe_path, "--id", "web:n1")
    assert done.returncode == 0, done.stderr
    assert "1 documents and 0 copies of them are forgotten" in done.stdout


KILLED = """
import os, signal, sys
import corpus.forget, factory.storage as storage
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
from corpus.build import forget_documents
from corpus.forget import Selectors
from corpus.recipe import load_plan
forget_documents(load_plan(sys.argv[1]), Selectors(ids=("web:secret",)))
print(seen)
"""


def test_killed_anywhere_the_next_build_ends_the_same(plan: Plan, tmp_path: Path) -> None:
    """kill -9 before and after renames; what comes next is `build`, or `forget` once more."""
    build(plan)
    shutil.copytree(plan.output, tmp_path / "fresh")

    def run(stop: int, side: str) -> subprocess.CompletedProcess[str]:
        shutil.rmtree(plan.output)
        shutil.copytree(tmp_path / "fresh", plan.output)
        return subprocess.run(
            [sys.executable, "-c", KILLED, plan.recipe_path, str(stop), side], cwd=REPOSITORY, capture_output=True, text=True
        )

    whole = run(10**9, "after")
    assert whole.returncode == 0, whole.stderr
    shutil.copytree(plan.output, tmp_path / "whole")
    renames = int(whole.stdout)
    picker = random.Random(20261124)
    for stop in sorted({1, 2, 3, 4, 5, *picker.sample(range(6, renames + 1), min(3, renames - 5))}):
        side = picker.choice(["before", "after"])
        assert run(stop, side).returncode == -signal.SIGKILL
        if stop == 1 and side == "before":
            forget_documents(plan, Selectors(ids=("web:secret",)))  # the request itself was not written yet
        else:
            build(plan)
        assert holding(plan.output, SECRET) == []
        changed = [name for name in differing(Path(plan.output), tmp_path / "whole") if name not in (LIST, PROOF)]  # they state a time
        assert changed == [], (stop, side)
