"""Which character n-gram stands for word 5-grams in Chinese near-duplicate detection, and how much of it MinHash-LSH finds.

`python -m benchmarks.near_duplicates`: exact Jaccard similarity of every pair of several thousand real documents, by word 5-grams
(the usual shingle: Lee et al. 2021; datatrove) and by character n-grams; then what our signatures and bands find of those
pairs. A second table gives the bundled sample's planted near-duplicates. Without TWLLM_DATA only the sample is measured.
About 20 s and 1 GB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash
from rich.console import Console
from rich.table import Table
from scipy import sparse

from benchmarks import ROOT, data_folder, digest_of_ids, environment, rows, write_result
from corpus.deduplicate import bands_for, candidate_pairs, near_clusters, similarity
from corpus.labels import read_labels
from corpus.recipe import load_plan
from corpus.sources.spec import open_source
from factory.records import Document, Reason
from factory.zh.charclass import LETTER, table
from factory.zh.ngrams import SHINGLE, batch_of, minhash_signatures, shingles
from factory.zh.normalize import normalize
from factory.zh.segment import words

CORPORA = {"law_moj": 1_500, "news_tw": 1_300, "social_ptt": 1_200, "cofacts_replies": 1_000, "neardup_pairs": 300}  # documents
MIN_CHARS = 100
MAX_CHARS = 3_000  # of each document's head, so that all pairs fit into a minute
CHARACTERS = (5, 7, 8, 9, 10, 12)
WORDS = 5
THRESHOLDS = (0.6, 0.65, 0.7, 0.75, 0.8)
COMPARED_FROM = 0.3  # pairs that reach it by either measure enter correlation and mean difference
CODE = ("benchmarks.near_duplicates", "corpus.deduplicate", "factory.zh.charclass", "factory.zh.ngrams", "factory.zh.normalize")
RESULT = ROOT / "benchmarks" / "results" / "near_duplicates.json"
LIBRARIES = ("datasketch", "numba", "numpy", "rjieba", "scipy")

Hashes = npt.NDArray[np.uint64]
Keys = npt.NDArray[np.int64]  # i * documents + j of a pair i < j
Bits = npt.NDArray[np.bool_]


class Sample(NamedTuple):
    """Documents without exact copies: ids, where each is from, and the normalised heads."""

    ids: list[str]
    sources: list[str]
    texts: list[str]


class Pairs(NamedTuple):
    """Every pair i < j with a shingle in common, as i * documents + j (ascending), and its Jaccard similarity."""

    keys: Keys
    jaccard: npt.NDArray[np.float64]

    def at(self, keys: Keys) -> npt.NDArray[np.float64]:
        """The similarity of some pairs; 0 for those with nothing in common."""
        position = np.minimum(np.searchsorted(self.keys, keys), max(self.keys.size - 1, 0))
        found = self.keys[position] == keys if self.keys.size else np.zeros(keys.size, bool)
        return np.where(found, self.jaccard[position] if self.keys.size else 0.0, 0.0)

    def above(self, threshold: float) -> Keys:
        """Keys of the pairs that reach a threshold."""
        return self.keys[self.jaccard >= threshold]


def real_sample() -> Sample | None:
    """The first documents of each corpus that are long enough, exact copies left out; None without the data."""
    folder = data_folder()
    if folder is None:
        return None
    sample = Sample([], [], [])
    seen: set[str] = set()
    for corpus, count in CORPORA.items():
        kept = 0
        for name, raw in _texts(rows(folder, corpus)):
            text = normalize(raw).text[:MAX_CHARS]
            bare = "".join(text.split())
            if len(text) < MIN_CHARS or bare in seen:
                continue
            seen.add(bare)
            for column, value in zip(sample, (name, corpus, text), strict=True):
                column.append(value)
            kept += 1
            if kept == count:
                break
    return sample


def _texts(found: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A row of pairs holds its second text as `text_b`."""
    for row in found:
        yield row["id"], row["text"]
        if "text_b" in row:
            yield f"{row['id']}_b", row["text_b"]


def bundled_sample() -> tuple[Sample, list[tuple[str, str]], list[tuple[str, str]]]:
    """The documents of recipes/sample.yaml as its sources read them; the pairs labelled as near and as exact duplicates."""
    plan = load_plan(str(ROOT / "recipes" / "sample.yaml"))
    sample = Sample([], [], [])
    for file in plan.files:
        for document in open_source(file.source, plan.recipe.sources[file.source]).read(file.path):
            if isinstance(document, Document):
                for column, value in zip(sample, (document.id, file.source, normalize(document.text).text), strict=True):
                    column.append(value)
    labels = read_labels(str(ROOT / "corpus" / "sample" / "labels"))
    near, exact = (
        [(row["id"], row["duplicate_of"]) for row in labels if row["reason"] == reason]
        for reason in (Reason.NEAR_DUPLICATE, Reason.EXACT_DUPLICATE)
    )
    return sample, near, exact


def character_hashes(texts: Sequence[str]) -> list[Hashes]:
    """The letters of each text, ASCII folded, as the product's signatures see them."""
    codes, offsets = batch_of(list(texts))
    letters = [codes[a:b][(table()[codes[a:b]] & LETTER) != 0] for a, b in pairwise(offsets)]
    return [np.where((code >= 65) & (code <= 90), code + 32, code).astype(np.uint64) + np.uint64(1) for code in letters]


def word_hashes(texts: Sequence[str]) -> list[Hashes]:
    """The words of each text that hold a letter, stripped to their letters, ASCII folded."""
    return [np.array([xxhash.xxh3_64_intdigest(bare) for word in words(text) if (bare := _bare(word))], np.uint64) for text in texts]


@cache
def _bare(word: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in word if table()[ord(c)] & int(LETTER))


def shingle_sets(sequences: Iterable[Hashes], n: int) -> list[Hashes]:
    """The different n-grams of each sequence as 64-bit hashes; a shorter sequence is one n-gram, an empty one has none."""
    base = np.uint64(0x9E3779B97F4A7C15)
    result = []
    for sequence in sequences:
        width = min(n, sequence.size)
        rolling = np.zeros(max(0, sequence.size - width + 1) if width else 0, np.uint64)
        for offset in range(width):
            rolling = (rolling ^ (rolling >> np.uint64(31))) * base + sequence[offset : offset + rolling.size]
        result.append(np.unique(rolling))
    return result


def all_pairs(sets: Sequence[Hashes]) -> Pairs:
    """Exact: one sparse product of the document-shingle matrix with itself."""
    sizes = np.array([len(hashes) for hashes in sets])
    _, columns, counts = np.unique(np.concatenate([*sets, np.zeros(0, np.uint64)]), return_inverse=True, return_counts=True)
    documents = np.repeat(np.arange(len(sets)), sizes)
    shared = counts[columns] > 1  # a shingle of one document is in no pair
    ones = np.ones(int(shared.sum()), np.int32)
    matrix = sparse.csr_array((ones, (documents[shared], columns[shared])), shape=(len(sets), counts.size))
    product = sparse.triu(matrix @ matrix.T, k=1).tocoo()
    first, second, common = product.row.astype(np.int64), product.col.astype(np.int64), product.data
    keys = first * len(sets) + second
    order = np.argsort(keys)
    return Pairs(keys[order], (common / (sizes[first] + sizes[second] - common))[order])


def scores(found: Bits, true: Bits) -> dict[str, float | int | None]:
    """Precision, recall and F1 of one set of pairs against another, both as masks over the same pairs."""
    both, n_found, n_true = int((found & true).sum()), int(found.sum()), int(true.sum())
    precision, recall = (both / n_found if n_found else None), (both / n_true if n_true else None)
    f1 = round(2 * both / (n_found + n_true), 4) if n_found + n_true else None
    return {
        "found": n_found,
        "true": n_true,
        "precision": None if precision is None else round(precision, 4),
        "recall": None if recall is None else round(recall, 4),
        "f1": f1,
    }


def compare_shingles(by_word: Pairs, by_characters: dict[int, Pairs]) -> dict[str, Any]:
    """For each n: agreement of values, and of decisions at each threshold, with word 5-grams as the truth."""
    result: dict[str, Any] = {}
    for n, pairs in by_characters.items():
        keys = np.union1d(by_word.above(COMPARED_FROM), pairs.above(COMPARED_FROM))
        word, character = by_word.at(keys), pairs.at(keys)
        difference = character - word
        result[str(n)] = {
            "pairs": int(keys.size),
            "correlation": round(float(np.corrcoef(word, character)[0, 1]), 4),
            "mean_difference": round(float(difference.mean()), 4),
            "mean_absolute_difference": round(float(np.abs(difference).mean()), 4),
            "thresholds": {str(t): scores(character >= t, word >= t) for t in THRESHOLDS},
        }
    return result


def letters_in_words(texts: Sequence[str]) -> float:
    """Mean number of letters in as many consecutive words as a word shingle has."""
    lengths = [len(bare) for text in texts for word in words(text) if (bare := _bare(word))]
    return round(WORDS * sum(lengths) / len(lengths), 2)


def index_pairs(signatures: npt.NDArray[np.uint32], bands: int, band_rows: int) -> npt.NDArray[np.int64]:
    """Every pair that shares a band, shape (pairs, 2): what a textbook LSH index proposes."""
    keys: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for band in range(bands):
        part = np.ascontiguousarray(signatures[:, band * band_rows : (band + 1) * band_rows])
        _, bucket, counts = np.unique(part, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(bucket.ravel(), kind="stable")
        for group in np.split(order, np.cumsum(counts)[:-1]):
            if group.size > 1:
                a, b = np.triu_indices(group.size, 1)
                keys.append(group[a].astype(np.int64) * len(signatures) + group[b])
    unique = np.unique(np.concatenate(keys))
    return np.stack([unique // len(signatures), unique % len(signatures)], axis=1)


def as_keys(pairs: npt.NDArray[np.int64], documents: int) -> Keys:
    """Pairs as the keys of `Pairs`, each once."""
    return np.unique(np.minimum(pairs[:, 0], pairs[:, 1]) * documents + np.maximum(pairs[:, 0], pairs[:, 1]))


def clustered_keys(clusters: Iterable[tuple[int, int]], documents: int) -> Keys:
    """Every pair of documents of one group."""
    groups: dict[int, list[int]] = {}
    for member, head in clusters:
        groups.setdefault(head, [head]).append(member)
    found = [np.array(sorted(group))[np.stack(np.triu_indices(len(group), 1), axis=1)] for group in groups.values()]
    return as_keys(np.concatenate([np.zeros((0, 2), np.int64), *found]), documents)


def compare_signatures(sample: Sample, exact: Pairs, by_word: Pairs) -> dict[str, Any]:
    """What the stage's index, its candidates and its groups find of the exact pairs."""
    count = len(sample.texts)
    signatures = minhash_signatures(batch_of(sample.texts), table())
    rank = np.argsort(np.lexsort((np.array(sample.ids), -np.array([len(text) for text in sample.texts]))))
    near = np.union1d(exact.above(0.2), by_word.above(0.2))
    estimated = similarity(signatures, np.stack([near // count, near % count], axis=1))
    error = estimated - exact.at(near)
    result: dict[str, Any] = {
        "estimate": {"pairs": int(near.size), "bias": round(float(error.mean()), 4), "rmse": round(float(np.sqrt((error**2).mean())), 4)},
        "thresholds": {},
    }
    for t in THRESHOLDS:
        bands, band_rows = bands_for(t)
        index = index_pairs(signatures, bands, band_rows)
        chained = np.concatenate([np.zeros((0, 2), np.int64), *candidate_pairs(signatures, bands, band_rows)])
        found = {
            "index": as_keys(index[similarity(signatures, index) >= t], count),
            "candidates": as_keys(chained[similarity(signatures, chained) >= t], count),
            "groups": clustered_keys(near_clusters(signatures, rank, t), count),
        }
        universe = np.unique(np.concatenate([*found.values(), exact.above(t), by_word.above(t)]))
        character, word = exact.at(universe), by_word.at(universe)
        result["thresholds"][str(t)] = {
            "bands": bands,
            "rows": band_rows,
            "proposed": int(index.shape[0]),
            **{
                name: {
                    f"against_char_{SHINGLE}": scores(np.isin(universe, keys), character >= t),
                    f"against_char_{SHINGLE}_with_margin": _with_margin(np.isin(universe, keys), character, t),
                    f"against_word_{WORDS}": scores(np.isin(universe, keys), word >= t),
                }
                for name, keys in found.items()
            },
            "documents_removed": len(near_clusters(signatures, rank, t)),
            "documents_removed_exact": _removable(exact.above(t), count),
            "documents_removed_full_index": _removable(found["index"], count),
        }
    return result


def _with_margin(found: Bits, jaccard: npt.NDArray[np.float64], threshold: float) -> dict[str, float | None]:
    """Precision against threshold - 0.1 and recall against threshold + 0.1: misses that an estimate's error does not excuse."""
    above, well_above = jaccard >= threshold - 0.1, jaccard >= threshold + 0.1
    return {
        "precision": round(float(above[found].mean()), 4) if found.any() else None,
        "recall": round(float(found[well_above].mean()), 4) if well_above.any() else None,
    }


def _removable(keys: Keys, count: int) -> int:
    """Documents that go if one of each connected group stays."""
    graph = sparse.coo_array((np.ones(keys.size), (keys // count, keys % count)), shape=(count, count))
    groups, _ = sparse.csgraph.connected_components(graph, directed=False)
    return count - int(groups)


def where_pairs_are(sample: Sample, pairs: Pairs) -> dict[str, dict[str, int]]:
    """Pairs at and above each threshold, by the corpora that the two documents come from."""
    result: dict[str, dict[str, int]] = {}
    for t in THRESHOLDS:
        counts: dict[str, int] = {}
        for key in pairs.above(t).tolist():
            name = " / ".join(sorted({sample.sources[key // len(sample.ids)], sample.sources[key % len(sample.ids)]}))
            counts[name] = counts.get(name, 0) + 1
        result[str(t)] = dict(sorted(counts.items(), key=lambda item: -item[1]))
    return result


def planted() -> dict[str, Any]:
    """The bundled sample's near-duplicates by each shingle, and the most similar pair that is not labelled as a copy."""
    sample, near, exact = bundled_sample()
    position = {document: index for index, document in enumerate(sample.ids)}
    near_keys, exact_keys = (
        as_keys(np.array([(position[a], position[b]) for a, b in pairs], np.int64).reshape(-1, 2), len(sample.ids))
        for pairs in (near, exact)
    )
    sets = {f"char_{n}": shingle_sets(character_hashes(sample.texts), n) for n in CHARACTERS}
    sets[f"word_{WORDS}"] = shingle_sets(word_hashes(sample.texts), WORDS)
    measures: dict[str, Any] = {}
    for name, found in sets.items():
        pairs = all_pairs(found)
        others = pairs.jaccard[~np.isin(pairs.keys, np.concatenate([near_keys, exact_keys]))]
        measures[name] = {
            "jaccard": sorted(round(float(value), 4) for value in pairs.at(near_keys)),
            "jaccard_of_exact": sorted(round(float(value), 4) for value in pairs.at(exact_keys)),
            "most_similar_other": round(float(others.max(initial=0)), 4),
        }
    return {
        "documents": len(sample.ids),
        "digest_of_ids": digest_of_ids(sample.ids),
        "pairs": len(near),
        "measures": measures,
        "groups": _planted_groups(sample, near_keys, exact_keys),
    }


def _planted_groups(sample: Sample, near_keys: Keys, exact_keys: Keys) -> dict[str, dict[str, int]]:
    """How many planted pairs the stage joins at each threshold, and how many pairs that nobody planted."""
    count = len(sample.ids)
    signatures = minhash_signatures(batch_of(sample.texts), table())
    result = {}
    for t in THRESHOLDS:
        joined = clustered_keys(near_clusters(signatures, np.arange(count), t), count)
        others = ~np.isin(joined, np.concatenate([near_keys, exact_keys]))
        result[str(t)] = {"planted_found": int(np.isin(near_keys, joined).sum()), "others_joined": int(others.sum())}
    return result


def measure(sample: Sample, note: Callable[[str], None]) -> dict[str, Any]:
    """All comparisons on one sample."""
    note("word 5-grams")
    by_word = all_pairs(shingle_sets(word_hashes(sample.texts), WORDS))
    characters = character_hashes(sample.texts)
    by_characters = {}
    for n in CHARACTERS:
        note(f"character {n}-grams")
        sets = shingle_sets(characters, n)
        assert all(len(found) == len(shingles(text, n)) for found, text in zip(sets[:50], sample.texts, strict=False))
        by_characters[n] = all_pairs(sets)
    note("signatures")
    return {
        "documents": len(sample.ids),
        "documents_by_corpus": {name: sample.sources.count(name) for name in dict.fromkeys(sample.sources)},
        "digest_of_ids": digest_of_ids(sample.ids),
        "letters_in_five_words": letters_in_words(sample.texts[::5]),
        "shingles": compare_shingles(by_word, by_characters),
        "pairs_by_corpus": {
            f"char_{SHINGLE}": where_pairs_are(sample, by_characters[SHINGLE]),
            f"word_{WORDS}": where_pairs_are(sample, by_word),
        },
        "signatures": compare_signatures(sample, by_characters[SHINGLE], by_word),
    }


def show(result: dict[str, Any], console: Console) -> None:
    """The tables a reader wants first."""
    if result["real"]:
        real = result["real"]
        console.print(f"{real['documents']} documents; five words have {real['letters_in_five_words']} letters")
        shingle_table = Table("n", "pairs", "r", "diff", *(f"F1 {t}" for t in THRESHOLDS), title="character n-grams against word 5-grams")
        for n, row in real["shingles"].items():
            f1 = [f"{row['thresholds'][str(t)]['f1']:.3f}" for t in THRESHOLDS]
            shingle_table.add_row(n, str(row["pairs"]), f"{row['correlation']:.4f}", f"{row['mean_difference']:+.3f}", *f1)
        console.print(shingle_table)
        heads = ("from", "bands", "found by", f"char-{SHINGLE} recall", "precision", "word-5 recall", "precision")
        lsh = Table(*heads, title="MinHash-LSH against exact pairs")
        for t, row in real["signatures"]["thresholds"].items():
            for name in ("index", "candidates", "groups"):
                cells = [row[name][f"against_{kind}"][score] for kind in (f"char_{SHINGLE}", "word_5") for score in ("recall", "precision")]
                lsh.add_row(t, f"{row['bands']}x{row['rows']}", name, *(f"{cell:.3f}" if cell is not None else "-" for cell in cells))
        console.print(lsh)
    copies = Table("shingle", "planted pairs, lowest first", "highest other", title="the bundled sample")
    for name, row in result["planted"]["measures"].items():
        copies.add_row(name, " ".join(f"{value:.2f}" for value in row["jaccard"]), f"{row['most_similar_other']:.2f}")
    console.print(copies)
    joined = ", ".join(f"{row['planted_found']} (+{row['others_joined']} others) at {t}" for t, row in result["planted"]["groups"].items())
    console.print(f"of {result['planted']['pairs']} planted pairs the stage joins {joined}")


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", help=f"default {RESULT.relative_to(ROOT)}; without TWLLM_DATA nothing is written unless this names a file"
    )
    arguments = parser.parse_args()
    console = Console()
    start = time.monotonic()
    sample = real_sample()
    if sample is None:
        console.print("TWLLM_DATA is unset: only the bundled sample is measured.")
    with console.status("reading") as status:
        result = {
            "what": "exact Jaccard of all pairs by character n-grams against word 5-grams, and MinHash-LSH against both",
            "settings": {"min_chars": MIN_CHARS, "max_chars": MAX_CHARS, "shingle": SHINGLE, "documents_asked": CORPORA},
            "real": measure(sample, status.update) if sample else None,
            "planted": planted(),
            **environment(CODE, LIBRARIES),
            "seconds": 0.0,
        }
    result["seconds"] = round(time.monotonic() - start, 1)
    show(result, console)
    output = arguments.output or (str(RESULT) if sample else None)
    if output:
        write_result(output, result)
    console.print(f"{result['seconds']} s; {f'written to {output}' if output else 'not written'}")


if __name__ == "__main__":
    main()
