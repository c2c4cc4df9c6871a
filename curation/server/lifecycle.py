"""Starting a review server, whole or what is missing of it, and stopping it."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from curation.server import accounts, backup, environment, health, ports, processes, redis
from curation.server.accounts import Asked
from curation.server.instance import (
    LOOPBACK,
    Account,
    Home,
    Instance,
    Settings,
    load,
    prepare,
    read_settings,
    secret_of,
    url,
    write_accounts,
    write_settings,
)
from factory.errors import UserError

START_SECONDS = 180.0  # Argilla takes about 10 s on two cores
STOP_SECONDS = {"worker": 20.0, "server": 15.0, "redis": 10.0}
_POLL_SECONDS = 0.1

AS_BEFORE = Asked()

Say = Callable[[str], None]


class Started(NamedTuple):
    """What `up` did: the server, whether it was up already, and the accounts whose passwords were not shown yet."""

    instance: Instance
    already: bool
    new_accounts: tuple[Account, ...]


def up(place: Home, asked: Asked = AS_BEFORE, say: Say = lambda line: None) -> Started:
    """Starts what is not running and waits until all of it answers. Raises UserError, the last lines of a log in it."""
    health.require_space(place.path)
    prepare(place)
    with _alone(place, say):
        settings = read_settings(place)
        if settings and _all_running(place) and health.all_answer(place, settings.port):
            if asked.port not in (None, 0, settings.port):
                raise UserError(f"the server is up on port {settings.port}; stop it with `twllm review down` to move it to {asked.port}")
            if not accounts.wanted(place, asked)[1]:
                return Started(load(str(place.path)), True, accounts.unshown(place))
        return _start(place, asked, settings, say)


def down(place: Home, say: Say = lambda line: None) -> list[str]:
    """Stops worker, web server and Redis, in that order; the roles that were running. Nothing else is touched."""
    if read_settings(place) is None:
        return []
    with _alone(place, say):
        stopped = [role for role in reversed(processes.ROLES) if processes.stop_role(place, role, STOP_SECONDS[role]) is not None]
        if strays := processes.stop_strays(place):
            say(f"stopped {strays} left-over process{'es' if strays > 1 else ''}")
            stopped = stopped or ["strays"]
        redis.clear_socket(place)
        return stopped


def renew_account(place: Home, name: str, say: Say = lambda line: None) -> Account:
    """A new password and API key for one account; the server may run."""
    with _alone(place, say):
        settings = read_settings(place)
        return accounts.renew(place, name, python_environment(place, settings.port if settings else 0))


def save_backup(place: Home, target: Path, say: Say = lambda line: None) -> backup.Saved:
    """See `backup.save`; no start or stop of the same folder meanwhile."""
    if not place.path.is_dir():
        raise UserError(f"no review server in {place.path} to back up; choose its folder with --home")
    with _alone(place, say):
        return backup.save(place, target)


def restore_backup(place: Home, source: Path, force: bool = False) -> str | None:
    """See `backup.restore`. Raises UserError while a server runs in that folder."""
    if any(processes.running(place, role) for role in processes.ROLES) or (place.secrets.exists() and processes.marked(place)):
        raise UserError(f"a review server runs in {place.path}; stop it with `twllm review down` first")
    return backup.restore(place, source, force)


def python_environment(place: Home, port: int) -> dict[str, str]:
    """What Argilla's processes see of the world: the plugin, their settings, none of it secret."""
    others = ("ARGILLA_", "PYTHON", "HF_", "UVICORN_", "USERNAME")  # a setting meant for another Argilla is none for this one
    engine = ("ARGILLA_SEARCH_ENGINE", "ARGILLA_ELASTICSEARCH", "ARGILLA_ES_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(others) or key.startswith(engine)}
    return kept | {
        "PYTHONPATH": str(environment.PLUGIN),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "160",  # of the worker's log
        "TMPDIR": str(place.temporary),
        "TWLLM_REVIEW_HOSTS": f"{LOOPBACK}:{port},localhost:{port}",
        "TWLLM_REVIEW_SECRETS": str(place.secrets),
        "TWLLM_REVIEW_READY": str(place.run / "worker.ready"),
        "ARGILLA_HOME_PATH": str(place.path),
        "ARGILLA_DATABASE_URL": f"sqlite+aiosqlite:///{place.database}?check_same_thread=False",
        "ARGILLA_DATABASE_SQLITE_TIMEOUT": "60",
        "ARGILLA_REDIS_URL": redis.url(place),
        "ARGILLA_SEARCH_ENGINE": os.environ.get("ARGILLA_SEARCH_ENGINE") or "embedded",
        "ARGILLA_AUTH_OAUTH_CFG": str(place.path / "oauth.yaml"),  # else a file of the current folder would be read
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",  # what goes to the Hub goes through `twllm publish`
        "HF_HOME": str(place.temporary / "hf"),
    }


def _start(place: Home, asked: Asked, settings: Settings | None, say: Say) -> Started:
    made = environment.folder()
    if not environment.ready(made):
        say(f"installing argilla-server {environment.ARGILLA} into {made}, once (550 MB)")
    made = environment.ensure(place.log("install"))
    if strays := processes.stop_strays(place):
        say(f"stopped {strays} left-over process{'es' if strays > 1 else ''} of an earlier start")
    roster, new = accounts.wanted(place, asked)
    port = settings.port if settings else 0
    if not (settings and processes.running(place, "server") and asked.port in (None, 0, port) and health.server_answers(place, port)):
        processes.stop_role(place, "server", STOP_SECONDS["server"])
        port = ports.choose(asked.port, settings.port if settings else None)
    settings = settings._replace(port=port) if settings else Settings(port)
    if new or not settings.schema.startswith(f"{environment.ARGILLA}/") or not place.database.exists():
        settings = settings._replace(schema="")  # set again once all is in the database, however often this is killed
    secret_of(place)
    write_settings(place, settings)
    if new:
        write_accounts(place, *roster)
    _start_redis(place, made)
    if not settings.schema:
        say("migrating the database and creating accounts")
        accounts.set_up(place, made, python_environment(place, port))
    _start_python(place, made, port, say)
    return Started(load(str(place.path)), False, accounts.unshown(place))


def _start_redis(place: Home, made: Path) -> None:
    if processes.running(place, "redis") and redis.answers(place):
        return
    processes.stop_role(place, "redis", STOP_SECONDS["redis"])
    program = environment.redis_server(made, place.log("install"))
    started = processes.start(place, "redis", [program, str(redis.write_configuration(place))], os.environ)
    _wait(place, "redis", started, lambda: redis.answers(place))


def _start_python(place: Home, made: Path, port: int, say: Say) -> None:
    """Web server and worker side by side; their seconds of importing add up otherwise."""
    settings, python, waits = python_environment(place, port), str(environment.python(made)), []
    if not processes.running(place, "server"):
        shutil.rmtree(place.temporary, ignore_errors=True)  # Argilla copies its pages there at each start
        place.temporary.mkdir(mode=0o700)
        say(f"starting Argilla on {url(port)}")
        command = [
            python, "-m", "uvicorn", "twllm_argilla.app:app", "--host", LOOPBACK, "--port", str(port), "--no-server-header",
            "--no-proxy-headers", "--no-access-log", "--timeout-graceful-shutdown", "10",
        ]  # fmt: skip
        waits.append(("server", processes.start(place, "server", command, settings), lambda: health.server_answers(place, port)))
    if not processes.running(place, "worker"):
        ready = place.run / "worker.ready"
        ready.unlink(missing_ok=True)
        waits.append(("worker", processes.start(place, "worker", [python, "-m", "twllm_argilla.worker"], settings), ready.exists))
    for role, known, answers in waits:
        _wait(place, role, known, answers)


def _wait(place: Home, role: str, known: processes.Known, answers: Callable[[], bool]) -> None:
    until = time.monotonic() + START_SECONDS
    while not answers():
        gone = processes.began(known.pid) != known.began
        if gone or time.monotonic() > until:
            processes.stop_role(place, role, STOP_SECONDS[role])
            how = "ended at once" if gone else f"did not answer within {START_SECONDS:.0f} s"
            words = health.last_words(place.log(role).read_text(errors="replace"), place)
            raise UserError(f"{role} {how}: {words}; see `twllm review logs {role}`")
        time.sleep(_POLL_SECONDS)


def _all_running(place: Home) -> bool:
    return place.accounts.exists() and all(processes.running(place, role) for role in processes.ROLES)


@contextmanager
def _alone(place: Home, say: Say) -> Iterator[None]:
    """One command at a time changes a folder; the lock goes with the process that holds it."""
    with open(os.open(place.path / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another `twllm review` command on {place.path}")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
