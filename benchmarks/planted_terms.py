"""How many mainland terms the gate catches where they stand in Taiwan's sentences: `python -m benchmarks.planted_terms`.

Needs TWLLM_DATA: pairs of terms/tw_cn_terms_taiwanmd.tsv (read in place) and sentences of the corpora below that hold the Taiwanese
side, which is replaced. Many of the list's pairs are no mainland terms (swapped columns, words that both sides use). `opencc` are those
pairs that OpenCC's dictionary (s2twp) has too, and whose mainland side stands in the corpora fewer than MOST_PER_MILLION times in a
million characters and less often than the Taiwanese one; `mainland` are these without BOTH_SIDES, which were judged by hand after a
first run. A term is planted where the Taiwanese side is no halves of two words, in sentences without titles and quotations. The misses
of the first runs (90 % caught) were read, and the gate's list grew. Writes benchmarks/results/planted_terms.json: counts and shares, no
text. `--misses` prints the pairs that were missed.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import ROOT, data_folder, environment, rows, write_result
from factory.statistics import wilson
from synth.gates.lexicon import Boundaries
from synth.gates.objection import Rejection, Texts
from synth.gates.terms import terms

RESULT = ROOT / "benchmarks" / "results" / "planted_terms.json"
CORPORA = {"taiwan_md": 1_500, "transcript_audreyt": 300, "news_tw": 2_000, "docs_ms_zhtw": 600}  # documents of each
MOST_PER_MILLION = 0.5
# Taiwan writes so too, or the two differ in a variant character only
BOTH_SIDES = frozenset(("輔音", "元音", "桌面型", "持久性", "資料綁定", "僱員", "彙報", "除溼機", "計算機科學", "美國在線"))
SENTENCES = 3  # of each pair
SHORTEST, LONGEST = 12, 200  # characters of a sentence
_HAN = re.compile("[一-鿿]")
_TITLE = re.compile("[《〈「]")
_SENTENCE = re.compile("[^。！？\n]+[。！？]")


class Pair(NamedTuple):
    taiwan: str
    mainland: str
    kind: str
    agreed: bool  # OpenCC has the same pair


def pairs(folder: Path) -> list[Pair]:
    """The list's pairs in Traditional characters, one for each variant."""
    import opencc

    simplify, traditional, localize = (opencc.OpenCC(name).convert for name in ("t2s", "s2tw", "s2twp"))
    found: dict[tuple[str, str], Pair] = {}
    with (folder / "terms" / "tw_cn_terms_taiwanmd.tsv").open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream, delimiter="\t"):
            if len(row) < 4 or row[0] == "taiwan" or row[0].strip().startswith("#") or "hongkong" in row[1]:
                continue
            taiwan = re.split(r"\s*[/／、（(]", row[0])[0].strip()
            for variant in re.split(r"\s*[/／、]\s*", row[1]):
                mainland = str(traditional(simplify(re.sub("[（(].*", "", variant).strip())))
                if mainland != taiwan and _HAN.search(mainland) and len(taiwan) > 1 and _HAN.search(taiwan):
                    agreed = localize(simplify(mainland)) == traditional(simplify(taiwan))
                    found[taiwan, mainland] = Pair(taiwan, mainland, row[3], agreed)
    return list(found.values())


def sentences(folder: Path) -> Iterator[str]:
    """Sentences of the corpora."""
    for name, count in CORPORA.items():
        for row in islice(rows(folder, name), count):
            yield from (text for text in _SENTENCE.findall(row["text"]) if SHORTEST <= len(text) <= LONGEST)


def caught(text: str) -> bool:
    objection = terms(Texts(["請說明。"], [text], "", "", "knowledge"))
    return objection is not None and objection.reason is Rejection.MAINLAND_TERM


def main() -> None:
    """Measures, prints, writes."""
    options = argparse.ArgumentParser(description="Mainland terms planted in Taiwan's sentences.")
    options.add_argument("--misses", action="store_true")
    options.add_argument("--output", default=str(RESULT))
    asked = options.parse_args()
    folder = data_folder()
    if folder is None:
        raise SystemExit("benchmarks.planted_terms: set TWLLM_DATA to the folder of real data.")
    listed, texts = pairs(folder), list(sentences(folder))
    whole = "\n".join(texts)
    groups: dict[str, Counter[str]] = {"mainland": Counter(), "opencc": Counter(), "all": Counter()}
    missed: Counter[tuple[str, str]] = Counter()
    for pair in listed:
        ours, theirs = whole.count(pair.taiwan), whole.count(pair.mainland)
        if not ours:
            groups["all"]["without_sentence"] += 1
            continue
        rare = theirs * 1e6 < MOST_PER_MILLION * len(whole) and theirs < ours and pair.mainland not in pair.taiwan
        names = ["all", "opencc", "mainland"][: 1 if not (pair.agreed and rare) else 2 if pair.mainland in BOTH_SIDES else 3]
        held = (text for text in _holding(whole, pair.taiwan) if not caught(text))
        for text in islice(held, SENTENCES):
            found = caught(text.replace(pair.taiwan, pair.mainland))
            for name in names:
                groups[name]["planted"] += 1
                groups[name]["caught"] += found
            if not found and "mainland" in names:
                missed[pair.taiwan, pair.mainland] += 1
        for name in names:
            groups[name]["pairs"] += 1
    result: dict[str, Any] = {"sentences": len(texts), "characters": len(whole), "most_per_million": MOST_PER_MILLION}
    for name, counts in groups.items():
        share = counts["caught"] / max(1, counts["planted"])
        interval = [round(bound, 4) for bound in wilson(counts["caught"], counts["planted"])]
        result[name] = {**dict(sorted(counts.items())), "share": round(share, 4), "interval": interval}
        print(name, result[name])
    if asked.misses:
        print("; ".join(f"{mainland}/{taiwan} x{count}" for (taiwan, mainland), count in missed.most_common()))
    write_result(asked.output, {**result, **environment(("benchmarks.planted_terms", "synth.gates", "factory.zh"), ("opencc", "rjieba"))})


def _holding(whole: str, word: str) -> Iterator[str]:
    """The sentences that hold a word as a word, without titles and quotations."""
    place = whole.find(word)
    while place >= 0:
        start, end = whole.rfind("\n", 0, place) + 1, whole.find("\n", place)
        end = end if end >= 0 else len(whole)
        text, at = whole[start:end], place - start
        if not _TITLE.search(text) and not Boundaries(text).crossed(at, at + len(word)):
            yield text
        place = whole.find(word, end)


if __name__ == "__main__":
    main()
