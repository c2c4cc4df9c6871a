"""Ways to an Argilla whose engine is tested: its app in a process of ours, or a server that runs somewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import requests

from curation.server import environment
from tests.curation.engine.argilla_process import OWNER_KEY


class Refused(Exception):
    """Argilla answered with an error."""


class Door(Protocol):
    owner_key: str

    def request(self, method: str, path: str, body: Any, key: str) -> tuple[int, Any]: ...


class Process:
    """Argilla's app with the embedded engine, on a database of its own."""

    owner_key = OWNER_KEY

    def __init__(
        self, python: Path, home: Path, database_url: str | None = None, packages: Path | None = None, only_index: str = ""
    ) -> None:
        program = Path(__file__).with_name("argilla_process.py")
        command = [python, program, *([only_index] if only_index else [])]
        self.home, self.database_url, self.packages = home, database_url, packages
        paths = [str(environment.PLUGIN), *([str(packages)] if packages else [])]
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(paths),
            "ARGILLA_HOME_PATH": str(home),
            "ARGILLA_SEARCH_ENGINE": "embedded",
            "ARGILLA_AUTH_SECRET_KEY": uuid.uuid4().hex,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **({"ARGILLA_DATABASE_URL": database_url} if database_url else {}),
        }
        self.log = home / "argilla.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=variables, text=True)

    @property
    def database(self) -> Path:
        return self.home / "argilla.db"

    def ask(self, **asked: Any) -> dict[str, Any]:
        """The process' answer to one request."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"Argilla ended: {self.log.read_text(errors='replace')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def request(self, method: str, path: str, body: Any, key: str) -> tuple[int, Any]:
        answer = self.ask(method=method, path=path, json=body, key=key)
        return answer["status"], answer["body"]

    def sql(self, statement: str, **values: Any) -> list[Any]:
        """Runs in Argilla's database, past Argilla."""
        rows: list[Any] = self.ask(sql=statement, values=values)["rows"]
        return rows

    def restart_engine(self) -> None:
        self.ask(restart=True)

    def send(self, method: str, path: str, body: Any) -> None:
        """Asks as the owner and does not wait for the answer."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"method": method, "path": f"/api/v1{path}", "json": body, "key": self.owner_key}) + "\n")
        self.process.stdin.flush()

    def kill(self, after_seconds: float) -> bool:
        """Kills it with SIGKILL so long after now; False where it had ended by itself."""
        try:
            self.process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return True
        return False

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


class Server:
    """An Argilla that runs somewhere, with any engine."""

    def __init__(self, url: str, owner_key: str) -> None:
        self.url, self.owner_key = url.rstrip("/"), owner_key

    def request(self, method: str, path: str, body: Any, key: str) -> tuple[int, Any]:
        response = requests.request(method, self.url + path, json=body, headers={"X-Argilla-Api-Key": key}, timeout=60)
        return response.status_code, response.json() if response.content else None


class User(NamedTuple):
    id: str
    key: str


class Argilla:
    """Argilla's interface through a door, with an owner and two annotators made for this run."""

    def __init__(self, door: Door) -> None:
        self.door = door
        run = uuid.uuid4().hex[:8]
        self.users = {"owner": User(self.call("GET", "/me")["id"], door.owner_key)}
        self.workspace = self.call("POST", "/workspaces", {"name": f"engine-{run}"})["id"]
        for name in ("one", "two"):
            account = {"username": f"{name}-{run}", "first_name": name, "password": uuid.uuid4().hex, "role": "annotator"}
            made = self.call("POST", "/users", account)
            self.users[name] = User(made["id"], made["api_key"])
            self.call("POST", f"/workspaces/{self.workspace}/users", {"user_id": made["id"]})

    def call(self, method: str, path: str, body: Any = None, user: str = "owner") -> Any:
        """The answer's JSON. Raises Refused for an error."""
        key = self.users[user].key if hasattr(self, "users") else self.door.owner_key
        status, answer = self.door.request(method, f"/api/v1{path}", body, key)
        if status >= 400:
            raise Refused(f"{method} {path}: {status} {str(answer)[:500]}")
        return answer

    def search(self, dataset: str, body: dict[str, Any], user: str | None = None, page: str = "limit=1000") -> tuple[int, list[str]]:
        """Total and external ids: over all users' responses, or as one user sees the records."""
        path = f"/datasets/{dataset}/records/search?{page}"
        answer = self.call("POST", f"/me{path}" if user else path, body, user or "owner")
        return answer["total"], [item["record"]["external_id"] for item in answer["items"]]


def python(log: Path) -> Path:
    """Argilla's interpreter; its environment is built where it is not there."""
    return environment.python(environment.ensure(log))


def install(interpreter: Path, packages: list[str], target: Path) -> None:
    """Wheels beside Argilla's environment, for the tests that need a driver it does not come with."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(interpreter),
        "install",
        "--no-input",
        "--no-deps",
        "--quiet",
        "--target",
        str(target),
    ]
    subprocess.run([*command, *packages], check=True, capture_output=True)
