"""Why the review server's index has a token for each character: the same texts in FTS5's trigram index.

Part of `benchmarks.review_search`.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from curation.argilla_plugin.twllm_argilla.text import fold

WORDS = ("的", "我們", "牛肉麵", "不知道大家")
REPEATS = 5


def compare(texts: list[str]) -> dict[str, Any]:
    """For each kind of index: seconds to make it, megabytes, and milliseconds to count a word where the index knows words so short."""
    folded = [fold(text) for text in texts]
    kinds: dict[str, tuple[str, Callable[[str], str], int]] = {
        "characters": ("ascii", lambda text: " ".join("\x01" if one == " " else one for one in text), 1),
        "trigram": ("trigram", str, 3),
    }
    return {name: _measure(folded, *kind) for name, kind in kinds.items()} | {
        "texts": len(folded),
        "characters_in_all": sum(map(len, folded)),
    }


def _measure(folded: list[str], tokenizer: str, prepare: Callable[[str], str], shortest: int) -> dict[str, Any]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE VIRTUAL TABLE t USING fts5 (c0, content = '', tokenize = '{tokenizer}')")
        began = time.process_time()
        with connection:
            connection.executemany("INSERT INTO t (rowid, c0) VALUES (?, ?)", ((n, prepare(text)) for n, text in enumerate(folded, 1)))
        seconds = time.process_time() - began
        (size,) = connection.execute("SELECT sum(length(block)) FROM t_data").fetchone()
        counted = {}
        for word in WORDS:
            if len(word) >= shortest:
                times = []
                for _ in range(REPEATS):
                    began = time.process_time()
                    connection.execute("SELECT count(*) FROM t WHERE t MATCH ?", (f'"{prepare(word)}"',)).fetchone()
                    times.append(1000 * (time.process_time() - began))
                counted[word] = round(statistics.median(times), 2)
    return {"cpu_seconds": round(seconds, 1), "megabytes": round(size / 1e6), "cpu_ms": counted}
