"""The budget: what is taken is worth most, nothing is repeated more than allowed, and what is missing is said."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from corpus.budget import REPETITION_DECAY, Cell, Supply, of_run, solve, tokens_of, write_repeats
from factory.errors import UserError
from tests.corpus.conftest import RECIPE, twllm


def supply(*cells: tuple[str, float, float, int]) -> Supply:
    return Supply([Cell(source, quality, factor, 1, tokens) for source, quality, factor, tokens in cells], {}, True, [])


def worth(epochs: float) -> float:
    """What a token that is seen so often is worth, once its first time is worth 1."""
    return epochs if epochs <= 1 else 1 + REPETITION_DECAY * (1 - math.exp(-(epochs - 1) / REPETITION_DECAY))


@pytest.mark.parametrize(
    ("text", "count"), [("35B", 35_000_000_000), ("1.5m", 1_500_000), ("800000", 800_000), ("1_000K", 1_000_000), ("2,000", 2_000)]
)
def test_counts(text: str, count: int) -> None:
    assert tokens_of(text) == count


@pytest.mark.parametrize("text", ["", "B", "-1", "0", "1e9", "35 billion", "1,00"])
def test_what_is_no_count_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match="Write it like 35B"):
        tokens_of(text)


def test_the_best_is_taken_first_and_a_part_of_the_last() -> None:
    found = solve(supply(("s", 0.9, 1, 100), ("s", 0.5, 1, 100), ("s", 0.1, 1, 100)), {"s": 1}, 150, max_epochs=1)
    assert found.epochs == pytest.approx([1, 0.5, 0]) and found.tokens == 150 and found.sources[0].missing == 0


def test_sources_share_by_weight_and_say_what_is_missing() -> None:
    found = solve(supply(("law", 0.9, 1, 100), ("news", 0.5, 1, 10_000)), {"law": 1, "news": 3}, 4_000, max_epochs=4)
    law, news = found.sources
    assert (law.quota, law.tokens, law.missing, law.epochs) == (1_000, 400, 600, 4)
    assert (news.quota, news.tokens, news.missing) == (3_000, 3_000, 0)
    assert found.reachable == 1_600  # four epochs of law are a quarter of it


def test_copies_raise_what_a_document_is_worth() -> None:
    found = solve(supply(("s", 0.5, 1, 100), ("s", 0.5, 2, 100)), {"s": 1}, 100, max_epochs=1)
    assert found.epochs == pytest.approx([0, 1])


def test_nothing_to_take() -> None:
    found = solve(Supply([], {"s": 70}, True, []), {"s": 1}, 10)
    assert found.sources[0]._asdict() == {
        "source": "s", "quota": 10, "available": 0, "withheld": 70, "used": 0, "tokens": 0, "epochs": 0.0, "missing": 10
    }  # fmt: skip
    assert found.reachable == 0


@pytest.mark.parametrize("epochs", [0, -1, math.inf, math.nan])
def test_a_bad_limit_is_one_line(epochs: float) -> None:
    with pytest.raises(UserError, match="--max-epochs"):
        solve(supply(("s", 0.5, 1, 10)), {"s": 1}, 5, epochs)


@given(
    st.lists(st.tuples(st.floats(0.02, 1), st.integers(10, 1_000)), min_size=1, max_size=5, unique_by=lambda cell: round(cell[0], 3)),
    st.floats(0.05, 1.2),
    st.sampled_from([1.0, 2.0, 4.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_other_mixture_is_worth_more(cells: list[tuple[float, int]], share: float, most: float) -> None:
    """Against a numeric optimiser started from our own mixture and from an even one."""
    found = supply(*(("s", quality, 1.0, tokens) for quality, tokens in cells))
    target = max(1, round(share * most * sum(tokens for _, tokens in cells)))
    epochs = solve(found, {"s": 1}, target, most).epochs
    spent = sum(tokens * each for (_, tokens), each in zip(cells, epochs, strict=True))
    assert spent == pytest.approx(min(target, most * sum(tokens for _, tokens in cells)), rel=1e-6)
    assert all(-1e-9 <= each <= most + 1e-9 for each in epochs)

    def value(of: list[float]) -> float:
        return sum(quality * tokens * worth(each) for (quality, tokens), each in zip(cells, of, strict=True))

    even = [spent / sum(tokens for _, tokens in cells)] * len(cells)
    for start in (epochs, even):
        other = minimize(
            lambda of: -value(list(of)),
            start,
            bounds=[(0, most)] * len(cells),
            constraints={"type": "eq", "fun": lambda of: sum(tokens * each for (_, tokens), each in zip(cells, of, strict=True)) - spent},
            method="SLSQP",
        )
        if other.success:
            assert value(epochs) >= -other.fun * (1 - 1e-4)


def test_a_run_its_rights_and_its_repeats(sample_run: Path, tmp_path: Path) -> None:
    free, commercial = of_run(str(sample_run), None), of_run(str(sample_run), "commercial")
    kept = pq.read_table(sample_run / "decisions.parquet", columns=["status", "tokens"]).to_pylist()
    total = sum(row["tokens"] for row in kept if row["status"] == "kept")
    assert sum(cell.tokens for cell in free.cells) >= total  # with what caps left out
    assert sum(cell.tokens for cell in commercial.cells) + sum(commercial.withheld.values()) == sum(cell.tokens for cell in free.cells)
    sources = dict.fromkeys(sorted({cell.source for cell in free.cells}), 1.0)
    mixture = solve(free, sources, total)
    made = write_repeats(free, mixture, str(tmp_path / "repeats.parquet"))
    assert made == pytest.approx(mixture.tokens, rel=0.1)
    rows = pq.read_table(tmp_path / "repeats.parquet").to_pylist()
    assert {row["repeats"] for row in rows} <= {1, 2, 3, 4} and len({row["id"] for row in rows}) == len(rows)


def test_the_command(sample_run: Path) -> None:
    done = twllm("corpus", "plan", str(RECIPE), "--output", str(sample_run), "--target-tokens", "1B", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["measured"] and found["target"] == 10**9
    assert all(source["tokens"] + source["missing"] == source["quota"] for source in found["sources"])
    shown = twllm("corpus", "plan", str(RECIPE), "--output", str(sample_run), "--target-tokens", "1B")
    assert "are missing." in shown.stdout and "The largest mixture that these shares fill" in shown.stdout


def test_before_a_build_the_files_are_sampled(tmp_path: Path) -> None:
    done = twllm("corpus", "plan", str(RECIPE), "--output", str(tmp_path / "run"), "--target-tokens", "50K", "--use", "commercial")
    assert done.returncode == 0, done.stderr
    assert "From a sample of the files" in done.stdout
    refused = twllm(
        "corpus", "plan", str(RECIPE), "--output", str(tmp_path / "run"), "--target-tokens", "50K", "--repeats", str(tmp_path / "r")
    )
    assert refused.returncode == 2 and "needs a finished run" in refused.stderr
