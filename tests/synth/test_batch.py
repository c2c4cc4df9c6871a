"""Runs by the batch API: the same rows as by single requests, each paid once, whenever they are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from factory.errors import UserError
from synth import ledger
from synth.ledger import BatchEvent, Ledger
from synth.recipe import load_plan
from synth.run import run
from tests.synth.conftest import REPOSITORY, Endpoint
from tests.synth.test_run import rows, seeds

Serve, Write = Callable[..., Endpoint], Callable[..., str]
FAST = {"batch_poll_seconds": 0.01, "batch_requests": 30}


class Batches:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.synth.batch_server", str(folder)]
        self.child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert self.child.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.child.stdout.readline())}/v1"

    def paid(self) -> list[str]:
        log = self.folder / "paid.log"
        return log.read_text("utf-8").split() if log.exists() else []


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[Batches]:
    started = Batches(tmp_path / "batches")
    yield started
    started.child.kill()
    started.child.wait()


def test_the_same_rows_as_by_single_requests(batches: Batches, serve: Serve, recipe: Write) -> None:
    stages = [{"task": "paraphrase", "each": 1}, {"task": "judge", "over": "accepted", "limit": 20}]
    single = load_plan(recipe(serve().url, "single", stages=stages))
    run(single)
    plan = load_plan(recipe(batches.url, "batch", stages=stages, endpoint=FAST))
    result = run(plan, by_batch=True)
    assert result.waiting == 0 and result.asked == len(batches.paid()) == len(set(batches.paid())) == 120
    assert rows(plan.output) == rows(single.output)
    assert run(plan, by_batch=True).asked == 0


def test_half_the_price(batches: Batches, serve: Serve, recipe: Write) -> None:
    prices = {"dated": "2026-11-24", "models": {"counting": {"prompt": 1, "completion": 2, "batch": "0.5"}}}
    whole = run(load_plan(recipe(serve().url, "single", prices=prices))).cost
    half = run(load_plan(recipe(batches.url, "batch", prices=prices, endpoint=FAST)), by_batch=True).cost
    assert half * 2 == whole > 0


def test_refused_and_lost_cost_one_row_each(batches: Batches, recipe: Write, tmp_path: Path) -> None:
    path = seeds(tmp_path, "[[400]] 颱風天要上班嗎？", "[[lost]] 健保卡掉了怎麼辦？", "發票要怎麼對獎比較快？")
    plan = load_plan(recipe(batches.url, seeds=[path], endpoint=FAST))
    (batches.folder / "expire").touch()
    result = run(plan, by_batch=True)
    assert result.accepted == 1 and result.rejected == {"no_answer": 2}
    details = {row["parent"]: row["detail"] for row in rows(plan.output, "rejected.jsonl")}
    assert details == {"s0": "refused: HTTP 400", "s1": "gave_up: batch expired"}
    assert run(plan, by_batch=True).asked == 0
    assert run(plan, by_batch=True, retry=True).asked == 1


def test_killed_anywhere_nothing_is_paid_twice(batches: Batches, recipe: Write) -> None:
    path = recipe(batches.url, endpoint={**FAST, "batch_requests": 10, "batch_poll_seconds": 0.05})
    kills = 0
    for wanted in (1, 11, 31, 41, 61, 71):
        child = subprocess.Popen(
            [sys.executable, "-c", "from factory.cli import main; main()", "synth", "run", path, "--batch"],
            cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 60
        while len(batches.paid()) < wanted and child.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        child.kill()
        kills += child.wait() == -signal.SIGKILL
    assert kills >= 5
    plan = load_plan(path)
    assert run(plan, by_batch=True).waiting == 0
    assert Counter(batches.paid()).most_common(1)[0][1] == 1 and len(batches.paid()) == 100


def test_a_batch_whose_creation_was_never_confirmed_is_found_again(batches: Batches, recipe: Write) -> None:
    plan = load_plan(recipe(batches.url, endpoint=FAST))
    (batches.folder / "lose-the-reply").touch()
    with pytest.raises(UserError, match=r"batch API: .*is not created twice"):
        run(plan, by_batch=True)
    assert [event.event for event in Ledger(plan.ledger).open_batches()] == [ledger.INTENDED]
    assert run(plan, by_batch=True).waiting == 0
    assert len(batches.paid()) == len(set(batches.paid())) == 100


def test_the_cap_holds_for_batches(batches: Batches, recipe: Write) -> None:
    free = run(load_plan(recipe(batches.url, "free", endpoint=FAST)), by_batch=True)
    plan = load_plan(recipe(batches.url, "capped", cap=str(free.cost / 2), endpoint=FAST, sampling={"max_tokens": 200}))
    result = run(plan, by_batch=True)
    assert result.stopped and result.waiting > 0 and 0 < result.cost <= free.cost / 2
    assert result.accepted + sum(result.rejected.values()) + result.waiting == 100


def test_wrong_key_and_no_batch_api_are_one_line(batches: Batches, serve: Serve, recipe: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWLLM_TEST_KEY", "sk-bad")
    with pytest.raises(UserError, match=r"refuses the key \(401\)"):
        run(load_plan(recipe(batches.url, endpoint={**FAST, "api_key_env": "TWLLM_TEST_KEY"})), by_batch=True)
    assert os.environ["TWLLM_TEST_KEY"] not in json.dumps(rows_of_ledger(batches))


def rows_of_ledger(batches: Batches) -> list[Any]:
    return [path.read_bytes().decode("latin-1") for path in batches.folder.parent.rglob("ledger.sqlite*")]


def test_events_of_batches_stay(tmp_path: Path) -> None:
    book = Ledger(str(tmp_path / "l.sqlite"))
    book.append([], BatchEvent("d", ledger.INTENDED, ""))
    book.append([], BatchEvent("d", ledger.CREATED, "b1"))
    assert book.open_batches() == [BatchEvent("d", ledger.CREATED, "b1")]
    book.append([], BatchEvent("d", ledger.ENDED, "b1"))
    assert book.open_batches() == []
    import sqlite3

    with pytest.raises(sqlite3.IntegrityError, match="append-only"), sqlite3.connect(tmp_path / "l.sqlite") as other:
        other.execute("DELETE FROM batches")
