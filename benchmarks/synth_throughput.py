"""Requests a second of the synthesis runner beside a bare openai client and distilabel's Pipeline: `python -m benchmarks.synth_throughput`.

One local counting server in a process of its own, which answers after 50 ms; the same requests for all, at 64 and 256 in flight, the sides
in turn, three times each, the median counted. The runner writes every answer to its ledger before it counts as done; the bare client
keeps them in memory. distilabel asks once, with a tenth of the requests, since it takes seconds to start. Also: memory at 500,000 rows
in the ledger (`--rows`). Writes benchmarks/results/synth_throughput.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from typing import Any

from benchmarks import ROOT, environment, write_result

RESULT = ROOT / "benchmarks" / "results" / "synth_throughput.json"
DELAY = 0.05
REQUESTS = 4_000
REPEATS = 3
IN_FLIGHT = (64, 256)


def requests_of(count: int, salt: str) -> list[Any]:
    from synth.seeds import bundled_paths, load
    from synth.tasks import TASKS

    seeds = [seed.model_dump() for seed in load(bundled_paths())]
    rows = [{**seeds[number % 100], "id": f"{salt}-{number}"} for number in range(count)]
    return list(TASKS["paraphrase"].requests(rows, 1, {"temperature": 0.7, "max_tokens": 512}, 1))


def ours(url: str, requests: list[Any], in_flight: int) -> float:
    from synth.execute import execute
    from synth.ledger import Ledger
    from synth.money import Price
    from synth.provider import Endpoint

    endpoint = Endpoint(base_url=url, model="counting", max_in_flight=in_flight)
    with tempfile.TemporaryDirectory() as folder:
        book = Ledger(f"{folder}/ledger.sqlite")
        start = time.perf_counter()
        spent = execute(requests, book, endpoint, Price(prompt=Decimal(1), completion=Decimal(2)), None, lambda call: None)
        seconds = time.perf_counter() - start
        assert spent.answered == len(requests) == book.count()
        book.close()
    return len(requests) / seconds


def bare(url: str, requests: list[Any], in_flight: int) -> float:
    from openai import AsyncOpenAI

    async def run() -> float:
        free = asyncio.Semaphore(in_flight)
        kept: list[str] = []

        async def one(client: AsyncOpenAI, body: dict[str, Any]) -> None:
            async with free:
                reply = await client.chat.completions.create(model="counting", **body)
                kept.append(str(reply.choices[0].message.content))

        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            start = time.perf_counter()
            await asyncio.gather(*(one(client, request.body) for request in requests))
            return len(kept) / (time.perf_counter() - start)

    return asyncio.run(run())


def distilabel(url: str, count: int, in_flight: int) -> float:
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts

    from synth.distilabel_tasks import task_class
    from synth.seeds import bundled_paths, load

    seeds = [seed.model_dump() for seed in load(bundled_paths())]
    data = [{**seeds[number % 100], "id": f"d-{number}"} for number in range(count)]
    with tempfile.TemporaryDirectory() as folder, Pipeline(name="rate", cache_dir=folder) as pipeline:
        rows = LoadDataFromDicts(data=data, batch_size=in_flight)
        llm = OpenAILLM(base_url=url, api_key="none", model="counting", generation_kwargs={"max_new_tokens": 512})
        task = task_class("paraphrase")(
            name="paraphrase", llm=llm, input_batch_size=in_flight, output_mappings={"question": "new_question"}
        )
        rows >> task
        start = time.perf_counter()
        made = pipeline.run(use_cache=False)["default"]["train"]
        return len(made) / (time.perf_counter() - start)


def memory(rows: int) -> dict[str, Any]:
    """Peak memory of a run that derives its files from a ledger with so many answers, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.synth_throughput", "--derive", str(rows)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def derive(rows: int) -> None:
    import yaml

    from synth.ledger import ANSWERED, Call, Ledger
    from synth.recipe import load_plan
    from synth.rows import Rows
    from synth.run import requests, run
    from tests.synth.server import content

    with tempfile.TemporaryDirectory() as folder:
        recipe = {
            "name": "memory",
            "output": f"{folder}/run",
            "stages": [{"task": "multi_turn", "each": rows // 100}],
            "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"},
            "prices": {"dated": "2026-11-24", "models": {"m": {"prompt": 0, "completion": 0}}},
        }
        with open(f"{folder}/r.yaml", "w", encoding="utf-8") as stream:
            yaml.safe_dump(recipe, stream)
        plan = load_plan(f"{folder}/r.yaml")
        book, batch = Ledger(plan.ledger), []
        for request in requests(plan, plan.recipe.stages[0], Rows(plan)):
            text = content(request.body["messages"][-1]["content"], request.body["seed"])
            batch.append(Call(request.key, ANSWERED, "m", text, 1, 1, Decimal(0), ""))
            if len(batch) == 10_000:
                book.append(batch)
                batch = []
        book.append(batch)
        book.close()
        start = time.perf_counter()
        result = run(plan, ask=False)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            json.dumps({"rows": rows, "accepted": result.accepted, "seconds": round(seconds, 1), "peak_rss_mb": round(peak * 1024 / 1e6)})
        )


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000, help="of the ledger whose memory is measured; 0 for none")
    parser.add_argument("--derive", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.derive:
        derive(given.derive)
        return
    logging.disable(logging.INFO)  # distilabel logs every request
    result: dict[str, Any] = {"requests": REQUESTS, "seconds_of_the_server": DELAY, "rates": {}}
    with tempfile.NamedTemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.synth.server", log.name, str(DELAY)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert child.stdout is not None
            url = f"http://127.0.0.1:{int(child.stdout.readline())}/v1"
            for in_flight in IN_FLIGHT:
                rates: dict[str, list[float]] = {"openai": [], "twllm": []}
                for repeat in range(REPEATS):
                    rates["openai"].append(bare(url, requests_of(REQUESTS, f"b{in_flight}{repeat}"), in_flight))
                    rates["twllm"].append(ours(url, requests_of(REQUESTS, f"o{in_flight}{repeat}"), in_flight))
                row = {name: round(statistics.median(values), 1) for name, values in rates.items()}
                row["ratio"] = round(row["twllm"] / row["openai"], 3)
                row["distilabel"] = round(distilabel(url, REQUESTS // 10, in_flight), 1)
                result["rates"][str(in_flight)] = {**row, "repeats": {n: [round(v, 1) for v in values] for n, values in rates.items()}}
                print(in_flight, result["rates"][str(in_flight)], flush=True)
        finally:
            child.kill()
    if given.rows:
        result["memory"] = memory(given.rows)
        print(result["memory"])
    result |= environment(("benchmarks.synth_throughput", "synth"), ("distilabel", "openai"))
    write_result(str(RESULT), result)


if __name__ == "__main__":
    main()
