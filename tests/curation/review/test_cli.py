"""The verbs as a user types them, over a server, from push to report; chat logs, whose users are people."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from curation.server.instance import Instance
from factory.cli import main
from tests.curation.review.scripted import Row, Scripted, annotators, answer_all, conversation, dataset_id, read_rows, write_rows


class Done(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code in (0, 1), self.err
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command in this process: arguments in, exit code and output out."""

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["twllm", "review", *arguments])
        out, err, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as done:
                code = int(done.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    return call


def chats(count: int) -> list[Row]:
    rows = [conversation(f"chat-{n}", f"第{n}次的回答，先確認再說明。", n) for n in range(count)]
    for row in rows:
        row["messages"] = [
            {"role": "user", "content": "我住在山上"}, {"role": "assistant", "content": "好的"},
            {"role": "user", "content": "怎麼下山？"}, *row["messages"][1:],
        ]  # fmt: skip
    return rows


def test_chat_logs_from_push_to_report(argilla_server: Instance, run: Callable[..., Done], tmp_path: Path) -> None:
    home = ("--home", argilla_server.home)
    path = write_rows(tmp_path / "Chat Logs.jsonl", [*chats(20), {"id": "bad"}])
    done = run("push", path, "--kind", "chat", "--overlap", "0.5", *home)
    assert done.code == 0, done.err
    assert "chat-logs (chat): 21 rows = 20 new + 0 known + 1 quarantined" in done.out
    assert f"{path}:21: 'messages' is no list of messages" in done.out
    assert f"{argilla_server.url}/dataset/" in done.out and "metadata=lane.3&sort=metadata.priority.desc" in done.out
    again = run("push", path, "--kind", "chat", "--json", *home).json()
    assert (again["known"], again["sent"], again["quarantined"][0]["line"]) == (20, 0, 21)

    shared = dataset_id(argilla_server, "chat-logs-shared")
    order = [record["external_id"] for record in annotators(argilla_server)[0].seen(shared)]

    def say(who: int) -> Callable[[Row], Row]:
        def answer(record: Row) -> Row:
            place = order.index(record["external_id"])
            verdict = "reject" if place % 2 or (place == 0 and who == 2) else "keep"
            private = {"privacy": "remains" if place in (2, 3) else "none"}
            return {"verdict": verdict, "taiwaneseness": 5 if place % 2 else 3, "factuality": 5, "safety": 5, **private}

        return answer

    for who, person in enumerate(annotators(argilla_server)):
        assert answer_all(person, shared, say(who)) == 10
    assert run("pull", "chat-logs", "--json", *home).json()["new"] == 30
    assert run("pull", "chat-logs", *home).out == "0 new; 30 submitted, 0 put aside, 0 adjudicated\n"

    agreed = run("agreement", "chat-logs", "--json", *home)
    values = {row["question"]: row["alpha"] for row in agreed.json()["alphas"]}
    assert agreed.code == 0 and values["privacy"] == 1.0 and 0.67 < values["verdict"] < 1

    assert run("adjudicate", "chat-logs", "--json", *home).json()["open"] == 1
    dataset = dataset_id(argilla_server, "chat-logs-adjudication", f"{argilla_server.workspace}-adjudication")
    answer_all(Scripted(argilla_server, argilla_server.owner), dataset, say(2))  # who agrees with the third: reject
    assert "1 adjudicated" in run("pull", "chat-logs", *home).out

    output = str(tmp_path / "export")
    exported = run("export", "chat-logs", "--output", output, "--json", *home).json()
    assert exported["exported"] == 3  # five of ten were kept, of them one was overruled and in one somebody can be recognised
    assert exported["rejected"] == {"privacy": 1, "verdict": 6} and exported["undecided"] == {"unanswered": 10}
    assert all(len(row["messages"]) == 4 for row in read_rows(tmp_path / "export" / "sft.jsonl"))
    page = Path(run("report", "chat-logs", "--json", *home).json()["report"])
    assert page.name == "review-report.html" and "還看得出是誰" in page.read_text("utf-8")


def test_faults_are_one_line_and_code_two(
    argilla_server: Instance, run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", chats(2))
    home = ("--home", argilla_server.home)
    elsewhere = ("--home", str(tmp_path / "none"))
    monkeypatch.setenv("TWLLM_REVIEW_API_KEY", "expired")
    cases = [
        (("push", path, *elsewhere), "no review server is up in"),
        (("push", str(tmp_path / "absent.jsonl"), *home), "absent.jsonl: no such file"),
        (("push", str(tmp_path), *home), "is a folder"),
        (("push", path, "--kind", "poem", *home), "--kind 'poem': there are"),
        (("push", path, "--overlap", "2", *home), "--overlap 2.0: is no share"),
        (("push", path, "--name", "Ä", *home), "review 'Ä': a name has small letters"),
        (("push", path, "--url", argilla_server.url, *home), "the API key is not accepted (401)"),
        (("push", path, "--url", "ftp://x", *home), "--url 'ftp://x': is no http or https address"),
        (("push", path, "--url", "http://[::1", *home), "is no http or https address"),
        (("push", path, "--url", "http://reviews.example.org", *home), "would cross the network in clear. Use https"),
        (("pull", "nothing", "--url", "http://192.0.2.1:6900", *home), "or give --insecure where the network is trusted"),
        (("adjudicate", "nothing", "--url", "http://localhost.example.org", *home), "would cross the network in clear"),
        (("pull", "nothing", *home), "review 'nothing': there is none in"),
        (("export", "nothing", "--output", str(tmp_path / "out"), *home), "review 'nothing': there is none in"),
        (("report", "nothing", *home), "review 'nothing': there is none in"),
    ]
    for arguments, said in cases:
        done = run(*arguments)
        assert done.code == 2 and done.out == "", arguments
        assert done.err.startswith("twllm: ") and said in done.err and done.err.count("\n") == 1, done.err
        assert "expired" not in done.err.replace("or expired", "")  # a key is nobody's business
    monkeypatch.delenv("TWLLM_REVIEW_API_KEY")
    assert "TWLLM_REVIEW_API_KEY. Set it" in run("push", path, "--url", argilla_server.url, *home).err


def test_gold_that_stands_in_the_dataset_is_told(argilla_server: Instance, run: Callable[..., Done], tmp_path: Path) -> None:
    rows = [conversation(f"twice-{n}", f"第{n}個回答，已經查證過了。", n) for n in range(30)]
    gold = write_rows(
        tmp_path / "gold.jsonl", [{**rows[0], "gold": {"verdict": "keep"}}, {**rows[3], "id": "new", "gold": {"verdict": "keep"}}]
    )
    done = run(
        "push", write_rows(tmp_path / "rows.jsonl", rows), "--name", "twice", "--gold", gold, "--home", argilla_server.home, "--json"
    )
    found = done.json()
    assert (found["new"], found["gold"], found["gold_quarantined"][0]["line"]) == (30, 1, 1)
    assert found["gold_quarantined"][0]["error"] == "stands in the dataset, too: take it out of one of them"
