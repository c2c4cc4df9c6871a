"""Argilla's web server behind closed doors: `uvicorn twllm_argilla.app:app`.

Reads TWLLM_REVIEW_HOSTS (host names with port that it answers to, separated by commas), TWLLM_REVIEW_SECRETS (the file
with the key that signs logins) and Argilla's own settings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path

from twllm_argilla.doors import App, Doors
from twllm_argilla.throttle import Throttle

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def policy(static: Path) -> str:
    """What the pages may load: their own origin's, the inline scripts that Argilla ships (by hash), and nothing else.

    Fonts of Google's, figures of the Hub and images that a record links to are outside, and stay there.
    """
    inline = {script for page in static.rglob("*.html") for script in _INLINE_SCRIPT.findall(page.read_text(encoding="utf-8"))}
    hashes = sorted("'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'" for script in inline)
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *hashes]),
            "style-src 'self' 'unsafe-inline'",  # Vue sets styles of elements
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self' blob:",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def create() -> App:
    """Argilla's app, its search engine registered, within `Doors`. Raises KeyError where a setting is missing."""
    hosts = frozenset(name.strip().lower() for name in os.environ["TWLLM_REVIEW_HOSTS"].split(",") if name.strip())
    schemes = ("http", "https")
    origins = frozenset(f"{scheme}://{host}" for host in hosts for scheme in schemes)
    if file := os.environ.get("TWLLM_REVIEW_SECRETS"):
        os.environ["ARGILLA_AUTH_SECRET_KEY"] = json.loads(Path(file).read_bytes())["auth_secret_key"]
    os.environ["ARGILLA_CORS_ORIGINS"] = json.dumps(sorted(origins))
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    import twllm_argilla.register  # noqa: F401  before Argilla asks for its engine
    from argilla_server._app import app as argilla

    static = next(route.app.directory for route in argilla.routes if getattr(route, "name", "") == "static")
    return Doors(argilla, hosts, origins, policy(Path(static)), Throttle())


app = create()
