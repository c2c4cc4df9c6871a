"""The estimate against the truth: exact where the sample holds everything, close where it holds a fifth."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from corpus.build import build
from corpus.estimate import Estimate, SourceEstimate, estimate
from corpus.recipe import Plan, load_plan

Recipe = Callable[..., Path]
DROPPED_EVERY = 5  # one row in so many is too short for the policy
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".jsonl": bytes,
    ".jsonl.gz": gzip.compress,
    ".jsonl.zst": zstandard.ZstdCompressor().compress,
}


def rows_of(count: int, chars: Callable[[random.Random], int], **more: Any) -> list[dict[str, Any]]:
    """Random Han text with function characters, no two rows alike; every fifth row is two characters long."""
    rng = random.Random(count)
    rows = []
    for number in range(count):
        length = 2 if number % DROPPED_EVERY == 0 else chars(rng)
        text = "".join(chr(rng.randrange(0x4E00, 0x9FA5)) if rng.random() < 0.7 else "的" for _ in range(length))
        rows.append({"id": f"d{number}", **more, "text": text})
    return rows


def write(folder: Path, rows: list[dict[str, Any]], suffix: str = ".jsonl", name: str = "data") -> dict[str, Any]:
    """Stores the rows in one file and returns the source that reads it."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / f"{name}{suffix}").write_bytes(PACK[suffix](lines.encode()))
    return {"type": "rows", "paths": [f"{name}{suffix}"], "fields": {"id": "id"}}


def text_megabytes(rows: list[dict[str, Any]]) -> float:
    return sum(len(row["text"].encode()) for row in rows) / 1e6


@pytest.fixture
def plan_of(tmp_path: Path, rows_recipe: Recipe) -> Callable[..., Plan]:
    """A plan with a policy that asks for three characters, and no more."""
    rule = {"id": "short", "reason": "too_short", "remove_if": {"chars": {"lt": 3}}, "unit": "characters"}
    policy = {"name": "test", "version": "1", "rules": [{**rule, "origin": "a test", "date": "2026-01-02"}]}
    (tmp_path / "policy.yaml").write_text(json.dumps(policy), encoding="utf-8")
    return lambda sources, **changes: load_plan(str(rows_recipe(sources=sources, policy="policy.yaml", **changes)))


@pytest.fixture
def estimated(plan_of: Callable[..., Plan]) -> Callable[..., Estimate]:
    return lambda sources, megabytes, **changes: estimate(plan_of(sources, **changes), megabytes)


@pytest.mark.parametrize("suffix", sorted(PACK))
def test_a_sample_of_everything_gives_the_truth(tmp_path: Path, estimated: Callable[..., Estimate], suffix: str) -> None:
    rows = rows_of(60, lambda rng: 100)
    found = estimated({"web": write(tmp_path, rows, suffix)}, 10.0).sources["web"]
    assert (found.documents, found.kept, found.sampled, found.unreadable) == (60, 48, 60, 0)
    assert found.tokens == 48 * 80
    assert found.text_bytes == sum(len(row["text"].encode()) for row in rows)
    assert found.cpu_seconds >= 0


def test_the_truth_is_what_a_build_finds(tmp_path: Path, plan_of: Callable[..., Plan]) -> None:
    rows = rows_of(40, lambda rng: rng.randrange(30, 300))
    plan = plan_of({"web": write(tmp_path, rows)}, workers=1, deduplicate={"exact": False, "near": None, "lines": None})
    found, counts = estimate(plan, 10.0).sources["web"], build(plan).funnel["web"]
    assert (found.documents, found.kept, found.tokens) == (counts.documents, counts.kept, counts.tokens_kept)
    assert (found.kept, found.documents) == (32, 40)


@pytest.mark.parametrize("suffix", sorted(PACK))
@pytest.mark.parametrize(
    ("count", "chars", "more"),
    [
        pytest.param(400, lambda rng: 800, {}, id="articles"),
        pytest.param(1500, lambda rng: 40, {}, id="replies"),
        pytest.param(400, lambda rng: rng.randrange(200, 900), {"url": "https://news.example/" + "9" * 60}, id="news"),
        pytest.param(200, lambda rng: 300, {"html": "<p>" + "x" * 3000}, id="with a column that is not read"),
    ],
)
def test_a_fifth_gives_the_truth_within_a_quarter(
    tmp_path: Path, estimated: Callable[..., Estimate], suffix: str, count: int, chars: Callable[[random.Random], int], more: dict[str, Any]
) -> None:
    rows = rows_of(count, chars, **more)
    found = estimated({"web": write(tmp_path, rows, suffix)}, text_megabytes(rows) / 5).sources["web"]
    kept = [row for row in rows if len(row["text"]) >= 3]
    truth = SourceEstimate(count, len(kept), sum(round(0.8 * len(row["text"])) for row in kept), round(text_megabytes(rows) * 1e6), 0, 0, 0)
    assert 0.15 * count < found.sampled < 0.3 * count
    for name in ("documents", "kept", "tokens", "text_bytes"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=0.25), name


def test_text_in_one_byte_a_character_is_not_taken_for_chinese(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    rows = [{"id": f"d{number}", "text": f"{number} " + "plain English words " * 40} for number in range(300)]
    found = estimated({"web": write(tmp_path, rows)}, text_megabytes(rows) / 5).sources["web"]
    assert found.documents == pytest.approx(300, rel=0.25)


def test_many_files_are_sampled_evenly(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    """Rows are equally long everywhere, but in the first five files most of a row is no text."""
    total = 0
    for number in range(9):
        chars, filler = (40, {"html": "x" * 1080}) if number < 5 else (400, {"html": ""})
        texts = [f"{number:03d}{row:03d}".ljust(chars, "的") for row in range(100)]
        write(tmp_path, [{"id": f"{number}-{row}", **filler, "text": text} for row, text in enumerate(texts)], name=f"part-{number}")
        total += sum(len(text.encode()) for text in texts)
    found = estimated({"web": {"type": "rows", "paths": ["part-*.jsonl"], "fields": {"id": "id"}}}, total / 5e6).sources["web"]
    assert found.documents == pytest.approx(900, rel=0.25)
    assert found.text_bytes == pytest.approx(total, rel=0.25)


def test_what_cannot_be_read_is_counted_and_the_rest_is_measured(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    rows = rows_of(20, lambda rng: 50)
    source = write(tmp_path, rows)
    good = (tmp_path / "data.jsonl").read_bytes()
    (tmp_path / "data.jsonl").write_bytes(b"{broken\n" + good + b"[1]\n")
    found = estimated({"web": source}, 10.0).sources["web"]
    assert (found.documents, found.kept, found.unreadable) == (20, 16, 2)


def test_rows_that_cannot_be_read_are_no_documents_of_the_rest(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    rows = rows_of(300, lambda rng: 300)
    source = write(tmp_path, rows)
    lines = (tmp_path / "data.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "data.jsonl").write_bytes(b"".join(line + b"{" + line for line in lines))
    assert estimated({"web": source}, text_megabytes(rows) / 5).sources["web"].documents == pytest.approx(300, rel=0.25)


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_damaged_file_does_not_stop_the_estimate(tmp_path: Path, estimated: Callable[..., Estimate], suffix: str) -> None:
    rows = rows_of(400, lambda rng: 300)
    source = write(tmp_path, rows, suffix)
    packed = (tmp_path / f"data{suffix}").read_bytes()
    (tmp_path / f"data{suffix}").write_bytes(packed[: len(packed) // 2])
    assert 0 < estimated({"web": source}, 0.05).sources["web"].documents <= 400
    assert estimated({"web": source}, 10.0).sources["web"].unreadable == 1


@pytest.mark.parametrize("files", [1, 3])
def test_a_folder_of_a_data_set_is_measured_by_its_files(tmp_path: Path, estimated: Callable[..., Estimate], files: int) -> None:
    rows = rows_of(300, lambda rng: 600)
    (tmp_path / "set").mkdir()
    for number in range(files):
        write(tmp_path / "set", rows[number::files], name=f"train-{number}")
    source = {"type": "datasets", "paths": ["set"], "fields": {"id": "id"}}
    assert estimated({"web": source}, text_megabytes(rows) / 5).sources["web"].documents == pytest.approx(300, rel=0.25)
    assert estimated({"web": source}, 10.0).sources["web"].documents == 300


def test_a_source_without_documents(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    (tmp_path / "data.jsonl").write_bytes(b"")
    found = estimated({"web": {"type": "rows", "paths": ["data.jsonl"]}}, 1.0).sources["web"]
    assert (found.documents, found.kept, found.tokens, found.text_bytes, found.sampled, found.unreadable) == (0, 0, 0, 0, 0, 1)


def test_sources_are_estimated_apart_and_the_run_as_a_whole(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    first, second = rows_of(30, lambda rng: 100), rows_of(10, lambda rng: 900)
    sources = {"web": write(tmp_path, first), "news": write(tmp_path, second, name="more")}
    found = estimated(sources, 10.0, workers=8, mixture={"tokens_per_char": 2})
    assert {name: (source.documents, source.kept, source.tokens) for name, source in found.sources.items()} == {
        "web": (30, 24, 24 * 200), "news": (10, 8, 8 * 1800),
    }  # fmt: skip
    assert found.workers == 2
    assert found.wall_seconds == pytest.approx(sum(source.cpu_seconds for source in found.sources.values()) / 2)
    text = sum(source.text_bytes for source in found.sources.values())
    assert text < found.disk_bytes < 2 * text


def test_tokens_are_counted_with_the_recipes_tokenizer(tmp_path: Path, estimated: Callable[..., Estimate]) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    by_character = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    by_character.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    by_character.save(str(tmp_path / "tokenizer.json"))
    rows = rows_of(10, lambda rng: 50)
    found = estimated({"web": write(tmp_path, rows)}, 10.0, mixture={"tokenizer": "tokenizer.json"})
    assert found.sources["web"].tokens == sum(len(by_character.encode(row["text"]).ids) for row in rows if len(row["text"]) >= 3) > 0
