"""From the columns of a row to the fields of a Document, as a recipe's `fields` and `licenses` say."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from corpus.sources.dates import iso_date
from corpus.sources.spec import SourceSpec
from factory.records import Document, License

MAX_METADATA_CHARS = 1000
RECORD_FIELDS = frozenset({"id", "text", "url", "title", "published", "retrieved", "license", "rights_holder"})


class RowError(Exception):
    """A row that cannot become a document. The message names the field and its column."""


class Row(NamedTuple):
    """One row of a file: where it stands (`line 3`), its number from 1 among the file's rows, its columns."""

    locator: str
    number: int
    data: dict[str, Any]


def lookup(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column; a dotted path reaches into nested objects. None where there is none."""
    if column in row:
        return row[column]
    value: Any = row
    for key in column.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def required_text(row: Mapping[str, Any], field: str, column: str) -> str:
    """A column that must hold text. Raises RowError where it is missing, blank, of another kind or not Unicode."""
    value = lookup(row, column)
    if isinstance(value, int) and not isinstance(value, bool) and field == "id":
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(f"missing field {field} (column {column!r})")
    if not isinstance(value, str):
        raise RowError(f"field {field} (column {column!r}) is {type(value).__name__}, not text")
    if not _is_unicode(value):
        raise RowError(f"field {field} (column {column!r}) is not valid Unicode (a lone surrogate)")
    return value


def optional_text(row: Mapping[str, Any], column: str | None) -> str | None:
    """A column that may hold text, stripped; None where it is absent, blank or of another kind."""
    value = lookup(row, column) if column else None
    return value.strip() or None if isinstance(value, str) else None


@dataclass(frozen=True)
class Columns:
    """How one source reads its rows. `fields` maps record fields to columns; `default_license` fills in for a silent recipe."""

    source: str
    spec: SourceSpec
    fields: Mapping[str, str]
    default_license: License = License.UNKNOWN
    keep_other_columns: bool = True

    def text(self, row: Row) -> str:
        """The mapped text of a row. Raises RowError where it is missing or blank."""
        return required_text(row.data, "text", self.fields["text"])

    def document(self, row: Row, stem: str, text: str, extra: dict[str, Any] | None = None) -> Document:
        """The document of a row with `text` as its text. Raises RowError where the mapped id is missing."""
        metadata = dict(extra or {})
        published, retrieved = (self._date(row.data, field, metadata) for field in ("published", "retrieved"))
        document = Document(
            id=f"{self.source}:{self.identifier(row, stem)}",
            text=text,
            source=self.source,
            license=self.license(row.data, metadata),
            rights_holder=optional_text(row.data, self.fields.get("rights_holder")) or self.spec.rights_holder,
            url=optional_text(row.data, self.fields.get("url")),
            title=optional_text(row.data, self.fields.get("title")),
            published=published,
            retrieved=retrieved,
        )
        other = other_columns(row.data, self.fields.values()) if self.keep_other_columns else {}
        document.metadata = {**other, **metadata}
        return document

    def identifier(self, row: Row, stem: str) -> str:
        """The source's own id of a row, or `<file stem>-<row number>` where no id is mapped."""
        column = self.fields.get("id")
        return required_text(row.data, "id", column).strip() if column else f"{stem}-{row.number}"

    def license(self, row: Mapping[str, Any], metadata: dict[str, Any]) -> License:
        """The licence that a row states, else the recipe's, else the source's default.

        A stated licence that the recipe does not map is `unknown`, never the recipe's; the words are kept in the metadata.
        """
        stated = optional_text(row, self.fields.get("license"))
        if stated is not None:
            matches = [prefix for prefix in self.spec.licenses if stated.startswith(prefix)]
            if matches:
                return self.spec.licenses[max(matches, key=len)]
            if stated.lower() in list(License):
                return License(stated.lower())
            metadata["license_stated"] = stated[:MAX_METADATA_CHARS]
            return License.UNKNOWN
        return self.spec.license if "license" in self.spec.model_fields_set else self.default_license

    def _date(self, row: Mapping[str, Any], field: str, metadata: dict[str, Any]) -> str | None:
        column = self.fields.get(field)
        value = lookup(row, column) if column else None
        found = iso_date(value)
        if found is None and isinstance(value, str) and value.strip():
            metadata[f"{field}_stated"] = value.strip()[:MAX_METADATA_CHARS]
        return found


def other_columns(row: Mapping[str, Any], used: Collection[str]) -> dict[str, Any]:
    """The columns that no field is mapped to, as metadata: scalars only, without long texts, blanks and nulls."""
    kept: dict[str, Any] = {}
    for column, value in row.items():
        if column in used or not isinstance(column, str):
            continue
        if isinstance(value, Decimal):
            value = float(value)
        if isinstance(value, str):
            if 0 < len(value) <= MAX_METADATA_CHARS and value.strip() and _is_unicode(value):
                kept[column] = value
        elif isinstance(value, int):
            kept[column] = value if abs(value) < 2**63 else str(value)  # JSON writers stop at 64 bits
        elif isinstance(value, float) and math.isfinite(value):
            kept[column] = value
        elif iso_date(value) is not None:
            kept[column] = iso_date(value)
    return kept


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
