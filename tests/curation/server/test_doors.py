"""What the server refuses before Argilla sees it, and what it says on everything it answers."""

from __future__ import annotations

import hmac
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from curation.argilla_plugin.twllm_argilla import doors, throttle
from curation.server.instance import Instance

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _ask(
    server: Instance,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | Iterator[bytes] | None = None,
    source: str = "127.0.0.1",
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60, source_address=(source, 0))
    try:
        connection.request(method, path, body=body, headers=headers or {}, encode_chunked=not isinstance(body, bytes) and body is not None)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def _login(server: Instance, name: str, password: str, source: str, path: str = "/api/v1/token") -> tuple[int, dict[str, str], bytes]:
    """From an address of its own for each test: what one guesses must not make another wait."""
    return _ask(server, "POST", path, FORM, urlencode({"username": name, "password": password}).encode(), source)


def _reason(body: bytes) -> str:
    return str(json.loads(body)["reason"])


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", ""])
def test_another_host_name_is_not_answered(argilla_server: Instance, host: str) -> None:
    """A page whose name was rebound to the loopback address still says its own name."""
    status, _, body = _ask(argilla_server, "GET", "/api/v1/version", {"Host": host.format(port=urlsplit(argilla_server.url).port)})
    assert (status, _reason(body)) == (421, "unknown_host")


def test_two_host_headers_are_not_answered(argilla_server: Instance) -> None:
    address = urlsplit(argilla_server.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    connection.putrequest("GET", "/api/v1/version")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in (400, 421)
    connection.close()


def test_localhost_is_the_same_server(argilla_server: Instance) -> None:
    port = urlsplit(argilla_server.url).port
    assert _ask(argilla_server, "GET", "/api/v1/version", {"Host": f"localhost:{port}"})[0] == 200


def test_cors_knows_its_own_origin_alone(argilla_server: Instance) -> None:
    wish = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-argilla-api-key"}
    status, headers, _ = _ask(argilla_server, "OPTIONS", "/api/v1/me", {"Origin": argilla_server.url, **wish})
    assert (status, headers["access-control-allow-origin"]) == (200, argilla_server.url)
    for origin in ("https://evil.example", "null", argilla_server.url + "0", "http://127.0.0.1:1"):
        status, headers, _ = _ask(argilla_server, "OPTIONS", "/api/v1/me", {"Origin": origin, **wish})
        assert status == 400
        assert "access-control-allow-origin" not in headers
        _, headers, _ = _ask(argilla_server, "GET", "/api/v1/version", {"Origin": origin})
        assert "access-control-allow-origin" not in headers


def test_pages_of_other_origins_cannot_write(argilla_server: Instance) -> None:
    key = {"X-Argilla-Api-Key": argilla_server.owner.api_key, "Content-Type": "application/json"}
    for origin in ("https://evil.example", "null"):
        status, _, body = _ask(argilla_server, "POST", "/api/v1/workspaces", {"Origin": origin, **key}, b'{"name": "theirs"}')
        assert (status, _reason(body)) == (403, "foreign_origin")
    assert "theirs" not in requests.get(f"{argilla_server.url}/api/v1/me/workspaces", headers=key, timeout=10).text


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/v1/version", "/api/v1/me", "/nothing-here", "/favicon.ico"])
def test_every_answer_carries_the_headers(argilla_server: Instance, path: str) -> None:
    _, headers, _ = _ask(argilla_server, "GET", path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http:" not in policy and "https:" not in policy and "*" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "uvicorn" not in headers.get("server", "")
    if path.startswith("/api"):
        assert headers["cache-control"] == "no-store"


def test_a_body_that_states_too_much_is_refused(argilla_server: Instance) -> None:
    status, _, body = _ask(argilla_server, "POST", "/api/v1/workspaces", {"Content-Length": str(doors.MAX_BODY_BYTES + 1)}, b"")
    assert (status, _reason(body)) == (413, "body_too_large")
    status, _, body = _ask(argilla_server, "POST", "/api/v1/token", FORM, b"username=" + b"a" * doors.MAX_LOGIN_BYTES)
    assert (status, _reason(body)) == (413, "body_too_large")


def test_a_body_that_states_nothing_is_counted(argilla_server: Instance) -> None:
    """In chunks, without a length."""
    piece = b" " * (1 << 20)
    key = {"X-Argilla-Api-Key": argilla_server.owner.api_key, "Content-Type": "application/json"}
    pieces = (piece for _ in range((doors.MAX_BODY_BYTES >> 20) + 1))
    status, _, body = _ask(argilla_server, "POST", "/api/v1/workspaces", key, pieces)
    assert (status, _reason(body)) == (413, "body_too_large")


def test_a_wrong_password_is_one_clear_line(argilla_server: Instance) -> None:
    status, _, body = _login(argilla_server, argilla_server.annotators[2].name, "wrong", "127.0.1.1")
    assert (status, json.loads(body)["detail"]["params"]) == (401, {"detail": "Could not validate credentials"})


def test_a_wrong_key_is_one_clear_line(argilla_server: Instance) -> None:
    status, _, body = _ask(argilla_server, "GET", "/api/v1/me", {"X-Argilla-Api-Key": "no-such-key"})
    assert (status, json.loads(body)["detail"]["params"]) == (401, {"detail": "Could not validate credentials"})


def test_guessing_is_slowed_down(argilla_server: Instance) -> None:
    """Also the right password waits then, or a guesser would know it; another account does not; the wait is stated and is real."""
    victim, other = argilla_server.annotators[1], argilla_server.annotators[0]
    assert [_login(argilla_server, victim.name, f"guess{number}", "127.0.1.2")[0] for number in range(throttle.ACCOUNT_FAILURES)] == [
        401
    ] * 5
    began = time.monotonic()
    status, headers, body = _login(argilla_server, victim.name, victim.password, "127.0.1.3")
    assert (status, _reason(body)) == (429, "too_many_logins")
    assert 1 <= int(headers["retry-after"]) <= throttle.FIRST_WAIT_SECONDS
    assert _login(argilla_server, other.name, other.password, "127.0.1.2")[0] == 201
    while (found := _login(argilla_server, victim.name, victim.password, "127.0.1.3")[0]) == 429:
        assert time.monotonic() - began < 30
    assert found == 201
    assert time.monotonic() - began >= throttle.FIRST_WAIT_SECONDS - 1


def test_a_malformed_login_counts_for_nobody(argilla_server: Instance) -> None:
    body = b"username=" + argilla_server.owner.name.encode()
    for _ in range(throttle.ADDRESS_FAILURES + 1):
        assert _ask(argilla_server, "POST", "/api/v1/token", FORM, body, "127.0.1.4")[0] == 422
    assert _login(argilla_server, argilla_server.owner.name, argilla_server.owner.password, "127.0.1.4")[0] == 201


def test_an_address_that_tries_many_accounts_waits(argilla_server: Instance) -> None:
    found = [_login(argilla_server, f"nobody{number}", "x", "127.0.1.5")[0] for number in range(throttle.ADDRESS_FAILURES + 1)]
    assert found == [401] * throttle.ADDRESS_FAILURES + [429]


@pytest.mark.parametrize(
    "path", ["/api/v1/%74oken", "/%61pi/v1/token", "/api/v1/token?x=1", "/api/v1/token/", "//api/v1/token", "/api//v1/token"]
)
def test_no_spelling_of_the_path_escapes_the_count(argilla_server: Instance, path: str) -> None:
    """Either it is counted, or it is no login at all."""
    name = f"nobody behind {path}"
    found = {_login(argilla_server, name, "x", "127.0.1.6", path)[0] for _ in range(throttle.ACCOUNT_FAILURES + 1)}
    assert 429 in found or not found & {201, 401}


def test_a_form_in_parts_is_counted_too(argilla_server: Instance) -> None:
    found = []
    for _ in range(throttle.ACCOUNT_FAILURES + 1):
        form = {"username": (None, "nobody in parts"), "password": (None, "x")}
        found.append(requests.post(f"{argilla_server.url}/api/v1/token", files=form, timeout=10).status_code)
    assert found == [401] * throttle.ACCOUNT_FAILURES + [429]


def test_a_forwarded_address_is_not_believed(argilla_server: Instance) -> None:
    """Or each guess would come from an address of its own."""
    form = urlencode({"username": "nobody-of-that-name", "password": "x"}).encode()
    found = [
        _ask(argilla_server, "POST", "/api/v1/token", {**FORM, "X-Forwarded-For": f"192.0.2.{number}"}, form, "127.0.1.7")[0]
        for number in range(throttle.ACCOUNT_FAILURES + 1)
    ]
    assert found == [401] * 5 + [429]


def test_the_proof_of_being_alive_is_no_oracle_for_logins(argilla_server: Instance) -> None:
    """The mark answers, never the key that signs logins: else anyone could have a login signed."""
    secrets = json.loads((Path(argilla_server.home) / "secrets.json").read_bytes())
    _, _, body = _ask(argilla_server, "GET", "/twllm/alive?abc")
    proof = json.loads(body)["proof"]
    assert proof == hmac.new(secrets["mark"].encode(), b"abc", "sha256").hexdigest()
    assert proof != hmac.new(secrets["auth_secret_key"].encode(), b"abc", "sha256").hexdigest()
