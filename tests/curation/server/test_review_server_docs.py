"""Each command of the pages on review exists, with each option; numbers and pictures are there."""

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

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE, REVIEW = ((DOCS / name).read_text(encoding="utf-8") for name in ("review_server.md", "review.md"))
COMMANDS = sorted(set(re.findall(r"twllm review ([a-z]+)([^\n#`]*)", PAGE + REVIEW)))


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


def test_pictures_of_the_page_are_there_and_light() -> None:
    pictures = re.findall(r"\]\((images/[^)]+)\)", REVIEW)
    assert len(pictures) == 2
    for picture in pictures:
        data = (DOCS / picture).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) < 300_000
        assert int.from_bytes(data[16:20], "big") == 1_400  # width, of the PNG's header
