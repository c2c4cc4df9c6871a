"""Trains a classifier with fastText, calibrates it, sets its thresholds, and writes model, facts and card."""

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
from corpus.classifiers.calibrate import operating_threshold, platt
from corpus.classifiers.data import Passage, Split
from corpus.classifiers.recipe import OPEN_LICENSES, ClassifierRecipe
from factory import manifest, storage
from factory.errors import UserError
from factory.zh.classifiers.fasttext_file import END, parse, sha256
from factory.zh.classifiers.model import CLEAN, FACTS_FILE, MODEL_FILE, TASKS, Array, Classifier, LabelFacts, ModelFacts
from factory.zh.classifiers.tokens import tokens

MAX_MODEL_BYTES = 8 << 20
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U000323af]+")
_CODE = ("corpus.classifiers.data", "corpus.classifiers.train", "corpus.classifiers.calibrate", "factory.zh.classifiers")
_LIBRARIES = ("fasttext-numpy2-wheel", "numpy", "opencc")


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
    blob, settings = fit(split.train, split.calibration, recipe, labels)
    if len(blob) > MAX_MODEL_BYTES:
        raise UserError(
            f"{where}: the model has {len(blob):,} bytes, more than {MAX_MODEL_BYTES:,}. Lower fasttext.cutoff or fasttext.dim."
        )
    say("calibrating")
    made_by = manifest.digest([recipe.model_dump(mode="json"), dataset.digest(split.train), manifest.code_digest(_CODE, _LIBRARIES)])
    neutral = {label: LabelFacts(slope=1.0, intercept=0.0, threshold=None) for label in labels}
    facts = ModelFacts(
        task=recipe.task,
        name=recipe.name,
        version=recipe.version,
        longest_token=recipe.longest_token,
        labels=neutral,
        made_by=made_by,
        sha256=sha256(blob),
    )
    linear = parse(blob, where)
    facts = facts.model_copy(update={"labels": calibrated(Classifier(facts, linear), split.calibration, clean, recipe)})
    return Trained(Classifier(facts, linear), blob, facts, split, clean, settings)


def fit(
    train: Sequence[Passage], check: Sequence[Passage], recipe: ClassifierRecipe, labels: Sequence[str]
) -> tuple[bytes, dict[str, Any]]:
    """The quantized model file, and the settings that fastText ended with."""
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
    seen: dict[str, set[str]] = {}
    for passage in passages:
        found = set(tokens(passage.text, recipe.longest_token)) - seen.get(passage.document, set())
        documents.update(found)
        if passage.repeat > 1:
            seen.setdefault(passage.document, set()).update(found)
    most = setting.max_share * len(passages)
    shared = (token for token, count in documents.items() if setting.min_count <= count <= most)
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
    raw: Classifier, calibration: Sequence[Passage], clean: Sequence[Passage], recipe: ClassifierRecipe
) -> dict[str, LabelFacts]:
    """Platt's slope and intercept for each label from the calibration split, and threats' thresholds."""
    margins = raw.document_margins([p.text for p in calibration])
    clean_margins = raw.document_margins([p.text for p in clean])
    found = {}
    for column, label in enumerate(raw.labels):
        truth = np.array([label in p.labels for p in calibration])
        slope, intercept = platt(margins[:, column], truth)
        threshold = None
        if recipe.task == "threat" and label != CLEAN:
            scores, clean_scores = (_probability(m[:, column], slope, intercept) for m in (margins, clean_margins))
            threshold = operating_threshold(scores, truth, clean_scores, recipe.operating_point.precision)
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
