"""Pairs from disk are those of all pairs in memory; an index names originals, and is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from corpus.signatures import (
    Bands,
    Segment,
    Signatures,
    band_keys,
    bucket_pairs,
    earlier,
    originals,
    segments_of,
    similarity,
    store,
    write_segment,
)
from factory.errors import UserError
from factory.zh.ngrams import NUM_PERM
from tests.corpus.conftest import REPOSITORY

BANDS = Bands(16, 8)


def drawn(count: int, seed: int = 1) -> Signatures:
    """Signatures of which every third is a copy of an earlier one with some minima changed."""
    rng = np.random.default_rng(seed)
    found = rng.integers(0, 2**32, (count, NUM_PERM), np.uint32)
    for row in range(3, count, 3):
        found[row] = found[rng.integers(0, row)]
        found[row, rng.choice(NUM_PERM, rng.integers(0, 60), replace=False)] = rng.integers(0, 2**32, dtype=np.uint32)
    return found


def batches(signatures: Signatures, size: int = 70, name: str = "d") -> Iterator[tuple[list[str], list[bytes], Signatures]]:
    for start in range(0, len(signatures), size):
        block = signatures[start : start + size]
        yield [f"{name}{start + i}" for i in range(len(block))], [row.tobytes()[:16] for row in block], block


def segment(tmp_path: Path, signatures: Signatures, name: str = "a") -> Segment:
    return write_segment(f"{tmp_path}/index/{name}", "k", batches(signatures, name=name), BANDS)


def test_pairs_are_all_that_share_a_band(tmp_path: Path) -> None:
    signatures = drawn(600)
    stored = segment(tmp_path, signatures)
    assert (stored.signatures() == signatures).all() and stored.ids()[5] == "a5"
    found = {tuple(sorted(pair)) for pairs in stored.candidate_pairs() for pair in pairs.tolist()}
    expected = set()
    for band in range(BANDS.number):
        rows = signatures[:, band * BANDS.rows : (band + 1) * BANDS.rows]
        for one in range(len(rows)):
            for other in np.flatnonzero((rows[one + 1 :] == rows[one]).all(axis=1)).tolist():
                expected.add((one, one + 1 + other))
    assert found == expected and len(found) > 100


def test_large_buckets_stay_linear_and_connected() -> None:
    pairs = np.concatenate(list(bucket_pairs(np.zeros(500, np.uint64), np.arange(500), size=64)))
    assert len(pairs) < 500 * 18
    assert {tuple(pair) for pair in pairs.tolist()} >= {(0, i) for i in range(1, 500)}


def test_the_same_signatures_give_the_same_bytes_however_they_are_batched(tmp_path: Path) -> None:
    signatures = drawn(200)
    one = segment(tmp_path, signatures, "a")
    other = write_segment(f"{tmp_path}/index/b", "k", batches(signatures, 13, "a"), BANDS)
    for number in range(BANDS.number):
        assert all((x == y).all() for x, y in zip(one.band(number), other.band(number), strict=True))
    assert (band_keys(signatures, BANDS)[3][one.band(3)[1]] == one.band(3)[0]).all()


def test_copies_of_an_earlier_corpus_name_their_originals(tmp_path: Path) -> None:
    old = drawn(300)
    stored = segment(tmp_path, old)
    new = drawn(40, 9)
    new[0], new[1] = old[7], old[8]
    new[1, :30] = 5
    new[2], new[3] = np.uint32(0xFFFFFFFF), old[9]
    new[3, :100] = 6
    hashes = [row.tobytes()[:16] for row in new]
    found = originals([stored], hashes, new, 0.6)
    best = similarity(new, np.array([[1, 8]]), old)
    assert found[0] is not None and found[0].exact and found[0].similarity == 1.0
    assert found[1] is not None and (found[1].id, found[1].similarity, found[1].exact) == ("a8", round(float(best[0]), 4), False)
    assert found[2] is None and found[3] is None and not any(found[4:])
    assert originals([stored], hashes, new, None)[1] is None
    assert originals([], hashes, new, 0.6) == [None] * 40 == originals([segment(tmp_path, old[:0], "e")], hashes, new, 0.6)


def test_every_copy_above_the_threshold_that_shares_a_band_is_found(tmp_path: Path) -> None:
    old, new = drawn(200), drawn(200, 2)
    stored = segment(tmp_path, old)
    new[::2] = old[::2]
    rng = np.random.default_rng(3)
    for row in range(0, 200, 2):
        new[row, rng.choice(NUM_PERM, 20, replace=False)] = 3
    shared = (band_keys(new, BANDS)[:, :, None] == band_keys(old, BANDS)[:, None, :]).any(axis=0)
    values = (new[:, None, :] == old[None, :, :]).mean(axis=2)
    found = originals([stored], [bytes(16)] * 200, new, 0.6)
    for row in range(200):
        expected = max((values[row, other] for other in np.flatnonzero(shared[row])), default=0.0)
        assert (found[row].similarity if found[row] else 0.0) == (round(expected, 4) if expected >= 0.6 else 0.0)  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", ["segment.json", "signatures", "rows-03"])
def test_a_damaged_segment_is_one_line(tmp_path: Path, damage: str) -> None:
    segment(tmp_path, drawn(50))
    path = tmp_path / "index" / "a" / damage
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="index/a: .*Remove the folder") as caught:
        segments_of(f"{tmp_path}/index")
    assert "\n" not in str(caught.value)


KILLED = """
import os, signal, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from tests.corpus.test_signatures import drawn, segment
stop, seen, real = int(sys.argv[2]), 0, os.replace
def replace(*args):
    global seen
    seen += 1
    if seen == stop:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args)
os.replace = replace
segment(Path(sys.argv[1]), drawn(90, 5))
"""


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_killed_while_it_is_written_the_index_is_old_new_or_without_it(tmp_path: Path, stop: int) -> None:
    segment(tmp_path, drawn(50), "b")
    segment(tmp_path, drawn(50), "a")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(stop)], cwd=REPOSITORY)
    assert done.returncode == -signal.SIGKILL
    counts = [stored.count for stored in segments_of(f"{tmp_path}/index").values()]
    assert counts in ([50, 50], [50])  # the second rename is between old and new: the corpus is built again then
    assert segment(tmp_path, drawn(90, 5)).count == 90
    assert [stored.count for stored in segments_of(f"{tmp_path}/index").values()] == [90, 50]
    assert os.path.isdir(f"{tmp_path}/index/a")


def test_a_corpus_is_compared_with_what_came_before_it(tmp_path: Path) -> None:
    index = f"{tmp_path}/index"
    for name in ("winter", "spring", "autumn"):
        store(index, name, "k1", batches(drawn(20)), BANDS)
    assert [os.path.basename(found.folder) for found in earlier(index, "autumn")] == ["winter", "spring"]
    assert earlier(index, "winter") == []
    assert len(earlier(index, "next")) == 3
    before = (tmp_path / "index" / "spring" / "segment.json").stat().st_mtime_ns
    store(index, "spring", "k1", batches(drawn(30)), BANDS)
    assert (tmp_path / "index" / "spring" / "segment.json").stat().st_mtime_ns == before
    store(index, "spring", "k2", batches(drawn(30)), BANDS)
    assert [(name, found.count) for name, found in segments_of(index).items()] == [("winter", 20), ("spring", 30), ("autumn", 20)]
