"""Scores of texts by models that have not seen them: what a second layer, a calibration and a threshold are fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from corpus.classifiers.data import TERMS, Passage, clusters, draw
from factory.zh.classifiers.model import Array

Folds = npt.NDArray[np.int64]
LEAST_SOURCES = 3  # of a label, below which a fold would leave one source to learn it from, or none
OF_ALL = -1  # learnt from in every fold, scored in none


def by_cluster(passages: Sequence[Passage], count: int, seed: int) -> Folds:
    """A fold for each passage; documents with near copies stay together."""
    return np.array([draw(root, seed) % count for root in clusters(passages)], np.int64)


def by_source(passages: Sequence[Passage], count: int, seed: int) -> Folds:
    """A fold for each passage. A file goes whole where each of its labels has LEAST_SOURCES files, and is divided by document otherwise.

    Files with a label in common are kept apart. Passages of the term lists are OF_ALL.
    """
    files = Counter((_file(p), label) for p in passages if p.source != TERMS for label in p.labels)
    with_label = Counter(label for _, label in files)
    sizes = Counter({name: sum(n for (f, _), n in files.items() if f == name) for name in {f for f, _ in files}})
    whole: dict[str, int] = {}
    held = [Counter[str]() for _ in range(count)]
    for name, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        labels = {label: n for (f, label), n in files.items() if f == name}
        if all(with_label[label] >= LEAST_SOURCES for label in labels):
            fold = min(range(count), key=lambda k: (sum(held[k][label] for label in labels), held[k].total(), k))
            whole[name] = fold
            held[fold].update(labels)
    return np.array(
        [OF_ALL if p.source == TERMS else whole.get(_file(p), draw(p.document, seed) % count) for p in passages],
        np.int64,
    )


def _file(passage: Passage) -> str:
    return passage.document.partition("/")[0]


def out_of_fold(
    passages: Sequence[Passage], folds: Folds, labels: Sequence[str], scored: Callable[[list[Passage], list[Passage]], dict[str, Array]]
) -> Array:
    """Scores, shape (passages, labels, ...): of each fold those of a model that learnt from the others; OF_ALL rows stay 0.

    `scored(train, rest)` gives scores, shape (rest, ...), for each label that `train` has. One that it lacks gets a row's lowest.
    """
    result: Array | None = None
    for fold in sorted(set(folds.tolist()) - {OF_ALL}):
        inside = np.flatnonzero(folds == fold)
        columns = scored([passages[i] for i in np.flatnonzero(folds != fold).tolist()], [passages[i] for i in inside.tolist()])
        lowest = np.min(list(columns.values()), axis=0)
        values = np.stack([columns.get(label, lowest) for label in labels], 1)
        if result is None:
            result = np.zeros((len(passages), *values.shape[1:]))
        result[inside] = values
    return np.zeros((len(passages), len(labels))) if result is None else result
