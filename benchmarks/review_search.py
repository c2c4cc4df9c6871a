"""How long searches take in the review server: `python -m benchmarks.review_search [--records 50000]`.

Needs TWLLM_DATA. Starts a server as `twllm review up` does, fills it with posts, news and fact-checks in file order, copies and
all (`benchmarks.review_records`), and measures requests to Argilla's HTTP interface as its pages make them: ten records, with
their answers and suggestions. The bar is 300 ms for a text query over 50,000 records. The peer is an engine that reads every text
(`benchmarks.review_like`), on the same database in the same run. Writes benchmarks/results/review_search.json for the full
50,000; no text, only queries and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from benchmarks import ROOT, data_folder, environment, write_result
from benchmarks.review_indexes import compare
from benchmarks.review_records import DIMENSIONS, SEED, Asker, asker, fill, texts
from curation.server import environment as argilla
from curation.server import lifecycle, processes
from curation.server.accounts import Asked
from curation.server.instance import Home

RESULT = ROOT / "benchmarks" / "results" / "review_search.json"
DOCS = ROOT / "docs" / "review_search.md"
RECORDS, BAR_MS = 50_000, 300
REPEATS, PEER_REPEATS = 20, 3
QUERIES = ("的", "台", "麵", "我們", "牛肉", "牛肉麵", "有沒有", "台灣人的", "不知道大家", "台北 捷運", "牛肉麵 好吃",
           "the", "http", "沒有這樣的字串")  # fmt: skip
PEER_QUERIES = ("的", "麵", "牛肉", "牛肉麵", "不知道大家")
STATUS = {"entity": "response", "property": "status"}
CODE = tuple(
    f"curation.argilla_plugin.twllm_argilla.{name}"
    for name in ("engine", "query", "search", "similarity", "sqlite", "sqlite_schema", "store", "text")
)


def cpu_seconds(process: int) -> float | None:
    """What a process has computed; None where there is no /proc."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return None
    return sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def timed(ask: Asker, method: str, path: str, body: Any, repeats: int) -> dict[str, Any]:
    """Median and 95th percentile in milliseconds, after one request that is not counted but told; and what the server computed."""
    taken: list[float] = []
    answer, computed = None, None
    for turn in range(repeats + 1):
        began = time.perf_counter()
        answer = ask.call(method, path, body)
        taken.append(1000 * (time.perf_counter() - began))
        if turn == 0:
            computed = cpu_seconds(ask.process)
    ended = cpu_seconds(ask.process)
    later = taken[1:]
    measured = {"median_ms": statistics.median(later), "p95_ms": sorted(later)[max(0, round(0.95 * len(later)) - 1)], "first_ms": taken[0]}
    found = {"total": answer["total"]} if isinstance(answer, dict) and isinstance(answer.get("total"), int) else {}
    if computed is not None and ended is not None:
        measured["cpu_ms"] = 1000 * (ended - computed) / repeats
    return found | {name: round(value, 1) for name, value in measured.items()}


def measure(owner: Asker, annotator: Asker, dataset: str) -> dict[str, Any]:
    """Every kind of request of the pages."""
    page = "limit=10&include=responses&include=suggestions"
    mine, all_responses = f"/me/datasets/{dataset}/records/search?{page}", f"/datasets/{dataset}/records/search?{page}"
    source = {"entity": "metadata", "metadata_property": "source"}
    news = {"type": "terms", "scope": source, "values": ["news_tw"]}
    pending = {"type": "terms", "scope": STATUS, "values": ["pending"]}
    by_priority = {"sort": [{"scope": {"entity": "metadata", "metadata_property": "priority"}, "order": "desc"}]}
    by_score = {"sort": [{"scope": {"entity": "suggestion", "question": "verdict", "property": "score"}, "order": "asc"}]}
    by_answer = {"sort": [{"scope": {"entity": "response", "question": "verdict"}, "order": "asc"}]}
    by_change = {"sort": [{"scope": {"entity": "record", "property": "updated_at"}, "order": "desc"}]}
    long = {"type": "range", "scope": {"entity": "metadata", "metadata_property": "length"}, "ge": 200}
    sure = {"type": "range", "scope": {"entity": "suggestion", "question": "verdict", "property": "score"}, "ge": 0.9}

    def text(query: str) -> dict[str, Any]:
        return {"query": {"text": {"q": query}}}

    result: dict[str, Any] = {"text": {query: timed(annotator, "POST", mine, text(query), REPEATS) for query in QUERIES}}
    result["text, pending, a source"] = {
        query: timed(annotator, "POST", mine, text(query) | {"filters": {"and": [pending, news]}}, REPEATS) for query in ("的", "牛肉麵")
    }
    result["text, by priority"] = {query: timed(annotator, "POST", mine, text(query) | by_priority, REPEATS) for query in ("的", "牛肉麵")}
    others = {
        "queue: pending by priority": (mine, {"filters": {"and": [pending]}} | by_priority),
        "queue: pending, no order asked for": (mine, {"filters": {"and": [pending]}}),
        "queue: pending of a source by priority": (mine, {"filters": {"and": [pending, news]}} | by_priority),
        "filter: a source and a length": (all_responses, {"filters": {"and": [news, long]}}),
        "filter: a suggestion's score": (all_responses, {"filters": {"and": [sure]}}),
        "sort: by a suggestion's score": (all_responses, by_score),
        "sort: by an answer": (all_responses, by_answer),
        "sort: by last change": (all_responses, by_change),
        "page: the 25,000th record": (f"{all_responses}&offset=25000", by_change),
    }
    result |= {name: timed(annotator if path == mine else owner, "POST", path, body, REPEATS) for name, (path, body) in others.items()}
    draw = random.Random(SEED + 1)
    vector = {"query": {"vector": {"name": "meaning", "value": [draw.gauss(0, 1) for _ in range(DIMENSIONS)]}}}
    result["similar"] = timed(owner, "POST", all_responses, vector, REPEATS)
    result["progress"] = timed(owner, "GET", f"/datasets/{dataset}/progress", None, REPEATS)
    result["an annotator's progress"] = timed(annotator, "GET", f"/me/datasets/{dataset}/metrics", None, REPEATS)
    properties = owner.call("GET", f"/me/datasets/{dataset}/metadata-properties")["items"]
    for item in properties:
        result[f"metrics: {item['name']}"] = timed(owner, "GET", f"/metadata-properties/{item['id']}/metrics", None, REPEATS)
    return result


def peer(place: Home, key: str, dataset: str) -> dict[str, Any]:
    """Text queries to the engine that reads every text."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    python, program = str(argilla.python(argilla.folder())), str(Path(__file__).with_name("review_like.py"))
    variables = lifecycle.python_environment(place, port)
    server = subprocess.Popen([python, program, str(port)], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ask, deadline = asker(f"http://127.0.0.1:{port}", key, server.pid), time.monotonic() + 120
        while True:
            try:
                ask.call("GET", "/me")
                break
            except requests.ConnectionError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.2)
        path = f"/me/datasets/{dataset}/records/search?limit=10&include=responses&include=suggestions"
        return {query: timed(ask, "POST", path, {"query": {"text": {"q": query}}}, PEER_REPEATS) for query in PEER_QUERIES}
    finally:
        server.terminate()
        server.wait(30)


def table(result: dict[str, Any]) -> str:
    """The Markdown that docs/review_search.md shows."""
    lines = ["| | found | median ms | 95 % ms | server's CPU ms | peer, median ms |", "|---|---:|---:|---:|---:|---:|"]
    peers = result["peer"]["text"]

    def line(name: str, one: dict[str, Any], other: dict[str, Any] | None) -> str:
        found = f"{one['total']:,}" if "total" in one else ""
        times = f"{one['median_ms']:,.0f} | {one['p95_ms']:,.0f} | {one.get('cpu_ms', float('nan')):,.0f}"
        return f"| {name} | {found} | {times} | {other['median_ms']:,.0f} |" if other else f"| {name} | {found} | {times} | |"

    for name, one in result["embedded"].items():
        if "median_ms" in one:
            lines.append(line(name, one, None))
        else:
            lines += [line(f"{name}: {query}", each, peers.get(query) if name == "text" else None) for query, each in one.items()]
    load = " / ".join(map(str, result["load_average"]))
    said = (
        f"{result['records']:,} records, {result['database_megabytes']:,} MB of database; {result['cores']} cores shared with other work "
        f"(load {load}), {result['repeats']} requests each. Bar: {result['bar_ms']} ms; slowest text query, 95 %: "
        f"{result['slowest_text_p95_ms']:,.0f} ms. Indexing {result['indexed']:,} records took {result['index_seconds']:.0f} s; "
        f"pushing {result['pushed']:,} through Argilla {result['push_seconds']:.0f} s."
    )
    ours, other = (result["indexes"][name] for name in ("characters", "trigram"))
    sizes = (
        f"The same texts in an FTS5 index of characters: {ours['megabytes']} MB, made in {ours['cpu_seconds']:.0f} s of CPU; in FTS5's "
        f"trigram index: {other['megabytes']} MB in {other['cpu_seconds']:.0f} s. Counting what holds 牛肉麵 takes "
        f"{ours['cpu_ms']['牛肉麵']:.1f} and {other['cpu_ms']['牛肉麵']:.1f} ms; 的, which trigrams do not know, "
        f"{ours['cpu_ms']['的']:.1f} ms."
    )
    return f"{said}\n\n" + "\n".join(lines) + f"\n\n{sizes}"


def renew_docs() -> None:
    """Writes the table of the committed result into the docs."""
    text = DOCS.read_text(encoding="utf-8")
    shown = table(json.loads(RESULT.read_text(encoding="utf-8")))
    head, _, rest = text.partition("<!-- search -->")
    DOCS.write_text(f"{head}<!-- search -->\n{shown}\n<!-- /search -->{rest.partition('<!-- /search -->')[2]}", encoding="utf-8")


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=RECORDS, help="how many records; a result is written for the default only")
    parser.add_argument("--docs", action="store_true", help="measure nothing: put the result that is there into docs/review_search.md")
    arguments = parser.parse_args()
    count = arguments.records
    if arguments.docs:
        return renew_docs()
    folder = data_folder()
    if folder is None:
        raise SystemExit("TWLLM_DATA names no folder of real text; set it to run this benchmark")
    with tempfile.TemporaryDirectory(prefix="twllm-review-search-") as home:
        place = Home(Path(home))
        try:
            instance = lifecycle.up(place, Asked(annotators="1", port=0)).instance
            server = processes.running(place, "server")
            assert server is not None
            owner, annotator = (asker(instance.url, account.api_key, server.pid) for account in (instance.owner, instance.annotators[0]))
            dataset, pushed = fill(place, owner, annotator, folder, count)
            print(pushed, flush=True)
            measured = measure(owner, annotator, dataset)
            megabytes = round(place.database.stat().st_size / 1e6)
            scanned = peer(place, instance.annotators[0].api_key, dataset)
        finally:
            lifecycle.down(place)
    slowest = max(one["p95_ms"] for name in ("text", "text, pending, a source", "text, by priority") for one in measured[name].values())
    result = {
        **pushed,
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "cores": os.cpu_count(),
        "bar_ms": BAR_MS,
        "slowest_text_p95_ms": slowest,
        "met": slowest < BAR_MS,
        "repeats": REPEATS,
        "vector_dimensions": DIMENSIONS,
        "database_megabytes": megabytes,
        "indexes": compare([text for _, _, text in texts(folder, count)]),
        "embedded": measured,
        "peer": {"engine": "LIKE over every text", "repeats": PEER_REPEATS, "text": scanned},
        "argilla_server": argilla.ARGILLA,
        **environment(CODE, ("requests",)),
    }
    for name, value in result["embedded"].items():
        print(f"{name}: {value}")
    print(f"peer: {scanned}\nslowest text query, p95: {slowest} ms (bar {BAR_MS} ms)")
    if count == RECORDS:
        write_result(str(RESULT), result)


if __name__ == "__main__":
    main()
