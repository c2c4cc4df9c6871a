"""What may be passed on, and what the Hub calls it."""

from __future__ import annotations

import json

import pytest

from factory.hub.metadata import faults, vocabulary
from factory.hub.terms import TERMS, header, redistributable, stated
from factory.records import License


def test_every_licence_has_terms_and_a_reason() -> None:
    assert set(TERMS) == set(License)
    assert all(terms.reason for terms in TERMS.values())
    assert {terms.hub for terms in TERMS.values()} - {None} <= set(vocabulary()["licenses"])


def test_only_what_is_stated_and_allowed_may_be_passed_on() -> None:
    assert {license for license in License if not redistributable(license, None)} == {License.UNKNOWN, License.PROPRIETARY}


@pytest.mark.parametrize(
    ("metadata", "allowed"),
    [
        ({"permitted_use": ["training", "redistribution"]}, True),
        (json.dumps({"permitted_use": ["redistribution"]}), True),
        ({"permitted_use": ["training"]}, False),
        ({"permitted_use": "redistribution"}, False),  # a list is agreed upon; a text may be any sentence
        ("{", False),
        ("null", False),
        (None, False),
    ],
)
def test_a_contract_must_name_redistribution(metadata: object, allowed: bool) -> None:
    assert redistributable(License.PROPRIETARY, metadata) is allowed
    assert not redistributable(License.UNKNOWN, metadata)


@pytest.mark.parametrize("value", [None, "", "Apache", 3, ["apache-2.0"], "APACHE-2.0"])
def test_what_is_no_licence_is_unknown(value: object) -> None:
    assert stated(value) is License.UNKNOWN


@pytest.mark.parametrize("license", [license for license in License if license is not License.UNKNOWN])
def test_a_header_of_one_licence_is_one_the_hub_takes(license: License) -> None:
    assert faults(header({license}), []) == []


def test_a_header_of_several_licences() -> None:
    assert header({License.CC_BY_4, License.APACHE_2}) == {"license": ["cc-by-4.0", "apache-2.0"]}
    assert header({License.CC_BY_4, License.PUBLIC_RECORD}) == {"license": "other", "license_name": "mixed"}
    assert faults(header({License.CC_BY_4, License.APACHE_2}), []) == []
    assert faults(header(set(License)), []) == []
