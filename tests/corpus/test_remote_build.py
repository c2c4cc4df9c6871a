"""A build from a bucket is the build from the same files on disk, and a store that fails stops it with one line."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard

from tests.corpus.conftest import RECIPE, differing, twllm

pytest.importorskip("s3fs")
pytest.importorskip("moto")

from tests.factory.test_storage_remote import HUB_FILES, KEYS, SECRET, Gate, Hub, s3_store

TOPICS = ("圖書館", "菜市場", "車站", "溪邊步道", "社區大學", "漁港", "老街", "果園", "天文臺", "郵局", "茶園", "美術館")


def paragraph(number: int) -> str:
    """Texts that a policy keeps and no two of which are alike."""
    topic, other = TOPICS[number % len(TOPICS)], TOPICS[(number * 5 + 3) % len(TOPICS)]
    return (
        f"第{number}次走訪{topic}的那天，天色還沒全亮，巷口已經有人在準備早餐。我們沿著騎樓慢慢走到{topic}，"
        f"管理員說這裡從民國{60 + number}年開始開放，後來整修過兩回，才有今天的樣子。\n"
        f"中午以前大家分頭訪問附近的住戶，記下他們對{other}的印象：有人記得颱風夜停電，有人記得第一次在那裡看露天電影。"
        f"回程的公車上，我把筆記重新抄了一遍，共有{number * 7 + 11}則，預備下個月在里民活動中心展出，也歡迎鄰居補充更正。"
    )


def rows(first: int, count: int) -> list[dict[str, str]]:
    return [{"id": f"walk-{number}", "text": paragraph(number), "title": f"走讀筆記 {number}"} for number in range(first, first + count)]


def jsonl(found: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found).encode()


def parquet(found: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), sink)
    return sink.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return sink.getvalue()


def law_member() -> bytes:
    laws = RECIPE.parent.parent / "corpus" / "sample" / "law"
    return next(iter(sorted(laws.rglob("*.json")))).read_bytes()


FILES = {
    "texts/walks.jsonl.zst": zstandard.ZstdCompressor().compress(jsonl(rows(0, 9)) + b"{broken\n" + jsonl(rows(9, 6))),
    "texts/table.parquet": parquet(rows(20, 8)),
    "texts/laws.zip": archive({"laws/one.json": law_member()}),
    "texts/folder/a.jsonl": jsonl(rows(30, 4)),
    "texts/folder/deeper/b.jsonl": jsonl(rows(34, 4)),
    "texts/many/part-1.jsonl": jsonl(rows(40, 3)),
    "texts/many/part-2.jsonl": jsonl(rows(43, 3)) + jsonl(rows(0, 1)),  # one text twice
    "texts/many/readme.md": "不在樣式之內".encode(),
}


def recipe(**changes: Any) -> bytes:
    fields = {"id": "id", "text": "text", "title": "title"}
    content = {
        "name": "remote",
        "output": "runs/remote",
        "workers": 1,
        "deduplicate": {"near": None, "lines": None},  # these texts are alike on purpose
        "sources": {
            "walks": {"type": "rows", "paths": ["texts/walks.jsonl.zst", "texts/table.parquet"], "fields": fields},
            "laws": {"type": "law", "paths": ["texts/laws.zip"]},
            "folder": {"type": "rows", "paths": ["texts/folder"], "fields": fields},
            "many": {"type": "rows", "paths": ["texts/many/*.jsonl"], "fields": fields},
        },
    }
    return yaml.safe_dump({**content, **changes}, allow_unicode=True).encode()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    with s3_store(monkeypatch) as gate:
        fs = fsspec.filesystem("s3")
        for name, content in {**FILES, "recipe.yaml": recipe()}.items():
            fs.pipe(f"texts/set/{name}", content)
        yield gate


def build(path: str, output: Path) -> tuple[int, str, str]:
    done = twllm("corpus", "build", path, "--output", str(output))
    return done.returncode, done.stdout, done.stderr


def last_line(errors: str) -> str:
    """The message of a failed command: one line, and no traceback before it."""
    assert "Traceback" not in errors, errors
    lines = [line for line in errors.splitlines() if line.startswith("twllm: ")]
    assert len(lines) == 1, errors
    return lines[0]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build from the same files on disk."""
    folder = tmp_path_factory.mktemp("local")
    for name, content in {**FILES, "recipe.yaml": recipe()}.items():
        path = folder / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    code, _, errors = build(str(folder / "set" / "recipe.yaml"), folder / "run")
    assert code == 0, errors
    return folder / "run"


def test_a_build_from_a_bucket_is_byte_for_byte_the_build_from_disk(s3: Gate, local: Path, tmp_path: Path) -> None:
    code, _, errors = build("s3://texts/set/recipe.yaml", tmp_path / "run")
    assert code == 0, errors
    assert differing(local, tmp_path / "run") == []
    funnel = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))["funnel"]
    assert funnel["walks"]["quarantined"] == 1 and funnel["walks"]["kept"] > 10 and funnel["laws"]["kept"] >= 1
    assert funnel["folder"]["documents"] == 8 and funnel["walks"]["removed"] == 1
    for path in (tmp_path / "run").rglob("*"):  # logs, too
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content and KEYS["AWS_ACCESS_KEY_ID"].encode() not in content, path
    code, out, _ = build("s3://texts/set/recipe.yaml", tmp_path / "run")
    assert code == 0 and "reused: decide, deduplicate, assemble" in out and differing(local, tmp_path / "run") == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("s3://texts/set/texts/absent.jsonl", "matches no file"),
        ("s3://no-such-bucket/*.jsonl", "matches no file"),
        ("nosuchprotocol://a/b.jsonl", "cannot be reached"),
    ],
)
def test_an_input_that_is_not_there_is_one_line(s3: Gate, tmp_path: Path, path: str, words: str) -> None:
    local = tmp_path / "recipe.yaml"
    local.write_bytes(recipe(sources={"a": {"type": "rows", "paths": [path], "fields": {"id": "id", "text": "text"}}}))
    code, _, errors = build(str(local), tmp_path / "run")
    assert code == 2 and path in last_line(errors) and words in last_line(errors)


def test_a_recipe_that_is_not_in_the_bucket_is_one_line(s3: Gate, tmp_path: Path) -> None:
    code, _, errors = build("s3://texts/set/absent.yaml", tmp_path / "run")
    assert code == 2 and "s3://texts/set/absent.yaml: no such file" in last_line(errors)


def test_a_bucket_that_may_not_be_read_is_one_line(s3: Gate, tmp_path: Path) -> None:
    s3.closed = lambda method, path: "/set/texts/" in path
    code, _, errors = build("s3://texts/set/recipe.yaml", tmp_path / "run")
    assert code == 2 and "cannot be reached" in last_line(errors) and "s3://texts/set/texts/" in last_line(errors)
    assert SECRET not in errors


def test_a_file_that_fails_while_it_is_read_stops_the_build_and_is_read_again_by_the_next(s3: Gate, local: Path, tmp_path: Path) -> None:
    """Its digest is taken first; the second time its content is asked for, the store refuses. Nothing of it may be kept."""
    seen: list[str] = []

    def closed(method: str, path: str) -> bool:
        if method == "GET" and path.endswith("/table.parquet"):
            seen.append(path)
        return method == "GET" and path.endswith("/table.parquet") and len(seen) > 1

    s3.closed = closed
    code, _, errors = build("s3://texts/set/recipe.yaml", tmp_path / "run")
    assert len(seen) > 1, "the file was read once only"
    assert code == 2 and "s3://texts/set/texts/table.parquet: cannot be reached" in last_line(errors)
    s3.closed = lambda method, path: False
    assert build("s3://texts/set/recipe.yaml", tmp_path / "run")[0] == 0
    assert differing(local, tmp_path / "run") == []


def test_a_build_reads_a_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub({**HUB_FILES, "data/walks.jsonl.zst": FILES["texts/walks.jsonl.zst"], "data/table.parquet": FILES["texts/table.parquet"]})
    try:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_TOKEN", f"hf_{SECRET}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        paths = ["hf://datasets/lab/texts/data/walks.jsonl.zst", "hf://datasets/lab/texts/data/*.parquet"]
        fields = {"id": "id", "text": "text", "title": "title"}
        (tmp_path / "recipe.yaml").write_bytes(recipe(sources={"walks": {"type": "rows", "paths": paths, "fields": fields}}))
        code, _, errors = build(str(tmp_path / "recipe.yaml"), tmp_path / "run")
        assert code == 0, errors
        assert json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))["funnel"]["walks"]["documents"] == 24
        assert all(SECRET.encode() not in path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    finally:
        hub.stop()
