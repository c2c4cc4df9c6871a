"""Up, down, and all that goes wrong in between: a server of its own, killed in every way."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from curation.server import health, instance, lifecycle, processes, status
from curation.server.accounts import Asked
from curation.server.instance import Home, Instance, load, read_settings
from factory.errors import UserError
from tests.curation.conftest import require_redis
from tests.curation.server import dataset


def _review(place: Home, *arguments: str) -> subprocess.Popen[str]:
    program = "from factory.cli import main; main()"
    command = [sys.executable, "-c", program, "review", *arguments, "--home", str(place.path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _pids(place: Home) -> dict[str, int | None]:
    return status.of(place).processes


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    require_redis()
    made = Home(tmp_path_factory.mktemp("killed") / "home of the review, 審核")  # spaces and Chinese in its path
    yield made
    lifecycle.down(made)


@pytest.fixture
def server(place: Home) -> Instance:
    """Up, whatever the test before has left."""
    return lifecycle.up(place, Asked(annotators="amei, ahao", port=None if read_settings(place) else 0)).instance


def _kill(place: Home, *roles: str) -> None:
    for role in roles:
        known = processes.running(place, role)
        assert known, role
        os.kill(known.pid, signal.SIGKILL)
        assert processes.wait_until(lambda known=known: processes.began(known.pid) is None, 10.0)  # type: ignore[misc]


def test_before_the_first_start(tmp_path: Path) -> None:
    place = Home(tmp_path / "none")
    assert status.of(place).state == "absent"
    assert lifecycle.down(place) == []
    with pytest.raises(UserError, match="no review server is up in .*; start one with `twllm review up`"):
        load(str(place.path))
    assert not place.path.exists()


def test_two_at_once_make_one_server(place: Home) -> None:
    """And the accounts are shown once."""
    both = [_review(place, "up", "--port", "0", "--annotators", "amei,ahao", "--json") for _ in range(2)]
    said = []
    for command in both:
        out, err = command.communicate(timeout=300)
        assert command.returncode == 0, err
        said.append(json.loads(out))
    assert said[0]["url"] == said[1]["url"]
    assert sorted(one["already_up"] for one in said) == [False, True]
    assert [account["name"] for account in next(one for one in said if not one["already_up"])["new_accounts"]] == ["owner", "amei", "ahao"]
    assert len(processes.marked(place)) == len([one for one in processes.marked(place) if one not in processes.strays(place)])


def test_all_files_are_private(place: Home, server: Instance) -> None:
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o700
    for path in place.path.rglob("*"):
        if place.temporary in path.parents:  # Argilla's copy of its pages, within a closed folder
            continue
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o077 == 0, f"{path} {mode:o}"


def test_a_killed_web_server_is_seen_and_started_again(place: Home, server: Instance) -> None:
    records = dataset.make(server, "before the kill")
    before = _pids(place)
    _kill(place, "server")
    found = status.of(place)
    assert (found.state, found.processes["server"], found.answers) == ("partly", None, False)
    again = lifecycle.up(place)
    assert not again.already
    assert again.instance == server
    after = _pids(place)
    assert (after["redis"], after["worker"]) == (before["redis"], before["worker"])
    assert dataset.texts(server, records) == sorted(dataset.TEXTS)
    assert again.new_accounts == ()


def test_a_killed_worker_leaves_no_children(place: Home, server: Instance) -> None:
    before = _pids(place)
    _kill(place, "worker")
    assert status.of(place).strays > 0, "its children live on; this is what the marks are for"
    lifecycle.up(place)
    found = status.of(place)
    assert (found.state, found.strays) == ("up", 0)
    assert found.processes["server"] == before["server"]


def test_killed_altogether(place: Home, server: Instance) -> None:
    _kill(place, "worker", "server", "redis")
    assert status.of(place).state == "down"
    assert lifecycle.up(place).instance == server
    assert status.of(place).strays == 0


def test_a_server_whose_note_is_lost_is_replaced(place: Home, server: Instance) -> None:
    """As after a start that was killed between starting and noting. It would hold the port."""
    lost = _pids(place)["server"]
    (place.run / "server.json").unlink()
    assert status.of(place).strays == 1
    assert lifecycle.up(place).instance == server
    assert lost != _pids(place)["server"]
    assert status.of(place).strays == 0


def test_a_start_that_is_killed_can_be_repeated(place: Home, server: Instance) -> None:
    lifecycle.down(place)
    for role in ("redis", "server"):
        started = _review(place, "up")
        assert processes.wait_until(lambda role=role: processes.running(place, role) is not None, 60.0)  # type: ignore[misc]
        started.kill()
        started.communicate()
    assert lifecycle.up(place).instance == server
    assert status.of(place).strays == 0


def test_a_port_that_is_taken_is_one_clear_line(place: Home, server: Instance) -> None:
    lifecycle.down(place)
    port = urlsplit(server.url).port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        command = _review(place, "up")
        _, err = command.communicate(timeout=120)
        assert command.returncode == 2
        assert f"twllm: port {port} is taken by " in err and f"(process {os.getpid()}); choose another with --port" in err
        assert processes.marked(place) == [], "nothing is left half started"
        moved = lifecycle.up(place, Asked(port=0)).instance
        assert moved.url != server.url
        assert load(str(place.path)) == moved


def test_a_foreign_server_on_the_port_is_never_sent_a_key(place: Home, server: Instance) -> None:
    """Ours is killed, and another process takes its port and answers as if it were ours."""
    _kill(place, "server")
    port = urlsplit(server.url).port
    program = (
        "import http.server\n"
        "class Foreign(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        print('HEADERS', self.path, dict(self.headers), flush=True)\n"
        '        self.send_response(200); self.end_headers(); self.wfile.write(b\'{"username": "owner", "proof": "0"}\')\n'
        f"server = http.server.HTTPServer(('127.0.0.1', {port}), Foreign)\n"
        "print('ready', flush=True); server.serve_forever()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as foreign:
        assert foreign.stdout and foreign.stdout.readline() == "ready\n"
        assert not health.server_answers(place, port)
        with pytest.raises(UserError, match=f"port {port} is taken"):
            lifecycle.up(place)
        foreign.kill()
        seen = foreign.stdout.read()
    assert "/twllm/alive" in seen
    assert server.owner.api_key not in seen


def test_down_leaves_nothing(place: Home, server: Instance) -> None:
    assert lifecycle.down(place) == ["worker", "server", "redis"]
    assert processes.marked(place) == []
    assert status.of(place).state == "down"
    assert lifecycle.down(place) == []


def test_a_server_that_cannot_start_says_why(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGILLA_SEARCH_ENGINE", "no-such-engine")
    with pytest.raises(UserError, match=r"server ended at once: .*see `twllm review logs server`"):
        lifecycle.up(place)
    assert processes.running(place, "server") is None


def test_what_is_on_file_comes_into_the_database_however_it_was_interrupted(place: Home, server: Instance) -> None:
    """The states in which a kill leaves a folder: the file is written, the database is not yet."""
    settings = read_settings(place)
    workspace, owner, annotators = instance.read_accounts(place)
    assert settings
    instance.write_settings(place, settings._replace(schema="", renewed=(owner.name,)))
    renewed, added = instance.new_account(owner.name), instance.new_account("added")
    instance.write_accounts(place, workspace, renewed, (*annotators, added))
    assert status.of(place).state == "partly", "the owner's key on file is not that of the database"
    now = lifecycle.up(place).instance
    assert now.owner == renewed and added in now.annotators
    for account in (renewed, added, *annotators):
        me = requests.get(f"{now.url}/api/v1/me", headers={"X-Argilla-Api-Key": account.api_key}, timeout=10)
        assert me.json()["username"] == account.name
    assert read_settings(place) == settings


def test_no_secret_is_in_any_log(place: Home, server: Instance) -> None:
    """After all of the above. Nor in the command lines that every user of the machine can read."""
    secrets = json.loads(place.secrets.read_bytes())
    hidden = [
        *secrets.values(),
        *(value for account in (server.owner, *server.annotators) for value in (account.password, account.api_key)),
    ]
    told = {path: path.read_text(errors="replace") for path in place.logs.iterdir()}
    told |= {Path(f"/proc/{known.pid}/cmdline"): Path(f"/proc/{known.pid}/cmdline").read_text() for known in processes.marked(place)}
    assert len(told) > 6
    for path, text in told.items():
        assert not any(secret in text for secret in hidden), path


def test_accounts_can_be_added_and_are_never_taken_away(place: Home, server: Instance) -> None:
    more = lifecycle.up(place, Asked(annotators="acai"))
    assert more.instance.annotators[:-1] == server.annotators
    assert more.instance.annotators[-1].name == "acai"
    assert more.instance.annotators[-1] in more.new_accounts
    assert more.instance.owner == server.owner
    with pytest.raises(UserError, match="that is the owner"):
        lifecycle.up(place, Asked(annotators="owner"))
    with pytest.raises(UserError, match="was set up with review"):
        lifecycle.up(place, Asked(workspace="another"))


def test_a_renewed_account_opens_with_the_new_and_not_with_the_old(place: Home, server: Instance) -> None:
    old = server.annotators[0]
    new = lifecycle.renew_account(place, old.name)
    assert {old.password, old.api_key}.isdisjoint({new.password, new.api_key})

    def known(key: str) -> int:
        return requests.get(f"{server.url}/api/v1/me", headers={"X-Argilla-Api-Key": key}, timeout=10).status_code

    assert (known(old.api_key), known(new.api_key)) == (401, 200)
    assert new in load(str(place.path)).annotators
    with pytest.raises(UserError, match="no account 'nobody'; there are owner, amei, ahao"):
        lifecycle.renew_account(place, "nobody")
