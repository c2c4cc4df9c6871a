"""A server that is up."""

from __future__ import annotations

from pathlib import Path

import requests

from curation.server import instance, lifecycle
from curation.server.instance import Home, Instance


def test_each_account_is_known_by_key_and_password(argilla_server: Instance) -> None:
    for account in (argilla_server.owner, *argilla_server.annotators):
        by_key = requests.get(f"{argilla_server.url}/api/v1/me", headers={"X-Argilla-Api-Key": account.api_key}, timeout=10)
        assert by_key.json()["username"] == account.name
        form = {"username": account.name, "password": account.password}
        assert requests.post(f"{argilla_server.url}/api/v1/token", data=form, timeout=10).status_code == 201


def test_up_again_changes_nothing(argilla_server: Instance) -> None:
    again = lifecycle.up(Home(Path(argilla_server.home)))
    assert again.already
    assert again.instance == argilla_server == instance.load(argilla_server.home)
