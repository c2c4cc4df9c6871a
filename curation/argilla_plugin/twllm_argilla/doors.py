"""The checks before Argilla sees a request, and the headers on what it answers. ASGI, so that bodies stay streams."""

from __future__ import annotations

import hmac
import json
import os
import shutil
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from .throttle import Throttle

MAX_BODY_BYTES = 64 << 20  # five hundred long conversations are about 10 MB
MAX_LOGIN_BYTES = 16 << 10
LOGIN_PATH = "/api/v1/token"
ALIVE_PATH = "/twllm/alive"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_FULL_BYTES = 1 << 20

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Doors:
    """Around an ASGI app: known host, own origin, bounded body, throttled login, safe headers, and words for a full disk.

    `hosts`: what the Host header may say, `127.0.0.1:6900` for example. A page elsewhere whose name was rebound to
    the loopback address says another. `origins`: whose pages may write. `policy`: the Content-Security-Policy. `mark`: a
    secret of the instance's folder, by which it proves to `twllm review` that it is the one (never the key that signs logins).
    """

    def __init__(self, app: App, hosts: frozenset[str], origins: frozenset[str], policy: str, throttle: Throttle, mark: str = "") -> None:
        self.app = app
        self.hosts = hosts
        self.origins = origins
        self.throttle = throttle
        self.mark = mark
        self.headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # Argilla speaks no WebSocket
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = self._with_headers(scope, send)
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        if host.lower() not in self.hosts:
            return await _answer(send, 421, "unknown_host", "This server does not answer to that host name.")
        if origin and scope["method"] not in _READING and origin.lower() not in self.origins:
            return await _answer(send, 403, "foreign_origin", "Pages of other origins may not write here.")
        if self.mark and scope["path"] == ALIVE_PATH:
            proof = hmac.new(self.mark.encode(), scope["query_string"], "sha256").hexdigest()
            return await _json(send, 200, {"proof": proof})
        declared = _header(scope, b"content-length") or "0"
        login = scope["method"] == "POST" and scope["path"].rstrip("/") == LOGIN_PATH
        limit = MAX_LOGIN_BYTES if login else MAX_BODY_BYTES
        if not declared.isascii() or not declared.isdigit() or int(declared) > limit:
            return await _too_large(send, limit)
        if login:
            await self._login(scope, receive, send)
        else:
            await self._pass_on(scope, receive, send, limit)

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive, MAX_LOGIN_BYTES)
        if body is None:
            return await _too_large(send, MAX_LOGIN_BYTES)
        account = await _username(scope, body)
        address = scope["client"][0] if scope.get("client") else ""
        if wait := self.throttle.wait_seconds(account, address):
            said = f"Too many failed logins. Try again in {wait} seconds."
            return await _answer(send, 429, "too_many_logins", said, [(b"retry-after", str(wait).encode())])
        self.throttle.attempt(account, address)

        async def judged(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] < 300:
                    self.throttle.succeeded(account, address)
                elif message["status"] != 401:
                    self.throttle.undo(account, address)
            await send(message)

        await self._pass_on(scope, _replay(body, receive), judged, MAX_LOGIN_BYTES)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """A fault's answer is held back until its cause is known, since a full disk is one that the user can put right."""
        received, exceeded, held, started = 0, False, list[Message](), False

        async def counted() -> Message:
            nonlocal received, exceeded
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                exceeded = True
                return {"type": "http.disconnect"}
            return message

        async def held_back(message: Message) -> None:
            nonlocal started
            if exceeded and not started:
                return
            if held or (message["type"] == "http.response.start" and message["status"] == 500):
                held.append(message)
                return
            started = True
            await send(message)

        fault: Exception | None = None
        try:
            await self.app(scope, counted, held_back)
        except Exception as error:
            fault = error
        if exceeded and not started:
            return await _too_large(send, limit)
        if fault and not started and _disk_full(str(fault)):
            return await _answer(
                send, 507, "disk_full", "The disk of the review server is full; nothing was saved. Free space and try again."
            )
        for message in held:
            await send(message)
        if fault:
            raise fault

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in self.headers}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in ours]
                if scope["path"].startswith("/api/"):
                    kept.append((b"cache-control", b"no-store"))
                message["headers"] = kept + self.headers
            await send(message)

        return sent


def _disk_full(fault: str) -> bool:
    if "database or disk is full" in fault or "No space left on device" in fault:
        return True
    home = os.environ.get("ARGILLA_HOME_PATH", "/")
    return "disk I/O error" in fault and shutil.disk_usage(home).free < _FULL_BYTES  # what SQLite says where it cannot grow its index


def _header(scope: Scope, name: bytes) -> str:
    """Its value; where it is given twice, what no rule allows."""
    values = [value for key, value in scope["headers"] if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else "," * len(values)


async def _read(receive: Receive, limit: int) -> bytes | None:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _username(scope: Scope, body: bytes) -> str:
    """As Argilla itself will read it; empty where the form cannot be read, which Argilla refuses, too."""
    from starlette.requests import Request

    try:
        form = await Request(scope, _replay(body, _never)).form(max_files=0, max_fields=10)
    except Exception:
        return ""
    name = form.get("username", "")
    return name if isinstance(name, str) else ""


async def _never() -> Message:
    return {"type": "http.disconnect"}


async def _too_large(send: Send, limit: int) -> None:
    await _answer(send, 413, "body_too_large", f"The request is longer than {limit:,} bytes; send fewer records at a time.")


async def _answer(send: Send, status: int, code: str, said: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """`detail` as a string is what Argilla's pages show; with a `code` beside it they would show nothing."""
    await _json(send, status, {"detail": said, "reason": code}, headers or [])


async def _json(send: Send, status: int, content: object, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    body = json.dumps(content).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
