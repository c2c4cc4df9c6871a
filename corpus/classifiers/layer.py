"""The second layer of a model with word lists: how far tokens are to be believed, and how far lists.

A token model that has seen a source knows its topics by heart, and its scores on that source promise more than it keeps
elsewhere. The layer is fitted on scores of models that have not seen the source (stacking, Wolpert 1992,
https://doi.org/10.1016/S0893-6080(05)80023-1), so it gives tokens the weight that they earn on foreign texts. A share of the
rows has every listed word blanked, so that the layer can also do without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from corpus.classifiers.data import Passage
from corpus.classifiers.folds import OF_ALL, by_source, out_of_fold
from corpus.classifiers.masking import mask
from corpus.classifiers.recipe import ClassifierRecipe
from factory.zh.classifiers import lists
from factory.zh.classifiers.model import Array, Classifier, ListFacts
from factory.zh.ngrams import batch_of

FOLDS = 3
MASKED_SHARE = 0.3  # weight of a row with listed words blanked
STRENGTH = 1_300.0  # inverse of the penalty, for weights of rows that sum to one
Learn = Callable[[list[Passage]], Classifier]


def fit(
    passages: Sequence[Passage], recipe: ClassifierRecipe, labels: Sequence[str], learn: Learn, say: Callable[[str], None]
) -> ListFacts:
    """The layer's weights. `learn` trains a token model; it is called FOLDS times."""
    folds = by_source(passages, FOLDS, recipe.seed)
    blanked = [passage._replace(text=mask(passage.text).text) for passage in passages]
    step = 0

    def scored(train: list[Passage], rest: list[Passage]) -> dict[str, Array]:
        nonlocal step
        step += 1
        say(f"training without a third of the sources, {step} of {FOLDS}")
        model = learn(train)
        values = model.token_scores([p.text for p in rest] + [mask(p.text).text for p in rest]).reshape(2, len(rest), -1)
        return {label: values[:, :, i].T for i, label in enumerate(model.labels)}

    pairs = out_of_fold(passages, folds, labels, scored)
    used = np.flatnonzero(folds != OF_ALL)
    rows = [passages[i] for i in used.tolist()]
    truth = np.array([labels.index(p.labels[0]) for p in rows])
    weight = _weights(rows, truth)
    plain = _design(pairs[used, :, 0], rows)
    spoken = np.array(["cn" not in p.labels for p in rows])  # script tells `cn`, masked or not
    masked = _design(pairs[used, :, 1], [blanked[i] for i in used.tolist()])[spoken]
    return _solve(
        np.vstack([plain, masked]), np.concatenate([truth, truth[spoken]]), np.concatenate([weight, MASKED_SHARE * weight[spoken]]), labels
    )


def _design(scores: Array, rows: Sequence[Passage]) -> Array:
    return np.hstack([scores - scores.mean(1, keepdims=True), lists.evidence(batch_of([p.text for p in rows]))])


def _weights(rows: Sequence[Passage], truth: Array) -> Array:
    """Every label weighs the same, and of its sources each the square root of its size."""
    sources = [(p.labels[0], p.document.partition("/")[0], p.source) for p in rows]
    counts = Counter(sources)
    weight = np.array([counts[source] ** -0.5 for source in sources])
    for label in np.unique(truth):
        weight[truth == label] /= weight[truth == label].sum()
    normal: Array = weight / weight.sum()
    return normal


def _solve(design: Array, truth: Array, weight: Array, labels: Sequence[str]) -> ListFacts:
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=STRENGTH, max_iter=5_000).fit(design, truth, sample_weight=weight / weight.sum())
    rows, constant = found.coef_, found.intercept_
    if len(labels) == 2:
        rows, constant = np.vstack([-rows, rows]) / 2, np.concatenate([-constant, constant]) / 2
    rounded = [[round(float(value), 6) for value in row] for row in rows]
    return ListFacts(
        mix={label: dict(zip(labels, row[: len(labels)], strict=True)) for label, row in zip(labels, rounded, strict=True)},
        weights={label: dict(zip(lists.FEATURES, row[len(labels) :], strict=True)) for label, row in zip(labels, rounded, strict=True)},
        constant={label: round(float(value), 6) for label, value in zip(labels, constant, strict=True)},
    )
