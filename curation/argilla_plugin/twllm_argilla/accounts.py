"""Brings the database up to date and the accounts into it: `python -m twllm_argilla.accounts`.

Reads one JSON object from standard input, so that no password stands in a command line: {"workspace": name,
"accounts": [{"name", "role", "password", "api_key"}], "renewed": [names]}. An account that is there stays as it is, unless it is
among the renewed. Prints one JSON object: {"schema": revision, "created": [names]}.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


def migrate() -> str:
    """To the newest revision that this Argilla knows; its name."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from argilla_server.database import ALEMBIC_CONFIG_FILE, settings, sync_engine

    config = Config(ALEMBIC_CONFIG_FILE)
    command.upgrade(config, "head")
    if settings.database_is_sqlite:
        with sync_engine.connect() as connection:  # readers do not wait for a writer; the mode stays with the file
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    return str(ScriptDirectory.from_config(config).get_current_head())


async def ensure(asked: dict[str, Any]) -> list[str]:
    """Creates what is not there: the workspace, the accounts, their membership."""
    from argilla_server.contexts import accounts
    from argilla_server.database import AsyncSessionLocal
    from argilla_server.models import User, UserRole, Workspace, WorkspaceUser

    created = []
    async with AsyncSessionLocal() as db:
        workspace = await Workspace.get_by(db, name=asked["workspace"])
        if workspace is None:
            workspace = await accounts.create_workspace(db, {"name": asked["workspace"]})
        for account in asked["accounts"]:
            user = await User.get_by(db, username=account["name"])
            if user is None:
                user = await User.create(
                    db, first_name=account["name"], username=account["name"], role=UserRole(account["role"]),
                    password_hash=accounts.hash_password(account["password"]), api_key=account["api_key"],
                )  # fmt: skip
                created.append(account["name"])
            elif account["name"] in asked.get("renewed", ()):
                await user.update(db, password_hash=accounts.hash_password(account["password"]), api_key=account["api_key"])
            if await WorkspaceUser.get_by(db, workspace_id=workspace.id, user_id=user.id) is None:
                await WorkspaceUser.create(db, workspace_id=workspace.id, user_id=user.id)
    return created


def main() -> None:
    asked = json.load(sys.stdin)
    from . import register  # noqa: F401

    schema = migrate()
    print(json.dumps({"schema": schema, "created": asyncio.run(ensure(asked))}))


if __name__ == "__main__":
    main()
