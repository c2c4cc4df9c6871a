"""Where a key may go."""

from __future__ import annotations

import pytest

from curation.review.client import KEY_ENV, door
from factory.errors import UserError


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_ENV, "the-key")


@pytest.mark.parametrize(
    "url",
    [
        "https://reviews.example.org",
        "http://127.0.0.1:6900",
        "http://127.8.9.1",
        "http://localhost:6900/",
        "http://LOCALHOST",
        "http://[::1]:6900",
    ],
)
def test_a_key_stays_on_this_machine_or_is_encrypted(url: str) -> None:
    assert door(None, url).api_key == "the-key"


@pytest.mark.parametrize(
    "url",
    [
        "http://reviews.example.org",
        "http://192.168.1.7:6900",
        "http://0.0.0.0:6900",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://[2001:db8::1]",
        "HTTP://reviews.example.org",
    ],
)
def test_a_key_does_not_travel_in_clear_unless_that_is_asked_for(url: str) -> None:
    with pytest.raises(UserError, match=r"in clear\. Use https, .* or give --insecure") as told:
        door(None, url)
    assert "the-key" not in str(told.value) and "\n" not in str(told.value)
    assert door(None, url, insecure=True).url == url


@pytest.mark.parametrize(
    "url", ["ftp://x", "reviews.example.org", "http://", "http://[::1", "http://localhost@example.org", "http://x\\@127.0.0.1"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    for insecure in (False, True):
        with pytest.raises(UserError, match="is no http or https address"):
            door(None, url, insecure)
