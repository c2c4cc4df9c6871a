"""Pushes to a stand-in of the Hub with the real client: what arrives is what a dry run wrote; every fault is one line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from factory.errors import UserError
from factory.hub.push import check_repo
from tests.factory.hub.conftest import REPOSITORY, Publish, conversation, write_rows
from tests.factory.hub.hub_server import READER, WRITER, WRONG, Hub


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def received(hub: Hub, repo: str = "datasets/org/demo") -> dict[str, bytes]:
    return {name: blob for name, blob in hub.repos[repo].files.items() if name != ".gitattributes"}


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("twllm: ")
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize("kind", ["rows_folder", "model_folder", "corpus_run"])
def test_what_arrives_is_what_a_dry_run_writes(
    kind: str, publish_apart: Publish, hub: Hub, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(kind)
    dry = publish_apart(folder, "--dry-run", "--output", str(tmp_path / "dry"))
    assert dry.returncode == 0, dry.stderr
    assert hub.requests == []
    pushed = publish_apart(folder)
    assert pushed.returncode == 0, pushed.stderr
    repo = "models/org/demo" if kind == "model_folder" else "datasets/org/demo"
    assert received(hub, repo) == files_of(tmp_path / "dry")
    assert hub.repos[repo].private
    assert len(hub.repos[repo].commits) == 1
    assert "published, private" in pushed.stdout
    assert not [path for path in hub.requests if "agent" in path or "telemetry" in path]
    for text in (dry.stdout, dry.stderr, pushed.stdout, pushed.stderr):
        assert WRITER not in text
    assert not [name for name, blob in received(hub, repo).items() if WRITER.encode() in blob]


def test_a_second_push_of_the_same_commits_nothing(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    publish(rows_folder)
    again = publish(rows_folder)
    assert again.returncode == 0, again.stderr
    assert "already there, unchanged" in again.stdout
    assert len(hub.repos["datasets/org/demo"].commits) == 1


def test_shards_of_an_earlier_push_go_and_other_files_stay(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    publish(rows_folder)
    repo = hub.repos["datasets/org/demo"]
    repo.files["data/train-00001-of-00002.parquet"] = b"old"
    repo.files["picture.png"] = b"someone's"
    (rows_folder / "preferences.jsonl").write_text("", "utf-8")
    done = publish(rows_folder)
    assert done.returncode == 0, done.stderr
    assert set(repo.files) == {".gitattributes", "README.md", "data/train-00000-of-00001.parquet", "picture.png"}
    assert "removed there: data/train-00001-of-00002.parquet" in done.stdout
    assert len(repo.commits) == 2


@pytest.mark.parametrize(
    ("token", "said"),
    [(WRONG, "answer 401"), (READER, "answer 403"), ("", "no token: set HF_TOKEN")],
)
def test_a_token_that_will_not_do(token: str, said: str, publish: Publish, hub: Hub, rows_folder: Path) -> None:
    line = one_line(publish(rows_folder, HF_TOKEN=token))
    assert said in line
    assert not token or token not in line
    assert hub.repos == {}


def test_a_token_without_rights_to_a_repository_that_is_there(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    publish(rows_folder)
    before = received(hub)
    (rows_folder / "preferences.jsonl").write_text("", "utf-8")
    assert "answer 403" in one_line(publish(rows_folder, HF_TOKEN=READER))
    assert received(hub) == before


def test_a_token_stored_by_logging_in_is_used(publish_apart: Publish, hub: Hub, rows_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(WRITER, "utf-8")
    assert publish_apart(rows_folder, HF_TOKEN="").returncode == 0
    assert received(hub)


@pytest.mark.parametrize(
    ("method", "where", "what", "goes_through"),
    [
        ("POST", "/commit/", "before", False),
        ("POST", "/commit/", "after", False),  # the answer is lost, the commit is made
        ("POST", "/repos/create", "after", False),
        ("PUT", "/blobs/", "before", True),  # the client asks again by itself
        ("PUT", "/blobs/", 400, False),
        ("GET", "/whoami", "before", False),
    ],
)
def test_cut_in_the_middle_and_repeated(
    method: str, where: str, what: str | int, goes_through: bool, publish: Publish, hub: Hub, rows_folder: Path, tmp_path: Path
) -> None:
    publish(rows_folder, "--dry-run", "--output", str(tmp_path / "dry"))
    hub.fail_once(method, where, what)
    first = publish(rows_folder)
    if goes_through:
        assert first.returncode == 0, first.stderr
    else:
        line = one_line(first)
        assert "ommand again" in line
        assert "signature" not in line
    again = publish(rows_folder)
    assert again.returncode == 0, again.stderr
    assert received(hub) == files_of(tmp_path / "dry")
    assert len(hub.repos["datasets/org/demo"].commits) == 1


@pytest.mark.parametrize("where", ["/blobs/", "/commit/"])
def test_killed_in_the_middle_and_repeated(
    where: str, publish: Publish, hub: Hub, rows_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(rows_folder, "--dry-run", "--output", str(tmp_path / "dry"))
    for name, value in {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path / "hf"), "TMPDIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    code = ["-c", "from factory.cli import main; main()", "publish", str(rows_folder), "--to", "org/demo"]
    child = subprocess.Popen([sys.executable, *code], cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(method: str, path: str) -> str | None:
        if where not in path:
            return None
        child.kill()
        return "before"

    hub.fault = kill
    assert child.wait() == -signal.SIGKILL
    assert received(hub) == {}
    hub.fault = lambda method, path: None
    again = publish(rows_folder)
    assert again.returncode == 0, again.stderr
    assert received(hub) == files_of(tmp_path / "dry")
    assert len(hub.repos["datasets/org/demo"].commits) == 1


def test_a_public_repository_is_not_written_to_by_default(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    assert publish(rows_folder, "--public").returncode == 0
    assert not hub.repos["datasets/org/demo"].private
    assert "is public on the Hub" in one_line(publish(rows_folder))
    assert publish(rows_folder, "--public").returncode == 0


def test_a_commit_by_someone_else_meanwhile(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    publish(rows_folder)
    write_rows(rows_folder / "accepted.jsonl", [conversation(1)])
    repo = hub.repos["datasets/org/demo"]

    def meddle(method: str, path: str) -> None:
        if "/preupload/" in path:
            repo.commits.append("by hand")

    hub.fault = meddle
    assert "changed by someone else" in one_line(publish(rows_folder))
    assert repo.commits[-1] == "by hand"


def test_nothing_is_sent_where_something_may_not_leave(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    write_rows(rows_folder / "accepted.jsonl", [conversation(1, license="unknown")])
    assert publish(rows_folder).returncode == 1
    assert hub.requests == []


def test_the_token_in_use_is_found_in_rows(publish: Publish, hub: Hub, rows_folder: Path) -> None:
    secret = "plain-words-that-are-a-token"
    write_rows(rows_folder / "accepted.jsonl", [conversation(1, category=secret)])
    done = publish(rows_folder, HF_TOKEN=secret)
    assert done.returncode == 1
    assert "token in use" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_a_token_never_travels_unencrypted(publish: Publish, rows_folder: Path) -> None:
    assert "unencrypted" in one_line(publish(rows_folder, HF_ENDPOINT="http://hub.example.org"))


def test_offline_is_said(publish: Publish, rows_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in one_line(publish(rows_folder))


@pytest.mark.parametrize(
    "name",
    [
        "demo",
        "org/",
        "/demo",
        "org/demo/more",
        "../demo",
        "org/..",
        "org/de--mo",
        "org/demo.git",
        "org/-demo",
        "組織/資料",
        "org/de mo",
        "a" * 97 + "/b",
        "",
    ],
)
def test_a_wrong_to(name: str) -> None:
    with pytest.raises(UserError, match="ORG/NAME"):
        check_repo(name)


@pytest.mark.parametrize("name", ["org/demo", "a/b", "my-org_1/data.set-v1.0", "a" * 96 + "/b"])
def test_a_right_to(name: str) -> None:
    check_repo(name)
