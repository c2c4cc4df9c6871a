"""Robots directives and reservations are recorded as stated, and only those about machine learning reserve."""

from __future__ import annotations

import pytest

from corpus.sources.opt_out import opt_out


@pytest.mark.parametrize(
    ("headers", "metas", "robots", "reserved"),
    [
        ([], [], (), False),
        ([("X-Robots-Tag", "noindex, nofollow")], [], ("noindex", "nofollow"), False),
        ([("x-robots-tag", "NoAI, noimageai")], [], ("noai", "noimageai"), True),
        ([("X-Robots-Tag", "noimageai")], [], ("noimageai",), False),
        ([("X-Robots-Tag", "examplebot: noindex, noml")], [], ("examplebot: noindex", "examplebot: noml"), True),
        ([("X-Robots-Tag", "a: noindex"), ("X-Robots-Tag", "b: noai")], [], ("a: noindex", "b: noai"), True),
        ([("X-Robots-Tag", "unavailable_after: 25 Jun 2010 15:00:00 PST")], [], ("unavailable_after: 25 jun 2010 15:00:00 pst",), False),
        ([("X-Robots-Tag", "max-snippet:-1, max-image-preview:large")], [], ("max-snippet:-1", "max-image-preview:large"), False),
        ([], [("robots", "noai")], ("noai",), True),
        ([], [("ROBOTS", "INDEX,FOLLOW")], ("index", "follow"), False),
        ([], [("googlebot", "noindex"), ("GPTBot", "noai")], ("googlebot: noindex", "gptbot: noai"), True),
        ([], [("description", "noai")], (), False),
        ([("Content-Type", "noai")], [], (), False),
        ([("X-Robots-Tag", "noairport")], [], ("noairport",), False),
        ([("X-Robots-Tag", " , ,")], [], (), False),
    ],
)
def test_robots(headers: list[tuple[str, str]], metas: list[tuple[str, str]], robots: tuple[str, ...], reserved: bool) -> None:
    found = opt_out(headers, metas)
    assert (found.robots, found.reserved) == (robots, reserved)


@pytest.mark.parametrize(
    ("headers", "metas", "reservation", "reserved"),
    [
        ([("TDM-Reservation", "1")], [], "1", True),
        ([("tdm-reservation", " 1 ")], [], "1", True),
        ([("tdm-reservation", "0")], [], "0", False),
        ([("tdm-reservation", "10")], [], "10", False),
        ([("tdm-reservation", "0")], [("tdm-reservation", "1")], "1", True),
        ([], [("tdm-reservation", "1")], "1", True),
        ([], [("tdm-policy", "https://site.example/tdm.json")], None, False),
    ],
)
def test_reservations(headers: list[tuple[str, str]], metas: list[tuple[str, str]], reservation: str | None, reserved: bool) -> None:
    found = opt_out(headers, metas)
    assert (found.tdm_reservation, found.reserved) == (reservation, reserved)


def test_metadata_holds_what_is_stated_and_no_more_than_fits() -> None:
    assert opt_out([], []).metadata() == {}
    found = opt_out([("tdm-policy", "https://site.example/p.json"), ("X-Robots-Tag", "noai")], [("tdm-reservation", "1")])
    assert found.metadata() == {"robots": "noai", "tdm_reservation": "1", "tdm_policy": "https://site.example/p.json"}
    many = opt_out([("X-Robots-Tag", ",".join(f"d{number}" for number in range(10_000)))], [])
    assert len(many.robots) == 50 and len(many.metadata()["robots"]) <= 500
