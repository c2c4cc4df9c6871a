"""Samples of each rule: which documents are chosen, and what of them is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from corpus.policy import Condition
from corpus.report_data import load_run
from corpus.report_samples import (
    EXCERPT_CHARS,
    SAMPLES,
    Case,
    bare_word,
    cases,
    distance,
    marked,
    observed_text,
    rows_at,
    shown,
    spread,
)
from factory.records import Reason
from tests.corpus.test_report_data import document, documents, removed, write_run


def found(folder: Path) -> dict[str, Case]:
    return {case.reason: case for case in cases(load_run(str(folder)))}


def test_policy_rules_first_then_duplicates_then_the_mixture(tmp_path: Path) -> None:
    reasons = list(found(write_run(tmp_path, documents())))
    assert reasons == ["too_short", "scam", "simplified", "exact_duplicate", "near_duplicate", "line_duplicates", "mixture_cap"]


def test_beside_a_threshold_stand_the_kept_documents_closest_to_it(tmp_path: Path) -> None:
    case = found(write_run(tmp_path, documents()))["too_short"]
    assert case.beside == "nearest"
    assert case.thresholds == {"chars < 10": "law", "chars < 50": "web"}
    by_source = {gone.source: stays for gone, stays in case.pairs}
    assert by_source["web"] is not None and by_source["web"].id == "web:w1"  # 51 characters; the others have 52, 60 and 400
    assert by_source["web"].observed == (("chars", "51"),)
    assert all(stays is None or stays.source == gone.source for gone, stays in case.pairs)


def test_a_rule_with_several_numbers_weighs_what_is_missing_to_each(tmp_path: Path) -> None:
    case = found(write_run(tmp_path, documents()))["scam"]
    ((gone, stays),) = case.pairs
    assert (gone.id, stays and stays.id) == ("web:r2", "web:w1")  # w1 lacks a point, w3 a point and most of the density
    assert gone.observed == (("scam_points", "9"), ("scam_density", "80.5"))


def test_only_the_words_that_the_rule_weighs(tmp_path: Path) -> None:
    ((gone, _),) = found(write_run(tmp_path, documents()))["scam"].pairs
    assert gone.words == ("保證獲利",)
    assert [piece.text for piece in gone.excerpt if piece.matched] == ["保證獲利"]


def test_a_rule_without_numbers_shows_an_even_sample(tmp_path: Path) -> None:
    case = found(write_run(tmp_path, documents()))["simplified"]
    assert case.beside == "random"
    assert case.pairs[0][1] is not None and case.pairs[0][1].outcome == "kept"


def test_beside_a_duplicate_stands_its_copy_even_if_that_went_later(tmp_path: Path) -> None:
    by_reason = found(write_run(tmp_path, documents()))
    ((_, copy),) = by_reason["exact_duplicate"].pairs
    assert copy is not None and (copy.id, copy.outcome) == ("web:w1", "kept")  # not the quarantined document of the same id
    ((gone, later),) = by_reason["near_duplicate"].pairs
    assert later is not None and (later.id, later.outcome) == ("web:r6", "mixture_cap")
    assert gone.observed == (("similarity", "0.8125"),)
    assert by_reason["near_duplicate"].thresholds == {"similarity ≥ 0.7": "web"}


def test_beside_repeated_lines_stands_the_shortest_that_lost_lines_and_stayed(tmp_path: Path) -> None:
    ((gone, stays),) = found(write_run(tmp_path, documents()))["line_duplicates"].pairs
    assert stays is not None and stays.id == "web:w3"
    assert gone.observed == (("remaining chars", "3"),) and stays.observed == (("remaining chars", "41"),)


def test_nothing_kept_leaves_the_place_empty(tmp_path: Path) -> None:
    case = found(write_run(tmp_path, [removed("r1", Reason.TOO_SHORT, "short", threshold="chars < 50")]))["too_short"]
    assert case.pairs[0][1] is None


def test_no_more_than_three_samples_of_160_characters(tmp_path: Path) -> None:
    rows = [removed(f"r{n}", Reason.TOO_SHORT, "short", text="長" * 900, threshold="chars < 50") for n in range(40)]
    rows += [document(f"w{n}", text="文" * 900) for n in range(40)]
    case = found(write_run(tmp_path, rows))["too_short"]
    assert case.documents == 40 and len(case.pairs) == SAMPLES
    for pair in case.pairs:
        for sample in pair:
            assert sample is not None and sum(len(piece.text) for piece in sample.excerpt) == EXCERPT_CHARS + 1
    assert len({sample.id for pair in case.pairs for sample in pair if sample}) == 2 * SAMPLES


def test_distance() -> None:
    table = pa.table({"chars": [40, 50, 75, None], "lane": ["ja", "ja", "zh-Hant", "ja"]})
    assert distance(table, {"chars": Condition(lt=50)}).tolist() == [0.0, 0.0, 0.5, np.inf]
    assert distance(table, {"chars": Condition(ge=75)})[0] == 35 / 75
    both = distance(table, {"chars": Condition(lt=50), "lane": Condition(one_of=("ja",))})
    assert both.tolist() == [0.0, 0.0, np.inf, np.inf]


@given(st.integers(0, 10**12))
def test_spread_is_one_to_one_and_differs_by_key(first: int) -> None:
    rows = np.arange(first, first + 1_000)
    assert len(set(spread(rows, ("scam", "a")).tolist())) == 1_000
    assert spread(rows, ("scam", "a")).tolist() != spread(rows, ("scam", "b")).tolist()


@given(st.lists(st.integers(0, 24), unique=True))
def test_rows_are_read_from_any_row_group(tmp_path_factory, wanted: list[int]) -> None:  # type: ignore[no-untyped-def]
    path = str(tmp_path_factory.mktemp("rows") / "table.parquet")
    pq.write_table(pa.table({"n": list(range(25)), "other": ["x"] * 25}), path, row_group_size=4)
    assert rows_at(path, sorted(wanted), ["n"]) == [{"n": n} for n in sorted(wanted)]


def test_what_identifies_people_is_masked() -> None:
    text = shown("電話 0912-345-678、A123456789、02 2345 6789，信箱 wang.xm+1@mail.example，2026-01-02 共 12345678 元", 200)
    assert not any(secret in text for secret in ("345-678", "123456789", "2345 6789", "wang"))
    assert "[電子郵件]" in text and "wang" not in text and "2026-01-02" in text and "12345678 元" in text


@given(st.text(alphabet=st.characters(codec="utf-8")), st.integers(1, 50))
def test_an_excerpt_is_one_short_line(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert len(line) <= limit + 1
    assert not any(character in line for character in "\n\r\x00\u202e\u2066\u200b\u2028")


@given(st.text(alphabet="甲乙丙<&.×", max_size=30), st.lists(st.text(alphabet="甲乙丙.", max_size=3), max_size=4))
def test_marking_keeps_the_text_and_finds_every_word(text: str, words: list[str]) -> None:
    pieces = marked(text, words)
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text in words for piece in pieces if piece.matched)
    assert all(word not in piece.text for piece in pieces if not piece.matched for word in words if word)


def test_words_and_numbers() -> None:
    assert [bare_word(entry) for entry in ("cn:視頻×3", "保證獲利", "tw:×2")] == ["視頻", "保證獲利", ""]
    assert [observed_text(value) for value in (None, True, 0.123456, 12345, ["a", "b"], "ja")] == [
        "–",
        "yes",
        "0.1235",
        "12,345",
        "a b",
        "ja",
    ]
