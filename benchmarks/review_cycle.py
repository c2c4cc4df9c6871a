"""A review at the size that an issue names: `python -m benchmarks.review_cycle [--records 50000] [--submits 1000]`.

Needs TWLLM_DATA. Starts a server as `twllm review up` does, pushes conversations over real fact-check replies, posts and news with
`curation.review.push`, measures an annotator's queue as the page asks for it at every fifth, lets ten annotators submit at once, pulls,
pulls again, and draws the report. Counts are checked: every record and every answer is there once. Writes
benchmarks/results/review_cycle.json for the full 50,000; no text, only counts and times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks import ROOT, data_folder, environment, rows, write_result
from curation.review.client import Client, Door
from curation.review.pull import pull
from curation.review.push import push
from curation.review.report import write
from curation.server import lifecycle
from curation.server.accounts import Asked
from curation.server.instance import Account, Home, Instance

RESULT = ROOT / "benchmarks" / "results" / "review_cycle.json"
RECORDS, SUBMITS, ANNOTATORS, REPEATS = 50_000, 1_000, 10, 10
SOURCES = ("cofacts_replies", "social_ptt", "news_tw")
CODE = tuple(f"curation.review.{name}" for name in ("client", "datasets", "pull", "push", "queue", "redaction", "rows", "store"))
ANSWER = {"verdict": "keep", "fluency": 5, "taiwaneseness": 5, "factuality": 4, "safety": 5}
PENDING = [
    {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]},
    {"type": "terms", "scope": {"entity": "record", "property": "status"}, "values": ["pending"]},
]
FIRST = [{"scope": {"entity": "metadata", "metadata_property": "priority"}, "order": "desc"}]


def conversations(data: Path, count: int, path: Path) -> None:
    """Writes conversations over real texts, in file order."""
    texts = islice(chain.from_iterable(rows(data, source) for source in SOURCES), count)
    with path.open("w", encoding="utf-8") as stream:
        for number, row in enumerate(texts):
            scores = {"correct": 1 + number % 5, "fluent": 1 + number // 5 % 5, "taiwanese": 4, "helpful": 3, "model": "planted"}
            messages = [
                {"role": "user", "content": "請說明。"},
                {"role": "assistant", "content": row["text"][:8_000].strip() or "（空白）"},
            ]
            conversation = {"id": f"r-{number}", "messages": messages, "category": row["source"].split("/")[0], "judge": scores}
            stream.write(json.dumps(conversation, ensure_ascii=False) + "\n")


def queue_ms(client: Client, dataset: str, number: int, text: str | None = None) -> float:
    """Median milliseconds of what the page asks for: ten records of a lane, or those with a text, most informative first."""
    lane = {"type": "terms", "scope": {"entity": "metadata", "metadata_property": "lane"}, "values": [str(number)]}
    body = {"query": {"text": {"q": text}} if text else {}, "filters": {"and": [*PENDING, *([] if text else [lane])]}, "sort": FIRST}
    params = {"include": ["responses", "suggestions"], "offset": 0, "limit": 10}
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        client.call("POST", f"/me/datasets/{dataset}/records/search", params=params, json=body)
        times.append(1_000 * (time.perf_counter() - begun))
    return round(statistics.median(times), 1)


def submit(server: Instance, account: Account, dataset: str, lane: int, count: int) -> list[str]:
    """One annotator answers record after record, as the page does. Returns the ids answered; raises on any error."""
    client = Client(Door(server.url, account.api_key, server.workspace))
    only = {"type": "terms", "scope": {"entity": "metadata", "metadata_property": "lane"}, "values": [str(lane)]}
    done: list[str] = []
    while len(done) < count:
        body = {"query": {}, "filters": {"and": [*PENDING, only]}, "sort": FIRST}
        page = client.call("POST", f"/me/datasets/{dataset}/records/search", params={"limit": 10, "include": ["responses"]}, json=body)
        assert page["items"], f"lane {lane} has only {len(done)} records"
        for item in page["items"][: count - len(done)]:
            record = item["record"]["id"]
            values = {name: {"value": value} for name, value in ANSWER.items()}
            client.call("POST", f"/records/{record}/responses", json={"status": "submitted", "values": values})
            done.append(record)
    return done


def measure(records: int, submits: int) -> dict[str, Any]:
    """Everything once, on a server of its own."""
    data = data_folder()
    if data is None:
        raise SystemExit("TWLLM_DATA names no folder; set it to the real-text folder")
    with tempfile.TemporaryDirectory() as folder:
        place = Home(Path(folder) / "home")
        server = lifecycle.up(place, Asked(annotators=str(ANNOTATORS), port=0)).instance
        try:
            return _measure(server, data, Path(folder) / "rows.jsonl", records, submits)
        finally:
            lifecycle.down(place)


def _measure(server: Instance, data: Path, path: Path, records: int, submits: int) -> dict[str, Any]:
    conversations(data, records, path)
    owner, home = Door(server.url, server.owner.api_key, server.workspace), Path(server.home)
    annotator = Client(Door(server.url, server.annotators[0].api_key, server.workspace))
    begun, at = time.perf_counter(), {}
    marks = {round(records * share / 5) for share in range(1, 6)}

    def note(done: int, of: int) -> None:
        for mark in sorted(mark for mark in marks if mark <= done):
            at[mark] = round(time.perf_counter() - begun, 1)
            marks.discard(mark)
            print(f"{mark:,} records after {at[mark]:,.0f} s", flush=True)

    pushed = push(owner, home, str(path), "cycle", overlap=0.0, note=note)
    push_seconds = time.perf_counter() - begun
    client = Client(owner)
    found = client.dataset(client.workspace_id(server.workspace), "cycle")
    assert found is not None
    dataset = str(found["id"])
    assert pushed.new == client.count(dataset) and pushed.read == records
    queue = {"queue_of_a_lane": queue_ms(annotator, dataset, 1), "牛肉麵": queue_ms(annotator, dataset, 1, "牛肉麵")}
    begun = time.perf_counter()
    with ThreadPoolExecutor(ANNOTATORS) as pool:
        lanes = [
            pool.submit(submit, server, account, dataset, lane, submits // ANNOTATORS) for lane, account in enumerate(server.annotators, 1)
        ]
        answered = [record for future in lanes for record in future.result()]
    submit_seconds = time.perf_counter() - begun
    assert len(answered) == len(set(answered)) == submits
    begun = time.perf_counter()
    pulled = pull(owner, home, "cycle")
    pull_seconds = time.perf_counter() - begun
    assert pulled.new == pulled.submitted == submits
    begun = time.perf_counter()
    assert pull(owner, home, "cycle").new == 0
    again_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    write(home, "cycle")
    return {
        "records": pushed.new, "quarantined": len(pushed.quarantined), "redacted": pushed.redacted,
        "push_seconds": round(push_seconds, 1), "records_per_second": round(pushed.new / push_seconds, 1), "push_seconds_at": at,
        "search_ms": queue, "annotators": ANNOTATORS, "submits": submits, "errors": 0, "submit_seconds": round(submit_seconds, 1),
        "submits_per_second": round(submits / submit_seconds, 1), "pull_seconds": round(pull_seconds, 1),
        "pull_again_seconds": round(again_seconds, 2), "report_seconds": round(time.perf_counter() - begun, 1),
        "environment": environment(CODE, ("requests",)),
    }  # fmt: skip


def main() -> None:
    """Measures, prints, and writes the result at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--submits", type=int, default=SUBMITS)
    chosen = parser.parse_args()
    result = measure(chosen.records, chosen.submits)
    print(json.dumps(result, ensure_ascii=False, indent=1))
    if chosen.records == RECORDS and chosen.submits == SUBMITS:
        write_result(str(RESULT), result)


if __name__ == "__main__":
    main()
