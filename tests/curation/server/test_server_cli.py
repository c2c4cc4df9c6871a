"""The verbs as a user types them: exit codes, one line for each fault, JSON for programs."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path

import pytest

from curation.server import lifecycle
from curation.server.instance import Home, Instance, read_settings

PROGRAM = "from factory.cli import main; main()"


def _review(*arguments: str, home: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "review", *arguments, "--home", home]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_status_of_a_server_that_is_up(argilla_server: Instance) -> None:
    done = _review("status", home=argilla_server.home)
    assert done.returncode == 0
    assert f"up: {argilla_server.url}" in done.stdout
    found = json.loads(_review("status", "--json", home=argilla_server.home).stdout)
    assert (found["state"], found["url"], found["strays"], set(found["processes"])) == (
        "up",
        argilla_server.url,
        0,
        {"redis", "server", "worker"},
    )


def test_status_of_none(tmp_path: Path) -> None:
    done = _review("status", home=str(tmp_path / "none"))
    assert done.returncode == 1
    assert "start one with `twllm review up`" in done.stdout


def test_up_on_one_that_is_up_prints_its_address(argilla_server: Instance) -> None:
    place = Home(Path(argilla_server.home))
    assert (read_settings(place) or lifecycle.Settings(0)).shown == (), "the fixture has shown nobody"
    first = _review("up", home=argilla_server.home)
    assert first.returncode == 0
    assert f"Argilla is already up: {argilla_server.url}" in first.stdout
    for account in (argilla_server.owner, *argilla_server.annotators):
        assert f" {account.name} " in first.stdout and f" {account.password} " in first.stdout and f" {account.api_key} " in first.stdout
    again = _review("up", home=argilla_server.home)
    assert again.stdout == f"Argilla is already up: {argilla_server.url}\n"


def test_accounts_are_listed_without_what_opens_them(argilla_server: Instance) -> None:
    done = _review("account", home=argilla_server.home)
    assert done.stdout.splitlines() == ["owner  owner", "annotator1  annotator", "annotator2  annotator", "annotator3  annotator"]


def test_logs(argilla_server: Instance) -> None:
    every = _review("logs", home=argilla_server.home)
    assert {line.partition("|")[0].strip() for line in every.stdout.splitlines()} == {"server", "worker", "redis"}
    one = _review("logs", "redis", "-n", "2", home=argilla_server.home)
    assert len(one.stdout.splitlines()) == 2 and "ready to accept connections" in one.stdout


def test_logs_follow_what_is_said_from_now_on(argilla_server: Instance) -> None:
    command = [sys.executable, "-c", PROGRAM, "review", "logs", "setup", "-n", "0", "--follow", "--home", argilla_server.home]
    log = Home(Path(argilla_server.home)).log("setup")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        seen = ""
        for number in range(1_000_000):  # it may not have begun to follow when the first is written
            with log.open("a") as stream:
                stream.write(f"line {number}\n" * 1_000)
            if select.select([following.stdout], [], [], 0.1)[0]:
                seen = following.stdout.readline()
                break
        following.terminate()
    assert seen.startswith("line ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["logs", "nonsense"], "no log 'nonsense'; there are server, worker, redis, setup, install"),
        (["account", "nobody"], "no account 'nobody'; there are owner, annotator1"),
        (["account", "--reset"], "--reset wants the name of an account"),
        (["backup", "/no/such/folder/x.tar.zst"], "/no/such/folder is no folder"),
        (["restore", "/no/such/file"], "a review server runs in"),
        (["up", "--annotators", "Ä"], "is no name for an account or workspace"),
        (["up", "--annotators", "0"], "choose 1 to 200"),
        (["up", "--port", "80"], "is up on port"),
        (["up", "--owner", "other"], "this server was set up with owner"),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(argilla_server: Instance, arguments: list[str], said: str) -> None:
    done = _review(*arguments, home=argilla_server.home)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("name", ["what?", "50%", "c#"])
def test_a_folder_that_no_database_url_can_name(tmp_path: Path, name: str) -> None:
    done = _review("up", home=str(tmp_path / name))
    assert done.returncode == 2
    assert "which no database URL may; choose another --home" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_taken(tmp_path: Path) -> None:
    """`--home ~` would close and fill it."""
    (tmp_path / "thesis.txt").write_text("mine")
    tmp_path.chmod(0o755)
    done = _review("up", home=str(tmp_path))
    assert done.returncode == 2
    assert "holds 'thesis.txt' and no review server; choose an empty or new folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _review("up", home=str(tmp_path / "file"))
    assert done.returncode == 2
    assert "cannot be a folder of the review server" in done.stderr


@pytest.mark.parametrize("file", ["accounts.json", "secrets.json", "instance.json"])
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, file: str, argilla_server: Instance) -> None:
    for name in ("accounts.json", "secrets.json", "instance.json"):
        (tmp_path / name).write_bytes((Path(argilla_server.home) / name).read_bytes())
    (tmp_path / file).write_text("{")
    for verb in ("status", "up"):
        done = _review(verb, home=str(tmp_path))
        assert done.returncode == 2
        assert file in done.stderr and "restore the folder from a backup with `twllm review restore`" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
