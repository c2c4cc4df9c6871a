"""What each licence says of passing a text on, and what the Hub calls it."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any, NamedTuple

from factory.records import License

_CC = "https://creativecommons.org/licenses"


class Terms(NamedTuple):
    """`hub` is the identifier in the Hub's list of licences, None where that list lacks it."""

    redistributable: bool
    hub: str | None
    link: str | None
    reason: str


# Set 2026-11-30 from the licences' own texts; the Hub's identifiers from https://huggingface.co/docs/hub/repositories-licenses
TERMS: dict[License, Terms] = {
    License.PUBLIC_RECORD: Terms(
        True, None, "https://law.moj.gov.tw/ENG/LawClass/LawAll.aspx?pcode=J0070017", "statutes and official documents have no copyright"
    ),
    License.CC0: Terms(True, "cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "rights waived"),
    License.CC_BY_3: Terms(True, "cc-by-3.0", f"{_CC}/by/3.0/", "may be passed on; name the author"),
    License.CC_BY_4: Terms(True, "cc-by-4.0", f"{_CC}/by/4.0/", "may be passed on; name the author"),
    License.CC_BY_SA_3: Terms(True, "cc-by-sa-3.0", f"{_CC}/by-sa/3.0/", "may be passed on; name the author, adapt under the same licence"),
    License.CC_BY_SA_4: Terms(True, "cc-by-sa-4.0", f"{_CC}/by-sa/4.0/", "may be passed on; name the author, adapt under the same licence"),
    License.CC_BY_NC_4: Terms(True, "cc-by-nc-4.0", f"{_CC}/by-nc/4.0/", "may be passed on for non-commercial purposes; name the author"),
    License.APACHE_2: Terms(
        True, "apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0", "may be passed on with its licence and notices"
    ),
    License.MIT: Terms(True, "mit", "https://opensource.org/license/mit", "may be passed on with its notice"),
    License.MPL_2: Terms(True, "mpl-2.0", "https://www.mozilla.org/MPL/2.0/", "may be passed on; changed files under the same licence"),
    License.GPL_2: Terms(True, None, "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html", "may be passed on under the same licence"),
    License.GPL_3: Terms(True, "gpl-3.0", "https://www.gnu.org/licenses/gpl-3.0.html", "may be passed on under the same licence"),
    License.OGDL_TW_1: Terms(True, None, "https://data.gov.tw/license", "may be passed on; name the agency"),
    License.PUBLIC_DOMAIN: Terms(True, None, None, "economic rights have expired or were given up"),
    License.PROPRIETARY: Terms(False, None, None, "what the contract states; only where the row's `permitted_use` names redistribution"),
    License.UNKNOWN: Terms(False, None, None, "nothing is stated, so nothing is allowed"),
}


def stated(value: object) -> License:
    """The licence that a row's field names; UNKNOWN where it names none that the project knows."""
    try:
        return License(value)  # type: ignore[arg-type]
    except ValueError:
        return License.UNKNOWN


def redistributable(license: License, metadata: object) -> bool:
    """Whether a row may be passed on, by its licence or by the contract in its metadata (an object, or its JSON)."""
    if license is not License.PROPRIETARY:
        return TERMS[license].redistributable
    contract: Any = metadata
    if isinstance(metadata, str):
        try:
            contract = json.loads(metadata)
        except ValueError:
            return False
    uses = contract.get("permitted_use") if isinstance(contract, dict) else None
    return isinstance(uses, list) and "redistribution" in uses


def header(licenses: Set[License]) -> dict[str, Any]:
    """What a card's header says: the Hub's identifiers where it has all of them, else `other` with a name."""
    known = [TERMS[license].hub for license in License if license in licenses]
    if known and None not in known:
        return {"license": known[0] if len(known) == 1 else known}
    if len(licenses) != 1:
        return {"license": "other", "license_name": "mixed"}
    (only,) = licenses
    link = TERMS[only].link
    return {"license": "other", "license_name": str(only), **({"license_link": link} if link else {})}
