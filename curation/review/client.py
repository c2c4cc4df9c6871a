"""Argilla over HTTP: the few calls that a review needs, each fault one line. An API key goes into one header and nowhere else."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from curation.server import instance
from factory.errors import UserError

PAGE = 500  # records in one answer
KEY_ENV, WORKSPACE_ENV = "TWLLM_REVIEW_API_KEY", "TWLLM_REVIEW_WORKSPACE"
TIMEOUT_SECONDS = (5, 120)  # to connect, to answer


class Door(NamedTuple):
    """Where a server is and who is asking."""

    url: str
    api_key: str
    workspace: str


def door(home: str | None, url: str | None, insecure: bool = False) -> Door:
    """The server of a home as its owner, or the one at `url` with the key in TWLLM_REVIEW_API_KEY.

    Raises UserError where neither is to be had, and where the key would cross a network in clear and `insecure` is not set.
    """
    if url is None:
        found = instance.load(home)
        return Door(found.url, found.owner.api_key, found.workspace)
    scheme, host = _parts(url)
    if scheme == "http" and not insecure and not _is_this_machine(host):
        raise UserError(
            f"--url {url}: the API key and all records would cross the network in clear. "
            "Use https, or an SSH tunnel to this machine; or give --insecure where the network is trusted."
        )
    key = os.environ.get(KEY_ENV, "")
    if not key:
        raise UserError(f"--url {url}: needs an owner's API key in the environment variable {KEY_ENV}. Set it.")
    return Door(url.rstrip("/"), key, os.environ.get(WORKSPACE_ENV) or instance.WORKSPACE)


def _parts(url: str) -> tuple[str, str]:
    """Scheme and host; what programs read differently (an @ or a backslash before the host) is no address."""
    try:
        found = urlsplit(url)
        scheme, host = found.scheme, found.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if scheme not in ("http", "https") or not host or re.search(r"[@\\\s]", url):
        raise UserError(f"--url {url!r}: is no http or https address. Correct it.")
    return scheme, host


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Client:
    """A session with one server."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment is not asked for a server on this machine
        self._session.headers["X-Argilla-Api-Key"] = door.api_key

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer, None for an empty one. Raises UserError for every refusal."""
        url = f"{self.door.url}/api/v1{path}"
        try:
            answer = self._session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **options)
        except requests.RequestException as error:
            raise UserError(
                f"{self.door.url}: no answer from the review server ({_kind(error)}). "
                "Start it with 'twllm review up' and run the same command again."
            ) from None
        if answer.status_code == 401:
            raise UserError(f"{self.door.url}: the API key is not accepted (401): wrong, or expired. Give a valid one ({KEY_ENV}).")
        if answer.status_code == 403:
            raise UserError(f"{self.door.url}: this account may not {method} {path.split('?')[0]} (403). Use an owner's API key.")
        if answer.status_code >= 300:
            raise UserError(f"{self.door.url}: {method} {path.split('?')[0]} was refused ({answer.status_code}): {_detail(answer)}")
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise UserError(f"{self.door.url}: answers, but not as Argilla does. Check the address.") from None

    def workspace_id(self, name: str, make: bool = False) -> str:
        """The id of a workspace. Raises UserError where there is none and `make` is not set."""
        for row in self.call("GET", "/me/workspaces")["items"]:
            if row["name"] == name:
                return str(row["id"])
        if not make:
            raise UserError(f"{self.door.url}: has no workspace {name!r}. Set {WORKSPACE_ENV} to one that it has.")
        return str(self.call("POST", "/workspaces", json={"name": name})["id"])

    def annotators(self, workspace: str) -> int:
        """How many annotators a workspace has."""
        rows = self.call("GET", f"/workspaces/{workspace}/users")["items"]
        return sum(row["role"] == "annotator" for row in rows)

    def dataset(self, workspace: str, name: str) -> dict[str, Any] | None:
        """A dataset by name, None where there is none."""
        rows = self.call("GET", "/me/datasets", params={"workspace_id": workspace})["items"]
        return next((row for row in rows if row["name"] == name), None)

    def count(self, dataset: str) -> int:
        """Records in a dataset, as the database counts them."""
        return int(self.call("GET", f"/datasets/{dataset}/records", params={"limit": 1})["total"])

    def records(self, dataset: str, include: str | None = None) -> Iterator[list[dict[str, Any]]]:
        """Every record, page by page, oldest first."""
        offset = 0
        while True:
            params: dict[str, Any] = {"offset": offset, "limit": PAGE, **({"include": include} if include else {})}
            rows = self.call("GET", f"/datasets/{dataset}/records", params=params)["items"]
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            offset += PAGE


def _kind(error: requests.RequestException) -> str:
    return "it took too long" if isinstance(error, requests.Timeout) else "it is down, or was stopped"


def _detail(answer: requests.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return "no reason given"
    detail = found.get("detail", found) if isinstance(found, dict) else found
    return " ".join(str(detail).split())[:300]
