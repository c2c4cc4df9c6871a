"""Who may log in: the accounts that are to be there, and bringing them and the schema into the database."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from curation.server import environment, health
from curation.server.instance import (
    OWNER,
    WORKSPACE,
    Account,
    Home,
    new_account,
    read_accounts,
    read_settings,
    write_accounts,
    write_settings,
)
from factory.errors import UserError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Asked(NamedTuple):
    """What the user wants of a server. `port` None: the one used before, else 6900, else any; 0: any."""

    annotators: str = ""  # a number, or names joined by commas; empty: as before, the first time 3
    owner: str = ""
    workspace: str = ""
    port: int | None = None


def wanted(place: Home, asked: Asked) -> tuple[tuple[str, Account, tuple[Account, ...]], bool]:
    """The accounts that are to be there, and whether any is new. None is ever taken away."""
    named = account_names(asked.annotators)
    if place.accounts.exists():
        workspace, owner, annotators = read_accounts(place)
        for given, kept, option in ((asked.owner, owner.name, "--owner"), (asked.workspace, workspace, "--workspace")):
            if given and given != kept:
                raise UserError(f"{option} {given}: this server was set up with {kept}; choose another folder with --home")
        missing = [name for name in named if name not in {account.name for account in annotators}]
    else:
        workspace, owner, annotators = _named(asked.workspace or WORKSPACE), new_account(_named(asked.owner or OWNER)), ()
        missing = named or account_names("3")
    if owner.name in missing:
        raise UserError(f"--annotators {owner.name}: that is the owner; choose another name")
    everyone = (*annotators, *(new_account(name) for name in missing))
    return (workspace, owner, everyone), not place.accounts.exists() or bool(missing)


def account_names(annotators: str) -> list[str]:
    if annotators.isascii() and annotators.isdigit():
        if not 1 <= int(annotators) <= 200:
            raise UserError(f"--annotators {annotators}: choose 1 to 200, or names joined by commas")
        return [f"annotator{number}" for number in range(1, int(annotators) + 1)]
    return list(dict.fromkeys(_named(name.strip()) for name in annotators.split(",") if name.strip()))


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name for an account or workspace: up to 40 of a-z, 0-9, - and _, a letter or digit first")
    return name


def unshown(place: Home) -> tuple[Account, ...]:
    """The accounts whose passwords have not been printed yet."""
    settings = read_settings(place)
    _, owner, annotators = read_accounts(place)
    return tuple(account for account in (owner, *annotators) if settings is None or account.name not in settings.shown)


def mark_shown(place: Home, printed: tuple[Account, ...]) -> None:
    """They were printed; `up` will not print them again."""
    if settings := read_settings(place):
        write_settings(place, settings._replace(shown=(*settings.shown, *(account.name for account in printed))))


def names(place: Home) -> list[str]:
    _, owner, annotators = read_accounts(place)
    return [owner.name, *(account.name for account in annotators)]


def renew(place: Home, name: str, python_environment: Mapping[str, str]) -> Account:
    """A new password and key for an account, on file and in the database. Raises UserError where there is none of that name.

    Killed in between, the next `up` brings the database in line with the file.
    """
    workspace, owner, annotators = read_accounts(place)
    everyone, settings = (owner, *annotators), read_settings(place)
    if settings is None or name not in {account.name for account in everyone}:
        raise UserError(f"no account {name!r}; there are {', '.join(names(place))}")
    renewed = new_account(name)
    now = tuple(renewed if account.name == name else account for account in everyone)
    made = environment.ensure(place.log("install"))
    write_settings(place, settings._replace(schema="", renewed=(*settings.renewed, name)))
    write_accounts(place, workspace, now[0], now[1:])
    try:
        set_up(place, made, python_environment)
    except Exception:
        write_accounts(place, workspace, owner, annotators)  # what still opens the door
        write_settings(place, settings)
        raise
    return renewed


def set_up(place: Home, made: Path, python_environment: Mapping[str, str]) -> None:
    """Migrates and creates accounts that are not in the database yet; those that are renewed get what is on file. Repeatable."""
    workspace, owner, annotators = read_accounts(place)
    settings = read_settings(place)
    assert settings, "written before"
    everyone = [(owner, "owner"), *((account, "annotator") for account in annotators)]
    accounts = [account._asdict() | {"role": role} for account, role in everyone]
    asked = {"workspace": workspace, "accounts": accounts, "renewed": settings.renewed}
    done = subprocess.run(
        [environment.python(made), "-m", "twllm_argilla.accounts"], input=json.dumps(asked), capture_output=True, text=True,
        cwd=place.path, env=dict(python_environment), umask=0o077, check=False,
    )  # fmt: skip
    with open(os.open(place.log("setup"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as log:
        log.write(done.stderr)
    if done.returncode:
        raise UserError(f"the database could not be set up: {health.last_words(done.stderr, place)}; see {place.log('setup')}")
    revision = json.loads(done.stdout.strip().splitlines()[-1])["schema"]
    write_settings(place, settings._replace(schema=f"{environment.ARGILLA}/{revision}", renewed=()))
