"""The lists under `factory/zh/data`: they parse, are sorted, state their origin, and do not contradict one another."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import variety_terms
from factory.zh import build_data, matcher
from factory.zh.charclass import CharClass, table
from factory.zh.wordlists import characters

DATA = build_data.DATA
FILES = sorted(path.relative_to(DATA).as_posix() for pattern in ("*.tsv", "*.txt", "*/*.tsv") for path in DATA.glob(pattern))
MARKERS = ("cantonese.tsv", "taigi.tsv", "hakka.tsv")
LEXICONS = tuple(f"lexicon/{threat}.tsv" for threat in matcher.THREATS)
# file: columns, least entries
TABLES = {
    "variety_terms.tsv": (5, 880),
    "conversion_errors.tsv": (5, 2_500),
    "conversion_errors_guarded.tsv": (4, 10),
    "cantonese.tsv": (3, 50),
    "taigi.tsv": (3, 120),
    "hakka.tsv": (3, 80),
    "lexicon/scam.tsv": (3, 90),
    "lexicon/gambling.tsv": (3, 90),
    "lexicon/porn.tsv": (3, 60),
    "lexicon/election_spam.tsv": (3, 60),
    "lexicon/advertisement.tsv": (3, 90),
}
BOTH_SCRIPTS = "后台里干面只千斗谷系云丑几才征表范余于"
REGION_MINIMA = {"cn": 420, "tw": 260, "hk": 200}


def lines(name: str) -> list[str]:
    return (DATA / name).read_text(encoding="utf-8").splitlines()


def rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in lines(name) if not line.startswith("#")]


def exceptions(note: str) -> list[str]:
    found = re.search(r"not:(\S+)", note)
    return found[1].split("|") if found else []


def weight_column(name: str) -> int:
    return {"variety_terms.tsv": 3, "conversion_errors.tsv": 2, "conversion_errors_guarded.tsv": 2}.get(name, 1)


def variety() -> dict[str, tuple[str, list[str]]]:
    """Term to region and counterparts."""
    return {row[0]: (row[1], row[2].split("|") if row[2] else []) for row in rows("variety_terms.tsv")}


@pytest.mark.parametrize("name", FILES)
def test_has_header_and_sorted_unique_entries(name: str) -> None:
    text = lines(name)
    header = [line for line in text if line.startswith("# ")]
    assert text[: len(header)] == header and len(header) >= 2, "header lines come first"
    assert any("Licence:" in line for line in header) and any("2026-" in line for line in header)
    entries = [row[0] for row in rows(name)]
    assert all(entry and entry == entry.strip() for entry in entries)
    assert len(set(entries)) == len(entries), [entry for entry, count in Counter(entries).items() if count > 1]
    if name == "stopwords.txt":  # single characters may stand before the words
        singles = [entry for entry in entries if len(entry) == 1]
        words = [entry for entry in entries if len(entry) > 1]
        assert entries in (sorted(entries), sorted(singles) + sorted(words))
    else:
        assert entries == sorted(entries)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_have_their_columns_weights_and_size(name: str) -> None:
    columns, least = TABLES[name]
    found = rows(name)
    assert {len(row) for row in found} == {columns}
    assert {row[weight_column(name)] for row in found} <= {"1", "2", "3"}
    assert len(found) >= least


@pytest.mark.parametrize("name", sorted(TABLES))
def test_exceptions_contain_their_entry(name: str) -> None:
    note = TABLES[name][0] - 1
    wrong = {row[0]: longer for row in rows(name) for longer in exceptions(row[note]) if row[0] not in longer or row[0] == longer}
    assert not wrong


def test_regions_are_known_and_large_enough() -> None:
    counts = Counter(region for region, _ in variety().values())
    assert set(counts) == set(REGION_MINIMA)
    assert all(counts[region] >= least for region, least in REGION_MINIMA.items()), counts


def test_counterparts_are_of_the_other_side_and_mutual() -> None:
    terms = variety()
    for term, (region, counterparts) in terms.items():
        for counterpart in counterparts:
            assert counterpart != term
            other_region, back = terms.get(counterpart, (None, []))
            if other_region is not None:
                assert (region == "tw") != (other_region == "tw"), (term, counterpart)
            if {region, other_region} == {"tw", "cn"}:
                assert term in back, f"{counterpart} does not name {term} as its counterpart"


def test_terms_are_in_traditional_characters() -> None:
    simplified = characters("simplified_only.txt")
    assert not {term for term in variety() if not simplified.isdisjoint(term)}


def test_foreign_terms_inside_terms_of_taiwan_are_excepted_and_the_reverse() -> None:
    regions = {row[0]: (row[1], exceptions(row[4])) for row in rows("variety_terms.tsv")}
    taiwan = [term for term, (region, _) in regions.items() if region == "tw"]
    foreign = [term for term, (region, _) in regions.items() if region != "tw"]
    for inner, outer in [(inner, outer) for a, b in ((taiwan, foreign), (foreign, taiwan)) for inner in a for outer in b]:
        if inner in outer:
            assert any(longer in outer for longer in regions[inner][1]), f"{inner} also matches inside {outer}"


def test_scripts_are_disjoint_and_leave_out_what_both_write() -> None:
    simplified, traditional = characters("simplified_only.txt"), characters("traditional_only.txt")
    assert not simplified & traditional
    assert not set(BOTH_SCRIPTS) & simplified
    assert set("这国发东车见说们") <= simplified
    assert set("這國發東車見說們裡臺") <= traditional
    excluded = {row[0] for row in rows("simplified_only_exclude.txt")}
    assert not excluded & simplified


def test_character_table_takes_the_lists_over() -> None:
    assert table()[ord("这")] & CharClass.SIMPLIFIED
    assert table()[ord("這")] & CharClass.TRADITIONAL
    assert table()[ord("的")] & CharClass.STOPWORD


def test_stopwords_are_traditional() -> None:
    assert not characters("simplified_only.txt") & {character for row in rows("stopwords.txt") for character in row[0]}


def test_conversion_errors_differ_from_the_right_form_in_more_than_variants() -> None:
    interchangeable = [set(row[0]) for row in rows("interchangeable.txt")]
    for wrong, right, _weight, origin, _note in rows("conversion_errors.tsv"):
        assert len(wrong) == len(right) >= 2
        assert origin in {build_data.FIRST, build_data.OTHER, build_data.LEFTOVER, "guarded"}
        assert any(a != b and not any({a, b} <= group for group in interchangeable) for a, b in zip(wrong, right, strict=True))


def test_conversion_errors_leave_out_what_taiwan_writes() -> None:
    wrong = {row[0]: row[3] for row in rows("conversion_errors.tsv")}
    right = {row[1] for row in rows("conversion_errors.tsv")}
    assert not {form for form, origin in wrong.items() if origin != "guarded"} & {row[0] for row in rows("conversion_errors_exclude.txt")}
    assert not set(wrong) & right
    assert {"皇後", "製度", "曆史", "頭發", "關系", "以后", "公裡", "干淨"} <= set(wrong)


def test_derived_lists_are_what_the_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    derived = ("character_variants.tsv", "simplified_only.txt", "traditional_only.txt", "conversion_errors.tsv")
    for name in FILES:
        if "/" not in name and name not in derived:
            (tmp_path / name).write_bytes((DATA / name).read_bytes())
    monkeypatch.setattr(build_data, "DATA", tmp_path)
    build_data.build()
    monkeypatch.undo()
    for name in derived:
        made = [line for line in (tmp_path / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert made == [line for line in lines(name) if not line.startswith("#")], f"{name}: run `python -m factory.zh.build_data`"


@pytest.mark.parametrize(
    ("text", "group", "word"),
    [
        ("他下載了一個視頻軟件", "cn", "視頻"),
        ("搭計程車去吃便當", "tw", "計程車"),
        ("在屋苑門口等的士", "hk", "屋苑"),
        ("她的頭發很長", "conversion", "頭發"),
        ("佢哋嚟咗未呀", "yue", "佢哋"),
        ("𪜶欲去佗位", "nan", "𪜶"),
        ("𠊎今晡日無閒", "hak", "𠊎"),
    ],
)
def test_matcher_finds(text: str, group: str, word: str) -> None:
    assert (group, word) in {(hit.entry.group, hit.entry.text) for hit in matcher.hits(text)}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("縮小區域的範圍", "小區"),
        ("演算法的時間複雜度", "算法"),
        ("收看電視頻道", "視頻"),
        ("許多的士兵列隊", "的士"),
        ("在口頭發言之後", "頭發"),
        ("請不要辦公車位登記", "公車"),
        ("距離三公里長的隧道", "里長"),
    ],
)
def test_matcher_respects_exceptions(text: str, word: str) -> None:
    assert word not in {hit.entry.text for hit in matcher.hits(text)}


def test_no_entry_is_found_where_only_its_exceptions_stand() -> None:
    for entry in matcher.entries():
        for longer in entry.exceptions:
            assert entry not in {hit.entry for hit in matcher.hits(f"。{longer}。")}, longer


def test_counting_script_counts_and_doubts() -> None:
    by_text = {entry.text: entry for entry in matcher.entries() if entry.group == "cn"}
    genuine = variety_terms.count(["市政府辦公大樓" * 100])
    converted = variety_terms.count(["我看視頻。" * 10])
    assert converted.counts[by_text["視頻"]] == 10
    assert converted.characters == 50
    groups = {variety_terms.GENUINE: [genuine], variety_terms.HONG_KONG: [genuine], variety_terms.CONVERTED: [converted]}
    assert variety_terms.doubts(groups, by_text["視頻"]) == []
    swapped = {variety_terms.GENUINE: [converted], variety_terms.HONG_KONG: [genuine], variety_terms.CONVERTED: [genuine]}
    assert variety_terms.doubts(swapped, by_text["視頻"])


@pytest.fixture(scope="module")
def points_per_million(twllm_data: Path) -> dict[tuple[str, str], float]:
    """Weighted hits per million characters of real text, by kind of text and region of the entries."""
    counted: dict[str, list[variety_terms.Counted]] = {}
    for corpus in variety_terms.CORPORA:
        counted.setdefault(corpus.group, []).append(variety_terms.count(variety_terms.texts_of(corpus, twllm_data, 200_000)))
    characters_of = {group: sum(one.characters for one in many) for group, many in counted.items()}
    points = Counter[tuple[str, str]]()
    for group, many in counted.items():
        for entry, number in (item for one in many for item in one.counts.items()):
            points[group, entry.group] += entry.weight * number
    return {(group, region): 1e6 * points[group, region] / characters_of[group] for group in counted for region in matcher.REGIONS}


def test_regions_tell_real_text_apart(points_per_million: dict[tuple[str, str], float]) -> None:
    points = points_per_million
    assert points[variety_terms.GENUINE, "tw"] > 20 * points[variety_terms.CONVERTED, "tw"]
    assert points[variety_terms.CONVERTED, "cn"] > 50 * points[variety_terms.GENUINE, "cn"]
    assert points[variety_terms.HONG_KONG, "hk"] > 50 * points[variety_terms.GENUINE, "hk"]
    assert points[variety_terms.LOCALISED, "cn"] > 15 * points[variety_terms.GENUINE, "cn"]


@pytest.mark.parametrize(("name", "least"), [("hokkien_icorpus", 5.0), ("hk_cantonese_speech", 4.0)])
def test_markers_are_dense_in_their_language(name: str, least: float, twllm_data: Path) -> None:
    group = {"hokkien_icorpus": "nan", "hk_cantonese_speech": "yue"}[name]
    corpus = variety_terms.Corpus(name, name, group)
    text = "\n".join(variety_terms.texts_of(corpus, twllm_data, 100_000))
    han = sum(1 for character in text if "\u3400" <= character <= "\u9fff" or ord(character) >= 0x20000)
    assert 100 * sum(hit.entry.weight for hit in matcher.hits(text) if hit.entry.group == group) / han > least
