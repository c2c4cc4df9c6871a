"""What it costs to filter and sign a terabyte of Chinese: this project beside four others, on the same documents.

`python -m benchmarks.corpus_throughput`: each side in a process of its own, one thread, CPU time from reading JSONL to the last
result, imports and compilation before the clock starts. Sides and what they do:

- `twllm stage`: a whole part as the corpus build makes it: normalising, every feature, classifiers, personal data, Parquet with zstd;
- `twllm kernels`: what datatrove's chain has too, and nothing else: class and line counts, n-gram repetition, MinHash;
- `datatrove`: GopherRepetitionFilter, GopherQualityFilter, FineWebQualityFilter and MinhashDedupSignature as shipped, for
  `zho_Hani` (spaCy with jieba). Every document passes through every filter, dropped or not, so that all are measured; the filters
  share datatrove's cache of words as in a pipeline;
- `datatrove, rjieba`: the same with words from rjieba;
- `data-juicer`: its character repetition, special character and line length filters, and the hashes of its MinHash over characters;
  needs an environment of its own (`--data-juicer PYTHON`), since its requirements exclude ours;
- `rensa`, `datasketch`: MinHash signatures of character 9-grams, 128 permutations, nothing else.

Sizes: a small set, ten times and a hundred times as much, no document twice. About 12 minutes, most of it datatrove's.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_IO_THREADS")
CORPORA = ("law_moj", "social_ptt", "news_tw")
SAMPLE = ("news/news.jsonl", "encyclopedia/encyclopedia.jsonl")
REPEATS = 3
REPEATED_BELOW = 20.0  # CPU seconds: what takes longer is measured once
NGRAM, PERMUTATIONS = 9, 128
LANGUAGE = "zho_Hani"
CODE = ("benchmarks.corpus_throughput", "corpus.annotate", "corpus.features", "corpus.sources", "factory.zh")
LIBRARIES = ("datasketch", "datatrove", "jieba", "numba", "numpy", "opencc", "pyarrow", "rensa", "rjieba", "spacy", "xxhash")
RESULT = RESULTS / "corpus_throughput.json"
PLOT = Path(__file__).parents[1] / "docs" / "images" / "throughput.svg"
WARM_UP = "今天天氣很好，我們搭捷運去吃牛肉麵。\n" * 20

Run = Callable[[str], Any]  # reads a JSONL file of documents and does the side's work


def texts_of(path: str) -> Iterator[str]:
    """The texts of a JSONL file, one at a time."""
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)["text"]


def stage() -> Run:
    """One part of the corpus build, from a JSONL file to documents and features on disk."""
    from corpus.annotate import AnnotateWriter, SourceReader
    from corpus.recipe import InputFile
    from corpus.sources.spec import SourceSpec
    from corpus.tasks import store_missing, tasks_of

    def run(path: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            spec = SourceSpec(type="rows", paths=[path], fields={"id": "id", "text": "text"})
            store_missing(tasks_of({"rows": spec}, [InputFile("rows", path, os.path.getsize(path))], folder), folder)
            for _ in AnnotateWriter(folder).run(SourceReader(folder).run()):
                pass

    return run


def kernels() -> Run:
    """The compiled kernels, in batches as the stage makes them."""
    from corpus.annotate import BATCH_DOCUMENTS
    from factory.zh import ngrams
    from factory.zh.charclass import table

    def measure(texts: list[str]) -> None:
        classes = table()
        batch = ngrams.batch_of(texts)
        ngrams.class_counts(batch.codes, batch.offsets, classes)
        ngrams.line_statistics(batch.codes, batch.offsets, classes)
        for n in ngrams.NGRAM_SIZES:
            ngrams.repetition(batch.codes, batch.offsets, classes, n)
        ngrams.minhash_signatures(batch, classes)

    def run(path: str) -> None:
        texts: list[str] = []
        for text in texts_of(path):
            texts.append(text)
            if len(texts) == BATCH_DOCUMENTS:
                measure(texts)
                texts = []
        if texts:
            measure(texts)

    return run


def datatrove(words: Any = LANGUAGE) -> Run:
    """Its Chinese filters and signatures."""
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
    filters = [
        GopherRepetitionFilter(language=words),
        GopherQualityFilter(language=words, **quality),
        FineWebQualityFilter(language=words),
    ]

    def filtered(path: str) -> Iterator[Document]:
        for number, text in enumerate(texts_of(path)):
            document = Document(text=text, id=str(number))
            for step in filters:
                step.filter(document)
            yield document

    def run(path: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            MinhashDedupSignature(folder, language=words).run(filtered(path))

    return run


def datatrove_rjieba() -> Run:
    """datatrove with a faster segmenter."""
    import rjieba
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Words(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return [word for word in rjieba.cut(text) if word.strip()]

        def sent_tokenize(self, text: str) -> list[str]:
            return text.splitlines()

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise NotImplementedError

    return datatrove(Words())


def data_juicer() -> Run:
    """Its nearest operators, in batches of a thousand as its own executor maps them. Runs in data-juicer's environment."""
    from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
    from data_juicer.ops.filter.average_line_length_filter import AverageLineLengthFilter
    from data_juicer.ops.filter.character_repetition_filter import CharacterRepetitionFilter
    from data_juicer.ops.filter.special_characters_filter import SpecialCharactersFilter
    from data_juicer.utils.constant import Fields

    filters = [CharacterRepetitionFilter(), SpecialCharactersFilter(), AverageLineLengthFilter()]
    hashes = DocumentMinhashDeduplicator(tokenization="character", window_size=NGRAM, num_permutations=PERMUTATIONS, lowercase=False)

    def measure(texts: list[str]) -> None:
        samples = {"text": texts, Fields.stats: [{} for _ in texts]}
        for step in filters:
            step.compute_stats_batched(samples)
        for text in texts:
            hashes.compute_hash({"text": text})

    def run(path: str) -> None:
        texts: list[str] = []
        for text in texts_of(path):
            texts.append(text)
            if len(texts) == 1_000:
                measure(texts)
                texts = []
        measure(texts)

    return run


def ngrams_of(text: str) -> list[str]:
    """Character n-grams, white space left out."""
    joined = "".join(text.split())
    return [joined[start : start + NGRAM] for start in range(max(1, len(joined) - NGRAM + 1))]


def rensa() -> Run:
    """Signatures by rensa's R-MinHash."""
    from rensa import RMinHash

    def run(path: str) -> None:
        for text in texts_of(path):
            signature = RMinHash(num_perm=PERMUTATIONS, seed=42)
            signature.update(ngrams_of(text))
            signature.digest()

    return run


def datasketch() -> Run:
    """Signatures by datasketch."""
    from datasketch import MinHash

    def run(path: str) -> None:
        for text in texts_of(path):
            signature = MinHash(num_perm=PERMUTATIONS)
            signature.update_batch([ngram.encode() for ngram in ngrams_of(text)])

    return run


SIDES: dict[str, Callable[[], Run]] = {
    "twllm stage": stage,
    "twllm kernels": kernels,
    "datatrove": datatrove,
    "datatrove, rjieba": datatrove_rjieba,
    "data-juicer": data_juicer,
    "rensa": rensa,
    "datasketch": datasketch,
}


def measure_here(side: str, path: str) -> dict[str, Any]:
    """CPU seconds and peak memory of a side over a file, in this process."""
    if side.startswith("twllm"):
        import pyarrow as pa

        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
    run = SIDES[side]()
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as warm:
        warm.write(json.dumps({"id": "warm-up", "text": WARM_UP}, ensure_ascii=False) + "\n")
        warm.flush()
        run(warm.name)
    before = peak_rss_mb()
    seconds: list[float] = []
    while not seconds or (len(seconds) < REPEATS and seconds[0] < REPEATED_BELOW):
        gc.collect()
        start = time.process_time()
        run(path)
        seconds.append(time.process_time() - start)
    return {"seconds": seconds, "peak_rss_mb": peak_rss_mb(), "peak_rss_before_mb": before}


def peak_rss_mb() -> float:
    """The process's highest resident set so far; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024), 1)


def measured(side: str, path: str, megabytes: float, python: str) -> dict[str, Any]:
    """A side over a file, in a process of its own."""
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    root = str(Path(__file__).parents[1])
    here = ["-m", "benchmarks.corpus_throughput"] if python == sys.executable else [str(Path(__file__).resolve())]  # the other has not ours
    done = subprocess.run([python, *here, "--side", side, path], env=environment, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    found = json.loads(done.stdout.splitlines()[-1])
    seconds = statistics.median(found["seconds"])
    speed = megabytes / seconds
    return {
        "mb_per_second_per_core": round(speed, 3),
        "core_hours_per_tb": round(1e6 / speed / 3600, 1),
        "cpu_seconds": round(seconds, 4),
        "repeats": [round(value, 3) for value in found["seconds"]],
        "peak_rss_mb": found["peak_rss_mb"],
        "peak_rss_before_mb": found["peak_rss_before_mb"],
    }


def documents(limit_bytes: int) -> Iterator[dict[str, Any]]:
    """Normalised documents, no two with the same id, the corpora in turn so that each prefix has the same mixture by bytes."""
    from benchmarks import ROOT, data_folder, rows
    from factory.zh.normalize import normalize

    folder = data_folder()
    if folder is None:
        lines = [line for name in SAMPLE for line in (ROOT / "corpus" / "sample" / name).read_text(encoding="utf-8").splitlines()]
        streams: list[Iterator[dict[str, Any]]] = [map(json.loads, lines)]
    else:
        streams = [rows(folder, corpus) for corpus in CORPORA]
    taken = [0] * len(streams)
    while sum(taken) < limit_bytes:
        least = taken.index(min(taken))
        row = next(streams[least], None)
        if row is None:
            return
        text = normalize(row["text"]).text
        taken[least] += len(text.encode())
        yield {"id": row["id"], "text": text}


def write_sets(folder: str, base_bytes: int) -> list[dict[str, Any]]:
    """Three JSONL files, each ten times the one before, and what they hold."""
    from benchmarks import digest_of_ids

    found: list[dict[str, Any]] = []
    listed, size, factor = [], 0, 1
    for row in documents(100 * base_bytes):
        listed.append(row)
        size += len(row["text"].encode())
        if size >= factor * base_bytes:
            path = f"{folder}/{factor}.jsonl"
            with open(path, "w", encoding="utf-8") as stream:
                stream.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in listed)
            ids = digest_of_ids(each["id"] for each in listed)
            found.append({"times": factor, "path": path, "documents": len(listed), "megabytes": round(size / 1e6, 3), "digest_of_ids": ids})
            factor *= 10
    return found


def ratios(sides: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """How many times as fast as datatrove both of ours are, at the largest size."""
    theirs = sides["datatrove"][-1]["cpu_seconds"]
    return {
        "stage_times_as_fast": round(theirs / sides["twllm stage"][-1]["cpu_seconds"], 1),
        "kernels_times_as_fast": round(theirs / sides["twllm kernels"][-1]["cpu_seconds"], 1),
    }


def draw(result: dict[str, Any], path: Path) -> None:
    """Speed of each side, and how its cost grows."""
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with style.context(["default", {"svg.hashsalt": "twllm throughput", "axes.spines.top": False, "axes.spines.right": False}]):
        figure = Figure(figsize=(9.5, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        bars, lines = figure.subplots(1, 2)
        names = list(result["sides"])[::-1]
        speeds = [result["sides"][name][-1]["mb_per_second_per_core"] for name in names]
        drawn = bars.barh(names, speeds, color=["#0b6e4f" if name.startswith("twllm") else "#9aa5b1" for name in names])
        bars.bar_label(drawn, [f"{speed:.3g}" for speed in speeds], padding=3)
        bars.set(xscale="log", xlabel="MB/s on one core", xlim=(min(speeds) / 2, max(speeds) * 4))
        for name, found in result["sides"].items():
            ours = name.startswith("twllm")
            counts = [size["documents"] for size in result["sizes"]]
            costs = [each["core_hours_per_tb"] for each in found]
            lines.plot(
                counts, costs, marker="o", label=name, color="#0b6e4f" if ours else None, linestyle="--" if "kernels" in name else "-"
            )
        lines.set(xscale="log", yscale="log", xlabel="documents", ylabel="core-hours per TB")
        lines.legend(fontsize=7, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.22))
        figure.savefig(str(path), metadata={"Date": None})


def show(result: dict[str, Any]) -> None:
    """One line a side."""
    from rich.console import Console
    from rich.table import Table

    sizes = [f"{size['megabytes']:,.1f} MB" for size in result["sizes"]]
    found = Table("MB/s on one core", *sizes, "core-hours a TB", "peak, MB", title=f"one core of {result['cpu']}")
    for name, rows in result["sides"].items():
        speeds = [f"{row['mb_per_second_per_core']:.3g}" for row in rows]
        found.add_row(name, *speeds, f"{rows[-1]['core_hours_per_tb']:,.0f}", f"{rows[-1]['peak_rss_mb']:,.0f}")
    console = Console()
    console.print(found)
    ours = result["at_the_largest"]
    console.print(f"datatrove's chain: stage {ours['stage_times_as_fast']} times as fast, kernels {ours['kernels_times_as_fast']} times")


def main(arguments: Iterable[str] | None = None) -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=0.4, help="of the smallest set; the largest has a hundred times as much")
    parser.add_argument("--data-juicer", metavar="PYTHON", help="interpreter of an environment that has py-data-juicer and aiohttp")
    parser.add_argument("--output", help=f"default {RESULT.name} beside the other results; without TWLLM_DATA nothing is written")
    parser.add_argument("--side", nargs=2, metavar=("NAME", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.side:
        print(json.dumps(measure_here(*given.side)))
        return
    from benchmarks import data_folder, environment, write_result

    real = data_folder() is not None
    if not real:
        print("TWLLM_DATA is unset: the bundled sample is measured, at its own size, which is too small to trust.")
    with tempfile.TemporaryDirectory() as folder:
        sizes = write_sets(folder, int(given.megabytes * 1e6) if real else 50_000)
        sides: dict[str, list[dict[str, Any]]] = {}
        for name in SIDES:
            if name == "data-juicer" and not given.data_juicer:
                continue
            python = given.data_juicer if name == "data-juicer" else sys.executable
            for size in sizes:
                print(f"{name}: {size['documents']:,} documents", file=sys.stderr)
                sides.setdefault(name, []).append(measured(name, size["path"], size["megabytes"], python))
    result = {
        "what": "CPU time from JSONL to the last result, one core, each side in its own process",
        "settings": {"text": f"{', '.join(CORPORA)} in turn" if real else "the bundled sample", "language": LANGUAGE},
        "sizes": [{key: value for key, value in size.items() if key != "path"} for size in sizes],
        "sides": sides,
        "at_the_largest": ratios(sides),
        **environment(CODE, LIBRARIES),
    }
    show(result)
    output = given.output or (str(RESULT) if real else None)
    if output:
        write_result(output, result)
        if output == str(RESULT):
            draw(result, PLOT)
    print(f"written to {output}" if output else "not written")


if __name__ == "__main__":
    main()
