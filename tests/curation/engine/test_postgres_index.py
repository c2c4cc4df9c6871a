"""The index stays in step with Argilla's PostgreSQL database, whoever writes there and whatever is lost."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.curation.engine import dataset as datasets
from tests.curation.engine.dataset import Dataset, Row
from tests.curation.engine.door import Argilla, Process

ROWS = [Row("a", {"text": "牛肉麵"}), Row("b", {"text": "滷肉飯"}), Row("c", {"text": "蚵仔煎"})]


@pytest.fixture
def made(postgres: Process) -> Dataset:
    return datasets.make(Argilla(postgres), f"index-{uuid.uuid4().hex[:8]}", ROWS)


def _texts(dataset: Dataset, query: str) -> list[str]:
    total, found = dataset.argilla.search(dataset.id, {"query": {"text": {"q": query}}})
    assert total == len(found)
    return sorted(found)


def _rewrite(process: Process, record: str, text: str) -> None:
    process.sql("UPDATE records SET fields = CAST(:fields AS json) WHERE id = :id", fields=f'{{"text": "{text}"}}', id=record)


def _number(process: Process, dataset: Dataset) -> int:
    ((number,),) = process.sql("SELECT number FROM twllm_search_index WHERE dataset_id = :id", id=dataset.id)
    return int(number)


def test_another_program_writes(postgres: Process, made: Dataset) -> None:
    _rewrite(postgres, made.records["a"], "乾麵")
    postgres.sql("DELETE FROM records WHERE id = :id", id=made.records["b"])
    columns = "dataset_id, inserted_at, updated_at, status"
    postgres.sql(
        f"""INSERT INTO records (id, fields, external_id, {columns})
            SELECT gen_random_uuid(), CAST(:fields AS json), 'd', {columns} FROM records WHERE id = :id""",
        fields='{"text": "大腸麵線"}',
        id=made.records["c"],
    )
    assert (_texts(made, "麵"), _texts(made, "牛肉"), _texts(made, "飯")) == (["a", "d"], [], [])


def test_a_record_moves_to_another_dataset(postgres: Process, made: Dataset) -> None:
    other = datasets.make(made.argilla, "index-other", [Row("x", {"text": "牛排"})])
    postgres.sql("UPDATE records SET dataset_id = :dataset WHERE id = :id", dataset=other.id, id=made.records["a"])
    assert (_texts(made, "牛"), _texts(other, "牛")) == ([], ["a", "x"])


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TRIGGER twllm_search_text ON records",
        "ALTER TABLE records DISABLE TRIGGER twllm_search_text",
        "UPDATE twllm_search_meta SET value = '0.0'",
    ],
)
def test_a_lost_part_is_made_anew(postgres: Process, made: Dataset, damage: str) -> None:
    postgres.sql(damage)
    _rewrite(postgres, made.records["a"], "乾麵")
    postgres.restart_engine()
    assert (_texts(made, "乾麵"), _texts(made, "牛肉"), _texts(made, "肉")) == (["a"], [], ["b"])


def test_nothing_stays_of_a_deleted_dataset(postgres: Process, made: Dataset) -> None:
    number = _number(postgres, made)
    made.argilla.call("DELETE", f"/datasets/{made.id}")
    assert postgres.sql("SELECT to_regclass(:name)", name=f"twllm_search_text_{number}") == [[None]]
    for table in ("queue", "index"):
        assert postgres.sql(f"SELECT 1 FROM twllm_search_{table} WHERE dataset_id = :id", id=made.id) == []


def test_words_of_three_characters_have_an_index(postgres: Process, made: Dataset) -> None:
    (definition,) = [
        row[0]
        for row in postgres.sql(
            "SELECT indexdef FROM pg_indexes WHERE indexname = :name", name=f"twllm_search_text_{_number(postgres, made)}_c2"
        )
    ]
    assert "gin_trgm_ops" in definition


def test_without_the_right_to_make_extensions(postgres: Process, argilla_python: Path, tmp_path: Path) -> None:
    """A database where `pg_trgm` may not be created is searched all the same."""
    assert postgres.database_url and postgres.packages
    secret = uuid.uuid4().hex
    postgres.sql(f"CREATE ROLE plain LOGIN PASSWORD '{secret}'")
    postgres.sql("CREATE DATABASE plain")
    host = postgres.database_url.rpartition("@")[2].partition("/")[0]
    owner = postgres.database_url.removesuffix("/postgres") + "/plain"
    granting = Process(argilla_python, tmp_path, owner, postgres.packages)
    granting.sql("REVOKE CREATE ON DATABASE plain FROM PUBLIC")
    granting.sql("DROP SCHEMA public CASCADE")
    granting.sql("CREATE SCHEMA public AUTHORIZATION plain")
    granting.close()
    process = Process(argilla_python, tmp_path, f"postgresql://plain:{secret}@{host}/plain", postgres.packages)
    made = datasets.make(Argilla(process), "plain", ROWS)
    assert process.sql("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'") == []
    assert (_texts(made, "牛肉麵"), _texts(made, "肉"), _texts(made, "100%")) == (["a"], ["a", "b"], [])
    process.close()
