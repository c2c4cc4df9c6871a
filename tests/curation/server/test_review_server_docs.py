"""Each command of the page exists, with each option; its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from curation.argilla_plugin.twllm_argilla import doors, throttle
from curation.cli import app
from curation.server import health, ports
from curation.server.environment import ARGILLA

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "review_server.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"twllm review ([a-z]+)([^\n#`]*)", PAGE)))


@pytest.mark.parametrize(("verb", "rest"), COMMANDS)
def test_a_command_of_the_page_exists(verb: str, rest: str) -> None:
    group: Any = typer.main.get_command(app)
    assert verb in group.commands
    known = {option for parameter in group.commands[verb].params for option in parameter.opts}
    options = re.findall(r"(?<!\S)--[a-z-]+", rest)
    assert set(options) <= known


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    assert len(COMMANDS) >= 10
    assert f"Argilla {ARGILLA}" in PAGE
    assert (throttle.ACCOUNT_FAILURES, throttle.ADDRESS_FAILURES, throttle.FIRST_WAIT_SECONDS) == (5, 20, 5.0)
    assert throttle.LONGEST_WAIT_SECONDS == 15 * 60 and throttle.FORGET_SECONDS == 3600 and throttle.MAX_KEYS == 10_000
    assert doors.MAX_BODY_BYTES == 64 << 20 and doors.MAX_LOGIN_BYTES == 16 << 10
    assert health.FREE_BYTES == 256 << 20 and ports.DEFAULT == 6900
