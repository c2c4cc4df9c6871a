"""Verbs that concern the server."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

HOME = Annotated[str | None, typer.Option("--home", help="The server's folder [$TWLLM_REVIEW_HOME, ~/.local/share/twllm/review].")]
JSON = Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")]


def add(app: typer.Typer) -> None:
    """Puts the verbs into `twllm review`."""
    for verb in (up, down):
        app.command()(verb)


def up(
    home: HOME = None,
    annotators: Annotated[str, typer.Option(help="How many, or names joined by commas [first time 3]. More can be added later.")] = "",
    owner: Annotated[str, typer.Option(help="Name of the owner's account, the first time [owner].")] = "",
    workspace: Annotated[str, typer.Option(help="Name of the workspace, the first time [review].")] = "",
    port: Annotated[int | None, typer.Option(help="Port on loopback; 0: any free one [as before; first time 6900 or a free one].")] = None,
    as_json: JSON = False,
) -> None:
    """Start Argilla on this machine, or what is missing of it. The first time: installs it and creates accounts."""
    from curation.server import accounts as roster
    from curation.server import instance, lifecycle

    place = instance.home(home)
    asked = roster.Asked(annotators, owner, workspace, port)
    started = lifecycle.up(place, asked, lambda line: print(line, file=sys.stderr, flush=True))
    server = started.instance
    if as_json:
        shown = [account._asdict() for account in started.new_accounts]
        print(json.dumps({"home": server.home, "url": server.url, "workspace": server.workspace, "already_up": started.already,
                          "accounts": shown}, ensure_ascii=False))  # fmt: skip
    else:
        print(f"Argilla is {'already up' if started.already else 'up'}: {server.url}")
        if started.new_accounts:
            _print_accounts(server, started.new_accounts, place.accounts)
    if started.new_accounts:
        roster.mark_shown(place)


def _print_accounts(server: object, accounts: tuple[object, ...], file: object) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("account", "password", "API key", title="Accounts, shown this once", title_justify="left")
    for name, password, key in accounts:  # type: ignore[attr-defined]
        table.add_row(name, password, key)
    Console(soft_wrap=True, width=200).print(table)
    print(f"They are kept, readable by you alone, in {file}")


def down(home: HOME = None, as_json: JSON = False) -> None:
    """Stop worker, web server and Redis of this folder; nothing else."""
    from curation.server import instance, lifecycle

    stopped = lifecycle.down(instance.home(home), lambda line: print(line, file=sys.stderr, flush=True))
    if as_json:
        print(json.dumps({"stopped": stopped}))
    else:
        print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
