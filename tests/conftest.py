"""Fixtures that several rooms use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def twllm_data() -> Path:
    """The folder of real text. Absent: a skip on a laptop, a failure under CI."""
    folder = os.environ.get("TWLLM_DATA", "")
    if not folder or not Path(folder).is_dir():
        message = f"TWLLM_DATA={folder!r} is no folder; set it to the real-text folder to run this test"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return Path(folder)
