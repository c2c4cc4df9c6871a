"""How often each regional term stands in genuine Taiwanese text, in Hong Kong's, and in text converted from Simplified.

    TWLLM_DATA=FOLDER python -m benchmarks.variety_terms [--megacharacters 4] [--output benchmarks/results/variety_terms.json]

Counts every entry of `variety_terms.tsv` and `conversion_errors.tsv` as the pipeline does (`factory.zh.matcher`, with the exceptions of
each entry) and writes occurrences per million characters for each corpus, and the entries whose weight the counts contradict.
Each corpus is read from every k-th document, so that the sample spreads over the file. About 40 s at 4 million characters a corpus.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import opencc
from rich.console import Console
from rich.table import Table

from benchmarks import data_folder, environment, rows, write_result
from factory.errors import UserError
from factory.zh.matcher import CONVERSION, REGIONS, Entry, entries, hits

GENUINE, HONG_KONG, CONVERTED, LOCALISED = "genuine", "hong_kong", "converted", "localised"
MAX_OWN_RATE = {1: 40.0, 2: 4.0, 3: 0.5}  # per million characters of genuine Taiwanese text, by weight of a foreign entry
MIN_LIFT = {1: 1.5, 2: 4.0, 3: 10.0}  # rate in the region's own text over the rate in the others, where both were seen
MIN_COUNT = 5  # fewer occurrences decide nothing
SHOWN = 25


@dataclass(frozen=True)
class Corpus:
    """One file of TWLLM_DATA, whose text it stands for, and how it is made Traditional."""

    name: str
    file: str
    group: str
    method: str | None = None  # keep only rows converted by this method
    config: str | None = None  # OpenCC configuration applied here to Simplified text


CORPORA = (
    Corpus("law_moj", "law_moj", GENUINE),
    Corpus("ly_gazette_sample", "ly_gazette_sample", GENUINE),
    Corpus("news_tw", "news_tw", GENUINE),
    Corpus("social_ptt", "social_ptt", GENUINE),
    Corpus("social_dcard_mobile01", "social_dcard_mobile01", GENUINE),
    Corpus("transcript_audreyt", "transcript_audreyt", GENUINE),
    Corpus("hk_legco_hansard", "hk_legco_hansard", HONG_KONG),
    Corpus("machine_converted_s2t", "machine_converted_s2t", CONVERTED, method="s2t"),
    Corpus("machine_converted_s2twp", "machine_converted_s2t", LOCALISED, method="s2twp"),
    Corpus("cnews_s2t", "zhcn_cnews", CONVERTED, config="s2t"),
    Corpus("thucnews_s2t", "zhcn_thucnews_titles", CONVERTED, config="s2t"),
    Corpus("reviews_s2t", "zhcn_hotel_waimai_reviews", CONVERTED, config="s2t"),
    Corpus("libreoffice_s2t", "docs_libreoffice_help_zhcn", CONVERTED, config="s2t"),
    Corpus("cold_s2t", "tox_cold_zhcn", CONVERTED, config="s2t"),
)
OWN_GROUP = {"tw": GENUINE, "hk": HONG_KONG, "cn": CONVERTED, CONVERSION: CONVERTED}


class Counted(NamedTuple):
    """Occurrences of each entry in one corpus, and what was read."""

    characters: int
    documents: int
    counts: Counter[Entry]


def texts_of(corpus: Corpus, folder: Path, max_characters: int) -> Iterator[str]:
    """Documents spread evenly over the file, up to about `max_characters`."""
    found = [str(row["text"]) for row in rows(folder, corpus.file) if corpus.method is None or row.get("method") == corpus.method]
    step = max(1, sum(map(len, found)) // max_characters)
    convert = opencc.OpenCC(corpus.config).convert if corpus.config else str
    return (convert(text) for text in found[::step])


def count(texts: Iterable[str]) -> Counted:
    """Occurrences of the regional and conversion entries, as the annotate stage counts them."""
    counts: Counter[Entry] = Counter()
    characters = documents = 0
    for text in texts:
        characters += len(text)
        documents += 1
        counts.update(hit.entry for hit in hits(text) if hit.entry.group in OWN_GROUP)
    return Counted(characters, documents, counts)


def rate(counted: Iterable[Counted], entry: Entry) -> float:
    """Occurrences per million characters over several corpora."""
    several = list(counted)
    return 1e6 * sum(one.counts[entry] for one in several) / max(1, sum(one.characters for one in several))


def doubts(by_group: dict[str, list[Counted]], entry: Entry) -> list[str]:
    """What the counts say against the entry's weight; empty where nothing."""
    own = OWN_GROUP[entry.group]
    others = [one for group, many in by_group.items() if group not in (own, LOCALISED) for one in many]
    own_rate, other_rate = rate(by_group[own], entry), rate(others, entry)
    genuine_rate = rate(by_group[GENUINE], entry)
    found = []
    if own != GENUINE and genuine_rate > MAX_OWN_RATE[entry.weight]:
        found.append(f"{genuine_rate:.1f} per million in genuine text of Taiwan")
    seen = sum(one.counts[entry] for many in by_group.values() for one in many)
    reference = genuine_rate if own != GENUINE else other_rate
    if seen >= MIN_COUNT and own_rate < MIN_LIFT[entry.weight] * reference:
        found.append(f"{own_rate:.1f} in its own region against {reference:.1f} per million")
    return found


def result_of(counted: dict[str, Counted]) -> dict[str, Any]:
    """The JSON result: corpora, rates by entry (zeros left out) and doubts."""
    by_group: dict[str, list[Counted]] = {}
    for corpus in CORPORA:
        by_group.setdefault(corpus.group, []).append(counted[corpus.name])
    regional = [entry for entry in entries() if entry.group in OWN_GROUP]
    terms: dict[str, Any] = {}
    for entry in sorted(regional):
        rates = {name: round(rate([one], entry), 3) for name, one in counted.items() if one.counts[entry]}
        if entry.group == CONVERSION and not rates:
            continue
        terms[entry.text if entry.group != CONVERSION else f"{CONVERSION}:{entry.text}"] = {
            "group": entry.group,
            "weight": entry.weight,
            "per_million": rates,
            "doubts": doubts(by_group, entry),
        }
    seen = {group: sum(1 for term in terms.values() if term["group"] == group and term["per_million"]) for group in (*REGIONS, CONVERSION)}
    return {
        "corpora": {
            corpus.name: {
                "file": corpus.file,
                "group": corpus.group,
                "method": corpus.method,
                "opencc": corpus.config,
                "characters": counted[corpus.name].characters,
                "documents": counted[corpus.name].documents,
                "points_per_million": {
                    group: round(
                        1e6
                        * sum(entry.weight * number for entry, number in counted[corpus.name].counts.items() if entry.group == group)
                        / max(1, counted[corpus.name].characters),
                        1,
                    )
                    for group in (*REGIONS, CONVERSION)
                },
            }
            for corpus in CORPORA
        },
        "entries": {group: sum(1 for entry in regional if entry.group == group) for group in (*REGIONS, CONVERSION)},
        "entries_seen": seen,
        "terms": terms,
    }


def show(result: dict[str, Any], console: Console) -> None:
    """The corpora's points, and the entries in doubt."""
    table = Table("corpus", "characters", *(f"{group} points/M" for group in (*REGIONS, CONVERSION)), title="Evidence by corpus")
    for name, corpus in result["corpora"].items():
        table.add_row(name, f"{corpus['characters']:,}", *(f"{points:,.0f}" for points in corpus["points_per_million"].values()))
    console.print(table)
    doubtful = {name: term for name, term in result["terms"].items() if term["doubts"]}
    console.print(f"{len(doubtful)} entries in doubt, {SHOWN} shown:")
    for name, term in list(doubtful.items())[:SHOWN]:
        console.print(f"  {name} ({term['group']}, weight {term['weight']}): {'; '.join(term['doubts'])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megacharacters", type=float, default=4.0, help="at most about this many million characters of each corpus")
    parser.add_argument("--output", default="benchmarks/results/variety_terms.json")
    arguments = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise UserError("TWLLM_DATA is unset or no folder; set it to the real-text folder to measure the terms")
    counted = {corpus.name: count(texts_of(corpus, folder, int(arguments.megacharacters * 1e6))) for corpus in CORPORA}
    result = result_of(counted)
    modules = ("benchmarks.variety_terms", "factory.zh.matcher", "factory.zh.data")
    write_result(arguments.output, {"environment": environment(modules, ("opencc", "ahocorasick-rs")), **result})
    show(result, Console())


if __name__ == "__main__":
    main()
