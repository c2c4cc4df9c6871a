"""What it costs to annotate a terabyte of Chinese, beside datatrove's own Chinese filters and MinHash.

`python -m benchmarks.annotate_throughput`: one process, one thread, CPU time, the same documents for all:

- `stage`: a whole part as the corpus build makes it: reading JSONL, normalising, every feature, Parquet with zstd;
- `kernels`: what datatrove's chain has too, and nothing else: class and line counts, n-gram repetition, MinHash;
- `datatrove`: GopherRepetitionFilter, GopherQualityFilter, FineWebQualityFilter and MinhashDedupSignature as shipped, for
  `zho_Hani` (spaCy with jieba). Every document passes through every filter, dropped or not, one after the other, so that
  the filters share datatrove's cache of words as in a pipeline; inside a filter the first failing test ends it, as shipped.

Compilation, imports and dictionaries are loaded before the clock starts. About 30 s.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import ROOT, data_folder, digest_of_ids, environment, rows, write_result

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_IO_THREADS")
CORPORA = ("law_moj", "social_ptt", "news_tw")
SAMPLE = ("news/news.jsonl", "encyclopedia/encyclopedia.jsonl")
REPEATS = 3
PASSES = 5  # of the kernels in one repeat
DATATROVE_BYTES = 500_000  # of each corpus, so that the slow side takes well under a minute
LANGUAGE = "zho_Hani"
CODE = ("benchmarks.annotate_throughput", "corpus.annotate", "corpus.features", "corpus.sources", "factory.zh")
LIBRARIES = ("datatrove", "jieba", "numba", "numpy", "opencc", "pyarrow", "spacy", "ahocorasick-rs", "xxhash")
RESULT = ROOT / "benchmarks" / "results" / "annotate_throughput.json"

Row = dict[str, Any]


def read_documents(limit_bytes: int) -> dict[str, list[Row]]:
    """The first rows of each corpus up to its share of the bytes; the bundled sample where there is no real text."""
    folder = data_folder()
    if folder is None:
        lines = [line for name in SAMPLE for line in (ROOT / "corpus" / "sample" / name).read_text(encoding="utf-8").splitlines()]
        return {"sample": [json.loads(line) for line in lines]}
    return {corpus: _head(rows(folder, corpus), limit_bytes // len(CORPORA)) for corpus in CORPORA}


def _head(found: Iterable[Row], limit_bytes: int) -> list[Row]:
    taken: list[Row] = []
    size = 0
    for row in found:
        size += len(row["text"].encode())
        if size > limit_bytes and taken:
            break
        taken.append({"id": row["id"], "text": row["text"]})
    return taken


def cpu_seconds(action: Callable[[], object]) -> float:
    """CPU time of one call, all threads of the process, with nothing left to collect before it."""
    gc.collect()
    start = time.process_time()
    action()
    return time.process_time() - start


def repeated(action: Callable[[], object], megabytes: float, passes: int = 1) -> dict[str, Any]:
    """The median of REPEATS; each repeat is the mean of some passes, so that short ones are seen by the clock."""
    seconds = [cpu_seconds(lambda: [action() for _ in range(passes)]) / passes for _ in range(REPEATS)]
    return {**rate(megabytes, statistics.median(seconds)), "repeats": [round(value, 3) for value in seconds]}


def stage(listed: Sequence[Row], folder: str) -> Callable[[], int]:
    """Makes one part of a JSONL file in `folder`; the call returns the bytes of normalised text."""
    from corpus.annotate import AnnotateWriter, SourceReader
    from corpus.recipe import InputFile
    from corpus.sources.spec import SourceSpec
    from corpus.tasks import store_missing, tasks_of

    path = f"{folder}/rows.jsonl"
    with open(path, "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in listed)
    spec = SourceSpec(type="rows", paths=[path], fields={"id": "id", "text": "text"})
    heads, _ = store_missing(tasks_of({"rows": spec}, [InputFile("rows", path, os.path.getsize(path))], folder), folder)

    def run() -> int:
        for _ in AnnotateWriter(folder).run(SourceReader(folder).run()):
            pass
        with open(f"{heads[0].folder}/part.json", encoding="utf-8") as stream:
            return int(json.load(stream)["bytes"])

    return run


def kernels(texts: list[str]) -> Callable[[], None]:
    """The compiled kernels over texts, in batches as the stage makes them."""
    from corpus.annotate import BATCH_DOCUMENTS
    from factory.zh import ngrams
    from factory.zh.charclass import table

    def run() -> None:
        classes = table()
        for start in range(0, len(texts), BATCH_DOCUMENTS):
            batch = ngrams.batch_of(texts[start : start + BATCH_DOCUMENTS])
            ngrams.class_counts(batch.codes, batch.offsets, classes)
            ngrams.line_statistics(batch.codes, batch.offsets, classes)
            for n in ngrams.NGRAM_SIZES:
                ngrams.repetition(batch.codes, batch.offsets, classes, n)
            ngrams.minhash_signatures(batch, classes)

    return run


def datatrove_chain() -> Callable[[Sequence[str]], tuple[dict[str, float], dict[str, int]]]:
    """The chain, warmed up; a call gives CPU seconds of each step and how many documents each filter would drop."""
    import jieba
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
    from loguru import logger

    logger.disable("datatrove")
    jieba.setLogLevel(60)

    # Chinese words are shorter than the default of 3 characters, and the default stop words are English; 1, 5 and 0.735 are
    # FineWeb-2's values for cmn_Hani. With the defaults the filter would stop at its second test, unmeasured.
    quality = {"min_avg_word_length": 1, "max_avg_word_length": 5, "max_non_alpha_words_ratio": 0.735, "min_stop_words": None}
    filters = {
        "GopherRepetitionFilter": GopherRepetitionFilter(language=LANGUAGE),
        "GopherQualityFilter": GopherQualityFilter(language=LANGUAGE, **quality),
        "FineWebQualityFilter": FineWebQualityFilter(language=LANGUAGE),
    }

    def run(texts: Sequence[str]) -> tuple[dict[str, float], dict[str, int]]:
        seconds, dropped = dict.fromkeys(filters, 0.0), dict.fromkeys(filters, 0)
        documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
        for document in documents:
            for name, step in filters.items():
                start = time.process_time()
                kept = step.filter(document)
                seconds[name] += time.process_time() - start
                dropped[name] += kept is not True
        with tempfile.TemporaryDirectory() as folder:
            signatures = MinhashDedupSignature(folder, language=LANGUAGE)
            seconds["MinhashDedupSignature"] = cpu_seconds(lambda: signatures.run(iter(documents)))
        return seconds, dropped

    run(["今天天氣很好，我們搭捷運去吃牛肉麵。" * 20])
    return run


def rate(megabytes: float, seconds: float) -> dict[str, float]:
    """MB (10^6 bytes of UTF-8) a second and core, and core-hours a TB."""
    speed = megabytes / seconds
    return {"mb_per_second_per_core": round(speed, 3), "core_hours_per_tb": round(1e6 / speed / 3600, 1), "cpu_seconds": round(seconds, 4)}


def peak_rss_mb() -> float:
    """The process's highest resident set so far; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024), 1)


def measure(limit_bytes: int, note: Callable[[str], None]) -> dict[str, Any]:
    """All three, ours first so that its memory is its own."""
    from factory.zh.normalize import normalize

    raw = read_documents(limit_bytes)
    corpora = {name: [{**row, "text": normalize(row["text"]).text} for row in listed] for name, listed in raw.items()}
    small = {name: _head(listed, DATATROVE_BYTES) for name, listed in corpora.items()}
    texts, small_texts = _texts(corpora), _texts(small)
    size, small_size = (sum(len(text.encode()) for text in some) / 1e6 for some in (texts, small_texts))
    with tempfile.TemporaryDirectory() as whole_folder, tempfile.TemporaryDirectory() as small_folder:
        note("compiling")
        before = peak_rss_mb()
        small_stage = stage([row for listed in small.values() for row in listed], small_folder)
        small_stage()
        whole_stage = stage([row for listed in raw.values() for row in listed], whole_folder)
        note("ours: the stage")
        assert whole_stage() == sum(len(text.encode()) for text in texts)
        ours = {
            "stage": {**repeated(whole_stage, size), "peak_rss_mb": peak_rss_mb(), "peak_rss_before_mb": before},
            "kernels": repeated(kernels(texts), size, PASSES),
        }
        same = {
            "stage": repeated(small_stage, small_size),
            "kernels": repeated(kernels(small_texts), small_size, PASSES),
        }
    note("datatrove")
    steps, dropped = datatrove_chain()(small_texts)
    seconds = sum(steps.values())
    return {
        "documents": {name: len(listed) for name, listed in corpora.items()},
        "megabytes": round(size, 3),
        "digest_of_ids": digest_of_ids(row["id"] for listed in corpora.values() for row in listed),
        **ours,
        "datatrove": {
            **rate(small_size, seconds),
            "megabytes": round(small_size, 3),
            "documents": {name: len(listed) for name, listed in small.items()},
            "language": LANGUAGE,
            "steps": {name: rate(small_size, step_seconds) for name, step_seconds in steps.items()},
            "documents_each_filter_would_drop": dropped,
            "peak_rss_mb": peak_rss_mb(),
        },
        "on_datatroves_documents": {
            **same,
            "stage_times_as_fast": round(seconds / same["stage"]["cpu_seconds"], 1),
            "kernels_times_as_fast": round(seconds / same["kernels"]["cpu_seconds"], 1),
        },
    }


def _texts(corpora: dict[str, list[Row]]) -> list[str]:
    return [row["text"] for listed in corpora.values() for row in listed]


def show(result: dict[str, Any], console: Console) -> None:
    """Speed of each side and what follows from it."""
    sides = Table("", "MB/s a core", "core-hours a TB", "peak RSS, MB", title=f"{result['megabytes']} MB on one core of {result['cpu']}")
    for name in ("stage", "kernels", "datatrove"):
        row = result[name]
        peak = row.get("peak_rss_mb")
        sides.add_row(name, f"{row['mb_per_second_per_core']:.2f}", f"{row['core_hours_per_tb']:,.0f}", f"{peak:,.0f}" if peak else "")
    console.print(sides)
    same = result["on_datatroves_documents"]
    console.print(
        f"on the same {result['datatrove']['megabytes']} MB: the whole stage is {same['stage_times_as_fast']} times as fast as "
        f"datatrove's chain, the same work {same['kernels_times_as_fast']} times"
    )


def main() -> None:
    """Measures, prints, writes."""
    for variable in THREAD_VARIABLES:  # read by the libraries when they are first imported, below
        os.environ[variable] = "1"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=4.0, help="of text, shared equally by the corpora (default 4)")
    parser.add_argument(
        "--output", help=f"default {RESULT.relative_to(ROOT)}; without TWLLM_DATA nothing is written unless this names a file"
    )
    arguments = parser.parse_args()
    console = Console()
    real = data_folder() is not None
    if not real:
        console.print("TWLLM_DATA is unset: the bundled sample (0.2 MB, news and encyclopedia) is measured, which is too small to trust.")
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with console.status("reading") as status:
        result = {
            "what": "CPU time of annotate, and of datatrove's Chinese filters and MinHash, on one core",
            "settings": {
                "text": f"the head of {', '.join(CORPORA)}" if real else "the bundled sample",
                "repeats": f"median of {REPEATS} for ours, 1 for datatrove",
                "datatrove_limit": f"the first {DATATROVE_BYTES / 1e6} MB of each corpus, for a short run; ratios are on these documents",
            },
            **measure(int(arguments.megabytes * 1e6), status.update),
            **environment(CODE, LIBRARIES),
        }
    show(result, console)
    output = arguments.output or (str(RESULT) if real else None)
    if output:
        write_result(output, result)
    console.print(f"written to {output}" if output else "not written")


if __name__ == "__main__":
    main()
