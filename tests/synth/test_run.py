"""Runs against a counting endpoint: kills, faults, the cap, wrong settings, lineage."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from factory.errors import UserError
from synth.ledger import Ledger
from synth.recipe import load_plan
from synth.run import foresee, piloted, run
from tests.synth.conftest import REPOSITORY, Endpoint

Serve, Write = Callable[..., Endpoint], Callable[..., str]
STAGES = [
    {"task": "paraphrase", "each": 2}, {"task": "self_instruct", "draws": 30}, {"task": "multi_turn", "limit": 20},
    {"task": "judge", "over": "accepted", "limit": 40}, {"task": "preference", "limit": 20},
]  # fmt: skip
FILES = ("accepted.jsonl", "rejected.jsonl", "preferences.jsonl", "summary.json", "synth-report.html", "README.md")


def outputs(folder: str) -> list[bytes]:
    return [Path(folder, name).read_bytes() for name in FILES]


def rows(folder: str, name: str = "accepted.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, name).read_text(encoding="utf-8").splitlines()]


def seeds(folder: Path, *questions: str) -> str:
    answer = "這題要看情況，先問清楚再決定，通常隔天就會有結果。"
    made = [
        {"id": f"s{number}", "category": "knowledge", "topic": "題", "tone": "親切", "question": text, "answer": answer}
        for number, text in enumerate(questions)
    ]
    path = folder / "seeds.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), "utf-8")
    return str(path)


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from factory.cli import main; main()", "synth", *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


def test_a_run_of_all_kinds_of_stages_and_its_lineage(serve: Serve, recipe: Write) -> None:
    endpoint = serve()
    plan = load_plan(recipe(endpoint.url, stages=STAGES))
    result = run(plan)
    accepted, preferences = rows(plan.output), rows(plan.output, "preferences.jsonl")
    assert result.accepted == len(accepted) + len(preferences) and result.waiting == 0
    assert result.asked == len(endpoint.asked()) == len(set(endpoint.asked()))
    parents = {f"seed-{n:03d}" for n in range(1, 101)} | {row["id"] for row in accepted}
    assert all(set(row["lineage"]["parents"]) <= parents and row["lineage"]["prompt"].endswith("@2.0.0") for row in accepted)
    assert all(row["messages"][-1]["role"] == "assistant" for row in accepted)
    assert sum("judge" in row for row in accepted) == 40
    assert all(set(row) >= {"prompt", "chosen", "rejected"} for row in preferences)
    before = outputs(plan.output)
    again = run(plan)
    assert again.asked == 0 and outputs(plan.output) == before
    import datasets

    assert len(datasets.load_dataset("json", data_files=f"{plan.output}/preferences.jsonl", split="train")) == len(preferences)


def test_killed_anywhere_it_ends_the_same_and_pays_little_twice(serve: Serve, recipe: Write, tmp_path: Path) -> None:
    """Ten seeded kills spread over the run; each may cost what was in flight."""
    whole = load_plan(recipe(serve().url, "whole", stages=STAGES))
    run(whole)
    endpoint = serve(delay=0.04)
    path = recipe(endpoint.url, "killed", stages=STAGES)
    picker = random.Random(20261124)
    kills = 0
    for _ in range(10):
        before = len(endpoint.asked())
        child = subprocess.Popen(
            [sys.executable, "-c", "from factory.cli import main; main()", "synth", "run", path],
            cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wanted = before + picker.randint(3, 28)
        until = time.monotonic() + 60
        while len(endpoint.asked()) < wanted and child.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        child.kill()
        kills += child.wait() == -signal.SIGKILL
    assert kills == 10
    plan = load_plan(path)
    result = run(plan)
    assert result.asked > 0, "no work was left to do"
    twice = sum(count - 1 for count in Counter(endpoint.asked()).values())
    assert twice <= kills * plan.recipe.endpoint.max_in_flight
    assert [b.replace(b"killed", b"whole") for b in outputs(plan.output)] == outputs(whole.output)


@pytest.mark.soak
def test_two_hundred_kills_over_two_thousand_requests(serve: Serve, recipe: Write) -> None:
    """The counts go to benchmarks/results/synth_kills.json."""
    from benchmarks import ROOT, environment, write_result

    stages = [{"task": "paraphrase", "each": 20}]
    whole = load_plan(recipe(serve().url, "whole", stages=stages, endpoint={"max_in_flight": 64}))
    run(whole)
    endpoint = serve(delay=0.02)
    path = recipe(endpoint.url, "killed", stages=stages)
    picker, kills = random.Random(20261124), 0
    while kills < 200:
        wanted = len(endpoint.asked()) + picker.randint(1, 17)
        child = subprocess.Popen(
            [sys.executable, "-c", "from factory.cli import main; main()", "synth", "run", path],
            cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 120
        while len(endpoint.asked()) < wanted and child.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        child.kill()
        assert child.wait() == -signal.SIGKILL, f"the run ended by itself before kill {kills + 1}"
        kills += 1
    plan = load_plan(path)
    left = run(plan).asked
    twice = sum(count - 1 for count in Counter(endpoint.asked()).values())
    assert left > 0 and twice <= kills * plan.recipe.endpoint.max_in_flight
    assert [b.replace(b"killed", b"whole") for b in outputs(plan.output)] == outputs(whole.output)
    result = {
        "kills": kills,
        "requests": 2_000,
        "in_flight": plan.recipe.endpoint.max_in_flight,
        "paid_twice": twice,
        "left_at_the_end": left,
    }
    write_result(str(ROOT / "benchmarks" / "results" / "synth_kills.json"), {**result, **environment(("synth",), ("openai",))})


def test_a_bad_answer_costs_one_row(serve: Serve, recipe: Write, tmp_path: Path) -> None:
    """A refusal, a hang, a stream that ends early and a reply that is no JSON among good ones."""
    faults = ["[[400]] 颱風天要上班嗎？", "[[hang]] 健保卡掉了怎麼辦？", "[[cut]] 發票怎麼對獎？", "[[words]] 高鐵票可以退嗎？"]
    path = seeds(tmp_path, *faults, *(f"第{number}個問題是什麼呢？請說明一下{chr(0x4E00 + 37 * number)}。" for number in range(496)))
    plan = load_plan(recipe(serve().url, seeds=[path], endpoint={"timeout_seconds": 1.5}))
    result = run(plan)
    assert (result.accepted + sum(result.rejected.values()), result.rejected["no_answer"]) == (500, 4)
    details = {row["parent"]: row["detail"] for row in rows(plan.output, "rejected.jsonl")}
    assert details["s0"] == "refused: HTTP 400" and details["s1"].startswith("gave_up: no answer in")
    assert details["s2"].startswith("gave_up") and details["s3"].startswith("gave_up")
    assert run(plan).asked == 0
    assert run(plan, retry=True).asked == 3  # what was refused is not asked again


def test_the_cap_is_passed_by_no_more_than_what_is_in_flight(serve: Serve, recipe: Write) -> None:
    endpoint = serve(delay=0.01)
    free = load_plan(recipe(endpoint.url, "free"))
    total = run(free).cost
    plan = load_plan(recipe(endpoint.url, "capped", cap=str(total / 2), endpoint={"max_in_flight": 4}))
    result = run(plan)
    largest = max(call.cost for call in Ledger(plan.ledger).find(_keys(plan.ledger)).values())
    assert result.stopped and result.waiting > 0
    assert total / 2 <= result.cost <= total / 2 + 4 * largest
    assert result.accepted + sum(result.rejected.values()) + result.waiting == 100
    assert run(plan).asked == 0


def _keys(path: str) -> list[str]:
    import sqlite3

    with sqlite3.connect(path) as book:
        return [key for (key,) in book.execute("SELECT key FROM calls")]


ALL = [
    {"task": "paraphrase", "each": 2}, {"task": "evol", "limit": 60}, {"task": "self_instruct", "draws": 40},
    {"task": "multi_turn", "limit": 40},
    {"task": "judge", "over": "accepted"}, {"task": "preference", "over": "accepted", "limit": 150},
]  # fmt: skip


def test_an_estimate_with_a_pilot_is_within_a_tenth_of_the_ledger(serve: Serve, recipe: Write) -> None:
    """Stages over accepted rows among them: how many there will be is part of the estimate."""
    plan = load_plan(recipe(serve().url, stages=ALL))
    blind, guess = foresee(plan)
    assert guess and blind.requests > 300
    run(piloted(plan, 15))
    piloted_cost = Ledger(plan.ledger).spent()
    found, guess = foresee(plan)
    assert not guess
    asked = run(plan).asked
    real = Ledger(plan.ledger).spent() - piloted_cost
    assert abs(found.requests - asked) <= asked / 10 and abs(found.cost - real) <= real / 10
    assert foresee(plan)[0].requests == 0


def test_the_command_pilots_first(serve: Serve, recipe: Write) -> None:
    endpoint = serve()
    path = recipe(endpoint.url, stages=[{"task": "paraphrase", "each": 1}])
    done = command("estimate", path, "--pilot", "10", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) | {"cost": ""} == {**json.loads(done.stdout), "cost": "", "requests": 90, "guess": False}
    assert len(endpoint.asked()) == 10 and run(load_plan(path)).asked == 90


def test_wanted_shares_decide_what_self_instruct_draws(serve: Serve, recipe: Write) -> None:
    mixture = {"code": 3, "translation": 1}
    plan = load_plan(recipe(serve().url, stages=[{"task": "self_instruct", "draws": 24}], mixture=mixture))
    run(plan)
    facts = json.loads(Path(plan.output, "summary.json").read_text(encoding="utf-8"))
    assert set(facts["categories"]) <= {"code", "translation"} and facts["wanted"] == mixture
    assert facts["categories"]["code"] > 2 * facts["categories"].get("translation", 0)
    assert facts["mixture"]["code"] == {"self_instruct": facts["categories"]["code"]}
    with pytest.raises(UserError, match="no category 'cooking'"):
        load_plan(recipe(serve().url, "bad", mixture={"cooking": 1}))


def test_rows_made_while_answers_come_in_are_those_made_afterwards(serve: Serve, recipe: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synth.run.EVERY", 0.0)
    live = load_plan(recipe(serve(delay=0.005).url, "live", stages=STAGES))
    run(live)
    later = load_plan(recipe(serve().url, "later", stages=STAGES))
    monkeypatch.setattr("synth.run.EVERY", 1e9)
    run(later)
    assert [b.replace(b"live", b"later") for b in outputs(live.output)] == outputs(later.output)


def test_lineage_names_what_the_request_varied(serve: Serve, recipe: Write) -> None:
    plan = load_plan(recipe(serve().url))
    run(plan)
    facets = [row["lineage"]["facets"] for row in rows(plan.output)]
    assert {tuple(sorted(found)) for found in facets} == {("length", "persona", "region", "register", "tone", "what")}
    assert len({found["tone"] for found in facets}) == 6 and len({found["region"] for found in facets}) == 5


def test_a_ledger_of_the_first_format_is_read_on(serve: Serve, recipe: Write) -> None:
    import sqlite3

    plan = load_plan(recipe(serve().url))
    run(plan)
    with sqlite3.connect(plan.ledger) as book:
        book.execute("ALTER TABLE calls DROP COLUMN finish")
        book.execute("DROP TABLE batches")
        book.execute("PRAGMA user_version = 1")
    assert run(plan).asked == 0


def test_money_is_exact(serve: Serve, recipe: Write) -> None:
    prices = {"dated": "2026-11-24", "models": {"counting": {"prompt": "0.1", "completion": "0.2"}}}
    plan = load_plan(recipe(serve().url, prices=prices))
    cost = run(plan).cost
    book = Ledger(plan.ledger)
    calls = book.find(_keys(plan.ledger)).values()
    assert cost == sum(
        (Decimal(c.prompt_tokens) * Decimal("0.1") + Decimal(c.completion_tokens) * Decimal("0.2")) / 1_000_000 for c in calls
    )


@pytest.mark.parametrize(
    ("keys", "environment", "message"),
    [
        ({"endpoint": {"api_key_env": "TWLLM_TEST_KEY"}}, {"TWLLM_TEST_KEY": "sk-bad"}, "refuses the key (401). Correct TWLLM_TEST_KEY"),
        ({"endpoint": {"api_key_env": "TWLLM_TEST_KEY"}}, {}, "TWLLM_TEST_KEY is not set"),
        ({"endpoint": {"model": "unknown"}}, {}, "does not know model 'unknown'"),
        ({"endpoint": {"model": "unpriced"}}, {}, "model 'unpriced' has none"),
        ({"endpoint": {"base_url": "http://127.0.0.1:9/v1", "attempts": 1}}, {}, "cannot be reached"),
        ({"endpoint": {"base_url": "127.0.0.1:9"}}, {}, "is no address"),
        ({"seeds": ["none.jsonl"]}, {}, "names no file"),
        ({"stages": [{"task": "cook"}]}, {}, "no task 'cook'"),
        ({"stages": [{"task": "self_instruct"}]}, {}, "'draws' belongs to self_instruct"),
        ({"stages": [{"task": "localize", "over": "none.jsonl"}]}, {}, "there is no such file"),
        ({"cap": -1}, {}, "cap"),
    ],
)
def test_wrong_settings_are_one_line(serve: Serve, recipe: Write, keys: dict[str, Any], environment: dict[str, str], message: str) -> None:
    done = command("run", recipe(serve().url, **keys), **environment)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert "sk-bad" not in done.stderr


def test_an_endpoint_that_was_down_for_a_few_requests_is_asked_again_by_retry(serve: Serve, recipe: Write, tmp_path: Path) -> None:
    path = seeds(tmp_path, "颱風天要上班嗎？請說明一下。", "發票要怎麼對獎比較快？")
    away = load_plan(recipe("http://127.0.0.1:9/v1", seeds=[path], endpoint={"attempts": 1}))
    with pytest.raises(UserError, match=r"cannot be reached\. .*retry"):
        run(away)
    back = load_plan(recipe(serve().url, seeds=[path]))
    assert run(back).rejected == {"no_answer": 2} and run(back, retry=True).accepted == 2


def test_two_runs_on_one_ledger_and_a_ledger_that_is_none(serve: Serve, recipe: Write, tmp_path: Path) -> None:
    from factory import manifest

    plan = load_plan(recipe(serve().url))
    with manifest.exclusive(plan.output), pytest.raises(UserError, match="another run is writing there"):
        run(plan)
    (tmp_path / "book.sqlite").write_text("這裡放的是一般的文字檔案，並不是帳本。" * 100, "utf-8")
    done = command("run", recipe(serve().url, "other", ledger="book.sqlite"))
    assert done.returncode == 2 and "is no ledger" in done.stderr


@pytest.mark.parametrize(
    "url", ["http://192.168.1.5/v1", "https://api.example.com/v1", "http://localhost.example.com/v1", "http://[2001:db8::1]/v1"]
)
def test_on_premise_asks_no_stranger(recipe: Write, url: str) -> None:
    plan = load_plan(recipe(url))
    with pytest.raises(UserError, match="--on-premise refuses"):
        run(plan, on_premise=True)
    assert not Path(plan.ledger).exists()


def test_no_key_in_any_file(serve: Serve, recipe: Write, tmp_path: Path) -> None:
    path = recipe(serve().url, endpoint={"api_key_env": "TWLLM_TEST_KEY"})
    done = command("run", path, TWLLM_TEST_KEY="sk-0123456789secret")
    assert done.returncode == 0, done.stderr
    assert [name for name in tmp_path.rglob("*") if name.is_file() and b"0123456789secret" in name.read_bytes()] == []


def test_a_busy_endpoint_is_asked_more_slowly_and_loses_nothing(recipe: Write) -> None:
    import asyncio
    import threading

    from tests.synth.server import Server

    server, ready = Server(delay=0.005, busy_every=7), threading.Event()

    async def serve_it() -> None:
        await server.start()
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve_it()), daemon=True).start()
    assert ready.wait(10)
    plan = load_plan(recipe(f"http://127.0.0.1:{server.port}/v1", endpoint={"max_in_flight": 32, "attempts": 8}))
    result = run(plan)
    assert result.rejected.get("no_answer", 0) == 0 and result.accepted + sum(result.rejected.values()) == 100
    assert server.most <= 32


def test_status_derives_without_asking(serve: Serve, recipe: Write) -> None:
    endpoint = serve()
    done = command("status", recipe(endpoint.url), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["waiting"] == 100 and endpoint.asked() == []
