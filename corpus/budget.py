"""What a mixture of so many tokens can be made of: quota × quality × rights, with repetition that pays less and less.

Each source has its share of the target (its `weight`). Inside a source documents are taken by value: the quality score times an
upsampling factor for how many copies the run found of a document, since what exists a few times is better than what exists once
or a thousand times (Penedo et al. 2025, FineWeb2, on rehydration by cluster size; the factors are settings, not theirs). The n-th
repetition of a text is worth exp(-(n - 1) / R), R = 15.39 (Muennighoff et al. 2023, Scaling Data-Constrained Language Models),
and none goes above `max_epochs`. What a token more is worth falls with every token, so the best mixture has one such worth for
all documents of a source; it is found by bisection.
"""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.permissions import Use, allowed, refused
from corpus.recipe import Plan
from corpus.why import read_manifest
from factory import storage
from factory.errors import UserError
from factory.records import Reason, Status

if TYPE_CHECKING:
    from corpus.estimate import Estimate

REPETITION_DECAY = 15.39  # R of Muennighoff et al. 2023: epochs after which a repeated token has lost most of its worth
MAX_EPOCHS = 4.0  # up to which they found repetition nearly as good as new text
COPY_FACTORS: Mapping[int, float] = {1: 1.0, 2: 1.5, 5: 2.0, 100: 1.0}  # copies from which on -> factor
QUALITY_BINS = 20
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


class Cell(NamedTuple):
    """Documents of one source that are worth the same."""

    source: str
    quality: float  # 0 to 1
    factor: float  # for their copies
    documents: int
    tokens: int

    @property
    def value(self) -> float:
        """Worth of a token the first time."""
        return max(self.quality, 0.01) * self.factor


class Supply(NamedTuple):
    """What there is to make a mixture of."""

    cells: list[Cell]
    withheld: dict[str, int]  # source -> tokens that the use that was asked for leaves out
    measured: bool  # a finished run was read; else files were sampled, and quality and copies are not known
    documents: list[tuple[str, int, int]]  # id, tokens and cell of each; empty where files were sampled


class SourceBudget(NamedTuple):
    """What one source gives. `tokens` + `missing` = `quota`."""

    source: str
    quota: int  # tokens asked of it
    available: int  # different tokens that it has and that may be used
    withheld: int  # more of them whose rights do not allow the use
    used: int  # different tokens taken at least in part
    tokens: int  # with repetitions
    epochs: float  # tokens / used
    missing: int


class Budget(NamedTuple):
    """The mixture. `epochs` holds for each cell of the supply how often it is repeated."""

    target: int
    sources: list[SourceBudget]
    epochs: list[float]

    @property
    def tokens(self) -> int:
        """Tokens of the mixture with repetitions."""
        return sum(source.tokens for source in self.sources)

    @property
    def reachable(self) -> int:
        """The largest target whose quotas all sources can fill."""
        shares = [(s.tokens if s.missing else math.inf, s.quota / self.target) for s in self.sources if s.quota]
        return round(min((most / share for most, share in shares), default=0)) if any(s.missing for s in self.sources) else self.target


def tokens_of(text: str) -> int:
    """A count such as 35B, 1.5M or 800000. Raises UserError for anything else."""
    found = re.fullmatch(r"(\d+(?:[_,]\d{3})*(?:\.\d+)?)\s*([KMBT]?)", text.strip().upper())
    count = round(float(found[1].replace(",", "").replace("_", "")) * _UNITS[found[2]]) if found else 0
    if count <= 0:
        raise UserError(f"--target-tokens {text!r} is no number of tokens. Write it like 35B, 1.5M or 800000.")
    return count


def of_run(run: str, use: Use | None) -> Supply:
    """The supply that a finished run holds: kept documents, and those that only its mixture's caps or rights left out."""
    manifest = read_manifest(run)
    table = pq.read_table(f"{run}/decisions.parquet", columns=["id", "source", "chars", "status", "reason", "kept_id", "tokens"])
    columns = table.to_pydict()
    copies = Counter(kept for kept in columns["kept_id"] if kept is not None)
    rate = _tokens_per_char(columns)
    cells: dict[tuple[str, int, float], int] = {}
    totals: list[list[float]] = []
    withheld: Counter[str] = Counter()
    documents = []
    first = 0
    for part in manifest["parts"]:
        folder = f"{run}/work/annotate/{part['folder']}"
        quality = pq.read_table(f"{folder}/features.parquet", columns=["score_quality"]).column(0).to_pylist()
        verdicts = refused(f"{folder}/documents.parquet", use, None) if use else [None] * len(quality)
        for row, (score, verdict) in enumerate(zip(quality, verdicts, strict=True), first):
            in_principle = columns["status"][row] == Status.KEPT or columns["reason"][row] in (Reason.MIXTURE_CAP, Reason.RIGHTS)
            source = columns["source"][row]
            tokens = columns["tokens"][row] or round(columns["chars"][row] * rate[source])
            if not in_principle:
                continue
            if verdict is not None or columns["reason"][row] == Reason.RIGHTS:
                withheld[source] += tokens
                continue
            score = 0.5 if score is None else float(score)
            key = (source, min(QUALITY_BINS - 1, int(score * QUALITY_BINS)), _factor(1 + copies[columns["id"][row]]))
            cell = cells.setdefault(key, len(cells))
            if cell == len(totals):
                totals.append([0, 0, 0.0])
            totals[cell][0] += 1
            totals[cell][1] += tokens
            totals[cell][2] += score
            documents.append((columns["id"][row], tokens, cell))
        first += part["documents"]
    found = [
        Cell(source, quality / count, factor, int(count), int(tokens))
        for (source, _, factor), (count, tokens, quality) in zip(cells, totals, strict=True)
    ]
    return Supply(found, dict(withheld), True, documents)


def _tokens_per_char(columns: Mapping[str, list[object]]) -> dict[str, float]:
    chars: dict[str, int] = defaultdict(int)
    tokens: dict[str, int] = defaultdict(int)
    for source, length, count in zip(columns["source"], columns["chars"], columns["tokens"], strict=True):
        if count:
            chars[str(source)] += int(str(length))
            tokens[str(source)] += int(str(count))
    known = sum(tokens.values()) / max(1, sum(chars.values())) or 0.8
    return defaultdict(lambda: known, {source: tokens[source] / chars[source] for source in chars if chars[source]})


def _factor(copies: int) -> float:
    starts = sorted(COPY_FACTORS)
    return COPY_FACTORS[starts[bisect_right(starts, copies) - 1]]


def of_estimate(plan: Plan, found: Estimate, use: Use | None) -> Supply:
    """The supply that sampled files promise; rights are those that the recipe states for a source."""
    cells, withheld = [], {}
    for name, source in found.sources.items():
        if use is not None and use not in allowed(plan.specs[name].license, None):
            withheld[name] = source.tokens
        else:
            cells.append(Cell(name, 0.5, 1.0, source.kept, source.tokens))
    return Supply(cells, withheld, False, [])


def solve(supply: Supply, weights: Mapping[str, float], target: int, max_epochs: float = MAX_EPOCHS) -> Budget:
    """The mixture of `target` tokens that is worth most, sources sharing it by weight."""
    if max_epochs <= 0 or not math.isfinite(max_epochs):
        raise UserError(f"--max-epochs {max_epochs}: give a number above 0; 4 is the default.")
    whole = sum(weights.values())
    epochs = [0.0] * len(supply.cells)
    sources = []
    for source, weight in weights.items():
        own = [index for index, cell in enumerate(supply.cells) if cell.source == source]
        quota = round(target * weight / whole)
        for index, value in zip(own, _fill([supply.cells[index] for index in own], quota, max_epochs), strict=True):
            epochs[index] = value
        taken = sum(supply.cells[index].tokens * epochs[index] for index in own)
        used = sum(supply.cells[index].tokens * min(1.0, epochs[index]) for index in own)
        tokens = min(quota, round(taken))
        available = sum(supply.cells[index].tokens for index in own)
        rate = round(taken / used, 3) if used else 0.0
        sources.append(SourceBudget(source, quota, available, supply.withheld.get(source, 0), round(used), tokens, rate, quota - tokens))
    return Budget(target, sources, epochs)


def _fill(cells: Sequence[Cell], quota: int, max_epochs: float) -> list[float]:
    """Epochs of each cell: all repeat until another repetition is worth the same; the least valuable ones are cut to fit."""
    if sum(cell.tokens for cell in cells) * max_epochs <= quota:
        return [max_epochs] * len(cells)

    def wanted(worth: float) -> list[float]:
        return [0.0 if cell.value < worth else min(max_epochs, 1.0 + REPETITION_DECAY * math.log(cell.value / worth)) for cell in cells]

    high = 2 * max(cell.value for cell in cells)  # where nothing is wanted
    low = high * math.exp(-max_epochs / REPETITION_DECAY) * 1e-6
    for _ in range(200):
        middle = (low + high) / 2
        if sum(cell.tokens * each for cell, each in zip(cells, wanted(middle), strict=True)) > quota:
            low = middle
        else:
            high = middle
    epochs = wanted(high)
    rest = quota - sum(cell.tokens * each for cell, each in zip(cells, epochs, strict=True))
    for index in sorted(range(len(cells)), key=lambda index: -cells[index].value):  # those on the edge: a part of them fits
        more = min(rest / cells[index].tokens if cells[index].tokens else 0.0, wanted(low)[index] - epochs[index])
        if more > 0:
            epochs[index] += more
            rest -= more * cells[index].tokens
    return epochs


def write_repeats(supply: Supply, budget: Budget, path: str) -> int:
    """Writes a Parquet table of ids and how often each goes into an epoch of the mixture; returns the tokens that makes.

    Whole numbers: what a cell's epochs have after the point falls on a share of its documents, chosen by a hash of the id.
    """
    if not supply.documents:
        raise UserError("--repeats needs a finished run, whose documents it can name. Build the recipe first.")
    ids, repeats, total = [], [], 0
    for name, tokens, cell in supply.documents:
        whole, part = divmod(budget.epochs[cell], 1.0)
        chance = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64
        times = int(whole) + (chance < part)
        if times:
            ids.append(name)
            repeats.append(times)
            total += times * tokens
    table = pa.table({"id": pa.array(ids, pa.string()), "repeats": pa.array(repeats, pa.int32())})
    storage.atomic_write(path, lambda stream: pq.write_table(table, stream, compression="zstd"))
    return total
