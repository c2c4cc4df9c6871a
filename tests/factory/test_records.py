"""The records that rooms exchange keep their spelling, their defaults and their independence."""

from __future__ import annotations

import json
import re

import pytest

from factory.records import SCHEMA_VERSION, Document, License, Reason, Rejected, Status

ENUMS = [License, Reason, Status]


@pytest.mark.parametrize("enum", ENUMS)
def test_no_two_names_share_a_value(enum: type[License] | type[Reason] | type[Status]) -> None:
    assert len({member.value for member in enum}) == len(enum.__members__)


@pytest.mark.parametrize("enum", ENUMS)
def test_values_are_lower_case_ascii_words(enum: type[License] | type[Reason] | type[Status]) -> None:
    assert [member.value for member in enum if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", member.value)] == []


def test_reasons_are_spelt_as_their_names() -> None:
    assert {reason.value for reason in Reason} == {name.lower() for name in Reason.__members__}


def test_the_three_outcomes() -> None:
    assert [status.value for status in Status] == ["kept", "removed", "quarantined"]


def test_an_unknown_licence_is_a_value_and_never_blank() -> None:
    assert Document("s:1", "text", "s").license is License.UNKNOWN
    assert License.UNKNOWN.value == "unknown"


def test_a_licence_is_found_by_what_a_source_states_and_refused_otherwise() -> None:
    assert License("cc-by-sa-4.0") is License.CC_BY_SA_4
    with pytest.raises(ValueError, match="CC-BY-SA-4.0"):
        License("CC-BY-SA-4.0")


def test_enum_members_are_written_to_json_and_to_text_as_their_values() -> None:
    assert json.dumps([License.OGDL_TW_1, Reason.TOO_SHORT, Status.KEPT]) == '["ogdl-taiwan-1.0", "too_short", "kept"]'
    assert f"{Reason.NEAR_DUPLICATE}" == "near_duplicate"


def test_what_a_source_does_not_state_is_none() -> None:
    document = Document("law:A0000001", "條文", "law")
    assert (document.rights_holder, document.url, document.title) == (None, None, None)
    assert (document.published, document.retrieved, document.parent_id) == (None, None, None)
    assert document.flags == ()
    assert document.metadata == {}


def test_documents_do_not_share_metadata() -> None:
    first, second = Document("s:1", "a", "s"), Document("s:2", "b", "s")
    first.metadata["board"] = "Gossiping"
    assert second.metadata == {}


def test_a_misspelt_field_is_an_error() -> None:
    document = Document("s:1", "a", "s")
    with pytest.raises(AttributeError):
        document.licence = License.CC0  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Rejected("a.jsonl", "line 1", "invalid JSON").excerpts = ""  # type: ignore[attr-defined]


def test_the_schema_version_is_a_string_that_parquet_metadata_can_hold() -> None:
    assert str(int(SCHEMA_VERSION)) == SCHEMA_VERSION
