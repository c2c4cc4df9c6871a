"""Claims about speed and agreement, each as a command that writes its numbers to `benchmarks/results/`.

A result says what it ran on (machine, versions, commit and a digest of the code measured) and holds no text.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from factory import manifest, storage

ROOT = Path(__file__).parents[1]


def data_folder() -> Path | None:
    """The folder of real text that TWLLM_DATA names; None where it is unset or no folder."""
    folder = os.environ.get("TWLLM_DATA", "")
    return Path(folder) if folder and Path(folder).is_dir() else None


def rows(folder: Path, corpus: str) -> Iterator[dict[str, Any]]:
    """The rows of `corpus/<corpus>.jsonl.zst`, in file order."""
    with storage.open_binary(str(folder / "corpus" / f"{corpus}.jsonl.zst")) as stream:
        yield from map(json.loads, io.TextIOWrapper(stream, encoding="utf-8"))


def environment(code: tuple[str, ...], distributions: tuple[str, ...]) -> dict[str, Any]:
    """Machine, versions, commit, and the digest of the modules that a result speaks of."""
    return {
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {name: version(name) for name in distributions},
        "commit": _commit(),
        "code": {"modules": list(code), "sha256": manifest.code_digest(code, ())},
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if os.path.exists("/proc/cpuinfo") else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str | None:
    """The commit of the checkout, with `+changes` where files differ from it; None outside a checkout."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        changes = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return f"{head}+changes" if changes.strip() else head


def digest_of_ids(ids: Iterable[str]) -> str:
    """SHA-256 over document ids in order: two results with the same digest are about the same documents."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def write_result(path: str, result: dict[str, Any]) -> None:
    """Stores a result as JSON; the file appears whole."""
    storage.atomic_write_text(path, json.dumps(result, ensure_ascii=False, indent=1) + "\n")
