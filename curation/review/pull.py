"""What people answered, brought home. The server's database is read whole and compared with what is kept: nothing is taken twice, nothing
is lost, and it does not matter when the last pull was killed. A dataset that nobody has touched since is not read again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from curation.review.client import Client, Door
from curation.review.datasets import check_schema
from curation.review.kinds import kind
from curation.review.store import DELETED, DISCARDED, PARTS, SUBMITTED, Part, Response, Store
from factory.errors import UserError

READINGS = 3  # of a dataset that changes while it is read


class Pulled(NamedTuple):
    """What a pull came to. `submitted`, `discarded` and `adjudicated` are what there is now, `new` what this pull added."""

    name: str
    new: int  # versions of responses
    submitted: int
    discarded: int
    adjudicated: int
    unchanged: list[Part]  # parts that were not read again
    strangers: int  # records on the server that are not the review's


def pull(door: Door, home: Path, name: str) -> Pulled:
    """Brings home what is new in the review `name`.

    Raises UserError for a review that was never pushed, a server that does not answer or refuses, and datasets whose questions were
    changed; what was brought home stays.
    """
    store = Store(home, name)
    try:
        options = store.fact("options")
        if options is None or all(store.fact(f"dataset:{part}") is None for part in PARTS):
            raise UserError(f"review {name!r}: nothing of it is on a server yet. Run its push again.")
        client, wanted = Client(door), kind(options["kind"])
        new, strangers = 0, 0
        unchanged: list[Part] = []
        for part in PARTS:
            dataset = check_schema(client, store, part, wanted)
            if dataset is None:
                continue
            activity = str(client.call("GET", f"/datasets/{dataset}")["last_activity_at"])
            if store.fact(f"activity:{part}") == activity:
                unchanged.append(part)
                continue
            added, strange = _read(client, store, dataset, part)
            new, strangers = new + added, strangers + strange
            with store.change():
                store.set_fact(f"activity:{part}", activity)  # of before the reading: what came meanwhile is read again
        latest = store.latest()
        first = [response for response in latest if response.part != "adjudication"]
        return Pulled(
            name, new, sum(r.status == SUBMITTED for r in first), sum(r.status == DISCARDED for r in first),
            sum(r.status == SUBMITTED for r in latest if r.part == "adjudication"), unchanged, strangers,
        )  # fmt: skip
    finally:
        store.close()


def _read(client: Client, store: Store, dataset: str, part: Part) -> tuple[int, int]:
    """Versions added, and records that are not the review's."""
    own = set(store.record_ids())
    added = 0
    for _ in range(READINGS):
        records: set[str] = set()
        responses: set[str] = set()
        strangers = rows = 0
        for page in client.records(dataset, include="responses"):
            found = []
            for row in page:
                rows += 1
                name = str(row["external_id"])
                if name not in own:
                    strangers += 1
                    continue
                records.add(name)
                found += list(_responses(row, name, part))
            responses.update(response.response for response in found)
            with store.change():
                added += store.add_responses(found)
        if rows - strangers == len(records) and rows >= client.count(dataset):
            gone = [r for r in store.latest() if r.part == part and r.record in records and r.response not in responses]
            with store.change():
                added += store.add_responses(response._replace(status=DELETED) for response in gone)
            return added, strangers
    raise UserError(f"dataset {dataset}: its records changed while they were read. Run the same command again.")


def _responses(row: dict[str, Any], record: str, part: Part) -> Iterator[Response]:
    for found in row.get("responses") or []:
        answers = {question: value["value"] for question, value in (found["values"] or {}).items()}
        yield Response(
            str(found["id"]), part, record, str(found["user_id"]), found["status"], answers, found["inserted_at"], found["updated_at"]
        )
