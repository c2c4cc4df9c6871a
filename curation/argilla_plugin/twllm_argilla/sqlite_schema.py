"""Tables and triggers that the index adds to Argilla's SQLite database."""

# ruff: noqa: S608 (what is put together here are names of our own)
from __future__ import annotations

from . import text
from .store import PREFIX

VERSION = f"1.{text.VERSION}"
"""An index of another version is made anew."""

MIRRORED = "id, dataset_id, external_id, status, inserted_at, updated_at, metadata"
"""The columns of `records` that stand in `twllm_search_record` too: there, reading one does not mean skipping the text before it."""

_METADATA = "CASE WHEN json_valid(NEW.metadata) THEN NEW.metadata END"
_NEW = f"NEW.id, NEW.dataset_id, NEW.external_id, NEW.status, NEW.inserted_at, NEW.updated_at, {_METADATA}"

TABLES = (
    f"CREATE TABLE IF NOT EXISTS {PREFIX}meta (name TEXT PRIMARY KEY, value TEXT)",
    f"""CREATE TABLE IF NOT EXISTS {PREFIX}record (doc INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        dataset_id TEXT NOT NULL, external_id TEXT, status TEXT, inserted_at TEXT, updated_at TEXT, metadata TEXT)""",
    f"CREATE INDEX IF NOT EXISTS {PREFIX}record_status ON {PREFIX}record (dataset_id, status)",
    f"CREATE INDEX IF NOT EXISTS {PREFIX}record_order ON {PREFIX}record (dataset_id, doc)",
    f"CREATE TABLE IF NOT EXISTS {PREFIX}queue (doc INTEGER PRIMARY KEY, dataset_id TEXT NOT NULL)",
    f"CREATE INDEX IF NOT EXISTS {PREFIX}queue_dataset ON {PREFIX}queue (dataset_id)",
    f"""CREATE TABLE IF NOT EXISTS {PREFIX}index (number INTEGER PRIMARY KEY AUTOINCREMENT, dataset_id TEXT NOT NULL UNIQUE,
        fields TEXT NOT NULL)""",
    f"CREATE TABLE IF NOT EXISTS {PREFIX}vectors (settings_id TEXT PRIMARY KEY, version INTEGER NOT NULL)",
)


# An outer INSERT OR REPLACE fires no delete trigger, so the insert trigger clears what stood there; and its conflict
# clause would govern the statements here, so none of them can conflict.
def _forget(row: str) -> str:
    return f"""
    DELETE FROM {PREFIX}queue WHERE doc IN (SELECT doc FROM {PREFIX}record WHERE id = {row}.id);
    INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record WHERE id = {row}.id;
    DELETE FROM {PREFIX}record WHERE id = {row}.id;"""


_ADD = f"""
    INSERT INTO {PREFIX}record ({MIRRORED}) VALUES ({_NEW});
    INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record WHERE id = NEW.id;"""


def _count(row: str) -> str:
    return f"""
    INSERT INTO {PREFIX}vectors SELECT {row}.vector_settings_id, 0
        WHERE NOT EXISTS (SELECT 1 FROM {PREFIX}vectors WHERE settings_id = {row}.vector_settings_id);
    UPDATE {PREFIX}vectors SET version = version + 1 WHERE settings_id = {row}.vector_settings_id;"""


_BODIES = {
    "insert": f"AFTER INSERT ON records BEGIN {_forget('NEW')} {_ADD} END",
    "delete": f"AFTER DELETE ON records BEGIN {_forget('OLD')} END",
    "move": f"""AFTER UPDATE OF id, dataset_id ON records WHEN OLD.id <> NEW.id OR OLD.dataset_id <> NEW.dataset_id
    BEGIN {_forget("OLD")} {_forget("NEW")} {_ADD} END""",
    "update": f"""AFTER UPDATE OF external_id, status, inserted_at, updated_at, metadata ON records BEGIN
    UPDATE {PREFIX}record SET external_id = NEW.external_id, status = NEW.status, inserted_at = NEW.inserted_at,
        updated_at = NEW.updated_at, metadata = {_METADATA} WHERE id = NEW.id; END""",
    "text": f"""AFTER UPDATE OF fields ON records BEGIN
    DELETE FROM {PREFIX}queue WHERE doc IN (SELECT doc FROM {PREFIX}record WHERE id = NEW.id);
    INSERT INTO {PREFIX}queue SELECT doc, dataset_id FROM {PREFIX}record WHERE id = NEW.id; END""",
    "vector_insert": f"AFTER INSERT ON vectors BEGIN {_count('NEW')} END",
    "vector_delete": f"AFTER DELETE ON vectors BEGIN {_count('OLD')} END",
    "vector_update": f"AFTER UPDATE ON vectors BEGIN {_count('OLD')} {_count('NEW')} END",
}

TRIGGERS = {f"{PREFIX}{name}": f"CREATE TRIGGER {PREFIX}{name} {body}" for name, body in _BODIES.items()}
"""By name, as SQLite stores them."""
