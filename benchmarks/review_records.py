"""Fills a review server for `benchmarks.review_search`: posts, news and fact-checks in file order, copies and all.

With each text go metadata, a suggestion, a vector of random numbers and, for a tenth, an answer. The first 1,000 go through
Argilla, which takes most of its time for itself; the others are written into its tables by another program, as the index allows.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks import digest_of_ids, rows
from curation.server.instance import Home

SOURCES = ("social_ptt", "news_tw", "cofacts_replies")
PUSHED, BATCH, DIMENSIONS, SEED = 1_000, 500, 64, 20261130


class Asker(NamedTuple):
    """One user's connection."""

    session: requests.Session
    url: str
    process: int
    """The server's process."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        response = self.session.request(method, f"{self.url}/api/v1{path}", json=body, timeout=600)
        if response.status_code >= 400:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json() if response.content else None


def asker(url: str, key: str, process: int) -> Asker:
    session = requests.Session()
    session.headers["X-Argilla-Api-Key"] = key
    return Asker(session, url, process)


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
