"""The engines that the conformance cases run against.

TWLLM_ENGINE_URL and TWLLM_ENGINE_KEY (an owner's API key) add an Argilla that runs somewhere, with whichever engine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.curation.engine import dataset as datasets
from tests.curation.engine import door as doors

ELSEWHERE = "TWLLM_ENGINE_URL"
DRIVERS = ["asyncpg==0.30.0", "psycopg2-binary==2.9.10"]


@pytest.fixture(scope="session")
def argilla_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return doors.python(tmp_path_factory.mktemp("environment") / "install.log")


@pytest.fixture(scope="session")
def sqlite(argilla_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[doors.Process]:
    process = doors.Process(argilla_python, tmp_path_factory.mktemp("sqlite"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def postgres(argilla_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[doors.Process]:
    """Argilla on a PostgreSQL cluster of its own, which no superuser runs."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if found is None:
        pytest.skip("no PostgreSQL here; install one (apt install postgresql) to run the engine's tests on it")
    packages = tmp_path_factory.mktemp("drivers")
    doors.install(argilla_python, DRIVERS, packages)
    account = "postgres" if os.geteuid() == 0 else None
    cluster = Path(tempfile.mkdtemp(prefix="twllm-postgres-"))
    password = secrets.token_urlsafe(24)
    (cluster / "password").write_text(password)
    if account:
        shutil.chown(cluster, account)
        shutil.chown(cluster / "password", account)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    control = str(Path(found).with_name("pg_ctl"))
    run = {"check": True, "capture_output": True, "cwd": cluster, "user": account}
    try:
        subprocess.run([found, "-D", cluster / "data", "-U", "argilla", "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256",
                        f"--pwfile={cluster / 'password'}"], **run)  # fmt: skip
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        subprocess.run([control, "-D", cluster / "data", "-o", options, "-l", cluster / "log", "-w", "start"], **run)
        url = f"postgresql://argilla:{password}@127.0.0.1:{port}/postgres"
        process = doors.Process(argilla_python, tmp_path_factory.mktemp("postgres"), url, packages)
        yield process
        process.close()
        subprocess.run([control, "-D", cluster / "data", "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(cluster, ignore_errors=True)


@pytest.fixture(scope="session", params=["sqlite", "postgres", *(["elsewhere"] if ELSEWHERE in os.environ else [])])
def argilla(request: pytest.FixtureRequest) -> doors.Argilla:
    """Argilla with each engine that is here."""
    if request.param != "elsewhere":
        return doors.Argilla(request.getfixturevalue(request.param))
    return doors.Argilla(doors.Server(os.environ[ELSEWHERE], os.environ["TWLLM_ENGINE_KEY"]))


@pytest.fixture(scope="session")
def dataset(argilla: doors.Argilla) -> datasets.Dataset:
    """The handwritten records in a dataset."""
    return datasets.make(argilla, "conformance", datasets.ROWS)


@pytest.fixture(scope="session")
def embedded(argilla: doors.Argilla) -> bool:
    """Whether the engine is ours."""
    return isinstance(argilla.door, doors.Process)
