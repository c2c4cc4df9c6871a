"""The server and the client are killed at every moment; no record and no answer is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from benchmarks import ROOT, environment, write_result
from curation.review import client as http
from curation.review import push as pushing
from curation.review.client import Client, Door
from curation.review.pull import pull
from curation.review.push import push
from curation.review.store import Store
from curation.server import lifecycle, processes
from curation.server.accounts import Asked
from curation.server.instance import Home, Instance
from factory.errors import UserError
from tests.curation.conftest import require_redis
from tests.curation.review.scripted import Scripted, annotators, conversations, dataset_id, owner_door, records_of, write_rows

KEEP = {"verdict": "keep", "fluency": 5, "taiwaneseness": 5, "factuality": 5, "safety": 5}
REPOSITORY = Path(__file__).parents[3]
SEED = 7


class Mortal:
    """A server to be killed."""

    def __init__(self, place: Home) -> None:
        self.place = place
        self.instance = lifecycle.up(place, Asked(annotators="3", port=0)).instance

    @property
    def door(self) -> Door:
        return owner_door(self.instance)

    def kill(self) -> None:
        """Ends the web server at once, in the middle of whatever it does."""
        known = processes.running(self.place, "server")
        assert known is not None
        os.kill(known.pid, signal.SIGKILL)

    def up(self) -> None:
        """Starts what is missing, on the same port."""
        self.instance = lifecycle.up(self.place).instance

    def kill_after(self, seconds: float) -> Thread:
        """Kills it so much later, while the caller goes on."""

        def wait() -> None:
            time.sleep(seconds)  # the moment of the kill is what is drawn; nothing waits for it
            self.kill()

        thread = Thread(target=wait)
        thread.start()
        return thread


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    require_redis()
    place = Home(tmp_path_factory.mktemp("mortal"))
    try:
        yield Mortal(place)
    finally:
        lifecycle.down(place)


def moments(count: int, within: float) -> list[float]:
    """Drawn over the wall time of an unkilled run, one in each part of it."""
    rng = random.Random(SEED)
    return [within * (number + rng.random()) / count for number in range(count)]


def there(server: Instance, name: str) -> list[str]:
    """The external ids of a review's records on the server, sorted; fails where one stands twice."""
    return sorted(external for part in (name, f"{name}-shared") for external in records_of(server, dataset_id(server, part)))


def _kills(server: Mortal, work: Callable[[], Any], within: float, count: int) -> int:
    """Works while the server is killed at drawn moments. Returns how many kills met unfinished work."""
    met = 0
    for moment in moments(count, within):
        thread = server.kill_after(moment)
        try:
            work()
        except (UserError, requests.RequestException):
            met += 1
        thread.join()
        server.up()
    return met


def _push_kills(server: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, kills: int) -> dict[str, int]:
    monkeypatch.setattr(pushing, "BATCH", 20)
    path = write_rows(tmp_path / "rows.jsonl", conversations(rows))
    home = tmp_path / "home"
    begun = time.monotonic()
    push(server.door, home, path, f"{tmp_path.name}-whole")
    within = time.monotonic() - begun
    met = _kills(server, lambda: push(server.door, home, path, f"{tmp_path.name}-killed"), within / kills, kills)
    assert met >= 1
    push(server.door, home, path, f"{tmp_path.name}-killed")
    found = there(server.instance, f"{tmp_path.name}-killed")
    assert found == there(server.instance, f"{tmp_path.name}-whole") and len(found) == rows
    again = push(server.door, home, path, f"{tmp_path.name}-killed")
    assert (again.new, again.sent, again.known) == (0, 0, rows)
    return {"kills": kills, "met": met, "records": rows, "lost": 0, "doubled": 0}


def test_server_killed_while_pushing(server: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _push_kills(server, tmp_path, monkeypatch, 120, 3)


def _client_kills(server: Mortal, tmp_path: Path, rows: int, kills: int) -> dict[str, int]:
    path = write_rows(tmp_path / "rows.jsonl", conversations(rows))
    variables = {
        **os.environ, "TWLLM_REVIEW_HOME": str(tmp_path / "home"), "TWLLM_REVIEW_API_KEY": server.door.api_key, "NO_PROXY": "127.0.0.1",
    }  # fmt: skip

    def command(name: str) -> list[str]:
        script = "from curation.review import push; push.BATCH = 20\nfrom factory.cli import main; main()"
        return [sys.executable, "-c", script, "review", "push", path, "--name", name, "--url", server.door.url, "--json"]

    begun = time.monotonic()
    subprocess.run(command(f"{tmp_path.name}-client-whole"), cwd=REPOSITORY, env=variables, check=True, capture_output=True)
    within = time.monotonic() - begun
    killed = 0
    for moment in moments(kills, within):
        child = subprocess.Popen(
            command(f"{tmp_path.name}-client"), cwd=REPOSITORY, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            child.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            killed += 1
    assert killed >= 2
    last = subprocess.run(command(f"{tmp_path.name}-client"), cwd=REPOSITORY, env=variables, check=True, capture_output=True, text=True)
    assert json.loads(last.stdout)["single"] + json.loads(last.stdout)["shared"] == rows
    assert there(server.instance, f"{tmp_path.name}-client") == there(server.instance, f"{tmp_path.name}-client-whole")
    return {"kills": kills, "met": killed, "records": rows, "lost": 0, "doubled": 0}


def test_push_killed_itself(server: Mortal, tmp_path: Path) -> None:
    _client_kills(server, tmp_path, 120, 4)


def _submit_kills(server: Mortal, tmp_path: Path, rows: int, kills: int) -> dict[str, int]:
    """Each annotator submits what is pending and, where there was no answer, what is still pending: as one who reloads the page."""
    home = tmp_path / "home"
    push(server.door, home, write_rows(tmp_path / "rows.jsonl", conversations(rows)), f"{tmp_path.name}-submits", overlap=1.0)
    dataset = dataset_id(server.instance, f"{tmp_path.name}-submits-shared")
    people = annotators(server.instance)
    confirmed: set[tuple[str, str]] = set()

    def work() -> None:
        for person in people:
            for record in person.seen(dataset):
                person.submit([(record["id"], KEEP)])
                confirmed.add((person.name, record["external_id"]))

    met = _kills(server, work, rows * 0.06, kills)
    work()
    names = {person.call("GET", "/me")["id"]: person.name for person in people}
    on_server = [
        (names[response["user_id"]], external)
        for external, row in records_of(server.instance, dataset).items()
        for response in row["responses"]
    ]
    assert len(on_server) == len(set(on_server)) == 3 * rows
    assert confirmed <= set(on_server) and met >= 1
    assert pull(server.door, home, f"{tmp_path.name}-submits").submitted == 3 * rows
    return {"kills": kills, "met": met, "answers": 3 * rows, "lost": 0, "doubled": 0}


def test_server_killed_while_people_submit(server: Mortal, tmp_path: Path) -> None:
    _submit_kills(server, tmp_path, 15, 2)


def _pull_kills(server: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, kills: int) -> dict[str, int]:
    monkeypatch.setattr(http, "PAGE", 5)
    home = tmp_path / "home"
    push(server.door, home, write_rows(tmp_path / "rows.jsonl", conversations(rows)), f"{tmp_path.name}-pulls", overlap=0.2)
    for person in annotators(server.instance):
        _answer(person, dataset_id(server.instance, f"{tmp_path.name}-pulls-shared"))
    _answer(annotators(server.instance)[0], dataset_id(server.instance, f"{tmp_path.name}-pulls"))
    pages = [2, 5, 9, 14, 20, 27, 44, 80][:kills]  # of 400 records, the last one in the second of the two datasets
    seen = Client.call
    met = 0
    for stop_at in pages:  # requests after which the server dies
        count = 0

        def call(self: Client, method: str, path: str, stop_at: int = stop_at, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == stop_at:
                server.kill()
            return seen(self, method, path, **options)

        monkeypatch.setattr(Client, "call", call)
        with pytest.raises(UserError, match="no answer from the review server"):
            pull(server.door, home, f"{tmp_path.name}-pulls")
        met += 1
        monkeypatch.setattr(Client, "call", seen)
        server.up()
    expected = 3 * round(0.2 * rows) + rows - round(0.2 * rows)
    pull(server.door, home, f"{tmp_path.name}-pulls")
    found = pull(server.door, home, f"{tmp_path.name}-pulls")
    assert (found.new, found.submitted, met) == (0, expected, kills)
    store = Store(home, f"{tmp_path.name}-pulls")
    kept = sorted((version.response, version.record, json.dumps(version.answers, sort_keys=True)) for version in store.versions())
    store.close()
    on_server = sorted(
        (response["id"], external, json.dumps({k: v["value"] for k, v in response["values"].items()}, sort_keys=True))
        for part in (f"{tmp_path.name}-pulls", f"{tmp_path.name}-pulls-shared")
        for external, row in records_of(server.instance, dataset_id(server.instance, part)).items()
        for response in row["responses"]
    )
    assert kept == on_server
    return {"kills": kills, "met": met, "answers": expected, "lost": 0, "doubled": 0}


def _answer(person: Scripted, dataset: str) -> None:
    person.submit([(record["id"], KEEP) for record in person.seen(dataset)])


def test_server_killed_while_pulling(server: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pull_kills(server, tmp_path, monkeypatch, 40, 2)


@pytest.mark.soak
def test_many_kills(server: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts go to benchmarks/results/review_kills.json; `met` are kills that left work undone."""
    runs: dict[str, Callable[[Path], dict[str, int]]] = {
        "push": lambda folder: _push_kills(server, folder, monkeypatch, 500, 12),
        "client": lambda folder: _client_kills(server, folder, 500, 20),
        "submit": lambda folder: _submit_kills(server, folder, 60, 10),
        "pull": lambda folder: _pull_kills(server, folder, monkeypatch, 400, 8),
    }
    result = {}
    for name, run in runs.items():
        folder = tmp_path / f"many-{name}"  # a review is named after it
        folder.mkdir()
        result[name] = run(folder)
    write_result(str(ROOT / "benchmarks" / "results" / "review_kills.json"), {**result, **environment(("curation.review",), ("requests",))})
