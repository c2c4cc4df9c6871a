"""Columns to record fields: dotted paths, licences by longest prefix, small metadata."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from corpus.sources.mapping import Columns, Row, RowError, lookup, other_columns, required_text
from corpus.sources.spec import SourceSpec
from factory.records import Document, License


def _document(row: dict[str, Any], default: License = License.UNKNOWN, **spec: Any) -> Document:
    parsed = SourceSpec.model_validate({"type": "rows", "paths": ["x"], **spec})
    columns = Columns("src", parsed, {"text": "text", **parsed.fields}, default)
    return columns.document(Row("line 1", 7, row), "stem", "甲")


def test_dotted_paths_reach_nested_objects_and_a_literal_name_wins() -> None:
    assert lookup({"a": {"b": {"c": 1}}}, "a.b.c") == 1
    assert lookup({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert lookup({"a": "text"}, "a.b") is None


@pytest.mark.parametrize("row", [{}, {"t": None}, {"t": ""}, {"t": " \n"}])
def test_a_missing_or_blank_field_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(RowError, match=r"missing field text \(column 't'\)"):
        required_text(row, "text", "t")


@pytest.mark.parametrize("value", [3, ["甲"], {"a": 1}, True])
def test_a_field_of_another_kind_is_named(value: object) -> None:
    with pytest.raises(RowError, match="not text"):
        required_text({"t": value}, "text", "t")


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(RowError, match="Unicode"):
        required_text({"t": "a\ud800"}, "text", "t")


def test_ids_are_the_source_and_the_rows_own_id_or_stem_and_number() -> None:
    assert _document({"k": 12}, fields={"id": "k"}).id == "src:12"
    assert _document({"k": " a/1 "}, fields={"id": "k"}).id == "src:a/1"
    assert _document({}).id == "src:stem-7"
    with pytest.raises(RowError, match="field id"):
        _document({"k": ""}, fields={"id": "k"})


def test_licences_go_by_the_longest_prefix() -> None:
    spec: dict[str, Any] = {"fields": {"license": "l"}, "licenses": {"CC": "cc-by-4.0", "CC0": "cc0-1.0"}, "license": "mit"}
    assert _document({"l": "CC0-1.0 (as stated)"}, **spec).license is License.CC0
    assert _document({"l": "CC BY"}, **spec).license is License.CC_BY_4
    assert _document({"l": "Apache-2.0"}, **spec).license is License.APACHE_2
    assert _document({}, **spec).license is License.MIT


def test_a_stated_licence_that_is_not_mapped_is_never_the_recipes() -> None:
    document = _document({"l": "all rights reserved"}, fields={"license": "l"}, license="cc0-1.0")
    assert document.license is License.UNKNOWN
    assert document.metadata["license_stated"] == "all rights reserved"


def test_the_types_default_licence_yields_to_the_recipe() -> None:
    assert _document({}, License.PUBLIC_RECORD).license is License.PUBLIC_RECORD
    assert _document({}, License.PUBLIC_RECORD, license="unknown").license is License.UNKNOWN


def test_the_row_goes_before_the_recipe_for_the_rights_holder() -> None:
    assert _document({"r": "乙社"}, fields={"rights_holder": "r"}, rights_holder="甲社").rights_holder == "乙社"
    assert _document({}, rights_holder="甲社").rights_holder == "甲社"


def test_a_date_that_cannot_be_read_is_kept_as_stated() -> None:
    document = _document({"d": "去年夏天"}, fields={"published": "d"})
    assert document.published is None
    assert document.metadata["published_stated"] == "去年夏天"


def test_other_columns_are_small_json_scalars() -> None:
    row = {
        "a": 1,
        "b": "乙",
        "c": 1.5,
        "d": True,
        "e": Decimal("2.5"),
        "long": "x" * 1001,
        "nan": float("nan"),
        "nested": {"x": 1},
        "list": [1],
        "none": None,
        "blank": " ",
        "bytes": b"x",
        "huge": 2**70,
        "used": "text",
    }
    assert other_columns(row, {"used"}) == {"a": 1, "b": "乙", "c": 1.5, "d": True, "e": 2.5, "huge": str(2**70)}
