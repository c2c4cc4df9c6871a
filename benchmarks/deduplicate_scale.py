"""Near-duplicates among many signatures with bounded memory: `python -m benchmarks.deduplicate_scale --documents 10000000`.

Each size runs in a process of its own: signatures are generated, one in ten a copy of an earlier one with an eighth of its
minima changed, written as a segment, and its pairs are joined. Times are of the segment and of the join; generating is left
out. Peak memory is the process's largest resident set, mapped pages included. Writes benchmarks/results/deduplicate_scale.json
with a paper estimate for 10 billion documents from the same file formats.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import ROOT, environment, write_result
from corpus.deduplicate import bands_for, near_clusters
from corpus.signatures import Bands, Batch, write_segment
from factory.zh.ngrams import NUM_PERM

RESULT = ROOT / "benchmarks" / "results" / "deduplicate_scale.json"
THRESHOLD, COPIES, CHANGED = 0.6, 10, 16  # one in COPIES is a copy; minima changed in it
BATCH = 100_000
SIZES = (100_000, 1_000_000, 10_000_000)


def generated(count: int, spent: list[float]) -> Iterator[Batch]:
    """Batches of signatures; a copy is of a document of its own batch. The time that this takes is added to `spent`."""
    for start in range(0, count, BATCH):
        begun = time.monotonic()
        size = min(BATCH, count - start)
        rng = np.random.default_rng(start)
        signatures = rng.integers(0, 2**32, (size, NUM_PERM), np.uint32)
        copies = np.arange(COPIES - 1, size, COPIES)
        signatures[copies] = signatures[copies - 1]
        signatures[copies, :CHANGED] = rng.integers(0, 2**32, (len(copies), CHANGED), np.uint32)
        ids = [f"d{start + i}" for i in range(size)]
        hashes = [row.tobytes() for row in np.ascontiguousarray(signatures[:, :4])]
        spent[0] += time.monotonic() - begun
        yield ids, hashes, signatures


def one(count: int) -> dict[str, Any]:
    folder = tempfile.mkdtemp(prefix="scale-")
    try:
        bands = Bands(*bands_for(THRESHOLD))
        spent = [0.0]
        begun = time.monotonic()
        stored = write_segment(f"{folder}/s", "", generated(count, spent), bands)
        written = time.monotonic() - begun - spent[0]
        size = sum(os.path.getsize(f"{folder}/s/{name}") for name in os.listdir(f"{folder}/s"))
        begun = time.monotonic()
        found = near_clusters(stored.signatures(), np.arange(count), THRESHOLD, stored.candidate_pairs())
        joined = time.monotonic() - begun
        planted = sum(len(range(COPIES - 1, min(BATCH, count - start), COPIES)) for start in range(0, count, BATCH))
        right = sum(member == head + 1 and member % BATCH % COPIES == COPIES - 1 for member, head in found)
        return {
            "documents": count,
            "bands": list(bands),
            "planted_copies": planted,
            "found": right,
            "found_wrongly": len(found) - right,
            "seconds_segment": round(written, 1),
            "seconds_join": round(joined, 1),
            "bytes_on_disk": size,
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    finally:
        shutil.rmtree(folder)


def paper(bands: list[int], documents: int) -> dict[str, Any]:
    """Sizes of every file for a number of documents, and in how many shards a machine of 4 GB would sort them."""
    return {
        "documents": documents,
        "signatures_tb": round(4 * NUM_PERM * documents / 1e12, 2),
        "keys_tb": round(8 * bands[0] * documents / 1e12, 2),
        "rows_tb": round(4 * bands[0] * documents / 1e12, 2),
        "one_band_keys_and_rows_gb": round(12 * documents / 1e9),
        "shards_of_100_million": math.ceil(documents / 1e8),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=SIZES[-1], help="largest size; 1/10 and 1/100 of it run first")
    parser.add_argument("--one", type=int)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return
    rows = []
    for count in (options.documents // 100, options.documents // 10, options.documents):
        done = subprocess.run([sys.executable, "-m", "benchmarks.deduplicate_scale", "--one", str(count)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    per = [(row["seconds_segment"] + row["seconds_join"]) / (row["documents"] * math.log2(row["documents"])) for row in rows]
    write_result(
        str(RESULT),
        {
            "environment": environment(("benchmarks.deduplicate_scale", "corpus.deduplicate", "corpus.signatures"), ("numba", "numpy")),
            "threshold": THRESHOLD,
            "sizes": rows,
            "seconds_per_n_log2_n_relative_to_the_second_size": [round(value / per[1], 3) for value in per],
            "paper_estimate": paper(rows[-1]["bands"], 10_000_000_000),
        },
    )
    print(RESULT)


if __name__ == "__main__":
    main()
