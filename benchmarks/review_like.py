"""The peer of `benchmarks.review_search`: Argilla with the plainest engine on its database, which reads every text for every query.

Run by Argilla's own Python, on the port that is its argument, beside a server of `twllm review` whose database it shares.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

_SOURCE = """FROM records r WHERE r.dataset_id = :dataset AND EXISTS
    (SELECT 1 FROM json_each(r.fields) f WHERE f.value LIKE '%' || :words || '%')"""


def main() -> None:
    """Serves until it is ended."""
    os.environ["ARGILLA_SEARCH_ENGINE"] = "like"
    os.environ["ARGILLA_AUTH_SECRET_KEY"] = json.loads(Path(os.environ["TWLLM_REVIEW_SECRETS"]).read_bytes())["auth_secret_key"]
    import uvicorn
    from argilla_server.search_engine.base import SearchEngine, SearchResponseItem, SearchResponses
    from sqlalchemy import text
    from twllm_argilla.engine import EmbeddedEngine, _call

    def scan(store: Any, connection: Any, dataset_id: str, words: str, limit: int, offset: int) -> tuple[int, list[str]]:
        values = {"dataset": dataset_id, "words": words, "limit": limit, "offset": offset}
        total = connection.execute(text(f"SELECT count(*) {_SOURCE}"), values).scalar()
        page = f"SELECT r.id {_SOURCE} ORDER BY r.inserted_at LIMIT :limit OFFSET :offset"
        return total, connection.execute(text(page), values).scalars().all()

    @SearchEngine.register(engine_name="like")
    class Like(EmbeddedEngine):
        """Only its text search is its own."""

        async def search(self, dataset: Any, query: Any = None, **rest: Any) -> SearchResponses:
            total, found = await _call(scan, dataset.id.hex, query.q, rest["limit"], rest["offset"])
            return SearchResponses(items=[SearchResponseItem(record_id=UUID(one)) for one in found], total=total)

    uvicorn.run("argilla_server._app:app", host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
