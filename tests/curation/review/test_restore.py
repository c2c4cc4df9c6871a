"""A home that is lost goes on from its backup: the same records, answers and pseudonyms, without adopting anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.review.export import export
from curation.review.pull import pull
from curation.review.push import push
from curation.server import lifecycle
from curation.server.accounts import Asked
from curation.server.instance import Home, Instance
from tests.curation.review.scripted import Row, annotators, answer_all, conversations, dataset_id, owner_door, write_rows

NAME, ROWS = "restored", 30
ANSWER: Row = {"verdict": "keep", "fluency": 5, "taiwaneseness": 5, "factuality": 5, "safety": 5}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = Home(tmp_path_factory.mktemp("elsewhere") / "review")
    yield place
    lifecycle.down(place)


def test_pull_and_export_go_on_in_a_restored_home(argilla_server: Instance, elsewhere: Home, tmp_path: Path) -> None:
    home, door = Home(Path(argilla_server.home)), owner_door(argilla_server)
    dataset = write_rows(tmp_path / "rows.jsonl", conversations(ROWS))
    pushed = push(door, home.path, dataset, NAME)
    first, second, _ = annotators(argilla_server)
    shared = dataset_id(argilla_server, f"{NAME}-shared")
    assert answer_all(first, shared, lambda record: ANSWER) == pushed.shared > 0
    assert pull(door, home.path, NAME).new == pushed.shared
    before = export(home.path, NAME, str(tmp_path / "before"), accept_low_agreement=True)
    answer_all(second, shared, lambda record: {**ANSWER, "verdict": "reject"})  # on the server, and not yet at home

    lifecycle.save_backup(home, tmp_path / "saved.tar.zst")
    lifecycle.restore_backup(elsewhere, tmp_path / "saved.tar.zst")
    there = lifecycle.up(elsewhere, Asked(port=0)).instance
    door = owner_door(there)
    assert there.url != argilla_server.url
    after = export(elsewhere.path, NAME, str(tmp_path / "after"), accept_low_agreement=True)
    assert after == before._replace(output=after.output)
    files = sorted(path.name for path in (tmp_path / "before").iterdir())
    assert [(tmp_path / "after" / name).read_bytes() for name in files] == [(tmp_path / "before" / name).read_bytes() for name in files]

    again = push(door, elsewhere.path, dataset, NAME)
    assert (again.new, again.known, again.sent) == (0, ROWS, 0)
    assert pull(door, elsewhere.path, NAME).new == pushed.shared
    answer_all(annotators(there)[2], shared, lambda record: ANSWER)
    found = pull(door, elsewhere.path, NAME)
    assert (found.new, found.submitted) == (pushed.shared, 3 * pushed.shared)
    assert export(elsewhere.path, NAME, str(tmp_path / "later"), accept_low_agreement=True).exported == pushed.shared
