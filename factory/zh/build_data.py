"""Derives the script and conversion lists from OpenCC's dictionaries: `python -m factory.zh.build_data`.

OpenCC (Apache-2.0) ships its dictionaries in the `opencc` package. Forms that real Taiwanese text uses are left out: with
`--measure`, the genuine files under TWLLM_DATA are counted and `exclude_*.txt` are written again; without it, the
committed ones are read.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path

import zstandard
from ahocorasick_rs import AhoCorasick, MatchKind

DATA = Path(__file__).parent / "data"
DATE = "2026-11-23"
GENUINE = ("law_moj", "news_tw", "social_ptt", "transcript_audreyt", "law_constitutional_court", "taiwan_md")
SIMPLIFIED = ("zhcn_cnews", "zhcn_thucnews_titles", "zhcn_hotel_waimai_reviews")
MAX_PER_MILLION_CHARACTER = 2.0  # a "simplified-only" character seen more often in genuine text is not
MAX_OCCURRENCES_PHRASE = 4  # of a conversion error in all genuine text (about 60 M characters)
MAX_PHRASES = 3_000


def dictionary(name: str) -> dict[str, list[str]]:
    """One OpenCC dictionary: entry to its candidates, the preferred first."""
    clib = files("opencc") / "clib"
    with as_file(clib / "share" / "opencc" / f"{name}.ocd2") as source, as_file(clib / "bin" / "opencc_dict") as tool:
        with tempfile.NamedTemporaryFile(suffix=".txt") as target:
            subprocess.run([tool, "-i", source, "-o", target.name, "-f", "ocd2", "-t", "text"], check=True, capture_output=True)
            lines = Path(target.name).read_text(encoding="utf-8").splitlines()
    return {key: values.split(" ") for key, values in (line.split("\t") for line in lines if "\t" in line)}


def script_lists() -> tuple[set[str], set[str]]:
    """Characters written so only in Simplified, and only in Traditional, by OpenCC's character tables alone."""
    to_traditional, to_simplified = dictionary("STCharacters"), dictionary("TSCharacters")
    traditional_forms = {form for forms in to_traditional.values() for form in forms} | set(to_simplified)
    simplified_forms = {form for forms in to_simplified.values() for form in forms}
    simplified = {key for key, forms in to_traditional.items() if key not in forms and key not in traditional_forms}
    traditional = {key for key, forms in to_simplified.items() if key not in forms and key not in simplified_forms}
    return simplified, traditional


def conversion_errors() -> dict[str, tuple[str, str]]:
    """Wrong form to (right form, kind). `naive`: each character by its first candidate; `leftover`: characters that exist in
    both scripts left as they were in Simplified."""
    characters = {key: forms[0] for key, forms in dictionary("STCharacters").items()}
    simplified, _ = script_lists()
    right = {form for forms in dictionary("STPhrases").values() for form in forms}
    to_taiwan = {key: forms[0] for key, forms in dictionary("TWVariants").items()}
    found: dict[str, tuple[str, str]] = {}
    for phrase, forms in dictionary("STPhrases").items():
        if not 2 <= len(phrase) <= 4 or len(forms[0]) != len(phrase):
            continue
        proper = forms[0]
        naive = "".join(characters.get(c, c) for c in phrase)
        leftover = "".join(s if s not in simplified else t for s, t in zip(phrase, proper, strict=True))
        for wrong, kind in ((naive, "naive"), (leftover, "leftover")):
            taiwan = "".join(to_taiwan.get(c, c) for c in proper)
            if wrong.replace("台", "臺") != proper.replace("台", "臺") and wrong != taiwan and wrong not in right:
                found.setdefault(wrong, (taiwan, kind))
    return found


def frequency_of_phrases() -> dict[str, int]:
    """Simplified words by how often jieba's dictionary saw them: ranks what a converter meets most."""
    with as_file(files("jieba") / "dict.txt") as path:
        rows = (line.split(" ") for line in path.read_text(encoding="utf-8").splitlines())
        return {row[0]: int(row[1]) for row in rows}


def texts(names: tuple[str, ...]) -> Iterator[str]:
    """Documents of the named files under TWLLM_DATA."""
    for name in names:
        with zstandard.open(Path(os.environ["TWLLM_DATA"]) / "corpus" / f"{name}.jsonl.zst", "rt", encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)["text"]


def measure_characters(candidates: set[str], names: tuple[str, ...]) -> set[str]:
    """Candidates above MAX_PER_MILLION_CHARACTER in the named files."""
    counts: Counter[str] = Counter()
    total = 0
    for text in texts(names):
        counts.update(text)
        total += len(text)
    return {c for c in candidates if counts[c] > MAX_PER_MILLION_CHARACTER * total / 1e6}


def measure_phrases(candidates: list[str]) -> set[str]:
    """Candidates above MAX_OCCURRENCES_PHRASE in genuine text."""
    automaton = AhoCorasick(candidates, matchkind=MatchKind.Standard)
    counts: Counter[int] = Counter()
    for text in texts(GENUINE):
        counts.update(index for index, _, _ in automaton.find_matches_as_indexes(text, overlapping=True))
    return {candidates[index] for index, count in counts.items() if count > MAX_OCCURRENCES_PHRASE}


def _write(name: str, what: str, rows: list[str]) -> None:
    header = [
        f"# {what}",
        f"# Derived from OpenCC {version('opencc')} (Apache-2.0) by factory/zh/build_data.py, {DATE}. Licence: Apache-2.0.",
    ]
    (DATA / name).write_text("\n".join([*header, *sorted(rows)]) + "\n", encoding="utf-8")


def _excluded(name: str) -> set[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def main() -> None:
    """Writes the lists under `data/`."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--measure", action="store_true", help="count genuine text under TWLLM_DATA and renew exclude_*.txt")
    simplified, traditional = script_lists()
    errors = conversion_errors()
    rank = frequency_of_phrases()
    if arguments.parse_args().measure:
        _write(
            "exclude_simplified.txt",
            "Simplified-only by the tables, but used in genuine Taiwanese text",
            list(measure_characters(simplified, GENUINE)),
        )
        _write(
            "exclude_traditional.txt",
            "Traditional-only by the tables, but used in Simplified text",
            list(measure_characters(traditional, SIMPLIFIED)),
        )
        _write(
            "exclude_conversion.txt",
            "Look like conversion errors, but occur in genuine Taiwanese text",
            list(measure_phrases(sorted(errors))),
        )
    excluded = _excluded("exclude_conversion.txt")
    back = {form: key for key, forms in dictionary("STPhrases").items() for form in forms}
    useful = sorted((e for e in errors if e not in excluded), key=lambda e: (-rank.get(back.get(errors[e][0], ""), 0), e))
    _write(
        "simplified_only.txt", "Characters written so only in Simplified Chinese", list(simplified - _excluded("exclude_simplified.txt"))
    )
    _write(
        "traditional_only.txt",
        "Characters written so only in Traditional Chinese",
        list(traditional - _excluded("exclude_traditional.txt")),
    )
    # three characters or more are hardly chance; two may straddle a word boundary
    rows = [f"{e}\t{errors[e][0]}\t{2 if len(e) > 2 else 1}\t{errors[e][1]}" for e in useful[:MAX_PHRASES]]
    _write("conversion_errors.tsv", "Forms that converters from Simplified leave behind: wrong, right, weight, kind", rows)


if __name__ == "__main__":
    main()
