"""A dataset becomes records on the server: redacted, in the order of the queue, each exactly once however often the push is killed.

What is to be pushed is written to the review's file first; a record counts as pushed when the server has said so. A repeated push
sends what has no such mark, under ids that are hashes, and the server takes the same id twice as the same record.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from curation.review import queue, rows
from curation.review.client import Client, Door
from curation.review.datasets import check_schema, ensure
from curation.review.kinds import Kind, kind
from curation.review.rows import Item, Quarantined
from curation.review.store import Part, Record, Store
from factory.errors import UserError

BATCH = 200  # records in one request; the server stores them all or none
MOST_ANSWERS = 3  # to a shared record, where there are more annotators than that
SEED = 20261130
OVERLAP, GOLD_SHARE = 0.2, 0.05


class Link(NamedTuple):
    """Where somebody begins: `who` is "everybody" or a lane."""

    who: str
    url: str


class Options(NamedTuple):
    """How a review was set up. They stay as they were at the first push."""

    kind: str
    overlap: float
    gold_share: float
    annotators: int  # lanes of the queue
    answers: int  # that complete a shared record
    seed: int


class Pushed(NamedTuple):
    """What a push came to. Lines read = new + known + quarantined; gold is counted by itself."""

    name: str
    kind: str
    read: int
    new: int
    known: int
    quarantined: list[Quarantined]
    gold_quarantined: list[Quarantined]
    sent: int  # this time, gold included
    single: int  # records of the review in all
    shared: int
    gold: int
    redacted: dict[str, int]
    suggestions: int
    answers: int  # that complete a shared record
    links: list[Link]


def push(
    door: Door,
    home: Path,
    path: str,
    name: str,
    kind_name: str | None = None,
    overlap: float | None = None,
    gold: str | None = None,
    gold_share: float | None = None,
    annotators: int | None = None,
    suggest: bool = True,
    adopt: bool = False,
    note: Callable[[int, int], None] = lambda done, of: None,
) -> Pushed:
    """Pushes a file's rows as the review `name`. None stands for the value of the first push, else for the default.

    With `adopt`, datasets that another home pushed become this one's: the same file and gold give the same records.

    Raises UserError for options that differ from the first push's, shares outside 0 to 1, gold questions that could be told from the
    rest, a server that cannot be reached or refuses. What was sent before that stays, and the same command goes on from there.
    """
    for flag, share in (("--overlap", overlap), ("--gold-share", gold_share)):
        if share is not None and not 0 <= share <= 1:
            raise UserError(f"{flag} {share}: is no share. Give a number from 0 to 1.")
    client = Client(door)
    workspace = client.workspace_id(door.workspace)
    chosen = kind_name or rows.guess_kind(path)
    wanted = kind(chosen)
    read = rows.read(path, chosen)
    known_answers = rows.read(gold, chosen, is_gold=True) if gold else rows.Read([], [], Counter())
    if not read.items:
        first = f" (first: line {read.quarantined[0].line} {read.quarantined[0].error})" if read.quarantined else ""
        raise UserError(f"{path}: has no row that can be shown as {chosen}{first}. Correct the file, or give --kind.")
    store = Store(home, name, make=True)
    try:
        options = _options(store, client, workspace, chosen, overlap, gold_share, annotators)
        with store.change():
            known = store.record_ids()
            fresh = [item for item in read.items if item.id not in known]
            mixed, told_apart = _gold(read.items, known_answers.items, options, gold or "")
            fresh_gold = [item for item in mixed if item.id not in known]
            before = [record.priority for record in store.records() if record.part == "shared"]
            store.add_records(_records(fresh, fresh_gold, options, len(known), before, suggest))
            not_gold = [*known_answers.quarantined, *told_apart]
            store.add_quarantined((row.path, row.line, row.error, row.excerpt) for row in (*read.quarantined, *not_gold))
            if store.fact("tag") is None:
                store.set_fact("tag", secrets.token_hex(8))
            store.set_fact("options", options._asdict())
        records = store.records()
        sent = _send_all(client, store, records, wanted, options, adopt, note)
        parts = Counter(record.part for record in records if record.gold is None)
        return Pushed(
            name, chosen, len(read.items) + len(read.quarantined), len(fresh), len(read.items) - len(fresh), read.quarantined, not_gold,
            sent, parts["single"], parts["shared"], sum(record.gold is not None for record in records),
            dict(sorted((read.found + known_answers.found).items())), sum(len(record.shown["suggestions"]) for record in records),
            options.answers, _links(client, store, options),
        )  # fmt: skip
    finally:
        store.close()


def _options(
    store: Store, client: Client, workspace: str, kind_name: str, overlap: float | None, gold_share: float | None, annotators: int | None
) -> Options:
    stated = store.fact("options")
    if stated is None:
        people = annotators if annotators is not None else max(1, client.annotators(workspace))
        return Options(
            kind_name, OVERLAP if overlap is None else overlap, GOLD_SHARE if gold_share is None else gold_share, people,
            min(people, MOST_ANSWERS), SEED,
        )  # fmt: skip
    first = Options(**stated)
    for flag, given, before in (
        ("--kind", kind_name, first.kind), ("--overlap", overlap, first.overlap), ("--gold-share", gold_share, first.gold_share),
        ("--annotators", annotators, first.annotators),
    ):  # fmt: skip
        if given is not None and given != before:
            raise UserError(f"{flag} {given}: review {store.name!r} was begun with {before}. Give that, or another --name.")
    return first


def _gold(items: Sequence[Item], gold: Sequence[Item], options: Options, path: str) -> tuple[list[Item], list[Quarantined]]:
    """The gold questions to mix in, and those that annotators could tell from the rest by what they see."""
    looks, own = {_look(item) for item in items}, {item.id for item in items}
    fit = [item for item in gold if _look(item) in looks and item.id not in own]
    apart = [Quarantined(path, item.line, "stands in the dataset, too: take it out of one of them", "") for item in gold if item.id in own]
    apart += [
        Quarantined(
            path, item.line, "as a gold question it could be told from the rest: no other row has its category and its suggestions", ""
        )
        for item in gold
        if _look(item) not in looks and item.id not in own
    ]
    wanted = round(options.gold_share * len(items))
    if gold and not fit and wanted:
        raise UserError(f"{path}: line {apart[0].line}: {apart[0].error}. Give gold questions that look like the dataset's rows.")
    return sorted(fit, key=lambda item: queue.draw(item.id, "gold-pick", options.seed))[:wanted], apart


def _look(item: Item) -> tuple[Any, ...]:
    return item.category, frozenset(item.fields), frozenset(suggestion.question for suggestion in item.suggestions)


def _records(items: list[Item], gold: list[Item], options: Options, offset: int, before: list[float], suggest: bool) -> list[Record]:
    priority = queue.priorities({item.id: item.signals for item in items})
    shared = queue.shared([item.id for item in items], options.overlap, options.seed)
    of_shared = [priority[name] for name in shared] or before or list(priority.values())
    priority.update((item.id, queue.hidden_priority(item.id, of_shared, options.seed)) for item in gold)
    place = {name: offset + number for number, name in enumerate(queue.ordered(priority, options.seed))}
    records = []
    for item in (*items, *gold):
        part: Part = "shared" if item.gold is not None or item.id in shared else "single"
        swapped = options.kind == "preference" and queue.is_swapped(item.id, options.seed)
        lane = queue.lane(item.id, options.annotators, options.seed)
        shown = {
            "fields": _sides(item.fields, swapped) if options.kind == "preference" else item.fields, "hidden": item.hidden,
            "suggestions": [list(suggestion) for suggestion in item.suggestions] if suggest else [],
        }  # fmt: skip
        records.append(Record(item.id, part, place[item.id], priority[item.id], lane, item.category, swapped, item.gold, item.row, shown))
    return records


def _sides(fields: dict[str, Any], swapped: bool) -> dict[str, Any]:
    a, b = ("rejected", "chosen") if swapped else ("chosen", "rejected")
    return {"prompt": fields["prompt"], "answer_a": fields[a], "answer_b": fields[b]}


def _send_all(
    client: Client,
    store: Store,
    records: Sequence[Record],
    wanted: Kind,
    options: Options,
    adopt: bool,
    note: Callable[[int, int], None],
) -> int:
    answers: dict[Part, int] = {"single": 1, "shared": options.answers}
    sent = 0
    for part, needed in answers.items():
        own = [record for record in records if record.part == part]
        if own:
            dataset = ensure(client, store, part, wanted, needed, adopt=adopt)
            check_schema(client, store, part, wanted)
            sent += _send(client, store, dataset, own, note)
    return sent


def _send(client: Client, store: Store, dataset: str, own: Sequence[Record], note: Callable[[int, int], None]) -> int:
    """Sends a part's unmarked records in the order of the queue; looks whether the server holds the marked ones, and sends what it lost."""
    ids = {row["name"]: row["id"] for row in client.call("GET", f"/datasets/{dataset}/questions")["items"]}
    marked = store.record_ids()
    if client.count(dataset) < sum(marked[record.id] for record in own):
        there = {row["external_id"] for page in client.records(dataset) for row in page}
        marked |= {record.id: record.id in there for record in own}
    waiting = [record for record in own if not marked[record.id]]
    for start in range(0, len(waiting), BATCH):
        batch = waiting[start : start + BATCH]
        client.call("PUT", f"/datasets/{dataset}/records/bulk", json={"items": [_payload(record, ids) for record in batch]})
        with store.change():
            store.mark_pushed(record.id for record in batch)
        note(start + len(batch), len(waiting))
    return len(waiting)


def _payload(record: Record, ids: dict[str, str]) -> dict[str, Any]:
    metadata = {"priority": record.priority, "lane": record.lane, "category": record.category, **record.shown["hidden"]}
    suggestions = [
        {"question_id": ids[question], "value": value, "score": score, "agent": agent, "type": "model"}
        for question, value, score, agent in record.shown["suggestions"]
    ]
    return {"external_id": record.id, "fields": record.shown["fields"], "metadata": metadata, "suggestions": suggestions}


def _links(client: Client, store: Store, options: Options) -> list[Link]:
    """Where the annotators begin: the shared records, and each one's lane of the others, most informative first."""
    order = "metadata.priority.desc"
    links = []
    if dataset := store.fact("dataset:shared"):
        links.append(Link("everybody", f"{client.door.url}/dataset/{dataset}/annotation-mode?{urlencode({'sort': order})}"))
    if dataset := store.fact("dataset:single"):
        for lane in range(1, options.annotators + 1):
            filtered = urlencode({"metadata": f"lane.{lane}", "sort": order})
            links.append(Link(f"lane {lane}", f"{client.door.url}/dataset/{dataset}/annotation-mode?{filtered}"))
    return links
