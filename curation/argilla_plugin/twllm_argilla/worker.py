"""Argilla's background worker, with our search engine known to it: `python -m twllm_argilla.worker`.

Touches the file that TWLLM_REVIEW_READY names once it is in the queue's list of workers.
"""

from __future__ import annotations

import os
from pathlib import Path


def main() -> None:
    """Works until it is told to stop. One process at a time: each job runs in a fork of its own."""
    from argilla_server.jobs import hub_jobs, webhook_jobs  # noqa: F401  loaded once here, not in every job
    from argilla_server.jobs.queues import DEFAULT_QUEUE, HIGH_QUEUE, REDIS_CONNECTION
    from rq import Worker
    from rq.worker_pool import WorkerPool

    from . import register  # noqa: F401

    class Announced(Worker):  # type: ignore[misc]
        def register_birth(self) -> None:
            super().register_birth()
            if ready := os.environ.get("TWLLM_REVIEW_READY"):
                Path(ready).touch(mode=0o600)

    queues = [HIGH_QUEUE.name, DEFAULT_QUEUE.name]
    WorkerPool(connection=REDIS_CONNECTION, queues=queues, num_workers=1, worker_class=Announced).start()


if __name__ == "__main__":
    main()
