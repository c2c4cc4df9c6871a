"""Verbs that concern the server."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from curation.server.instance import Account

FINDINGS = 1
HOME = Annotated[str | None, typer.Option("--home", help="The server's folder [$TWLLM_REVIEW_HOME, ~/.local/share/twllm/review].")]
JSON = Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")]


def add(app: typer.Typer) -> None:
    """Puts the verbs into `twllm review`."""
    for verb in (up, down, status, logs, account, backup, restore):
        app.command()(verb)


def up(
    home: HOME = None,
    annotators: Annotated[str, typer.Option(help="How many, or names joined by commas [first time 3]. More can be added later.")] = "",
    owner: Annotated[str, typer.Option(help="Name of the owner's account, the first time [owner].")] = "",
    workspace: Annotated[str, typer.Option(help="Name of the workspace, the first time [review].")] = "",
    port: Annotated[int | None, typer.Option(help="Port on loopback; 0: any free one [as before; first time 6900 or a free one].")] = None,
    as_json: JSON = False,
) -> None:
    """Start Argilla on this machine, or what is missing of it. The first time: install it and create accounts."""
    from curation.server import accounts as roster
    from curation.server import instance, lifecycle

    place = instance.home(home)
    started = lifecycle.up(place, roster.Asked(annotators, owner, workspace, port), _say)
    server, new = started.instance, started.new_accounts
    if as_json:
        told = {"home": server.home, "url": server.url, "workspace": server.workspace, "already_up": started.already}
        _print_json(told | {"new_accounts": [one._asdict() for one in new]})
    else:
        print(f"Argilla is {'already up' if started.already else 'up'}: {server.url}")
        if new:
            _print_accounts("Accounts, shown this once", new)
            print(f"They are kept, readable by you alone, in {place.accounts}")
    if new:
        roster.mark_shown(place, new)


def down(home: HOME = None, as_json: JSON = False) -> None:
    """Stop worker, web server and Redis of this folder; nothing else."""
    from curation.server import instance, lifecycle

    stopped = lifecycle.down(instance.home(home), _say)
    if as_json:
        _print_json({"stopped": stopped})
    else:
        print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(home: HOME = None, as_json: JSON = False) -> None:
    """How the server is doing. Exit code 0: up; 1: not, or not wholly."""
    from curation.server import instance
    from curation.server import status as state

    found = state.of(instance.home(home))
    if as_json:
        _print_json(found._asdict())
    else:
        print(f"{found.state}{f': {found.url}' if found.state == 'up' else ''} ({found.home})")
        for role, number in found.processes.items():
            print(f"  {role:<7} {f'process {number}' if number else 'not running'}")
        if found.processes:
            print(f"  database {found.database_bytes / 1e6:,.1f} MB; {found.free_bytes / 1e9:,.1f} GB of disk free")
        if found.strays:
            print(f"  {found.strays} left-over process(es) of an earlier start")
        if found.note:
            print(f"  {found.note}")
    if found.state != "up":
        raise typer.Exit(FINDINGS)


def logs(
    source: Annotated[str, typer.Argument(help="server, worker, redis, setup or install [the first three].")] = "",
    home: HOME = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is said from now on, until interrupted.")] = False,
) -> None:
    """What Argilla's processes have said."""
    from curation.server import instance
    from curation.server import logs as said

    paths = said.chosen(instance.home(home), source)
    for name, path in paths.items():
        for line in said.last_lines(path, lines):
            print(line if source else f"{name:<7}| {line}")
    if follow:
        for name, line in said.follow(paths):
            print(line if source else f"{name:<7}| {line}", flush=True)


def account(
    name: Annotated[str, typer.Argument(help="Whose [list them all].")] = "",
    home: HOME = None,
    reset: Annotated[bool, typer.Option("--reset", help="Give it a new password and API key, and show them once.")] = False,
    as_json: JSON = False,
) -> None:
    """List the accounts, without what opens them; or give one a new password and key."""
    from curation.server import accounts as roster
    from curation.server import instance, lifecycle
    from factory.errors import UserError

    place = instance.home(home)
    if instance.read_settings(place) is None:
        raise UserError(f"no review server in {place.path}; start one with `twllm review up`")
    if reset and not name:
        raise UserError("--reset wants the name of an account: twllm review account NAME --reset")
    if reset:
        renewed = lifecycle.renew_account(place, name, _say)
        if as_json:
            _print_json(renewed._asdict())
        else:
            _print_accounts("Shown this once; logins made before end within a day", [renewed])
        return
    workspace, owner, annotators = instance.read_accounts(place)
    found = {one.name: role for role, group in (("owner", [owner]), ("annotator", annotators)) for one in group if name in ("", one.name)}
    if not found:
        raise UserError(f"no account {name!r}; there are {', '.join(roster.names(place))}")
    if as_json:
        _print_json({"workspace": workspace, "accounts": found})
    else:
        print("\n".join(f"{one}  {role}" for one, role in found.items()))


def backup(file: Annotated[Path, typer.Argument(help="Where to write it, as .tar.zst.")], home: HOME = None, as_json: JSON = False) -> None:
    """Write records, answers, accounts, keys and reviews into one file; the server may run. Whoever has it can log in."""
    from curation.server import instance, lifecycle

    saved = lifecycle.save_backup(instance.home(home), file, _say)
    if as_json:
        _print_json(saved._asdict())
    else:
        reviews = f", with {saved.reviews} review{'s' if saved.reviews > 1 else ''}" if saved.reviews else ""
        print(f"Saved {saved.path} ({saved.bytes / 1e6:,.1f} MB{reviews}). It holds passwords and keys: keep it as you would keep those.")


def restore(
    file: Annotated[Path, typer.Argument(help="What `twllm review backup` wrote.")],
    home: HOME = None,
    force: Annotated[bool, typer.Option("--force", help="Set aside what is in the folder now.")] = False,
    as_json: JSON = False,
) -> None:
    """Make a server's folder from a backup. Start it with `twllm review up`."""
    from curation.server import instance, lifecycle

    place = instance.home(home)
    aside = lifecycle.restore_backup(place, file, force)
    if as_json:
        _print_json({"home": str(place.path), "set_aside": aside})
    else:
        where = f" --home {home}" if home else ""
        print(f"Restored {place.path}{f'; what was there is now {aside}' if aside else ''}. Start it with `twllm review up{where}`.")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(content: object) -> None:
    print(json.dumps(content, ensure_ascii=False))


def _print_accounts(title: str, accounts: Sequence[Account]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("account", "password", "API key", title=title, title_justify="left")
    for one in accounts:
        table.add_row(one.name, one.password, one.api_key)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
