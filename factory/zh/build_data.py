"""Makes the lists under `data/` that derive from OpenCC's dictionaries.

    python -m factory.zh.build_data                           # simplified_only, traditional_only, conversion_errors
    TWLLM_DATA=FOLDER python -m factory.zh.build_data --measure   # first makes the two exclusion lists from real text (2 minutes)

The first form reads only what is installed (the dictionaries inside the `opencc` package, dumped with its own `opencc_dict`; jieba's
word counts, which rank) and what is committed (the exclusion lists, `interchangeable.txt`), so it always gives the same files.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from factory.errors import UserError
from factory.storage import atomic_write_text, open_binary

DATA = Path(__file__).parent / "data"
DATE = "2026-11-23"
MEASURED_BY = f"Made by `python -m factory.zh.build_data --measure` from counts over real text, {DATE}. Licence: Apache-2.0."

TAIWAN = ("law_moj", "ly_gazette_sample", "news_tw", "social_ptt", "law_constitutional_court", "transcript_audreyt")
MAINLAND = ("zhcn_cnews", "zhcn_thucnews_titles", "zhcn_hotel_waimai_reviews", "docs_libreoffice_help_zhcn", "tox_cold_zhcn")

# A character counts as Simplified only when Taiwan's real text has it less often than this share of its rate in the mainland's ...
MAX_TAIWAN_SHARE = 0.01
# ... or, for what Taiwan writes this often per million characters, than this smaller share
FREQUENT_PER_MILLION, MAX_FREQUENT_SHARE = 0.3, 0.001
MIN_COUNT = 10  # fewer occurrences in Taiwan's text are slips

MAX_ERRORS = 3_000
MAX_MIXED = 300  # of them: words with one character left in Simplified, which counting characters finds too
SPOKEN = ("cantonese.tsv", "taigi.tsv", "hakka.tsv")
MAX_MEASURED = 20_000  # best-ranked candidates that are looked for in real text
MAX_ERROR_PER_10M = 1.0
MAX_ERROR_CHARS = 4
FIRST, OTHER, LEFTOVER = "first", "other", "leftover"
WEIGHTS = {FIRST: 3, OTHER: 3, LEFTOVER: 2}
LIKELY_CANDIDATES = 2  # converters that choose wrongly choose among these; OpenCC's later ones are rare characters
RANK_FACTORS = {FIRST: 8, OTHER: 1, LEFTOVER: 4}  # how often converters make each kind, as an order of size


@dataclass(frozen=True)
class Dictionaries:
    """OpenCC's tables: simplified or traditional string to its candidates, best first."""

    characters: dict[str, list[str]]  # Simplified -> Traditional
    phrases: dict[str, list[str]]
    to_simplified: dict[str, list[str]]  # characters, Traditional -> Simplified
    taiwan: dict[str, str]  # OpenCC's standard character -> the one Taiwan writes

    def taiwanese(self, text: str) -> str:
        return "".join(self.taiwan.get(character, character) for character in text)


@dataclass(frozen=True)
class ConversionError:
    """`wrong` stands in text where a converter met `right`. `rank` orders by use: higher is more frequent."""

    wrong: str
    right: str
    origin: str
    rank: int


def made_by() -> str:
    """Provenance and licence of a derived list."""
    opencc = f"the dictionaries of OpenCC {version('opencc')} (Apache-2.0)"
    return f"Made by `python -m factory.zh.build_data` from {opencc}, {DATE}. Licence: Apache-2.0."


def dictionaries() -> Dictionaries:
    return Dictionaries(
        characters=dump("STCharacters"),
        phrases=dump("STPhrases"),
        to_simplified=dump("TSCharacters"),
        taiwan={key: values[0] for key, values in dump("TWVariants").items()},
    )


def dump(name: str) -> dict[str, list[str]]:
    """One dictionary of the installed `opencc` package. Raises UserError where its tool is missing or fails."""
    root = Path(str(files("opencc"))) / "clib"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "dump.txt"
        source = root / "share" / "opencc" / f"{name}.ocd2"
        command = [str(root / "bin" / "opencc_dict"), "-i", str(source), "-o", str(target), "-f", "ocd2", "-t", "text"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            raise UserError(f"{source}: cannot be dumped with opencc_dict ({error}); install opencc 1.4.2") from error
        rows = (line.split("\t") for line in target.read_text(encoding="utf-8").splitlines())
        return {key: values.split(" ") for key, values in rows}


def read_list(name: str) -> list[list[str]]:
    """The rows of a committed list; none where it is not there yet."""
    path = DATA / name
    if not path.exists():
        return []
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def write_list(name: str, header: Iterable[str], rows: Iterable[str]) -> None:
    lines = [f"# {line}" for line in header] + sorted(rows)
    atomic_write_text(str(DATA / name), "\n".join(lines) + "\n")


# Characters of one script


def one_script(table: dict[str, list[str]]) -> set[str]:
    """Characters that the table maps away and never to themselves."""
    return {key for key, values in table.items() if len(key) == 1 and key not in values}


def script_lists(opencc: Dictionaries) -> tuple[set[str], set[str]]:
    """Simplified-only and Traditional-only characters, before exclusion."""
    simplified, traditional = one_script(opencc.characters), one_script(opencc.to_simplified)
    written_in_taiwan = set(opencc.taiwan.values())
    return simplified - written_in_taiwan - traditional, traditional - simplified


def written_in_both(taiwan: Counter[str], mainland: Counter[str], simplified: set[str]) -> set[str]:
    """Characters of `simplified` that Taiwan's real text has too, by the counts of both."""
    found = set()
    for character in simplified:
        rate, mainland_rate = 1e6 * taiwan[character] / taiwan.total(), 1e6 * mainland[character] / mainland.total()
        max_share = MAX_FREQUENT_SHARE if rate >= FREQUENT_PER_MILLION else MAX_TAIWAN_SHARE
        if taiwan[character] >= MIN_COUNT and rate >= max_share * mainland_rate:
            found.add(character)
    return found


# Conversion errors


def conversion_errors(opencc: Dictionaries, interchangeable: list[str], counts: dict[str, int]) -> list[ConversionError]:
    """Wrong forms of OpenCC's phrases, best rank first; of one form the best reading. `counts`: Simplified word to its frequency."""
    groups = [set(group) for group in interchangeable]
    valid = {opencc.taiwanese(value) for values in opencc.phrases.values() for value in values}
    valid |= {value for values in opencc.phrases.values() for value in values}
    simplified_only = script_lists(opencc)[0]
    best: dict[str, ConversionError] = {}
    for phrase, values in opencc.phrases.items():
        right = values[0]
        if len(right) != len(phrase) or not 2 <= len(phrase) <= MAX_ERROR_CHARS:
            continue
        frequency = counts.get(phrase, 0)
        for origin, form in _wrong_forms(opencc, phrase, right, simplified_only):
            for wrong in {form, opencc.taiwanese(form)}:
                found = ConversionError(wrong, opencc.taiwanese(right), origin, frequency * RANK_FACTORS[origin])
                if wrong in valid or not _differs(wrong, found.right, groups):
                    continue
                if wrong not in best or found.rank > best[wrong].rank:
                    best[wrong] = found
    return sorted(best.values(), key=lambda error: (-error.rank, error.wrong))


def _wrong_forms(opencc: Dictionaries, phrase: str, right: str, simplified_only: set[str]) -> Iterator[tuple[str, str]]:
    candidates = [opencc.characters.get(character, [character]) for character in phrase]
    yield FIRST, "".join(options[0] for options in candidates)
    for index, options in enumerate(candidates):
        for option in options[:LIKELY_CANDIDATES]:
            if option not in (right[index], phrase[index]) and _is_common(opencc.taiwan.get(option, option)):
                yield OTHER, right[:index] + option + right[index + 1 :]
        if phrase[index] != right[index] and (phrase[index] in options or phrase[index] in simplified_only):
            yield LEFTOVER, right[:index] + phrase[index] + right[index + 1 :]


def _is_common(character: str) -> bool:
    """Whether it is one of the 5,401 frequent characters of Big5."""
    code = character.encode("big5", errors="ignore")
    return bool(code) and code[0] < 0xC9


def _differs(wrong: str, right: str, groups: list[set[str]]) -> bool:
    """Whether the forms differ in more than characters that Taiwan writes for one another."""
    return any(a != b and not any(a in group and b in group for group in groups) for a, b in zip(wrong, right, strict=True))


def choose_errors(ranked: list[ConversionError], excluded: set[str], guarded: set[str], simplified_only: set[str]) -> list[ConversionError]:
    """The best ones, MAX_ERRORS with the guarded: none excluded, none that contains another (the shorter one already matches there)."""
    chosen: dict[str, ConversionError] = {}
    taken = set(guarded)
    mixed = 0
    for error in ranked:
        is_mixed = not simplified_only.isdisjoint(error.wrong)
        if error.rank == 0 or error.wrong in excluded or (is_mixed and (mixed == MAX_MIXED or len(error.wrong) > 2)):
            continue
        if any(error.wrong[start:end] in taken for start, end in itertools.combinations(range(len(error.wrong) + 1), 2)):
            continue
        for longer in [form for form in chosen if error.wrong in form]:
            del chosen[longer]
            taken.remove(longer)
        chosen[error.wrong] = error
        taken.add(error.wrong)
        mixed += is_mixed
        if len(taken) == MAX_ERRORS:
            break
    return list(chosen.values())


def variants() -> list[list[str]]:
    """Sets of characters that stand for one another in some standard: Simplified, Traditional, Taiwan's and Hong Kong's forms."""
    first: dict[str, str] = {}

    def root(character: str) -> str:
        while first.get(character, character) != character:
            character = first[character]
        return character

    for name in ("TSCharacters", "TWVariants", "HKVariants"):
        for key, values in sorted(dump(name).items()):
            for value in values:
                if len(key) == len(value) == 1:
                    low, high = sorted((root(key), root(value)))
                    first[high] = low
    found: dict[str, list[str]] = {}
    for character in sorted(first):
        found.setdefault(root(character), []).append(character)
    return [[low, *(character for character in rest if character != low)] for low, rest in sorted(found.items())]


def word_counts() -> dict[str, int]:
    """jieba's dictionary (MIT): Simplified word to how often its makers counted it. Used for ranking only."""
    rows = (line.split(" ") for line in (files("jieba") / "dict.txt").read_text(encoding="utf-8").splitlines())
    return {row[0]: int(row[1]) for row in rows}


# Real text


def texts(folder: Path, names: Iterable[str]) -> Iterator[str]:
    import orjson

    for name in names:
        with open_binary(str(folder / "corpus" / f"{name}.jsonl.zst")) as stream:
            for line in stream:
                yield orjson.loads(line)["text"]


def measure(folder: Path) -> None:
    """Writes the exclusion lists: Simplified characters and error forms that genuine text of Taiwan has."""
    from ahocorasick_rs import AhoCorasick

    opencc = dictionaries()
    errors = conversion_errors(opencc, [row[0] for row in read_list("interchangeable.txt")], word_counts())[:MAX_MEASURED]
    forms = [error.wrong for error in errors]
    automaton = AhoCorasick(forms)
    taiwan, mainland = Counter[str](), Counter[str]()
    matches: Counter[int] = Counter()
    for text in texts(folder, TAIWAN):
        taiwan.update(text)
        matches.update(match[0] for match in automaton.find_matches_as_indexes(text, overlapping=True))
    for text in texts(folder, MAINLAND):
        mainland.update(text)
    write_list(
        "simplified_only_exclude.txt",
        ["Characters that OpenCC's tables call Simplified and that genuine text of Taiwan has too.", MEASURED_BY],
        written_in_both(taiwan, mainland, script_lists(opencc)[0]),
    )
    per_10m = {forms[index]: 1e7 * count / taiwan.total() for index, count in matches.items()}
    write_list(
        "conversion_errors_exclude.txt",
        [
            f"Forms that genuine text of Taiwan has at least {MAX_ERROR_PER_10M:g} time in 10 million characters: no conversion errors.",
            f"Columns: form, occurrences per 10 million characters of {', '.join(TAIWAN)}. Tab-separated.",
            MEASURED_BY,
        ],
        (f"{form}\t{rate:.1f}" for form, rate in per_10m.items() if rate >= MAX_ERROR_PER_10M),
    )


def spoken_characters() -> set[str]:
    """Characters of the Cantonese, Taigi and Hakka markers: written so there, whatever the script (个)."""
    return {character for name in SPOKEN for row in read_list(name) for character in row[0]}


def build() -> None:
    """Writes the three derived lists."""
    opencc = dictionaries()
    simplified, traditional = script_lists(opencc)
    write_list(
        "simplified_only.txt",
        [
            "Characters written so only in Simplified Chinese, less simplified_only_exclude.txt and the markers of spoken languages.",
            made_by(),
        ],
        simplified - {row[0] for row in read_list("simplified_only_exclude.txt")} - spoken_characters(),
    )
    write_list(
        "traditional_only.txt",
        ["Characters written so only in Traditional Chinese.", made_by()],
        traditional,
    )
    ranked = conversion_errors(opencc, [row[0] for row in read_list("interchangeable.txt")], word_counts())
    guarded = {row[0]: row for row in read_list("conversion_errors_guarded.tsv")}
    excluded = {row[0] for row in read_list("conversion_errors_exclude.txt")}
    chosen = choose_errors(ranked, excluded, set(guarded), simplified)
    write_list(
        "conversion_errors.tsv",
        [
            "Forms that a careless conversion from Simplified produces, and what Taiwan writes.",
            "Columns: wrong, right, weight, origin, note. Tab-separated. Weight: 2 clear (people slip so too), 3 only converters write so.",
            "Origin: first (each character to its first candidate), other (another one), leftover (not converted), guarded (by hand).",
            'Note: "not:A|B" no match inside one of these longer strings.',
            made_by() + f" Ranked with the word counts of jieba {version('jieba')}'s dictionary (MIT).",
            "Without the forms of conversion_errors_exclude.txt and those that differ only by interchangeable.txt.",
        ],
        itertools.chain(
            (f"{error.wrong}\t{error.right}\t{WEIGHTS[error.origin]}\t{error.origin}\t" for error in chosen),
            (f"{wrong}\t{right}\t{weight}\tguarded\t{note}" for wrong, right, weight, note in guarded.values()),
        ),
    )
    write_variants()


def write_variants() -> None:
    """character_variants.tsv."""
    header = ["Characters that stand for one another in Simplified, Traditional, Taiwan's or Hong Kong's writing, a set a line.", made_by()]
    write_list("character_variants.tsv", header, ("\t".join(row) for row in variants()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="first make the exclusion lists from the texts in TWLLM_DATA")
    if parser.parse_args().measure:
        folder = Path(os.environ.get("TWLLM_DATA", ""))
        if not (folder / "corpus").is_dir():
            raise SystemExit(f"TWLLM_DATA={str(folder)!r} has no folder `corpus`; set it to the real-text folder")
        measure(folder)
    build()


if __name__ == "__main__":
    main()
