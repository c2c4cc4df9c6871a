"""Columns that hold rows of differing shapes; shards of bounded size and stable bytes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.hub import shards
from factory.hub.shards import Columns


def table_of(*batches: list[dict[str, Any]]) -> pa.Table:
    columns = Columns()
    for batch in batches:
        columns.add(batch)
    return pa.concat_tables([columns.table(batch) for batch in batches])


def test_objects_with_differing_keys_become_one_struct() -> None:
    table = table_of([{"id": "a", "lineage": {"task": "x"}}], [{"id": "b", "lineage": {"parents": ["s"], "sampling": {"seed": 1}}}])
    assert table.column("lineage").to_pylist() == [
        {"task": "x", "parents": None, "sampling": None},
        {"task": None, "parents": ["s"], "sampling": {"seed": 1}},
    ]


def test_columns_that_come_late_or_are_always_null_or_always_empty() -> None:
    table = table_of([{"id": "a", "review": None, "extra": {}}], [{"id": "b", "review": None, "extra": {}, "late": [1, 2], "spans": []}])
    assert table.schema.field("review").type == pa.string()
    assert table.schema.field("spans").type == pa.list_(pa.string())
    assert table.column("extra").to_pylist() == ["{}", "{}"]
    assert table.column("late").to_pylist() == [None, [1, 2]]


def test_values_without_a_common_type_become_json() -> None:
    mixed: list[Any] = [3, "three", {"n": 3}, None, [1, "a"], 10**30]
    table = table_of([{"id": str(number), "value": value} for number, value in enumerate(mixed)])
    assert [None if text is None else json.loads(text) for text in table.column("value").to_pylist()] == mixed


def test_whole_and_broken_numbers_meet() -> None:
    assert table_of([{"x": 1}], [{"x": 0.5}]).column("x").to_pylist() == [1.0, 0.5]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(st.fixed_dictionaries({"id": st.text("xyz", min_size=1)}, optional={"a": _JSON, "b": _JSON}), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_any_rows_can_be_stored_and_keep_their_ids(batches: list[list[dict[str, Any]]]) -> None:
    table = table_of(*batches)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    assert pq.read_table(pa.BufferReader(sink.getvalue())).column("id").to_pylist() == [row["id"] for batch in batches for row in batch]


def noise(rows: int, chars: int, seed: int = 0) -> pa.Table:
    """Texts that do not compress."""
    rng = random.Random(seed)
    return pa.table(
        {
            "id": [str(number) for number in range(rows)],
            "text": ["".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(chars)) for _ in range(rows)],
        }
    )


def test_shards_hold_all_rows_in_order_and_keep_their_size(tmp_path: Path) -> None:
    table = noise(400, 100)
    limit = 40_000
    names = shards.write([table], table.schema, str(tmp_path), "data/train", limit)
    assert len(names) > 2
    assert names == [f"data/train-{number:05d}-of-{len(names):05d}.parquet" for number in range(len(names))]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [name.removeprefix("data/") for name in names]
    assert pa.concat_tables([pq.read_table(tmp_path / name) for name in names]).equals(table)
    # the footer comes on top of what the limit counts
    assert all((tmp_path / name).stat().st_size < limit * 1.25 for name in names)


def test_a_row_larger_than_a_shard_has_one_of_its_own(tmp_path: Path) -> None:
    table = noise(3, 20_000)
    names = shards.write([table], table.schema, str(tmp_path), "data/train", 10_000)
    assert [pq.read_metadata(tmp_path / name).num_rows for name in names] == [1, 1, 1]


def test_no_rows_no_shards(tmp_path: Path) -> None:
    table = noise(0, 1)
    assert shards.write([table], table.schema, str(tmp_path), "data/train") == []


@pytest.mark.parametrize("limit", [20_000, shards.SHARD_BYTES])
def test_the_same_rows_give_the_same_bytes(limit: int, tmp_path: Path) -> None:
    table = noise(200, 50)
    for side in ("a", "b"):
        shards.write([table], table.schema, str(tmp_path / side), "data/train", limit)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / side / "data").iterdir()} for side in ("a", "b"))
    assert first == second
