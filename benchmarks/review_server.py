"""What the review server takes to start, to stop, to come back and to hold: `python -m benchmarks.review_server`.

In a temporary folder, three times each, the median counted: the first `up` (database, accounts; the environment is there), `up` on what is
up, `up` after the web server was killed, `down`, a later `up`, a backup. With `--build` also the environment, from nothing. Memory is the
proportional set size of all the server's processes, so that what they share counts once. Writes benchmarks/results/review_server.json.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import ROOT, environment, write_result
from curation.server import environment as argilla
from curation.server import lifecycle, processes
from curation.server.accounts import Asked
from curation.server.instance import Home

RESULT = ROOT / "benchmarks" / "results" / "review_server.json"
REPEATS = 3
CODE = (
    "curation.server.accounts",
    "curation.server.backup",
    "curation.server.environment",
    "curation.server.health",
    "curation.server.lifecycle",
    "curation.server.processes",
    "curation.server.redis",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--build", action="store_true", help="also build Argilla's environment from nothing")
    build = options.parse_args().build
    with tempfile.TemporaryDirectory() as folder:
        built = _built(Path(folder)) if build else None
        argilla.ensure(Path(folder) / "install.log")
        rounds = [_round(Home(Path(folder) / f"review{number}")) for number in range(REPEATS)]
    result = {
        "environment": environment(CODE, ("twllm",)),
        "load_average_1_minute": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "environment_megabytes": round(_bytes(argilla.folder()) / 1e6),
        "build_seconds": built,
        "median": {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]},
    }
    write_result(str(RESULT), result)
    print(result["median"])


def _built(folder: Path) -> float:
    os.environ["TWLLM_ARGILLA_ENV"] = str(folder / "argilla")
    try:
        return _seconds(lambda: argilla.ensure(folder / "install.log"))
    finally:
        del os.environ["TWLLM_ARGILLA_ENV"]


def _round(place: Home) -> dict[str, float]:
    try:
        found = {"first_up_seconds": _seconds(lambda: lifecycle.up(place, Asked(port=0)))}
        found["memory_megabytes"] = _memory(place)
        found["up_again_seconds"] = _seconds(lambda: lifecycle.up(place))
        server = processes.running(place, "server")
        assert server
        os.kill(server.pid, signal.SIGKILL)
        processes.wait_until(lambda: processes.began(server.pid) is None, 10.0)
        found["up_after_kill_seconds"] = _seconds(lambda: lifecycle.up(place))
        found["backup_seconds"] = _seconds(lambda: lifecycle.save_backup(place, place.path.with_suffix(".tar.zst")))
        found["down_seconds"] = _seconds(lambda: lifecycle.down(place))
        found["later_up_seconds"] = _seconds(lambda: lifecycle.up(place))
        return found
    finally:
        lifecycle.down(place)


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return round(time.perf_counter() - start, 2)


def _memory(place: Home) -> float:
    """Megabytes; each page counted by the share of it that a process holds."""
    kilobytes = 0
    for known in processes.marked(place):
        lines = Path(f"/proc/{known.pid}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1e3


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


if __name__ == "__main__":
    main()
