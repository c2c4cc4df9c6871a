"""Records that rooms exchange through files, and the enums that give their values one spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = "1"


class License(StrEnum):
    """What may be done with a text. `UNKNOWN` says that the source states nothing; it is never left blank."""

    PUBLIC_RECORD = "public-record"  # Copyright Act of Taiwan, article 9: statutes and official documents
    CC0 = "cc0-1.0"
    CC_BY_3 = "cc-by-3.0"
    CC_BY_4 = "cc-by-4.0"
    CC_BY_SA_3 = "cc-by-sa-3.0"
    CC_BY_SA_4 = "cc-by-sa-4.0"
    CC_BY_NC_4 = "cc-by-nc-4.0"
    APACHE_2 = "apache-2.0"
    MIT = "mit"
    MPL_2 = "mpl-2.0"
    GPL_2 = "gpl-2.0-or-later"
    GPL_3 = "gpl-3.0"
    OGDL_TW_1 = "ogdl-taiwan-1.0"  # Open Government Data License, Taiwan
    PUBLIC_DOMAIN = "public-domain"  # the author's economic rights have expired or were given up
    PROPRIETARY = "proprietary"  # by contract; the contract is named in the document's metadata
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a document is not in the corpus. Every removal and quarantine carries exactly one."""

    # decided from the feature row
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    LANGUAGE = "language"
    SIMPLIFIED = "simplified"
    CANTONESE = "cantonese"
    VARIETY_CN = "variety_cn"
    VARIETY_HK = "variety_hk"
    REPETITION = "repetition"
    BOILERPLATE = "boilerplate"
    GARBLED = "garbled"
    SCAM = "scam"
    GAMBLING = "gambling"
    PORN = "porn"
    ELECTION_SPAM = "election_spam"
    ADVERTISEMENT = "advertisement"
    CONTENT_FARM = "content_farm"
    PERSONAL_DATA = "personal_data"
    ABOLISHED = "abolished"
    BLOCKLISTED = "blocklisted"  # its address or domain is on a list of the recipe
    RIGHTS = "rights"  # its licence or contract does not allow the use that was asked for
    OPT_OUT = "opt_out"  # its publisher reserves text and data mining
    FORGOTTEN = "forgotten"  # its holder, or whoever it speaks of, asked for it
    # decided by comparing documents
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SEMANTIC_DUPLICATE = "semantic_duplicate"
    LINE_DUPLICATES = "line_duplicates"  # too little is left once repeated lines and paragraphs are gone
    # decided by comparing with evaluation sets
    CONTAMINATED = "contaminated"
    # decided by the mixture
    MIXTURE_CAP = "mixture_cap"
    # quarantine
    DUPLICATE_ID = "duplicate_id"
    UNREADABLE = "unreadable"


class Status(StrEnum):
    """What became of a document: in = kept + removed + quarantined."""

    KEPT = "kept"
    REMOVED = "removed"
    QUARANTINED = "quarantined"


@dataclass(slots=True)
class Document:
    """One text with where it came from.

    `id` is `<source>:<the source's own stable identifier>`; it does not depend on the content. Dates are ISO 8601 strings
    (`2024`, `2024-03` or `2024-03-05`, with a time where the source states one) or None where the source states none.
    `flags` are facts of the source that a policy may act on (for example `abolished`). `parent_id` names the
    document that a part was split from; parts carry `<parent id>#<number>`.
    """

    id: str
    text: str
    source: str
    license: License = License.UNKNOWN
    rights_holder: str | None = None
    url: str | None = None
    title: str | None = None
    published: str | None = None
    retrieved: str | None = None
    parent_id: str | None = None
    flags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Rejected:
    """Input that could not be read: where it stands, what was wrong, and its first bytes for whoever repairs it."""

    path: str
    locator: str  # "line 17", "member a/b.json", "article 3", "file"
    error: str
    excerpt: str = ""  # at most 200 characters
