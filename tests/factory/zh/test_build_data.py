"""The derived lists follow from OpenCC's tables and from counts by rules that can be followed by hand."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
import zstandard

from factory.errors import UserError
from factory.zh import build_data
from factory.zh.build_data import (
    FIRST,
    LEFTOVER,
    MAINLAND,
    OTHER,
    RANK_FACTORS,
    TAIWAN,
    ConversionError,
    Dictionaries,
    choose_errors,
    conversion_errors,
    one_script,
    script_lists,
    written_in_both,
)

SMALL = Dictionaries(
    characters={"发": ["發", "髮"], "头": ["頭"], "里": ["裏", "里"], "面": ["面", "麪"], "湾": ["灣"], "纟": ["糹"]},
    phrases={
        "头发": ["頭髮"],
        "出发": ["出發"],
        "里面": ["裏面"],
        "发": ["發"],
        "头发发头发": ["頭髮發頭髮"],
        "面头": ["麪頭子"],
    },
    to_simplified={"發": ["发"], "髮": ["发"], "頭": ["头"], "灣": ["湾"], "乾": ["干", "乾"]},
    taiwan={"裏": "裡", "麪": "麵", "糹": "纟"},
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of lists in place of the package's."""
    monkeypatch.setattr(build_data, "DATA", tmp_path)
    return tmp_path


def test_taiwans_forms_replace_opencc_s_standard() -> None:
    assert SMALL.taiwanese("裏面的麪") == "裡面的麵"


def test_a_character_that_maps_to_itself_too_belongs_to_both_scripts() -> None:
    assert one_script({"发": ["發", "髮"], "里": ["裏", "里"], "头发": ["頭髮"]}) == {"发"}


def test_script_lists_leave_out_what_taiwan_writes() -> None:
    assert script_lists(SMALL) == (set("发头湾"), set("發髮頭灣"))


def test_a_character_that_both_tables_map_away_is_in_neither_list() -> None:
    both = Dictionaries({"甲": ["乙"], "丙": ["丁"]}, {}, {"甲": ["乙"], "戊": ["己"]}, {})
    assert script_lists(both) == ({"丙"}, {"戊"})


@pytest.mark.parametrize(
    ("taiwan_count", "taiwan_total", "mainland_count", "found"),
    [
        (9, 10**6, 0, False),
        (10, 10**6, 0, True),
        (10, 10**6, 10_000, True),
        (10, 10**6, 10_001, False),
        (10, 10**8, 10, True),
        (10, 10**8, 11, False),
        (0, 10**6, 10, False),
    ],
)
def test_a_character_is_written_in_both_by_its_share_of_the_mainlands_rate(
    taiwan_count: int, taiwan_total: int, mainland_count: int, found: bool
) -> None:
    taiwan = Counter({"湾": taiwan_count, "的": taiwan_total - taiwan_count})
    mainland = Counter({"湾": mainland_count, "的": 10**6 - mainland_count})
    assert written_in_both(taiwan, mainland, {"湾", "发"}) == ({"湾"} if found else set())


def test_conversion_errors_of_a_small_dictionary() -> None:
    errors = conversion_errors(SMALL, [], {"头发": 100, "里面": 10, "出发": 1})
    assert errors == [
        ConversionError("頭發", "頭髮", FIRST, 100 * RANK_FACTORS[FIRST]),
        ConversionError("头髮", "頭髮", LEFTOVER, 100 * RANK_FACTORS[LEFTOVER]),
        ConversionError("頭发", "頭髮", LEFTOVER, 100 * RANK_FACTORS[LEFTOVER]),
        ConversionError("里面", "裡面", LEFTOVER, 10 * RANK_FACTORS[LEFTOVER]),
        ConversionError("裏麪", "裡面", OTHER, 10 * RANK_FACTORS[OTHER]),
        ConversionError("裡麵", "裡面", OTHER, 10 * RANK_FACTORS[OTHER]),
        ConversionError("出发", "出發", LEFTOVER, 1 * RANK_FACTORS[LEFTOVER]),
        ConversionError("出髮", "出發", OTHER, 1 * RANK_FACTORS[OTHER]),
    ]


def test_a_form_that_differs_only_by_what_taiwan_writes_for_one_another_is_no_error() -> None:
    wrong = {error.wrong for error in conversion_errors(SMALL, ["里裡裏", "發髮"], {})}
    assert wrong.isdisjoint({"里面", "頭發", "出髮"})
    assert {"裡麵", "頭发"} <= wrong


def test_a_form_that_is_another_phrases_right_one_is_no_error() -> None:
    more = Dictionaries(SMALL.characters, {**SMALL.phrases, "特例": ["頭發"]}, SMALL.to_simplified, SMALL.taiwan)
    assert "頭發" not in {error.wrong for error in conversion_errors(more, [], {})}


@pytest.mark.parametrize(("counts", "right"), [({"甲丙": 5, "乙丙": 9}, "己丙"), ({"甲丙": 9, "乙丙": 5}, "戊丙")])
def test_of_two_readings_of_one_form_the_more_frequent_is_kept(counts: dict[str, int], right: str) -> None:
    tables = Dictionaries({"甲": ["丁", "戊"], "乙": ["丁", "己"]}, {"甲丙": ["戊丙"], "乙丙": ["己丙"]}, {}, {})
    assert [error.right for error in conversion_errors(tables, [], counts) if error.wrong == "丁丙"] == [right]


def error(wrong: str, rank: int = 1) -> ConversionError:
    return ConversionError(wrong, "x" * len(wrong), FIRST, rank)


def chosen(ranked: list[ConversionError], excluded: str = "", guarded: str = "", simplified: str = "") -> list[str]:
    return [found.wrong for found in choose_errors(ranked, set(excluded.split()), set(guarded.split()), set(simplified))]


def test_chosen_errors_keep_their_rank() -> None:
    assert chosen([error("甲乙", 9), error("丙丁", 5), error("戊己", 1)]) == ["甲乙", "丙丁", "戊己"]


def test_excluded_guarded_and_unranked_forms_are_not_chosen() -> None:
    assert chosen([error("甲乙"), error("丙丁"), error("戊己", 0), error("庚辛")], excluded="甲乙", guarded="丙丁") == ["庚辛"]


@pytest.mark.parametrize("ranked", [["甲乙", "子甲乙"], ["子甲乙", "甲乙"], ["子甲乙", "丑甲乙丑", "甲乙", "甲乙子"]])
def test_no_chosen_form_contains_another_whichever_ranks_first(ranked: list[str]) -> None:
    assert chosen([error(form) for form in ranked]) == ["甲乙"]


def test_no_chosen_form_contains_a_guarded_one() -> None:
    assert chosen([error("子甲乙"), error("丙丁")], guarded="甲乙") == ["丙丁"]


def test_words_with_a_simplified_character_are_short_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_data, "MAX_MIXED", 2)
    ranked = [error("头甲"), error("头乙丙"), error("头丁"), error("头戊"), error("己庚")]
    assert chosen(ranked, simplified="头") == ["头甲", "头丁", "己庚"]


def test_no_more_are_chosen_than_fit_beside_the_guarded_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_data, "MAX_ERRORS", 3)
    assert chosen([error("甲乙"), error("丙丁"), error("戊己")], guarded="庚辛") == ["甲乙", "丙丁"]


def test_a_list_is_written_sorted_under_its_header_and_read_back(data: Path) -> None:
    build_data.write_list("list.tsv", ["What it is.", "Licence."], ["乙\t2", "甲\t1", "𠮷\t3"])
    assert (data / "list.tsv").read_text(encoding="utf-8") == "# What it is.\n# Licence.\n乙\t2\n甲\t1\n𠮷\t3\n"
    assert build_data.read_list("list.tsv") == [["乙", "2"], ["甲", "1"], ["𠮷", "3"]]
    assert build_data.read_list("absent.tsv") == []


def test_a_missing_opencc_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_data, "files", lambda package: tmp_path)
    with pytest.raises(UserError) as caught:
        build_data.dictionaries()
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/clib/share/opencc/STCharacters.ocd2: cannot be dumped")
    assert "install opencc" in message


def test_measure_writes_the_exclusions_that_real_text_shows(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_data, "dictionaries", lambda: SMALL)
    monkeypatch.setattr(build_data, "word_counts", lambda: {"头发": 100, "里面": 10, "出发": 1})
    corpus = tmp_path / "real" / "corpus"
    corpus.mkdir(parents=True)
    taiwan = ["的" * 999_960 + "湾" * 10 + "发" * 9 + "头髮", "里面的頭發里面"]  # 999,988 characters in all
    for names, texts in ((TAIWAN, taiwan), (MAINLAND, ["湾" * 10 + "的" * 990])):
        for name in names:
            lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts if name == names[0])
            (corpus / f"{name}.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(lines.encode()))
    build_data.measure(tmp_path / "real")
    assert build_data.read_list("simplified_only_exclude.txt") == [["湾"]]  # 发 has 9, one too few
    assert build_data.read_list("conversion_errors_exclude.txt") == [["头髮", "10.0"], ["里面", "20.0"], ["頭發", "10.0"]]


def test_measuring_without_a_folder_of_texts_is_refused_before_anything_is_written(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWLLM_DATA", str(data / "absent"))
    monkeypatch.setattr(sys, "argv", ["build_data", "--measure"])
    with pytest.raises(SystemExit, match="TWLLM_DATA=.*absent.* has no folder `corpus`; set it"):
        build_data.main()
    assert list(data.iterdir()) == []
