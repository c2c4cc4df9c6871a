"""Duplicates: the bands, the candidates, the clusters, and which of several copies stays."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus import decisions
from corpus.annotate import Part
from corpus.decisions import Decisions
from corpus.deduplicate import bands_and_rows, bands_for, candidate_pairs, deduplicate, near_clusters, similarity
from corpus.recipe import CorpusRecipe, InputFile, NearDuplicates
from factory.records import Status
from factory.zh.charclass import table
from factory.zh.ngrams import NUM_PERM, batch_of, minhash_signatures

Signatures = npt.NDArray[np.uint32]
EMPTY = np.full(NUM_PERM, 0xFFFFFFFF, np.uint32)


def random_signatures(count: int, seed: int = 0) -> Signatures:
    return np.random.default_rng(seed).integers(0, 2**32 - 1, (count, NUM_PERM), np.uint32)


def changed(signature: Signatures, positions: Iterable[int]) -> Signatures:
    """A copy that differs at some positions, so that its similarity is 1 less their share."""
    result = signature.copy()
    result[list(positions)] ^= np.uint32(1)
    return result


def in_order(count: int) -> npt.NDArray[np.int64]:
    return np.arange(count)


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[frozenset[int]]:
    """Groups of at least two documents that pairs connect."""
    groups = [{node} for node in range(count)]
    for first, second in pairs:
        if groups[first] is not groups[second]:
            groups[first] |= groups[second]
            for node in groups[second]:
                groups[node] = groups[first]
    return sorted({frozenset(group) for group in groups if len(group) > 1}, key=min)


def brute_force_pairs(signatures: Signatures, bands: int, rows: int) -> list[set[tuple[int, int]]]:
    """All pairs that share a band, band by band."""
    found = []
    for band in range(bands):
        slices = [signature[band * rows : (band + 1) * rows].tobytes() for signature in signatures]
        found.append({(i, j) for j in range(len(slices)) for i in range(j) if slices[i] == slices[j]})
    return found


def error_of(threshold: float, bands: int, rows: int) -> float:
    """0.3 x the area of false positives + 0.7 x that of false negatives (Leskovec, Rajaraman and Ullman, section 3.4)."""
    steps = (np.arange(20_000) + 0.5) / 20_000
    found = 1 - (1 - steps**rows) ** bands
    below = steps < threshold
    return float((0.3 * found[below].sum() + 0.7 * (1 - found[~below]).sum()) / steps.size)


# --- bands


@pytest.mark.parametrize("threshold", [0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9])
def test_bands_and_rows_are_the_optimum(threshold: float) -> None:
    from datasketch import MinHashLSH

    bands, rows = bands_and_rows(threshold)
    index = MinHashLSH(threshold=threshold, num_perm=NUM_PERM, weights=(0.3, 0.7))
    assert (bands, rows) == (index.b, index.r)
    assert bands * rows <= NUM_PERM
    best = min(error_of(threshold, b, r) for b in range(1, NUM_PERM + 1) for r in range(1, NUM_PERM // b + 1))
    assert error_of(threshold, bands, rows) <= best + 1e-3  # datasketch integrates in steps of 0.001


@pytest.mark.parametrize("threshold", [0.001, 0.01, 0.1, 0.3, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999])
def test_every_threshold_that_a_recipe_may_name_has_bands(threshold: float) -> None:
    try:
        config = NearDuplicates(threshold=threshold)
    except ValidationError:
        return  # refused before the first byte is read
    bands, rows = bands_and_rows(config.threshold)
    assert bands >= 1 and rows >= 1 and bands * rows <= NUM_PERM


# --- candidates


@st.composite
def few_values(draw: st.DrawFn) -> tuple[Signatures, int, int]:
    """Signatures that share bands often, and a number of bands and rows."""
    bands, rows = draw(st.sampled_from([(1, 1), (2, 3), (4, 2), (16, 8), (25, 5), (128, 1)]))
    count = draw(st.integers(0, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    signatures = rng.integers(0, draw(st.sampled_from([1, 2, 3])), (count, NUM_PERM)).astype(np.uint32)
    return signatures * np.uint32(draw(st.sampled_from([1, 2**16, 0x7FFFFFFF, 0xFFFFFFFF]))), bands, rows


@given(few_values())
@settings(max_examples=200, deadline=None)
def test_candidates_connect_what_shares_a_band_and_nothing_else(case: tuple[Signatures, int, int]) -> None:
    signatures, bands, rows = case
    found = list(candidate_pairs(signatures, bands, rows))
    assert len(found) == bands
    for pairs, expected in zip(found, brute_force_pairs(signatures, bands, rows), strict=True):
        unordered = [(min(pair), max(pair)) for pair in pairs.tolist()]
        assert set(unordered) <= expected
        assert len(unordered) == len(set(unordered))
        assert components(len(signatures), unordered) == components(len(signatures), expected)


def test_candidates_pair_each_document_with_the_first_and_the_previous_of_its_bucket() -> None:
    bucket, other = random_signatures(2)
    signatures = np.stack([bucket, other, bucket, bucket, other, bucket])
    (pairs,) = candidate_pairs(signatures, 1, 4)
    found = {tuple(pair) for pair in pairs.tolist()}
    assert {(0, 2), (0, 3), (0, 5), (2, 3), (3, 5), (1, 4)} <= found <= {(0, 2), (0, 3), (0, 5), (2, 3), (2, 5), (3, 5), (1, 4)}


def test_candidates_of_a_huge_bucket_grow_linearly() -> None:
    signatures = np.tile(random_signatures(1), (5_000, 1))
    assert all(len(pairs) < 100 * 5_000 for pairs in candidate_pairs(signatures, 4, 8))


# --- similarity


@given(st.lists(st.integers(0, NUM_PERM), max_size=8))
@settings(deadline=None)
def test_similarity_is_the_share_of_equal_minima(differences: list[int]) -> None:
    base = random_signatures(1)[0]
    signatures = np.stack([base, *(changed(base, range(count)) for count in differences)])
    pairs = np.array([[0, index + 1] for index in range(len(differences))], np.int64).reshape(-1, 2)
    assert similarity(signatures, pairs).tolist() == [1 - count / NUM_PERM for count in differences]


def test_similarity_of_many_pairs_is_computed_in_blocks() -> None:
    signatures = random_signatures(3)
    pairs = np.tile(np.array([[0, 0], [0, 1]]), (70_000, 1))
    assert similarity(signatures, pairs).reshape(-1, 2).mean(axis=0).tolist() == [1.0, 0.0]


# --- clusters


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9])
def test_finds_planted_pairs_and_nothing_else(threshold: float) -> None:
    """Copies with similarity halfway between the threshold and 1, spread over the signature, among 2,000 strangers."""
    rng = np.random.default_rng(7)
    strangers = random_signatures(2_000)
    differing = int(NUM_PERM * (1 - threshold) / 2)
    copies = np.stack([changed(strangers[index], rng.choice(NUM_PERM, differing, replace=False)) for index in range(200)])
    found = near_clusters(np.concatenate([strangers, copies]), in_order(2_200), threshold)
    assert set(found) <= {(2_000 + index, index) for index in range(200)}
    assert len(found) >= 0.97 * 200


def test_similarity_just_under_the_threshold_is_no_copy() -> None:
    base = random_signatures(1)[0]
    tail = range(NUM_PERM - 1, -1, -1)  # the first bands stay equal: LSH proposes the pair
    at, below = changed(base, list(tail)[:32]), changed(base, list(tail)[:33])
    assert near_clusters(np.stack([base, at]), in_order(2), 0.75) == [(1, 0)]
    assert near_clusters(np.stack([base, below]), in_order(2), 0.75) == []


@given(st.permutations(range(6)))
def test_the_better_rank_stays(rank: list[int]) -> None:
    base = random_signatures(1)[0]
    signatures = np.stack([changed(base, [index]) for index in range(6)])
    best = rank.index(0)
    assert near_clusters(signatures, np.array(rank), 0.7) == [(index, best) for index in range(6) if index != best]


def test_copies_of_copies_are_one_group() -> None:
    """A is like B and B like C, A and C are not alike: one group, and its best document stays, wherever it stands."""
    a = random_signatures(1)[0]
    b = changed(a, range(100, 128))
    c = changed(b, range(72, 100))
    signatures = np.stack([a, b, c])
    assert similarity(signatures, np.array([[0, 1], [1, 2], [0, 2]])).tolist() == [0.78125, 0.78125, 0.5625]
    assert near_clusters(signatures, np.array([0, 1, 2]), 0.7) == [(1, 0), (2, 0)]
    assert near_clusters(signatures, np.array([2, 1, 0]), 0.7) == [(0, 2), (1, 2)]
    assert near_clusters(signatures, np.array([2, 0, 1]), 0.7) == [(0, 1), (2, 1)]


def test_texts_without_letters_are_no_copies() -> None:
    letters = random_signatures(1)[0]
    assert near_clusters(np.stack([EMPTY, letters, EMPTY, letters, EMPTY]), in_order(5), 0.7) == [(3, 1)]
    blank = minhash_signatures(batch_of(["", "。。。\n", "！？"]), table())
    assert near_clusters(blank, in_order(3), 0.7) == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count: int) -> None:
    assert near_clusters(random_signatures(count), in_order(count), 0.7) == []


def test_a_copy_is_found_behind_strangers_in_its_buckets() -> None:
    """Four documents share every band that the copy shares with its original, as boilerplate does; the strangers stand
    before the original and between the two."""
    threshold = 0.7
    bands, rows = bands_for(threshold)
    original = random_signatures(1, seed=1)[0]
    shared = 2 * rows  # positions: the boilerplate's part of the signature
    strangers = random_signatures(2, seed=2)
    strangers[:, :shared] = original[:shared]
    broken = [band * rows for band in range(2, bands)]  # one position of each other band
    copy = changed(original, broken)
    signatures = np.stack([strangers[0], original, strangers[1], copy])
    assert similarity(signatures, np.array([[1, 3]]))[0] >= threshold
    assert near_clusters(signatures, in_order(4), threshold) == [(3, 1)]


@given(st.integers(0, 2**32), st.integers(2, 14))
@settings(max_examples=60, deadline=None)
def test_clusters_are_those_of_all_pairs(seed: int, count: int) -> None:
    """The groups are the connected components of "shares a band, and is similar enough"."""
    threshold = 0.7
    bands, rows = bands_for(threshold)
    rng = np.random.default_rng(seed)
    base = random_signatures(1, seed)[0]
    signatures = np.stack([changed(base, rng.choice(NUM_PERM, rng.integers(0, 60), replace=False)) for _ in range(count)])
    candidates = set().union(*brute_force_pairs(signatures, bands, rows))
    similar = [pair for pair in candidates if (signatures[pair[0]] == signatures[pair[1]]).mean() >= threshold]
    found = near_clusters(signatures, in_order(count), threshold)
    assert components(count, found) == components(count, similar)


# --- the stage


class Corpus:
    """Hand-made parts: what the stage reads of a document, and the decision table with all of them kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents: dict[str, list[dict[str, Any]]] = {}

    def add(self, source: str, name: str, signature: Signatures | None = None, **facts: Any) -> str:
        number = sum(map(len, self.documents.values()))
        row = {
            "id": f"{source}:{name}",
            "chars": 100,
            "published": None,
            "exact_hash": number.to_bytes(16, "big"),
            "minhash": (random_signatures(1, seed=1_000 + number)[0] if signature is None else signature).tobytes(),
            "line_hashes": [],
            "text": f"第{number}份",
            "removed": False,
            **facts,
        }
        self.documents.setdefault(source, []).append(row)
        return str(row["id"])

    def run(self, priorities: dict[str, int] | None = None, **config: Any) -> dict[str, dict[str, Any]]:
        """The decision rows by id, after the stage."""
        decided = decisions.empty()
        parts = [self._part(index, source, decided) for index, source in enumerate(self.documents)]
        sources = {
            source: {"type": "rows", "paths": [f"{source}.jsonl"], "priority": (priorities or {}).get(source, 100)}
            for source in self.documents
        }
        recipe = CorpusRecipe.model_validate({"name": "test", "output": "run", "sources": sources, "deduplicate": config})
        deduplicate(parts, decided, recipe)
        rows = pa.Table.from_pydict(decided.columns, schema=decisions.SCHEMA).to_pylist()
        return {row["id"]: row for row in rows}

    def _part(self, index: int, source: str, decided: Decisions) -> Part:
        rows = self.documents[source]
        folder = self.folder / source
        folder.mkdir()
        documents = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("published", "text")}
        pq.write_table(pa.table(documents), folder / "documents.parquet")
        features = {
            "exact_hash": pa.array([row["exact_hash"] for row in rows], pa.binary(16)),
            "minhash": pa.array([row["minhash"] for row in rows], pa.binary(4 * NUM_PERM)),
            "line_hashes": pa.array([row["line_hashes"] for row in rows], pa.list_(pa.uint64())),
            "line_chars": pa.array([row.get("line_chars", [40] * len(row["line_hashes"])) for row in rows], pa.list_(pa.int32())),
        }
        pq.write_table(pa.table(features), folder / "features.parquet")
        for row in rows:
            values = {"id": row["id"], "source": source, "part": index, "chars": row["chars"]}
            values["status"] = str(Status.REMOVED if row["removed"] else Status.KEPT)
            values["reason"] = "too_short" if row["removed"] else None
            for name in decisions.NAMES:
                decided.columns[name].append(values.get(name))
        return Part(InputFile(source, f"{source}.jsonl", 0), "key", str(folder), len(rows), 0, 0)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def outcome(row: dict[str, Any]) -> tuple[str | None, str | None]:
    return row["reason"], row["kept_id"]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"source": "late"}, {"source": "early"}),  # the priority of the source
        ({"chars": 90}, {"chars": 91}),
        ({"published": "2024-05-02"}, {"published": "2024-05-01"}),
        ({"published": None}, {"published": "2024"}),
        ({"name": "b"}, {"name": "a"}),
        ({"source": "late", "chars": 999}, {"source": "early", "published": "2025"}),
        ({"chars": 90, "published": "1999"}, {"chars": 91}),
    ],
)
@pytest.mark.parametrize("worse_first", [True, False])
@pytest.mark.parametrize("kind", ["exact_duplicate", "near_duplicate"])
def test_which_copy_stays(corpus: Corpus, worse: dict[str, Any], better: dict[str, Any], worse_first: bool, kind: str) -> None:
    signature = random_signatures(1)[0]
    same: dict[str, Any] = {"signature": signature} if kind == "near_duplicate" else {"exact_hash": b"x" * 16}
    ids = {}
    for label, facts in [("worse", worse), ("better", better)][:: 1 if worse_first else -1]:
        ids[label] = corpus.add(**{"source": "early", "name": label, **same, **facts})
    rows = corpus.run({"early": 1, "late": 2})
    assert outcome(rows[ids["worse"]]) == (kind, ids["better"])
    assert rows[ids["worse"]]["similarity"] == 1.0
    assert outcome(rows[ids["better"]]) == (None, None)


def test_documents_already_removed_take_no_part(corpus: Corpus) -> None:
    signature = random_signatures(1)[0]
    corpus.add("s", "best", signature, exact_hash=b"x" * 16, chars=999, removed=True)
    corpus.add("s", "copy", signature, exact_hash=b"x" * 16)
    rows = corpus.run()
    assert outcome(rows["s:copy"]) == (None, None)
    assert outcome(rows["s:best"]) == ("too_short", None)


def test_switches(corpus: Corpus) -> None:
    base = random_signatures(1)[0]
    for name in ("a", "b"):
        corpus.add("s", name, base, exact_hash=b"x" * 16, line_hashes=[5] * 3)
    rows = corpus.run(exact=False, near=None, lines=None)
    assert [row["status"] for row in rows.values()] == ["kept", "kept"]
    assert [row["dropped_lines"] for row in rows.values()] == [None, None]


def test_an_empty_corpus(corpus: Corpus) -> None:
    corpus.add("s", "a", removed=True)
    assert corpus.run()["s:a"]["reason"] == "too_short"


def test_similarity_of_a_near_duplicate_is_recorded(corpus: Corpus) -> None:
    base = random_signatures(1)[0]
    corpus.add("s", "a", base, chars=200)
    corpus.add("s", "b", changed(base, range(112, 128)))
    assert corpus.run()["s:b"]["similarity"] == 0.875


def test_kept_sources_lose_nothing_to_near_duplicates_but_others_do(corpus: Corpus) -> None:
    base = random_signatures(1)[0]
    corpus.add("law", "a", base, chars=300)
    corpus.add("law", "b", base, chars=200)
    corpus.add("news", "c", base, chars=100)
    rows = corpus.run(near={"threshold": 0.7, "keep_sources": ["law"]})
    assert {name: row["kept_id"] for name, row in rows.items()} == {"law:a": None, "law:b": None, "news:c": "law:a"}


def test_each_copy_names_a_document_that_stays(corpus: Corpus) -> None:
    """b is an exact copy of a, and a is nearly c, which is longer: both a and b go, and both name c."""
    base = random_signatures(1)[0]
    corpus.add("s", "a", base, exact_hash=b"x" * 16)
    corpus.add("s", "b", base, exact_hash=b"x" * 16)
    corpus.add("s", "c", changed(base, [0, 1]), chars=101)
    rows = corpus.run()
    assert rows["s:c"]["status"] == "kept"
    assert {row["kept_id"] for row in rows.values() if row["status"] == "removed"} == {"s:c"}


def test_lines_in_many_documents_of_a_source_are_dropped(corpus: Corpus) -> None:
    for number in range(4):
        corpus.add("forum", str(number), line_hashes=[7, 100 + number, 0, 7, 8])
    corpus.add("forum", "other", line_hashes=[8, 9])
    corpus.add("news", "same line", line_hashes=[7])  # counted for its own source only
    rows = corpus.run(lines={"max_documents": 3})
    assert [rows[f"forum:{number}"]["dropped_lines"] for number in range(4)] == [[0, 3, 4]] * 4
    assert rows["forum:other"]["dropped_lines"] == [0]
    assert rows["news:same line"]["dropped_lines"] is None
    assert all(row["status"] == "kept" for row in rows.values())


def test_a_line_in_as_many_documents_as_allowed_stays(corpus: Corpus) -> None:
    for number in range(3):
        corpus.add("forum", str(number), line_hashes=[7, 7, 7])  # one document counts once
    rows = corpus.run(lines={"max_documents": 3})
    assert [row["dropped_lines"] for row in rows.values()] == [None] * 3


def test_short_lines_are_never_dropped(corpus: Corpus) -> None:
    for number in range(5):
        corpus.add("forum", str(number), line_hashes=[0, 0])  # the hash of every line that is too short
    assert [row["dropped_lines"] for row in corpus.run(lines={"max_documents": 1}).values()] == [None] * 5


def test_sources_whose_lines_are_content_are_skipped(corpus: Corpus) -> None:
    for number in range(3):
        corpus.add("law", str(number), line_hashes=[7])
        corpus.add("forum", str(number), line_hashes=[7])
    rows = corpus.run(lines={"max_documents": 2, "skip_sources": ["law"]})
    assert [rows[f"law:{number}"]["dropped_lines"] for number in range(3)] == [None] * 3
    assert [rows[f"forum:{number}"]["dropped_lines"] for number in range(3)] == [[0]] * 3


def test_removed_copies_do_not_count_for_lines(corpus: Corpus) -> None:
    for number in range(5):
        corpus.add("forum", str(number), exact_hash=b"x" * 16, line_hashes=[7])
    rows = corpus.run(lines={"max_documents": 1})
    assert [row["dropped_lines"] for row in rows.values() if row["status"] == "kept"] == [None]
