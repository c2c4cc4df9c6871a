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

from .doors import App, Doors
from .throttle import Throttle

MIN_KEY_CHARS = 32
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_OUTSIDE_STYLE = re.compile(r"@import url\((['\"]?)https?://[^)]*\1\);?")


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


def strip_outside_styles(static: Path) -> None:
    """Takes the imports of Google's fonts out of the style sheets (Argilla's copy for this start); the system's fonts serve."""
    for sheet in static.rglob("*.css"):
        found = sheet.read_text(encoding="utf-8")
        if found != (stripped := _OUTSIDE_STYLE.sub("", found)):
            sheet.write_text(stripped, encoding="utf-8")


def create() -> App:
    """Argilla's app, its search engine registered, within `Doors`. Raises KeyError where a setting is missing."""
    hosts = frozenset(name.strip().lower() for name in os.environ["TWLLM_REVIEW_HOSTS"].split(",") if name.strip())
    schemes = ("http", "https")
    origins = frozenset(f"{scheme}://{host}" for host in hosts for scheme in schemes)
    file = os.environ.get("TWLLM_REVIEW_SECRETS")
    secrets = json.loads(Path(file).read_bytes()) if file else {}
    if secrets:
        os.environ["ARGILLA_AUTH_SECRET_KEY"] = secrets["auth_secret_key"]
    if len(os.environ.get("ARGILLA_AUTH_SECRET_KEY", "")) < MIN_KEY_CHARS:
        raise SystemExit(f"ARGILLA_AUTH_SECRET_KEY has under {MIN_KEY_CHARS} characters: logins could be forged; set a long, fixed one")
    os.environ["ARGILLA_CORS_ORIGINS"] = json.dumps(sorted(origins))
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    from argilla_server._app import app as argilla

    from . import register  # noqa: F401  before Argilla asks for its engine

    static = next(route.app.directory for route in argilla.routes if getattr(route, "name", "") == "static")
    strip_outside_styles(Path(static))
    return Doors(argilla, hosts, origins, policy(Path(static)), Throttle(), secrets.get("mark", ""))


app = create()
