"""The verbs of `twllm review`."""

from __future__ import annotations

import typer

from curation.review import cli as review
from curation.server import cli as server

app = typer.Typer(
    help="Human review in Argilla: server, queue, agreement, export.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
server.add(app)
review.add(app)
