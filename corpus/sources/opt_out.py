"""What a page says about its use by machines: robots directives and reservations of text and data mining, recorded as stated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

MAX_DIRECTIVES = 50
MAX_CHARS = 500  # of one recorded value
RESERVING = frozenset({"noai", "noml"})
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_ROBOTS_META = re.compile(r"robots|[a-z0-9_-]*(?:bot|spider|crawler)", re.ASCII)
_AGENT = re.compile(r"\s*([A-Za-z0-9_.\-]+)\s*:\s*(.*)", re.DOTALL)


class OptOut(NamedTuple):
    """Statements of one page. `robots` holds directives in order, `agent: directive` where they address one crawler."""

    robots: tuple[str, ...]
    tdm_reservation: str | None
    tdm_policy: str | None

    @property
    def reserved(self) -> bool:
        """Whether the page reserves its use for machine learning: `noai` or `noml` for any crawler, or `tdm-reservation: 1`."""
        return self.tdm_reservation == "1" or any(directive.rpartition(" ")[2] in RESERVING for directive in self.robots)

    def metadata(self) -> dict[str, str]:
        """The statements as columns of a document's metadata; what is not stated is left out."""
        stated = {"robots": ", ".join(self.robots) or None, "tdm_reservation": self.tdm_reservation, "tdm_policy": self.tdm_policy}
        return {name: value[:MAX_CHARS] for name, value in stated.items() if value}


def opt_out(headers: Iterable[tuple[str, str]], metas: Iterable[tuple[str, str]]) -> OptOut:
    """The statements in HTTP headers and in `<meta name content>` pairs; names in any case, at most 50 directives.

    Robots directives: the X-Robots-Tag header, whose value may begin with a crawler's name, and meta tags named robots or after a
    crawler (https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag); `noai` and `noimageai` are the convention
    that DeviantArt began in 2022 (https://www.deviantart.com/team/journal/UPDATE-All-Deviations-Are-Opted-Out-of-AI-Datasets-934500371).
    `tdm-reservation` and `tdm-policy`, as a header or a meta tag: TDM Reservation Protocol, W3C Community Group report of 2024-05-10
    (https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/). Where header and meta tag differ, a reservation holds.
    """
    robots: dict[str, None] = {}
    reservations: list[str] = []
    policies: list[str] = []
    for source, pairs in (("header", headers), ("meta", metas)):
        for name, value in pairs:
            name = name.strip().lower()
            value = value[: 10 * MAX_CHARS].strip()
            if name == "tdm-reservation":
                reservations.append(value)
            elif name == "tdm-policy":
                policies.append(value)
            elif source == "header" and name == "x-robots-tag":
                robots.update(dict.fromkeys(_directives(value, "")))
            elif source == "meta" and _ROBOTS_META.fullmatch(name):
                robots.update(dict.fromkeys(_directives(value, "" if name == "robots" else name)))
    reservation = "1" if "1" in reservations else next(iter(reservations), None)
    return OptOut(tuple(robots)[:MAX_DIRECTIVES], reservation, next(iter(policies), None))


def _directives(value: str, agent: str) -> list[str]:
    found = []
    for piece in value.split(","):
        match = _AGENT.fullmatch(piece)
        if match and match[1].lower() not in _WITH_VALUE:
            agent, piece = match[1].lower(), match[2]  # it holds for the directives that follow, too
        directive = " ".join(piece.lower().split())
        if directive:
            found.append(f"{agent}: {directive}" if agent else directive)
    return found
