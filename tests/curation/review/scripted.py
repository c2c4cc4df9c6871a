"""Annotators as a program plays them, through the same calls that Argilla's page makes, and rows for them to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import requests
import zstandard

from curation.review.client import Client, Door
from curation.server.instance import Account, Instance

BULK = 50  # answers in one request; Argilla takes 100
Row = dict[str, Any]


def owner_door(server: Instance) -> Door:
    """The server as its owner comes in."""
    return Door(server.url, server.owner.api_key, server.workspace)


class Scripted:
    """One annotator."""

    def __init__(self, server: Instance, account: Account) -> None:
        self.name = account.name
        self._url = f"{server.url}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["X-Argilla-Api-Key"] = account.api_key

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The answer; raises where the server does not say yes."""
        answer = self._session.request(method, self._url + path, timeout=60, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def seen(self, dataset: str, status: str = "pending", **scope: str) -> list[Row]:
        """What the page shows of a dataset, most informative first; `lane="2"` filters as the link of a lane does."""
        filters = [{"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": [status]}]
        filters += [
            {"type": "terms", "scope": {"entity": "metadata", "metadata_property": name}, "values": [value]}
            for name, value in scope.items()
        ]
        body = {
            "query": {},
            "filters": {"and": filters},
            "sort": [{"scope": {"entity": "metadata", "metadata_property": "priority"}, "order": "desc"}],
        }
        found: list[Row] = []
        while True:
            params: Any = {"include": ["responses", "suggestions"], "offset": len(found), "limit": 100}
            page = self.call("POST", f"/me/datasets/{dataset}/records/search", params=params, json=body)
            found += [item["record"] for item in page["items"]]
            if len(found) >= page["total"] or not page["items"]:
                return found

    def submit(self, answers: Iterable[tuple[str, Row | None]]) -> int:
        """Submits answers (None: puts the record aside), in bulk. Returns how many the server confirmed."""
        waiting = [_item(record, values) for record, values in answers]
        done = 0
        for start in range(0, len(waiting), BULK):
            result = self.call("POST", "/me/responses/bulk", json={"items": waiting[start : start + BULK]})
            errors = [item["error"] for item in result["items"] if item["error"]]
            assert not errors, errors[0]
            done += len(result["items"])
        return done


def _item(record: str, values: Row | None) -> Row:
    if values is None:
        return {"record_id": record, "status": "discarded", "values": {}}
    return {"record_id": record, "status": "submitted", "values": {name: {"value": value} for name, value in values.items()}}


def annotators(server: Instance) -> list[Scripted]:
    """All of them, in the order of the accounts."""
    return [Scripted(server, account) for account in server.annotators]


def dataset_id(server: Instance, name: str, workspace: str | None = None) -> str:
    """The id of a dataset by name."""
    client = Client(owner_door(server))
    found = client.dataset(client.workspace_id(workspace or server.workspace), name)
    assert found is not None, name
    return str(found["id"])


def records_of(server: Instance, dataset: str) -> dict[str, Row]:
    """external id -> record, as the database has them; fails where one stands twice."""
    client = Client(owner_door(server))
    rows = [row for page in client.records(dataset, include="responses") for row in page]
    found = {row["external_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def answer_all(person: Scripted, dataset: str, say: Callable[[Row], Row | None], **scope: str) -> int:
    """Answers everything that is pending for that person."""
    return person.submit([(record["id"], say(record)) for record in person.seen(dataset, **scope)])


def real_conversations(data: Path, count: int) -> list[Row]:
    """Conversations over real fact-check replies, different ones, in file order."""
    rows: list[Row] = []
    seen: set[str] = set()
    with open(data / "corpus" / "cofacts_replies.jsonl.zst", "rb") as stream:
        for line in zstandard.ZstdDecompressor().stream_reader(stream).read().decode().splitlines():
            row = json.loads(line)
            text = row["text"].strip()
            if text in seen or not 30 <= len(text) <= 2_000:
                continue
            seen.add(text)
            rows.append(conversation(row["id"], text, len(rows)))
            if len(rows) == count:
                return rows
    raise AssertionError(f"there are only {len(rows)}")


def conversation(name: str, answer: str, number: int = 0) -> Row:
    """A row in the form of synth's accepted.jsonl, its judge's scores depending on `number`."""
    return {
        "id": name,
        "messages": [{"role": "user", "content": "這則訊息是真的嗎？"}, {"role": "assistant", "content": answer}],
        "category": ("health", "politics", "fraud")[number % 3],
        "lineage": {"task": "import", "source": "cofacts", "parents": []},
        "license": "cc-by-sa-4.0",
        "review": None,
        "judge": {
            "correct": 1 + number % 5, "fluent": 1 + number // 2 % 5, "taiwanese": 4, "helpful": 3, "reason": "", "model": "judge/一號-7b",
        },
    }  # fmt: skip


def conversations(count: int) -> list[Row]:
    """Short rows, all different, for tests that need no real text."""
    return [conversation(f"row-{number}", f"第{number}個回答，說明事情的經過與查證的結果。", number) for number in range(count)]


def write_rows(path: Path, rows: Sequence[Row]) -> str:
    """A JSONL file; returns its path."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
