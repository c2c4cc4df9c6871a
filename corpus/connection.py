"""GET requests to a publisher's server: redirects followed with care, faults put into words, failures told from passing ones."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from factory import __version__, storage
from factory.errors import UserError

if TYPE_CHECKING:
    import requests

MAX_REDIRECTS = 5
PIECE_BYTES = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download waits, and how often it tries again."""

    connect_seconds: float = 10.0
    stall_seconds: float = 60.0  # without one byte
    attempts: int = 6  # failures in a row with less than ADVANCE_BYTES gained between them
    backoff_seconds: float = 1.0  # before the second try; doubles with each failure up to MAX_WAIT_SECONDS


class Cut(Exception):
    """The transfer failed and may do better on another try."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


def new_session() -> requests.Session:
    """A session that names this program, and the contact in TWLLM_CONTACT, and asks for files as they are stored."""
    import requests

    class Plain(requests.Session):
        def get_redirect_target(self, resp: requests.Response) -> None:
            """None: requests would read a redirect's whole body into memory even where it does not follow."""

    session = Plain()
    # Wikimedia's User-Agent policy asks for a name and, where there is one, a contact
    contact = re.sub(r"[^\x21-\x7e]+", " ", os.environ.get("TWLLM_CONTACT", "")).strip() or "corpus fetch"
    agent = f"twllm/{__version__} ({contact}) python-requests/{requests.__version__}"
    session.headers.update({"User-Agent": agent, "Accept-Encoding": "identity", "Accept": "*/*"})
    return session


class Connection:
    """GET requests for one URL, redirects followed, faults put into words."""

    def __init__(self, session: requests.Session, url: str, patience: Patience) -> None:
        self.url = url
        self.patience = patience
        self._session = session
        self._answered = False

    def get(self, headers: dict[str, str]) -> requests.Response:
        """The answer, its body not read yet. Raises Cut where another try may help, else UserError."""
        import requests

        url = self.url
        timeout = (self.patience.connect_seconds, self.patience.stall_seconds)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response = self._session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=timeout)
            except requests.RequestException as error:
                raise self._unreached(url, error) from error
            self._answered = True
            if not response.is_redirect:
                if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                    response.close()
                    raise UserError(f"{storage.shown(url)}: is sent compressed though it was asked for as it is. Fetch it another way.")
                return response
            location = response.headers["Location"].encode("latin-1", "replace").decode("utf-8", "replace")
            response.close()
            url = redirected(self.url, url, location)
        raise UserError(f"{storage.shown(self.url)}: redirects more than {MAX_REDIRECTS} times. Correct the address in the catalogue.")

    def read(self, response: requests.Response) -> bytes:
        """The next bytes of the body; empty at its end."""
        import urllib3

        try:
            return bytes(response.raw.read1(PIECE_BYTES, decode_content=False))
        except (urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
            stalled = isinstance(error, (urllib3.exceptions.ReadTimeoutError, TimeoutError))
            raise Cut(f"no byte for {self.patience.stall_seconds:g} seconds" if stalled else "the connection broke") from error

    def refusal(self, response: requests.Response) -> Exception:
        """What an answer that is no content means."""
        code = response.status_code
        known = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""
        if code in _PASSING:
            wait = response.headers.get("Retry-After", "")
            return Cut(f"the server answered {code} {known}".rstrip(), float(wait) if wait.isdecimal() and len(wait) < 6 else None)
        return UserError(
            f"{storage.shown(response.url)}: the server answered {code} {known}. Look at the publisher's page for a new address."
        )

    def _unreached(self, url: str, error: requests.RequestException) -> Exception:
        import requests
        import urllib3

        certificate = _cause(error, ssl.SSLError)
        if certificate is not None:
            reason = getattr(certificate, "verify_message", "") or certificate.reason or "failed"
            remedy = "Put the missing certificates into a file and name it in REQUESTS_CA_BUNDLE."
            return UserError(f"{storage.shown(url)}: TLS is not accepted: {reason}. {remedy}")
        system = _cause(error, OSError, lambda found: bool(found.strerror))
        reason = str(system.strerror) if system is not None else type(error).__name__
        if isinstance(error, requests.Timeout):
            reason = f"no answer in {self.patience.stall_seconds:g} seconds"
        elif system is None and isinstance(error, requests.ConnectionError):
            reason = "the connection broke"
        # who cannot be reached at all will not be in a second either
        connected = _cause(error, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)) is None
        if isinstance(error, requests.ConnectionError | requests.Timeout) and (self._answered or connected):
            return Cut(reason)
        who = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else urlsplit(url).hostname or "the host"
        remedy = "Check the network and the proxy settings, or download the file elsewhere."
        return UserError(f"{storage.shown(url)}: {who} cannot be reached: {reason}. {remedy}")


def _cause(error: BaseException | None, kind: type[Any] | tuple[type[Any], ...], fits: Callable[[Any], bool] = lambda found: True) -> Any:
    """The innermost of an exception's causes that is of a kind."""
    found = None
    for _ in range(20):
        if error is None:
            break
        if isinstance(error, kind) and fits(error):
            found = error
        error = error.__cause__ or error.__context__
    return found


def redirected(first: str, url: str, location: str) -> str:
    """Where a redirect from `url` leads, `first` being the address that was asked for. Raises UserError where it is not followed."""
    try:
        target = urljoin(url, location)
        scheme, host = urlsplit(target).scheme, urlsplit(target).hostname
    except ValueError:
        scheme, host, target = "", None, location
    if scheme not in ("http", "https") or not host:
        why = "which is no web address"
    elif scheme == "http" and urlsplit(url).scheme == "https":
        why = "which is not encrypted"
    elif is_private(target) and not is_private(first):
        why = "which is a private address"
    else:
        return target
    shown = storage.shown(target)[:200]
    raise UserError(f"{storage.shown(url)}: redirects to {shown!r}, {why}. Refused; look at the publisher's page for a new address.")


def is_private(url: str) -> bool:
    """Whether a URL's host is or resolves to a loopback, private, link-local or reserved address."""
    host = (urlsplit(url).hostname or "").partition("%")[0]
    try:
        addresses = [ipaddress.ip_address(host)]
    except ValueError:
        try:
            addresses = [ipaddress.ip_address(found[4][0].partition("%")[0]) for found in socket.getaddrinfo(host, None)]  # type: ignore[union-attr]
        except (OSError, UnicodeError):
            return False  # a proxy may know it; without one the request will fail
    return any(not address.is_global or address.is_multicast for address in addresses)
