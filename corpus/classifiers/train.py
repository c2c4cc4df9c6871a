"""Trains a classifier, calibrates it, sets its thresholds, and writes model, facts and card."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from corpus.classifiers import data as dataset
from corpus.classifiers import folds, layer
from corpus.classifiers.calibrate import operating_threshold, platt
from corpus.classifiers.data import Passage, Split
from corpus.classifiers.recipe import OPEN_LICENSES, ClassifierRecipe
from factory import manifest, storage
from factory.errors import UserError
from factory.zh.classifiers.fasttext_file import END, LinearModel, encode, parse, sha256
from factory.zh.classifiers.model import CLEAN, FACTS_FILE, LEAST_TOKENS, MODEL_FILE, TASKS, Array, Classifier, LabelFacts, ModelFacts
from factory.zh.classifiers.tokens import tokens
from factory.zh.matcher import entries

MAX_MODEL_BYTES = 8 << 20
_IDF_SQUARED = 25.0  # of a rare token, about: `strength` is meant for vectors of that size
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U000323af]+")
_CODE = (
    "corpus.classifiers.data", "corpus.classifiers.train", "corpus.classifiers.calibrate", "corpus.classifiers.folds",
    "corpus.classifiers.layer", "factory.zh.classifiers",
)  # fmt: skip
_LIBRARIES = ("fasttext-numpy2-wheel", "numpy", "opencc", "scikit-learn")


class Trained(NamedTuple):
    """What training made."""

    classifier: Classifier
    blob: bytes
    facts: ModelFacts
    split: Split
    clean: list[Passage]
    settings: dict[str, Any]


def gather(recipe: ClassifierRecipe, base: str, where: str) -> Split:
    """Reads and splits the recipe's data. Raises UserError for a label of the data without a text to learn from."""
    passages = [
        passage for number, data in enumerate(recipe.data) for passage in dataset.read_set(data, recipe, base, f"{where}: data.{number}")
    ]
    found = dataset.split(passages, recipe)
    for name, side in zip(Split._fields, found, strict=True):
        present = dataset.by_label(side)
        for label in sorted({label for passage in passages for label in passage.labels}):
            if label not in present and (name == "train" or getattr(recipe, name)):
                raise UserError(f"{where}: class {label!r} is empty in the {name} split. Add texts with this label, or change the shares.")
    if len(dataset.by_label(passages)) < 2:
        raise UserError(
            f"{where}: the data hold one class only. Add texts of another label of {recipe.task}: {', '.join(TASKS[recipe.task])}."
        )
    return found


def train(recipe: ClassifierRecipe, base: str, where: str, say: Callable[[str], None] = lambda line: None) -> Trained:
    """Trains the recipe's model. Single-threaded and seeded: the same recipe and data give the same bytes.

    With `autotune_seconds` fastText searches for that long first; what it chose is in the card, to be written into the recipe.
    """
    say("reading")
    split = gather(recipe, base, where)
    clean = [
        p
        for n, data in enumerate(recipe.operating_point.clean)
        for p in dataset.read_set(data, recipe, base, f"{where}: operating_point.clean.{n}")
    ]
    labels = [label for label in TASKS[recipe.task] if label in dataset.by_label(split.train)]
    say(f"training on {len(split.train):,} passages")
    blob, settings = fit(split.train, split.calibration, recipe)
    if len(blob) > MAX_MODEL_BYTES:
        raise UserError(
            f"{where}: the model has {len(blob):,} bytes, more than {MAX_MODEL_BYTES:,}. Lower fasttext.cutoff or fasttext.dim."
        )
    learnt = [*split.train, *split.calibration]
    inputs = [recipe.model_dump(mode="json"), dataset.digest(learnt), manifest.code_digest(_CODE, _LIBRARIES)]
    facts = neutral(recipe, labels, blob).model_copy(update={"made_by": manifest.digest([*inputs, *_lists_in(recipe)])})
    if recipe.word_lists:
        of_lists = layer.fit(learnt, recipe, labels, lambda rows: _classifier(rows, split.calibration, recipe), say)
        facts = facts.model_copy(update={"lists": of_lists})  # whose scores are probabilities of unseen sources already
        return Trained(Classifier(facts, parse(blob, where)), blob, facts, split, clean, settings)
    say("calibrating")
    raw = Classifier(facts, parse(blob, where))
    if recipe.logistic is None:
        seen, margins = split.calibration, raw.document_margins([p.text for p in split.calibration])
    else:
        seen, margins = learnt, cross_validated(learnt, recipe, labels)
    facts = facts.model_copy(update={"labels": calibrated(labels, margins, seen, raw.document_margins([p.text for p in clean]), recipe)})
    return Trained(Classifier(facts, parse(blob, where)), blob, facts, split, clean, settings)


def _lists_in(recipe: ClassifierRecipe) -> list[Any]:
    return [[list(entry) for entry in entries()]] if recipe.word_lists else []


def neutral(recipe: ClassifierRecipe, labels: Sequence[str], blob: bytes) -> ModelFacts:
    """Facts of a model whose scores are as the weights give them."""
    return ModelFacts(
        task=recipe.task,
        name=recipe.name,
        version=recipe.version,
        longest_token=recipe.longest_token,
        labels={label: LabelFacts(slope=1.0, intercept=0.0, threshold=None) for label in labels},
        pooling="mean" if recipe.logistic is None else "presence",
        made_by="",
        sha256=sha256(blob),
    )


def _classifier(rows: Sequence[Passage], check: Sequence[Passage], recipe: ClassifierRecipe) -> Classifier:
    blob, _ = fit(rows, check, recipe)
    labels = [label for label in TASKS[recipe.task] if label in dataset.by_label(rows)]
    return Classifier(neutral(recipe, labels, blob), parse(blob, recipe.name))


def cross_validated(passages: Sequence[Passage], recipe: ClassifierRecipe, labels: Sequence[str]) -> Array:
    """Raw scores of documents by models that have seen neither them nor copies of them, shape (passages, labels)."""
    assert recipe.logistic is not None

    def scored(train: list[Passage], rest: list[Passage]) -> dict[str, Array]:
        model = _classifier(train, [], recipe)
        margins = model.document_margins([p.text for p in rest])
        return {label: margins[:, i] for i, label in enumerate(model.labels)}

    return folds.out_of_fold(passages, folds.by_cluster(passages, recipe.logistic.folds, recipe.seed), labels, scored)


def fit(train: Sequence[Passage], check: Sequence[Passage], recipe: ClassifierRecipe) -> tuple[bytes, dict[str, Any]]:
    """The model file, and the settings that training ended with."""
    return _by_fasttext(train, check, recipe) if recipe.logistic is None else _by_regression(train, recipe)


def _by_regression(train: Sequence[Passage], recipe: ClassifierRecipe) -> tuple[bytes, dict[str, Any]]:
    """Logistic regression on the presence of tokens: one label after another for threats, all together for exclusive labels."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    setting = recipe.logistic
    assert setting is not None
    known = sorted({*vocabulary(train, recipe), END})
    place = {token: i for i, token in enumerate(known)}
    rows = [sorted({place[END], *(place[t] for t in set(tokens(p.text, recipe.longest_token)) if t in place)}) for p in train]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = np.concatenate([np.array(row) for row in rows])
    idf = np.log((1 + len(rows)) / (1 + np.bincount(columns, minlength=len(known)))) + 1
    values = idf[columns] / np.repeat(np.sqrt(np.maximum(np.diff(starts), LEAST_TOKENS)), np.diff(starts))
    design = sparse.csr_matrix((values, columns, starts), (len(rows), len(known)))
    weight = np.array([float(p.repeat) for p in train])
    labels = [label for label in TASKS[recipe.task] if label in dataset.by_label(train)]
    solver = LogisticRegression(C=setting.strength / _IDF_SQUARED, max_iter=1_000, fit_intercept=False)
    if recipe.task == "threat":
        truths = [np.array([label in p.labels for p in train]) for label in labels]
        found = np.stack([solver.fit(design, truth, sample_weight=weight).coef_[0] for truth in truths], 1)
    else:
        found = solver.fit(design, np.array([labels.index(p.labels[0]) for p in train]), sample_weight=weight).coef_.T
        found = np.hstack([-found, found]) / 2 if len(labels) == 2 else found
    weights = (found * idf[:, None]).astype(np.float32)
    kept = np.sort(np.argsort(-np.abs(weights).max(1), kind="stable")[: setting.cutoff])
    model = LinearModel(tuple(labels), "ova" if recipe.task == "threat" else "softmax", tuple(known[i] for i in kept), weights[kept])
    return encode(model), {"strength": setting.strength, "tokens": len(kept)}


def _by_fasttext(train: Sequence[Passage], check: Sequence[Passage], recipe: ClassifierRecipe) -> tuple[bytes, dict[str, Any]]:
    """fastText's own training, quantized."""
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        path, check_path = f"{folder}/train.txt", f"{folder}/check.txt"
        setting = recipe.fasttext
        known = vocabulary(train, recipe)
        _write(path, train, recipe, known)
        common: dict[str, Any] = {
            "loss": "ova" if recipe.task == "threat" else "softmax", "wordNgrams": 1, "minn": 0, "maxn": 0, "minCount": 1,
            "verbose": 0, "seed": recipe.seed,
        }  # fmt: skip
        chosen: dict[str, Any] = {"dim": setting.dim, "epoch": setting.epoch, "lr": setting.lr}
        if setting.autotune_seconds:
            chosen = _autotuned(path, check_path, check, recipe, known, common)
        write_start(f"{folder}/start.vec", known, chosen["dim"], recipe.seed)
        model = fasttext.train_supervised(path, thread=1, pretrainedVectors=f"{folder}/start.vec", **common, **chosen)
        keep = min(setting.cutoff or len(model.words), len(model.words))
        model.quantize(
            path, cutoff=keep, retrain=True, qnorm=True, dsub=setting.dsub, thread=1, epoch=chosen["epoch"], lr=chosen["lr"], verbose=0
        )
        model.save_model(f"{folder}/model.ftz")
        with open(f"{folder}/model.ftz", "rb") as stream:
            return stream.read(), {**common, **chosen}


def vocabulary(passages: Sequence[Passage], recipe: ClassifierRecipe) -> frozenset[str]:
    """Tokens of at least `min_count` documents. Repeats and conversions of a document count once: a token of one text that is
    shown sixty times would be learnt by heart, and what is learnt by heart tells nothing about another text."""
    documents: Counter[str] = Counter()
    setting = recipe.fasttext
    least = setting.min_count if recipe.logistic is None else recipe.logistic.min_count
    seen: dict[str, set[str]] = {}
    for passage in passages:
        found = set(tokens(passage.text, recipe.longest_token)) - seen.get(passage.document, set())
        documents.update(found)
        if passage.repeat > 1:
            seen.setdefault(passage.document, set()).update(found)
    most = setting.max_share * len(passages)
    shared = (token for token, count in documents.items() if least <= count <= most)
    return frozenset(token for token in shared if not setting.han_only or _HAN.fullmatch(token))


def write_start(path: str, words: Iterable[str], dim: int, seed: int) -> None:
    """Seeded vectors for every token to start from.

    With one thread fastText itself draws only the first tenth of the matrix and leaves the rest as the memory was
    (`DenseMatrix::uniform` in its version 0.9.2), so that two trainings differ and small ones fail with NaN.
    """
    ordered = sorted({*words, END})
    vectors = np.random.default_rng(seed).uniform(-1 / dim, 1 / dim, (len(ordered), dim))
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(f"{len(ordered)} {dim}\n")
        for word, vector in zip(ordered, vectors, strict=True):
            stream.write(f"{word} {' '.join(f'{value:.6f}' for value in vector)}\n")


def _autotuned(
    path: str, check_path: str, check: Sequence[Passage], recipe: ClassifierRecipe, known: Set[str], common: dict[str, Any]
) -> dict[str, Any]:
    import fasttext

    _write(check_path, check, recipe, known)
    found = fasttext.train_supervised(
        path, autotuneValidationFile=check_path, autotuneDuration=recipe.fasttext.autotune_seconds, thread=os.cpu_count() or 1, **common
    ).f.getArgs()
    return {"dim": found.dim, "epoch": found.epoch, "lr": found.lr}


def _write(path: str, passages: Sequence[Passage], recipe: ClassifierRecipe, known: Set[str]) -> None:
    """fastText's training file, in an order that the seed shuffles: neighbours in a file are alike, and the last learnt weigh most."""
    lines = []
    for passage in passages:
        words = [token for token in tokens(passage.text, recipe.longest_token) if token in known]
        lines += [" ".join([*(f"__label__{label}" for label in passage.labels), *words])] * passage.repeat
    order = np.random.default_rng(recipe.seed).permutation(len(lines))
    with open(path, "w", encoding="utf-8", errors="replace") as stream:
        stream.writelines(lines[i] + "\n" for i in order)


def calibrated(
    labels: Sequence[str], margins: Array, passages: Sequence[Passage], clean_margins: Array, recipe: ClassifierRecipe
) -> dict[str, LabelFacts]:
    """Platt's slope and intercept for each label from raw scores of texts that were not learnt from, and threats' thresholds."""
    found = {}
    point = recipe.operating_point
    for column, label in enumerate(labels):
        truth = np.array([label in p.labels for p in passages])
        slope, intercept = platt(margins[:, column], truth)
        threshold = None
        if recipe.task == "threat" and label != CLEAN:
            scores, clean_scores = (_probability(m[:, column], slope, intercept) for m in (margins, clean_margins))
            threshold = max(
                operating_threshold(scores[truth], truth[truth], clean_scores, point.precision),
                operating_threshold(scores, truth, scores[:0], point.labelled_precision),
            )
        found[label] = LabelFacts(slope=slope, intercept=intercept, threshold=threshold)
    return found


def _probability(margins: Array, slope: float, intercept: float) -> Array:
    values: Array = 1 / (1 + np.exp(-(slope * margins + intercept)))
    return values


def write(trained: Trained, folder: str) -> None:
    """Writes the model and what stands beside it; the facts, which name the weights' hash, last."""
    os.makedirs(folder, exist_ok=True)
    storage.atomic_write(f"{folder}/{MODEL_FILE}", lambda stream: stream.write(trained.blob))
    storage.atomic_write_text(
        f"{folder}/{FACTS_FILE}", json.dumps(trained.facts.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
    )


def may_be_published(recipe: ClassifierRecipe) -> bool:
    """Whether all data that shaped the weights are handwritten or openly licensed."""
    return all(data.license in OPEN_LICENSES for data in recipe.data)
