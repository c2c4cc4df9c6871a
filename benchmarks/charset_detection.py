"""How often the right text comes out of bytes whose declared encoding is true, missing or false.

    TWLLM_DATA=FOLDER python -m benchmarks.charset_detection [--documents 80] [--output benchmarks/results/charset_detection.json]

Real documents are encoded as pages in Taiwan, Hong Kong and China were (at most 2,000 characters each, inside a small page, and
snippets of at most 200 bytes that begin at a character and may end inside one), and read by `corpus.sources.charset`, by
resiliparse's detector with and without the declaration, by the declaration alone (else UTF-8) and by charset-normalizer. Right: the
same letters and digits in the same order; symbols are left out, which Python's codecs and browsers read differently. Kana and
circled numbers are left out of Big5 texts, because Python encodes them elsewhere than pages do. About 90 s.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import data_folder, digest_of_ids, environment, rows, write_result
from corpus.sources import charset
from corpus.sources.charset import CharsetError, decode
from factory.errors import UserError

MAX_CHARS = 2_000
SNIPPET_BYTES = 200
SEED = 20261123
CORPORA = {
    "news_tw": ("utf-8", "cp950", "utf-16"),
    "social_ptt": ("utf-8", "cp950"),
    "law_moj": ("utf-8", "cp950"),
    "hk_legco_hansard": ("utf-8", "big5hkscs"),
    "zhcn_cnews": ("utf-8", "gb18030", "gbk"),
}
TRUE_LABELS = {"utf-8": "utf-8", "cp950": "big5", "big5hkscs": "big5-hkscs", "gb18030": "gb18030", "gbk": "gbk", "utf-16": "utf-16"}
FALSE_LABELS = ("utf-8", "big5", "gb2312", "iso-8859-1")
_ETEN = re.compile("[々〆〇ヾゝゞ\u3041-\u30fe\u0401-\u0451①-⑩⑴-⑽]")
_LETTERS = re.compile(r"[\W_]+")
# A browser reads more under these names than Python does: a detector that says big5 of an HKSCS page is right.
WHATWG_CODECS = {"big5": "big5hkscs", "gbk": "gb18030", "gb2312": "gb18030"}
MIX_SHARES = (0.05, 0.1, 0.3, 0.5)


class Case(NamedTuple):
    """Bytes with their declaration and the letters that are right."""

    encoding: str
    size: str  # page, snippet
    declaration: str  # true, missing, false
    label: str | None
    content: bytes
    letters: str


Reader = Callable[[bytes, str | None], str]


def letters(text: str) -> str:
    """What two readings must have in common."""
    return _LETTERS.sub("", text.replace("\ufffd", ""))


def texts_of(folder: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """(corpus, id, text), `count` of each corpus, spread over its file."""
    for name in CORPORA:
        found = [(row["id"], row["text"]) for row in islice(rows(folder, name), 60 * count)]
        for identifier, text in found[:: max(1, len(found) // count)][:count]:
            yield name, identifier, text[:MAX_CHARS]


def encoded(text: str, encoding: str) -> bytes:
    """The bytes of a text; characters that the encoding lacks are left out."""
    return _ETEN.sub("", text).encode(encoding, "ignore") if encoding in ("cp950", "big5hkscs") else text.encode(encoding, "ignore")


def cases(documents: list[tuple[str, str, str]]) -> Iterator[Case]:
    """Every document in every encoding of its corpus, whole and cut, under true, missing and false declarations."""
    rng = random.Random(SEED)
    for corpus, _, text in documents:
        for encoding in CORPORA[corpus]:
            bare = encoded(text, encoding).decode(encoding)
            start = rng.randrange(max(1, len(bare) - SNIPPET_BYTES // 2))
            for size in ("page", "snippet"):
                for declaration, label in declarations(encoding):
                    if size == "page":
                        meta = f'<meta charset="{label}">' if label else ""
                        page = f"<html><head>{meta}<title>x</title></head><body><p>{bare}</p></body></html>"
                        yield Case(encoding, size, declaration, label, page.encode(encoding), letters(page))
                    else:
                        cut = bare[start:].encode(encoding)[:SNIPPET_BYTES]
                        yield Case(encoding, size, declaration, label, cut, letters(cut.decode(encoding, "ignore")))


def declarations(encoding: str) -> Iterator[tuple[str, str | None]]:
    """(true, missing or false; the label) for one encoding."""
    yield "true", TRUE_LABELS[encoding]
    yield "missing", None
    for label in FALSE_LABELS:
        if charset.codec(label) != charset.codec(TRUE_LABELS[encoding]):
            yield "false", label


def readers() -> dict[str, Reader]:
    """The methods compared."""
    from charset_normalizer import from_bytes
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    def browser_text(content: bytes, name: str | None) -> str:
        name = (name or "utf-8").lower()
        return bytes_to_str(content, WHATWG_CODECS.get(name, name), "replace")

    def ours(content: bytes, label: str | None) -> str:
        try:
            return decode(content, label).text
        except CharsetError:
            return ""

    def normalizer(content: bytes, label: str | None) -> str:
        best = from_bytes(content).best()
        return str(best) if best is not None else ""

    return {
        "twllm": ours,
        "resiliparse": lambda content, label: browser_text(content, detect_encoding(content)),
        "resiliparse, declared in meta first": lambda content, label: browser_text(content, detect_encoding(content, from_html_meta=True)),
        "declared, else utf-8": lambda content, label: content.decode(charset.codec(label) or "utf-8", "replace"),
        "charset-normalizer": normalizer,
    }


def measure(every: list[Case]) -> dict[str, Any]:
    """Share of cases read right, by method, size, declaration and encoding; rejections of ours; speed on pages without cache."""
    result: dict[str, Any] = {}
    for name, read in readers().items():
        right: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        known: dict[bytes, str] = {}
        seconds = 0.0
        read_bytes = 0
        for case in every:
            # The detectors do not see the label: what they say of the same bytes is asked once.
            key = case.content + (b"\0" + (case.label or "").encode() if name in ("twllm", "declared, else utf-8") else b"")
            if key not in known:
                started = time.perf_counter()
                known[key] = read(case.content, case.label)
                seconds += time.perf_counter() - started
                read_bytes += len(case.content)
            is_right = letters(known[key]) == case.letters
            for group in (f"{case.size}/{case.declaration}", f"{case.size}/{case.encoding}", "all"):
                right[group][0] += is_right
                right[group][1] += 1
        result[name] = {
            "right": {
                group: {"share": round(hits / count, 4), "right": hits, "cases": count} for group, (hits, count) in sorted(right.items())
            },
            "megabytes_per_second": round(read_bytes / seconds / 1e6, 2),
        }
    return result


def refusals(documents: list[tuple[str, str, str]]) -> dict[str, Any]:
    """How many pages that mix Big5 with UTF-8 are refused, by the share of characters in the other encoding."""
    taiwanese = [text for corpus, _, text in documents if corpus in ("news_tw", "law_moj")]
    found: dict[str, Any] = {}
    for share in MIX_SHARES:
        refused = 0
        for text in taiwanese:
            at = int(len(text) * (1 - share))
            try:
                decode(encoded(text[:at], "cp950") + text[at:].encode(), "big5")
            except CharsetError:
                refused += 1
        found[str(share)] = {"refused": refused, "pages": len(taiwanese)}
    return found


def plausibility(documents: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Mean log-probability of the characters above U+007F, under the right reading and under wrong ones: 1st and 99th percentiles."""
    wrong = {"cp950": "gb18030", "gb18030": "cp950", "big5hkscs": "gb18030"}
    values: dict[str, list[float]] = defaultdict(list)
    for corpus, _, text in documents:
        for encoding in CORPORA[corpus]:
            content = encoded(text, encoding)
            readings = [("right", encoding)] + ([(f"{encoding} as {wrong[encoding]}", wrong[encoding])] if encoding in wrong else [])
            for name, reading in readings:
                seen = charset._log_probabilities(re.sub("[\x00-\x7f]+", "", content.decode(reading, "replace")))
                if len(seen) >= charset.MIN_JUDGED_CHARS:
                    values[name].append(float(seen.mean()))
    return {
        name: {
            "documents": len(seen),
            "p01": round(sorted(seen)[len(seen) // 100], 2),
            "p99": round(sorted(seen)[len(seen) * 99 // 100], 2),
        }
        for name, seen in values.items()
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Right texts by method, size and declaration."""
    groups = [f"{size}/{declaration}" for size in ("page", "snippet") for declaration in ("true", "missing", "false")]
    table = Table("method", *groups, "all", "MB/s", title="Right texts, %")
    for name, method in result["methods"].items():
        shares = [f"{100 * method['right'][group]['share']:.1f}" for group in (*groups, "all")]
        table.add_row(name, *shares, f"{method['megabytes_per_second']:.1f}")
    console.print(table)
    console.print("refused mixtures:", result["mixtures_refused"])
    console.print("plausibility:", result["mean_log_probability"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=80, help="documents of each corpus")
    parser.add_argument("--output", default="benchmarks/results/charset_detection.json")
    arguments = parser.parse_args()
    folder = data_folder()
    if folder is None:
        raise UserError("TWLLM_DATA is unset or no folder; set it to the real-text folder to measure the detection")
    documents = list(texts_of(folder, arguments.documents))
    decode("中文".encode("cp950"))  # builds the table outside the timing
    result = {
        "environment": environment(
            ("benchmarks.charset_detection", "corpus.sources.charset", "factory.zh.charclass"),
            ("resiliparse", "charset-normalizer", "numpy"),
        ),
        "documents": len(documents),
        "documents_digest": digest_of_ids(f"{corpus}:{identifier}" for corpus, identifier, _ in documents),
        "methods": measure(list(cases(documents))),
        "mixtures_refused": refusals(documents),
        "mean_log_probability": plausibility(documents),
    }
    write_result(arguments.output, result)
    show(result, Console())


if __name__ == "__main__":
    main()
