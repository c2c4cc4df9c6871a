"""Registers the search engine that ARGILLA_SEARCH_ENGINE names, where it is ours; Argilla knows its own two."""

from __future__ import annotations

import os

if os.environ.get("ARGILLA_SEARCH_ENGINE", "").strip().lower() == "embedded":
    from . import engine  # noqa: F401
