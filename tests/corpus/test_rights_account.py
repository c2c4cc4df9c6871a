"""Tokens for each rights holder: every kept document counts once, and a split book is one book."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpus.assemble import SHARD_SCHEMA
from corpus.rights_account import Account, account
from factory.errors import UserError
from tests.corpus.conftest import twllm

# who, when, where, does, what: a story long enough for parts and with few sentences alike
WORDS = tuple(
    tuple(words.split())
    for words in (
        "阿義 她 老船長 隔壁的阿嬤 賣魚的 小女孩 郵差 退休的老師 他弟弟 那個外地人 廟公 攤販",
        "傍晚 清晨 下雨天 過年前 颱風過後 每逢初一 月底 退潮時 半夜 放學後 週末 農曆七月",
        "在渡船頭 到市場 往燈塔 沿著堤防 在廟口 從巷子底 到車站 在廚房 往山上 在雜貨店 到學校 在碼頭邊",
        "找 賣 修 忘了 撿到 想念 畫著 收起 打聽 借走 送來 守著",
        "一盞燈 半斤蝦米 舊收音機 那封信 破漁網 一把雨傘 相簿 紅豆湯 腳踏車 鑰匙 一本帳簿 竹椅",
    )
)


def shard(run: Path, name: str, rows: list[dict[str, object]]) -> None:
    defaults = {"text": "甲", "source": "s", "license": "unknown", "tokens": 10, "metadata": "{}"}
    (run / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([defaults | row for row in rows], schema=SHARD_SCHEMA), run / "data" / name)


def stated(contract: str, share: float) -> str:
    return json.dumps({"contract_id": contract, "share": share, "permitted_use": ["training"]})


def test_parts_are_one_book_also_across_shards(tmp_path: Path) -> None:
    book = {"license": "proprietary", "rights_holder": "乙出版社", "metadata": stated("K-2", 0.5), "parent_id": "b:1"}
    shard(tmp_path, "b-00000.parquet", [{**book, "id": f"b:1#{n}"} for n in (1, 2)])
    shard(tmp_path, "b-00001.parquet", [{**book, "id": "b:1#3"}, {**book, "id": "b:2", "parent_id": None, "tokens": 5}])
    assert account(str(tmp_path)) == [Account("乙出版社", "K-2", "proprietary", 0.5, 2, 4, 35)]


def test_one_holder_with_two_contracts_and_shares_is_told_apart_and_sorted(tmp_path: Path) -> None:
    rows = [
        {"id": "x:1"},
        {"id": "x:2", "rights_holder": "丙", "license": "cc-by-4.0"},
        {"id": "x:3", "rights_holder": "丙", "license": "proprietary", "metadata": stated("K-3", 0.2)},
        {"id": "x:4", "rights_holder": "丙", "license": "proprietary", "metadata": stated("K-3", 0.1)},
        {"id": "x:5", "rights_holder": "丙", "license": "proprietary", "metadata": stated("K-1", 1)},
    ]
    shard(tmp_path, "x-00000.parquet", rows)
    found = account(str(tmp_path))
    assert [(row.rights_holder, row.contract_id, row.share) for row in found] == [
        ("丙", "K-1", 1.0), ("丙", "K-3", 0.1), ("丙", "K-3", 0.2), ("丙", None, None), (None, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "metadata", [None, "{}", '{"share": 12}', '{"contract_id": "x", "share": 1}', '{"permitted_use": "x", "share": 1}']
)
def test_a_column_that_happens_to_be_called_share_is_no_contract(tmp_path: Path, metadata: str | None) -> None:
    shard(tmp_path, "x-00000.parquet", [{"id": "x:1", "metadata": metadata}])
    assert account(str(tmp_path)) == [Account(None, None, "unknown", None, 1, 1, 10)]


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    shard(tmp_path, "x-00000.parquet", [{"id": "x:1"}])
    (tmp_path / "data" / "notes.txt").write_text("甲")
    assert account(str(tmp_path))[0].documents == 1


def test_a_folder_without_a_corpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no corpus"):
        account(str(tmp_path))


def test_a_damaged_shard(tmp_path: Path) -> None:
    shard(tmp_path, "x-00000.parquet", [{"id": "x:1"}])
    path = tmp_path / "data" / "x-00000.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"x-00000\.parquet: cannot be read"):
        account(str(tmp_path))


def test_a_built_run(tmp_path: Path, rows_recipe: Callable[..., Path]) -> None:
    chance = random.Random(3)
    story = "\n".join("，".join("".join(map(chance.choice, WORDS)) for _ in range(4)) + "。" for _ in range(700))
    rights = "holder: 測試作者甲\nlicense: proprietary\ncontract_id: K-1\nshare: 0.6\npermitted_use: [training]\n"
    for name, content in {"lamp.txt": f"第一章\n{story}", "rights.yaml": rights}.items():
        (tmp_path / "books").mkdir(exist_ok=True)
        (tmp_path / "books" / name).write_text(content, encoding="utf-8")
    rows = [{"id": "1", "text": "碼頭邊的小吃攤賣到半夜，老闆娘記得每個熟客要不要加辣、要不要香菜，下雨天還會多送一碗熱湯暖暖身子。"}]
    sources = {
        "rows": {"type": "rows", "paths": ["rows.jsonl"], "fields": {"id": "id", "text": "text"}, "license": "cc0-1.0"},
        "books": {"type": "books", "paths": ["books"]},
    }
    recipe = rows_recipe(rows, sources=sources, deduplicate={"near": None})  # the parts of the invented story are alike
    done = twllm("corpus", "build", str(recipe))
    assert done.returncode == 0, done.stderr
    run = yaml.safe_load(recipe.read_text(encoding="utf-8"))["output"]
    found = account(run)
    kept = pq.read_table(f"{run}/data").to_pylist()
    assert sum(row.documents for row in found) == len(kept) and sum(row.tokens for row in found) == sum(row["tokens"] for row in kept)
    (book,) = [row for row in found if row.rights_holder]
    assert (book.rights_holder, book.contract_id, book.license, book.share, book.books) == ("測試作者甲", "K-1", "proprietary", 0.6, 1)
    assert book.documents > 1


def test_the_ledger_has_a_row_for_each_document(sample_run: Path, tmp_path: Path) -> None:
    done = twllm("corpus", "rights", "--run", str(sample_run), "--ledger", str(tmp_path / "ledger.parquet"))
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tmp_path / "ledger.parquet").to_pylist()
    kept = pq.read_table(sample_run / "decisions.parquet", columns=["status", "tokens"]).to_pylist()
    assert sum(row["tokens"] for row in rows) == sum(row["tokens"] for row in kept if row["status"] == "kept")
    assert all(row["license"] != "unknown" or not row["commercial"] for row in rows)
    assert "retrieved" in rows[0] and "train" in rows[0]
