"""Verbs that concern the server."""

from __future__ import annotations

import typer


def add(app: typer.Typer) -> None:
    """Puts the verbs into `twllm review`."""
