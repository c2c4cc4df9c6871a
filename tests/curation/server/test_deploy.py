"""The team's deployment: a file that Compose accepts, pinned, closed, its secrets in files; and the scripts in it, run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from curation.server import ports, processes
from tests.curation.conftest import require_redis

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
SERVICE_KEYS = {
    "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image", "networks", "ports", "read_only", "restart",
    "secrets", "security_opt", "tmpfs", "user", "volumes", "working_dir",
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def _compose_command() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    return None


@pytest.mark.parametrize("engine", ["elasticsearch", "embedded"])
def test_compose_accepts_it(engine: str, tmp_path: Path) -> None:
    """By Compose itself, where there is one; the checks of structure below run everywhere."""
    command = _compose_command()
    if command is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is here; the structure is checked by the other tests")
    done = subprocess.run(
        [*command, "-f", str(DEPLOY / "compose.yaml"), "config"], capture_output=True, text=True, check=False,
        env=os.environ | {"ARGILLA_SEARCH_ENGINE": engine, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)
    for service in ("setup", "argilla", "worker"):
        assert found["services"][service]["environment"]["ARGILLA_SEARCH_ENGINE"] == engine


def test_structure(compose: dict[str, Any]) -> None:
    """What Compose would refuse or silently ignore: unknown keys, names that stand for nothing."""
    assert set(compose) - {"services", "networks", "volumes", "secrets"} == {"x-hardened", "x-argilla"}
    for name, service in compose["services"].items():
        assert set(service) <= SERVICE_KEYS, name
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in ("service_healthy", "service_completed_successfully")
            assert how["condition"] != "service_healthy" or "healthcheck" in compose["services"][other]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), volume
        assert "healthcheck" in service or service["restart"] == "no", name


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    assert {image.rpartition(":")[0].rpartition("/")[2] for image in images} == {"argilla-server", "elasticsearch", "postgres", "redis"}
    assert all(re.fullmatch(r"v?\d+\.\d+(\.\d+)?", image.rpartition(":")[2]) for image in images)


def test_only_argilla_is_published_and_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert list(published) == ["argilla"]
    assert all(port.startswith("127.0.0.1:") for port in published["argilla"])
    assert compose["networks"]["store"] == compose["networks"]["search"] == {"internal": True}
    assert compose["services"]["elasticsearch"]["networks"] == ["search"]


def test_no_secret_stands_in_the_files(compose: dict[str, Any]) -> None:
    assert all(set(secret) == {"file"} and secret["file"].startswith("./secrets/") for secret in compose["secrets"].values())
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|KEY", key) or str(value).startswith("/run/secrets/"), f"{name} {key}"
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().splitlines()


def test_one_switch_of_the_engine(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", text)) == {
        "ARGILLA_SEARCH_ENGINE", "FORWARDED_ALLOW_IPS", "TWLLM_GID", "TWLLM_REVIEW_HOSTS", "TWLLM_REVIEW_PORT", "TWLLM_UID",
    }  # fmt: skip
    assert text.count("${ARGILLA_SEARCH_ENGINE") == 1
    assert not any("elasticsearch" in service.get("depends_on", {}) for service in compose["services"].values())


def _secrets(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DEPLOY / "make_secrets.py"), "--into", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})


def test_secrets_are_made_once_and_private(tmp_path: Path, compose: dict[str, Any]) -> None:
    folder = tmp_path / "secrets"
    done = _secrets(folder, "--annotators", "amei,ahao")
    assert done.returncode == 0, done.stderr
    assert {Path(secret["file"]).name for secret in compose["secrets"].values()} == {path.name for path in folder.iterdir()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    made = json.loads((folder / "accounts.json").read_text())
    assert [(one["name"], one["role"]) for one in made["accounts"]] == [("owner", "owner"), ("amei", "annotator"), ("ahao", "annotator")]
    assert all(one["password"] in done.stdout for one in made["accounts"])
    assert len((folder / "auth_key").read_text()) == 64
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = _secrets(folder)
    assert again.returncode == 2 and "choose another folder with --into" in again.stderr and len(again.stderr.splitlines()) == 1
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_entry_gives_secrets_to_its_process_alone(tmp_path: Path) -> None:
    _secrets(tmp_path)
    key, postgres, redis = ((tmp_path / name).read_text() for name in ("auth_key", "postgres_password", "redis_password"))
    done = subprocess.run(
        ["sh", str(DEPLOY / "entrypoint.sh"), sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"],
        capture_output=True, text=True, check=True, env={"TWLLM_SECRETS": str(tmp_path), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["ARGILLA_AUTH_SECRET_KEY"] == key
    assert found["ARGILLA_DATABASE_URL"] == f"postgresql+asyncpg://argilla:{postgres}@postgres:5432/argilla"
    assert found["ARGILLA_REDIS_URL"] == f"redis://:{redis}@redis:6379/0"
    (tmp_path / "auth_key").unlink()
    refused = subprocess.run(
        ["sh", str(DEPLOY / "entrypoint.sh"), "true"], capture_output=True, check=False, env={"TWLLM_SECRETS": str(tmp_path)}
    )
    assert refused.returncode != 0


def test_redis_asks_for_its_password_and_does_not_show_it(tmp_path: Path) -> None:
    require_redis()
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on the PATH")
    _secrets(tmp_path)
    password, port = (tmp_path / "redis_password").read_text(), ports.any_free()
    environment = {
        "TWLLM_SECRETS": str(tmp_path),
        "TWLLM_REDIS_DIR": str(tmp_path),
        "TWLLM_REDIS_PORT": str(port),
        "PATH": os.environ["PATH"],
    }
    with subprocess.Popen(["sh", str(DEPLOY / "redis.sh")], stdout=subprocess.DEVNULL, env=os.environ | environment) as running:
        try:
            assert processes.wait_until(lambda: not ports.free(port), 20.0)
            with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
                asked.sendall(b"PING\r\n")
                assert asked.recv(100).startswith(b"-NOAUTH")
                asked.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                assert processes.wait_until(lambda: b"+PONG" in asked.recv(100), 5.0)
            assert password.encode() not in Path(f"/proc/{running.pid}/cmdline").read_bytes()
        finally:
            running.terminate()
