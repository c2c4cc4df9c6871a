"""How long searches take in the review server: `python -m benchmarks.review_search [--records 50000]`.

Needs TWLLM_DATA. Starts a server as `twllm review up` does and fills it with posts, news and fact-checks in file order (copies
and all), with metadata, suggestions, vectors (of random numbers) and answers to a tenth: the first 1,000 through Argilla, which
takes most of its time for itself, the others written into its tables by another program, as the index allows. Then measures requests
to Argilla's HTTP interface as the pages make them: ten records, with their answers and suggestions. The bar is 300 ms for
a text query over 50,000 records. The peer is an engine that reads every text (`benchmarks.review_like`), on the same database in
the same run. Writes benchmarks/results/review_search.json for the full 50,000; no text, only queries and counts.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks import ROOT, data_folder, digest_of_ids, environment, rows, write_result
from curation.server import environment as argilla
from curation.server import lifecycle
from curation.server.accounts import Asked
from curation.server.instance import Home

RESULT = ROOT / "benchmarks" / "results" / "review_search.json"
RECORDS, BAR_MS = 50_000, 300
SOURCES = ("social_ptt", "news_tw", "cofacts_replies")
PUSHED, BATCH, REPEATS, PEER_REPEATS, DIMENSIONS, SEED = 1_000, 500, 20, 3, 64, 20261130
QUERIES = (
    "的",
    "台",
    "麵",
    "我們",
    "牛肉",
    "牛肉麵",
    "有沒有",
    "台灣人的",
    "不知道大家",
    "台北 捷運",
    "牛肉麵 好吃",
    "the",
    "http",
    "沒有這樣的字串",
)
PEER_QUERIES = ("的", "麵", "牛肉", "牛肉麵", "不知道大家")
STATUS = {"entity": "response", "property": "status"}
CODE = tuple(
    f"curation.argilla_plugin.twllm_argilla.{name}"
    for name in ("engine", "query", "search", "similarity", "sqlite", "sqlite_schema", "store", "text")
)


class Asker(NamedTuple):
    """One user's connection."""

    session: requests.Session
    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        response = self.session.request(method, f"{self.url}/api/v1{path}", json=body, timeout=600)
        if response.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json() if response.content else None


def asker(url: str, key: str) -> Asker:
    session = requests.Session()
    session.headers["X-Argilla-Api-Key"] = key
    return Asker(session, url)


def texts(folder: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """Source, id and text."""
    found = chain.from_iterable(
        ((source, row["id"], row["text"]) for row in rows(folder, source) if row["text"].strip()) for source in SOURCES
    )
    return islice(found, count)


class Item(NamedTuple):
    """A record as it is made up here."""

    external_id: str
    text: str
    metadata: dict[str, Any]
    suggested: str
    score: float
    answered: bool
    vector: list[float]


def items(folder: Path, count: int) -> Iterator[Item]:
    draw = random.Random(SEED)
    for number, (source, identifier, text) in enumerate(texts(folder, count)):
        metadata = {"source": source, "length": len(text), "priority": round(draw.uniform(0, 100), 2)}
        vector = [round(draw.gauss(0, 1), 4) for _ in range(DIMENSIONS)]
        yield Item(f"{number}:{identifier}", text, metadata, draw.choice(["keep", "fix"]), draw.random(), number % 10 == 0, vector)


def set_up(owner: Asker) -> tuple[str, str, str]:
    """A published dataset: its id, its question's and its vector settings'."""
    workspace = owner.call("GET", "/me/workspaces")["items"][0]["id"]
    overlap = {"strategy": "overlap", "min_submitted": 1}
    dataset = owner.call("POST", "/datasets", {"name": "search", "workspace_id": workspace, "distribution": overlap})["id"]
    place = f"/datasets/{dataset}"
    owner.call("POST", f"{place}/fields", {"name": "text", "title": "文章", "required": True, "settings": {"type": "text"}})
    labels = {"type": "label_selection", "options": [{"value": value, "text": value} for value in ("keep", "fix", "reject")]}
    question = owner.call("POST", f"{place}/questions", {"name": "verdict", "title": "判定", "required": True, "settings": labels})["id"]
    for name, kind in (("source", "terms"), ("length", "integer"), ("priority", "float")):
        asked = {"name": name, "title": name, "settings": {"type": kind}, "visible_for_annotators": True}
        owner.call("POST", f"{place}/metadata-properties", asked)
    vectors = owner.call("POST", f"{place}/vectors-settings", {"name": "meaning", "title": "meaning", "dimensions": DIMENSIONS})["id"]
    owner.call("PUT", f"{place}/publish")
    return dataset, question, vectors


def push(owner: Asker, dataset: str, question: str, user: str, batch: list[Item]) -> None:
    """Through Argilla."""
    answer = {"user_id": user, "status": "submitted", "values": {"verdict": {"value": "keep"}}}
    asked = [
        {
            "external_id": item.external_id,
            "fields": {"text": item.text},
            "metadata": item.metadata,
            "suggestions": [{"question_id": question, "value": item.suggested, "score": item.score, "agent": "gates"}],
            "responses": [answer] if item.answered else [],
            "vectors": {"meaning": item.vector},
        }
        for item in batch
    ]
    owner.call("POST", f"/datasets/{dataset}/records/bulk", {"items": asked})


def write(database: Path, dataset: str, question: str, vectors: str, user: str, batch: list[Item]) -> None:
    """Past Argilla, into its tables."""
    dataset, question, vectors, user = (name.replace("-", "") for name in (dataset, question, vectors, user))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:

        def insert(table: str, columns: str, found: list[tuple[Any, ...]]) -> None:
            names = f"id, inserted_at, updated_at, {columns}"
            places = ", ".join("?" * len(names.split(",")))
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", [(row[0], now, now, *row[1:]) for row in found])

        ids = [uuid.uuid4().hex for _ in batch]
        pairs = list(zip(ids, batch, strict=True))
        insert("records", "fields, metadata, status, external_id, dataset_id", [
            (one, json.dumps({"text": item.text}), json.dumps(item.metadata), "completed" if item.answered else "pending",
             item.external_id, dataset) for one, item in pairs
        ])  # fmt: skip
        insert("suggestions", "value, score, agent, record_id, question_id", [
            (uuid.uuid4().hex, json.dumps(item.suggested), json.dumps(item.score), "gates", one, question) for one, item in pairs
        ])  # fmt: skip
        insert("responses", '"values", status, record_id, user_id', [
            (uuid.uuid4().hex, '{"verdict": {"value": "keep"}}', "submitted", one, user) for one, item in pairs if item.answered
        ])  # fmt: skip
        insert(
            "vectors",
            "value, record_id, vector_settings_id",
            [(uuid.uuid4().hex, json.dumps(item.vector), one, vectors) for one, item in pairs],
        )


def fill(place: Home, owner: Asker, annotator: Asker, folder: Path, count: int) -> tuple[str, dict[str, Any]]:
    """A dataset with the records, and how long it took to push and to index them."""
    dataset, question, vectors = set_up(owner)
    user, made = annotator.call("GET", "/me")["id"], items(folder, count)
    listed: list[str] = []
    began = time.perf_counter()
    while len(listed) < PUSHED and (batch := list(islice(made, BATCH))):
        push(owner, dataset, question, user, batch)
        listed += [item.external_id for item in batch]
    pushed, seconds = len(listed), time.perf_counter() - began
    while batch := list(islice(made, BATCH)):
        write(place.database, dataset, question, vectors, user, batch)
        listed += [item.external_id for item in batch]
    began = time.perf_counter()
    owner.call("POST", f"/datasets/{dataset}/records/search", {"query": {"text": {"q": "牛肉麵"}}})
    indexing = time.perf_counter() - began
    times = {"pushed": pushed, "push_seconds": round(seconds, 1), "indexed": len(listed) - pushed, "index_seconds": round(indexing, 1)}
    return dataset, {"records": len(listed), "ids": digest_of_ids(listed), **times}


def timed(ask: Asker, method: str, path: str, body: Any, repeats: int) -> dict[str, Any]:
    """Median and 95th percentile in milliseconds, after one request that is not counted but told."""
    taken: list[float] = []
    answer = None
    for _ in range(repeats + 1):
        began = time.perf_counter()
        answer = ask.call(method, path, body)
        taken.append(1000 * (time.perf_counter() - began))
    later = taken[1:]
    measured = {"median_ms": statistics.median(later), "p95_ms": sorted(later)[max(0, round(0.95 * len(later)) - 1)], "first_ms": taken[0]}
    found = {"total": answer["total"]} if isinstance(answer, dict) and isinstance(answer.get("total"), int) else {}
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
        ask, deadline = asker(f"http://127.0.0.1:{port}", key), time.monotonic() + 120
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


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=RECORDS, help="how many records; a result is written for the default only")
    count = parser.parse_args().records
    folder = data_folder()
    if folder is None:
        raise SystemExit("TWLLM_DATA names no folder of real text; set it to run this benchmark")
    with tempfile.TemporaryDirectory(prefix="twllm-review-search-") as home:
        place = Home(Path(home))
        try:
            instance = lifecycle.up(place, Asked(annotators="1", port=0)).instance
            owner, annotator = asker(instance.url, instance.owner.api_key), asker(instance.url, instance.annotators[0].api_key)
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
        "bar_ms": BAR_MS,
        "slowest_text_p95_ms": slowest,
        "met": slowest < BAR_MS,
        "repeats": REPEATS,
        "vector_dimensions": DIMENSIONS,
        "database_megabytes": megabytes,
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
