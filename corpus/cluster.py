"""Ray: datatrove's Ray executor on a cluster that is there, or on one that lives as long as the stage."""

from __future__ import annotations

import os
import secrets
import threading
from typing import Any

from datatrove.executor.ray import RayPipelineExecutor

from corpus.notes import Notes, alive
from corpus.recipe import RaySettings
from factory.errors import UserError

OBJECT_STORE_BYTES = 80 << 20  # Ray's least: what passes through it is a folder's name
WATCH_SECONDS = 2.0


class Executor(RayPipelineExecutor):  # type: ignore[misc]
    """datatrove's executor whose actors end when the process that works for them does.

    An actor works in a pool of one process and would wait for ever once that is killed; an actor that ends is replaced.
    """

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        notes = Notes(str(self.logging_dir.path), 0)
        pause = threading.Event()
        while not pause.wait(WATCH_SECONDS):
            notes.read()
            for note in notes.of_rank.values():
                if note["parent"] == os.getpid() and note["state"] == "working" and not alive(note):
                    os._exit(1)


def run_on_ray(folder: str, tasks: int, settings: RaySettings, workers: int, scratch: str | None) -> None:
    """Runs the tasks of a log folder on Ray. Raises UserError where the cluster cannot be reached or is too small.

    Without an address a cluster is started on this machine and stopped again: no dashboard, no usage statistics, files under
    `scratch`, and a token that whoever would connect must know (Ray listens on all interfaces).
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    memory_bytes = int(settings.memory_gb * (1 << 30))
    if settings.address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    import ray

    try:
        if settings.address is None:
            ray.init(
                address="local",
                num_cpus=workers * settings.cpus_per_task,
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=scratch,
                _memory=workers * memory_bytes,
            )
        else:
            ray.init(address=settings.address, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = settings.address or "a local cluster"
        raise UserError(f"ray.address: {where} cannot be reached or started: {error}. Correct it, or use engine 'local'.") from error
    try:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        resources = [node["Resources"] for node in nodes if node["Alive"]]
        if not any(has.get("CPU", 0) >= settings.cpus_per_task and has.get("memory", 0) >= memory_bytes for has in resources):
            raise UserError(
                f"ray: no node of the cluster has {settings.cpus_per_task} CPUs and {settings.memory_gb:g} GB for a task. "
                "Lower ray.cpus_per_task or ray.memory_gb."
            )
        from corpus.annotate import pipeline

        Executor(
            pipeline(folder),
            tasks=tasks,
            workers=workers,
            cpus_per_task=settings.cpus_per_task,
            mem_per_cpu_gb=settings.memory_gb / settings.cpus_per_task,
            logging_dir=folder,
            skip_completed=False,
        ).run()
    finally:
        ray.shutdown()
