"""Run by Argilla's Python, not by pytest: Argilla's app without a socket. A request a line on stdin, its answer a line on stdout.

`{"method", "path", "json", "key"}` goes through the app; `{"sql", "values"}` runs on Argilla's database; `{"restart": true}`
makes the engine prepare its database again, as a new process would. With a dataset's id as argument it only indexes
what waits there, saying `begun` and `done`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

OWNER_KEY = "conformance-owner"


async def _answer(client: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from sqlalchemy import text
    from twllm_argilla import engine

    if "sql" in asked:
        with engine.connect() as connection:
            result = connection.execute(text(asked["sql"]), asked.get("values", {}))
            return {"rows": [list(row) for row in result] if result.returns_rows else []}
    if "restart" in asked:
        engine._stores.clear()
        return {}
    response = await client.request(asked["method"], asked["path"], json=asked["json"], headers={"X-Argilla-Api-Key": asked["key"]})
    return {"status": response.status_code, "body": response.json() if response.content else None}


async def _serve(answers: Any) -> None:
    import httpx
    from argilla_server._app import app
    from argilla_server.database import AsyncSessionLocal
    from argilla_server.models import User, UserRole

    async with AsyncSessionLocal() as db:
        if not await User.get_by(db, username="owner"):
            db.add(User(first_name="owner", username="owner", password_hash="none", role=UserRole.owner, api_key=OWNER_KEY))
            await db.commit()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://argilla") as client:
        for line in iter(sys.stdin.readline, ""):
            answers.write(json.dumps(await _answer(client, json.loads(line)), default=str) + "\n")
            answers.flush()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what Argilla prints is no answer

    from twllm_argilla import engine

    if len(sys.argv) > 1:
        prepared = engine.store()
        answers.write("begun\n")
        answers.flush()
        with engine.connect() as connection:
            prepared.drain(connection, sys.argv[1])
        answers.write("done\n")
        answers.flush()
        return
    from argilla_server.cli.database.migrate import migrate_db

    migrate_db("head")
    asyncio.run(_serve(answers))


if __name__ == "__main__":
    main()
