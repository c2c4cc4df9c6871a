"""Pushing to a real Argilla and pulling from it."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event, Thread

import pytest

from curation.review.answers import load
from curation.review.client import Client, Door
from curation.review.pull import Pulled, pull
from curation.review.push import push
from curation.review.store import Store
from curation.review.watch import watch
from curation.server.instance import Instance
from factory.errors import UserError
from factory.zh.pii import find
from tests.curation.review.scripted import (
    Scripted,
    annotators,
    conversation,
    conversations,
    dataset_id,
    owner_door,
    records_of,
    write_rows,
)
from tests.curation.review.test_rows import audit, preference

KEEP = {"verdict": "keep", "fluency": 5, "taiwaneseness": 5, "factuality": 5, "safety": 5}


@pytest.fixture
def door(argilla_server: Instance) -> Door:
    return owner_door(argilla_server)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_nothing_that_reaches_the_server_is_personal(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    rows = [conversation(f"a-{n}", f"第{n}則：請打 0912-345-67{n}，或寫信到 some{n}@example.com.tw") for n in range(6)]
    rows[0]["category"] = rows[0]["lineage"]["source"] = "0987-654-321"
    pushed = push(door, home, write_rows(tmp_path / "rows.jsonl", rows), "private", overlap=0.5)
    assert pushed.redacted == {"email": 6, "mobile": 8}
    for part in ("private", "private-shared"):
        for record in records_of(argilla_server, dataset_id(argilla_server, part)).values():
            shown = json.dumps([record["fields"], record["metadata"]], ensure_ascii=False)
            assert not find(shown)
            assert "0987" not in json.dumps(record, ensure_ascii=False)
            assert "[手機號碼]" in shown


def test_annotators_see_no_gate_and_no_gold(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    gold = [{**row, "id": f"gold-{n}", "gold": {"verdict": "keep"}} for n, row in enumerate(conversations(40)[30:])]
    pushed = push(
        door,
        home,
        write_rows(tmp_path / "rows.jsonl", conversations(30)),
        "blind",
        gold=write_rows(tmp_path / "gold.jsonl", gold),
        gold_share=0.1,
    )
    assert (pushed.shared, pushed.gold) == (6, 3)
    known = {record.id for record in load_records(home, "blind") if record.gold is not None}
    seen = annotators(argilla_server)[0].seen(dataset_id(argilla_server, "blind-shared"))
    assert len(seen) == 9 and known < {record["external_id"] for record in seen}
    looks = {(frozenset(r["metadata"]), frozenset(r["fields"]), len(r["suggestions"]), len(r["external_id"])) for r in seen}
    assert looks == {(frozenset({"priority", "lane", "category"}), frozenset({"conversation"}), 4, 24)}  # all alike
    assert "gold" not in json.dumps(seen)
    priorities = [record["metadata"]["priority"] for record in seen]
    assert priorities == sorted(priorities, reverse=True)
    assert {s["agent"] for r in seen for s in r["suggestions"]} == {"judge/--7b"} and all(
        0 <= s["score"] <= 1 for r in seen for s in r["suggestions"]
    )


def load_records(home: Path, name: str) -> list:  # type: ignore[type-arg]
    store = Store(home, name)
    try:
        return store.records()
    finally:
        store.close()


def test_gold_that_stands_out_is_refused(door: Door, home: Path, tmp_path: Path) -> None:
    gold = [{**conversation("g", "答", 0), "judge": None, "gold": {"verdict": "keep"}}]
    with pytest.raises(UserError, match=r"gold.jsonl: line 1: as a gold question it could be told from the rest"):
        push(door, home, write_rows(tmp_path / "rows.jsonl", conversations(30)), "apart", gold=write_rows(tmp_path / "gold.jsonl", gold))
    both = [*gold, {**conversation("h", "答二", 0), "gold": {"verdict": "keep"}}]
    pushed = push(
        door, home, write_rows(tmp_path / "rows.jsonl", conversations(30)), "apart", gold=write_rows(tmp_path / "gold.jsonl", both)
    )
    assert (pushed.gold, [row.line for row in pushed.gold_quarantined]) == (1, [1])


def test_rows_that_came_later_are_added_and_the_first_stay(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    push(door, home, write_rows(tmp_path / "rows.jsonl", conversations(10)), "grows")
    first = {record.id: record for record in load_records(home, "grows")}
    pushed = push(door, home, write_rows(tmp_path / "more.jsonl", conversations(25)), "grows")
    assert (pushed.new, pushed.known, pushed.sent) == (15, 10, 15)
    now = {record.id: record for record in load_records(home, "grows")}
    assert len(now) == 25 and {name: now[name] for name in first} == first
    there = [records_of(argilla_server, dataset_id(argilla_server, part)) for part in ("grows", "grows-shared")]
    assert sorted([*there[0], *there[1]]) == sorted(now)


def test_a_review_keeps_its_options(door: Door, home: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", conversations(5))
    push(door, home, path, "options")
    for option in ({"overlap": 0.5}, {"annotators": 9}, {"kind_name": "chat"}):
        with pytest.raises(UserError, match="review 'options' was begun with"):
            push(door, home, path, "options", **option)  # type: ignore[arg-type]


def test_sides_are_drawn_and_told_back(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [preference(f"p-{n}") for n in range(40)])
    push(door, home, path, "pairs", overlap=0.0)
    dataset = dataset_id(argilla_server, "pairs")
    person = annotators(argilla_server)[0]
    seen = person.seen(dataset)
    left = [record["fields"]["answer_a"] == "好的回答" for record in seen]
    assert 10 < sum(left) < 30 and len(left) == 40
    person.submit([(record["id"], {"choice": "a" if good else "b"}) for record, good in zip(seen, left, strict=True)])
    pull(door, home, "pairs")
    review = load(home, "pairs")
    assert [given[0].values["choice"] for given in review.answers.values()] == ["chosen"] * 40


def test_an_audit_is_shown_without_its_decision(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    rows = [audit(f"news:{n}", "kept" if n % 2 else "removed", f"第{n}份公告：明日停水，請民眾提早儲水。") for n in range(10)]
    push(door, home, write_rows(tmp_path / "audit.jsonl", rows), "audit", overlap=0.0)
    seen = annotators(argilla_server)[0].seen(dataset_id(argilla_server, "audit"))
    assert len(seen) == 10 and "removed" not in json.dumps(seen) and "kept" not in json.dumps(seen)


def test_edited_and_deleted_answers_are_versions(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    push(door, home, write_rows(tmp_path / "rows.jsonl", conversations(4)), "edits", overlap=0.0)
    dataset = dataset_id(argilla_server, "edits")
    person = annotators(argilla_server)[0]
    records = person.seen(dataset)
    person.submit([(record["id"], KEEP) for record in records])
    assert pull(door, home, "edits").new == 4
    assert pull(door, home, "edits").unchanged == ["single"]
    person.submit([(records[0]["id"], {**KEEP, "verdict": "reject"})])
    (mine,) = [r["responses"][0] for r in person.seen(dataset, "submitted") if r["id"] == records[1]["id"]]
    person.call("DELETE", f"/responses/{mine['id']}")
    assert pull(door, home, "edits").new == 2
    assert pull(door, home, "edits").new == 0
    review = load(home, "edits")
    assert review.versions == 6
    assert review.answers[records[0]["external_id"]][0].values["verdict"] == "reject"
    assert records[1]["external_id"] not in review.answers
    person.submit([(records[1]["id"], KEEP)])
    assert (pull(door, home, "edits").new, len(load(home, "edits").answers)) == (1, 4)


def test_records_that_somebody_added_are_left_alone(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    push(door, home, write_rows(tmp_path / "rows.jsonl", conversations(3)), "visited", overlap=0.0)
    dataset = dataset_id(argilla_server, "visited")
    message = [{"role": "assistant", "content": "不是這份審查的"}]
    Client(door).call("POST", f"/datasets/{dataset}/records/bulk", json={"items": [{"fields": {"conversation": message}}]})
    person = annotators(argilla_server)[0]
    person.submit([(record["id"], KEEP) for record in person.seen(dataset)])
    found = pull(door, home, "visited")
    assert (found.new, found.strangers) == (3, 1)


def test_an_edited_schema_is_told_by_its_question(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", conversations(3))
    push(door, home, path, "schema", overlap=0.0)
    client = Client(door)
    dataset = dataset_id(argilla_server, "schema")
    question = next(q for q in client.call("GET", f"/datasets/{dataset}/questions")["items"] if q["name"] == "verdict")
    client.call("PATCH", f"/questions/{question['id']}", json={"title": "換個標題"})  # a title changes no answer
    assert pull(door, home, "schema").new == 0
    options = [{**option, "text": "丟掉" if option["value"] == "keep" else option["text"]} for option in question["settings"]["options"]]
    client.call("PATCH", f"/questions/{question['id']}", json={"settings": {"type": "label_selection", "options": options}})
    with pytest.raises(UserError, match="dataset 'schema': question 'verdict' calls its answer 'keep' otherwise \\('丟掉'\\)"):
        pull(door, home, "schema")
    client.call("DELETE", f"/datasets/{dataset}")
    with pytest.raises(UserError, match="dataset 'schema': is no longer on"):
        pull(door, home, "schema")
    assert push(door, home, path, "schema", overlap=0.0).sent == 3  # a push makes it anew
    assert pull(door, home, "schema").new == 0


def test_another_review_of_that_name_is_not_touched(door: Door, home: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", conversations(3))
    push(door, home, path, "taken")
    with pytest.raises(UserError, match="dataset 'taken(-shared)?': .* has one that was not pushed from this home.*--adopt"):
        push(door, tmp_path / "elsewhere", path, "taken")


def test_a_lost_home_is_made_anew_from_the_server(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", conversations(30))
    gold = write_rows(
        tmp_path / "gold.jsonl", [{**row, "id": f"{row['id']}-gold", "gold": {"verdict": "keep"}} for row in conversations(4)]
    )
    push(door, home, path, "lost", gold=gold)
    person = annotators(argilla_server)[0]
    for part in ("lost", "lost-shared"):
        person.submit([(record["id"], KEEP) for record in person.seen(dataset_id(argilla_server, part))])
    pull(door, home, "lost")
    there = {part: records_of(argilla_server, dataset_id(argilla_server, part)) for part in ("lost", "lost-shared")}
    new_home = tmp_path / "new"
    push(door, new_home, path, "lost", gold=gold, adopt=True)
    assert {part: list(records_of(argilla_server, dataset_id(argilla_server, part))) for part in there} == {
        k: list(v) for k, v in there.items()
    }
    assert pull(door, new_home, "lost").submitted == 32
    first, second = load(home, "lost"), load(new_home, "lost")
    assert first.records == second.records
    assert {r: [a.values for a in given] for r, given in first.answers.items()} == {
        r: [a.values for a in g] for r, g in second.answers.items()
    }


def test_faults_of_the_way_are_one_line(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", conversations(3))
    with pytest.raises(UserError, match=r"the API key is not accepted \(401\)"):
        push(door._replace(api_key="wrong"), home, path, "faults")
    push(door, home, path, "faults")
    with pytest.raises(UserError, match=r"this account may not GET /datasets/.*/records \(403\)"):
        pull(door._replace(api_key=argilla_server.annotators[0].api_key), home, "faults")
    with pytest.raises(UserError, match="no answer from the review server .*twllm review up"):
        pull(door._replace(url="http://127.0.0.1:9"), home, "faults")
    with pytest.raises(UserError, match="has no workspace 'nowhere'"):
        push(door._replace(workspace="nowhere"), home, path, "faults")
    with pytest.raises(UserError, match="review 'unknown': there is none"):
        pull(door, home, "unknown")
    assert pull(door, home, "faults").new == 0


def test_a_watch_is_woken_by_a_webhook(argilla_server: Instance, door: Door, home: Path, tmp_path: Path) -> None:
    push(door, home, write_rows(tmp_path / "rows.jsonl", conversations(3)), "watched", overlap=0.0)
    person: Scripted = annotators(argilla_server)[0]
    records = person.seen(dataset_id(argilla_server, "watched"))
    stop, begun, came = Event(), Event(), Event()
    heard: list[Pulled] = []

    def told(found: Pulled) -> None:
        heard.append(found)
        begun.set()
        if found.submitted == len(records):
            came.set()

    def hooks() -> list[str]:
        return [row["description"] for row in Client(door).call("GET", "/webhooks")["items"]]

    thread = Thread(target=watch, args=(door, home, "watched", told, stop, 3_600.0), daemon=True)  # the clock would take an hour
    thread.start()
    assert begun.wait(30)
    for _ in range(200):  # until it listens
        if hooks():
            break
        thread.join(0.05)
    person.submit([(record["id"], KEEP) for record in records])
    assert came.wait(60)
    stop.set()
    thread.join(30)
    assert not thread.is_alive() and not hooks()
    assert sum(found.new for found in heard) == len(records)
