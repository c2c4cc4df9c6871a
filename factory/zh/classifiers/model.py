"""A classifier as the rooms use it: labels with calibrated scores for documents and paragraphs, and the words behind them.

A document is cut into passages of at most PASSAGE_CHARS; of a long one those at its head, in its middle and at its tail are
read. The scores of a document's variety and quality are those of the mean of its passages; a threat counts where its passage
is worst, because one paragraph of solicitation makes a page one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from factory.errors import UserError
from factory.recipe import Strict, parse_model
from factory.zh.classifiers import kernel, lists
from factory.zh.classifiers.fasttext_file import MAX_BYTES, LinearModel, parse, sha256
from factory.zh.classifiers.tokens import fold
from factory.zh.ngrams import batch_of

Task = Literal["variety", "threat", "quality"]
VARIETIES = ("tw", "hk", "cn", "cn_converted", "yue", "nan", "hak", "lzh")
THREATS = ("scam", "gambling", "porn", "political", "advertisement", "content_farm")
CLEAN = "clean"
QUALITIES = ("0", "0.25", "0.5", "0.75", "1")
TASKS: dict[Task, tuple[str, ...]] = {"variety": VARIETIES, "threat": (*THREATS, CLEAN), "quality": QUALITIES}

PASSAGE_CHARS = 1_000
PASSAGES = 3  # head, middle and tail
LEAST_TOKENS = 40  # known ones, about twenty characters; a passage of fewer scores nearer to zero
MODEL_FILE, FACTS_FILE = "model.ftz", "model.json"
Array = npt.NDArray[np.float64]


class LabelFacts(Strict):
    """How a raw score of one label becomes a probability (Platt 1999), and from where on the label is given."""

    slope: float
    intercept: float
    threshold: float | None  # of the probability; None for the label that stands where no other does, or the highest


class ListFacts(Strict):
    """A second, multinomial logistic layer over the tokens' scores and the word lists' evidence."""

    mix: dict[str, dict[str, float]]  # label -> weights of the labels' token scores, each less their mean
    weights: dict[str, dict[str, float]]  # label -> weights of `lists.FEATURES`
    constant: dict[str, float]

    @model_validator(mode="after")
    def _complete(self) -> ListFacts:
        labels = set(self.constant)
        if set(self.mix) != labels or any(set(row) != labels for row in self.mix.values()):
            raise ValueError(f"lists.mix: needs a weight for each pair of {', '.join(sorted(labels))}")
        if set(self.weights) != labels or any(set(row) != set(lists.FEATURES) for row in self.weights.values()):
            raise ValueError("lists.weights: are not those of this version's word lists")
        return self


class ModelFacts(Strict):
    """What stands beside the weights."""

    task: Task
    name: str
    version: str
    longest_token: int
    labels: dict[str, LabelFacts]
    pooling: Literal["mean", "presence"] = "mean"  # see kernel.logits_of
    lists: ListFacts | None = None
    made_by: str  # SHA-256 of recipe, training data and code
    sha256: str  # of the weights' file


class Scores(NamedTuple):
    """Probabilities of labels, shape (texts, labels), in the order of `labels`."""

    labels: tuple[str, ...]
    values: Array


class Evidence(NamedTuple):
    """A passage and the tokens that speak for a label there, with what each adds to its raw score."""

    start: int  # characters
    end: int
    score: float
    words: list[tuple[str, float]]


class Classifier:
    """A loaded model. Use `load` or `bundled`."""

    def __init__(self, facts: ModelFacts, linear: LinearModel) -> None:
        self.facts = facts
        if facts.lists is not None:
            linear = _mixed(linear, facts.lists)
        self.labels = tuple(facts.labels)
        self._order = [linear.labels.index(label) for label in self.labels]
        self._softmax = linear.loss == "softmax"
        self._presence = facts.pooling == "presence"
        self._layer = None if facts.lists is None else _layer(facts.lists, self.labels)
        self._tables = kernel.tables(linear)
        self._linear = linear
        self._slope = np.array([facts.labels[label].slope for label in self.labels])
        self._intercept = np.array([facts.labels[label].intercept for label in self.labels])

    def score(self, texts: Sequence[str]) -> Scores:
        """Calibrated scores of documents. Raises UnicodeEncodeError on lone surrogates."""
        passages = [text[start:end] for text in texts for start, end in passages_of(text)]
        counts = [len(passages_of(text)) for text in texts]
        return Scores(self.labels, self._calibrated(self._reduce(self.margins(passages), counts)))

    def score_passages(self, passages: Sequence[str]) -> Scores:
        """Calibrated scores of paragraphs, each read whole."""
        return Scores(self.labels, self._calibrated(self.margins(passages)))

    def margins(self, passages: Sequence[str]) -> Array:
        """Raw scores, log-odds of each label, shape (passages, labels)."""
        raw = self.token_scores(passages) if self._layer is None else self._with_lists(passages, *self._layer)
        return raw - _log_sum_of_others(raw) if self._softmax else raw

    def token_scores(self, passages: Sequence[str]) -> Array:
        """What the tokens alone say, shape (passages, labels)."""
        return kernel.logits(list(passages), self._tables, LEAST_TOKENS, self._presence)[:, self._order]

    def _with_lists(self, passages: Sequence[str], weights: Array, constant: Array) -> Array:
        batch = batch_of(list(passages))
        raw: Array = kernel.logits_of(batch, self._tables, LEAST_TOKENS, self._presence)[:, self._order]
        return raw + lists.evidence(batch) @ weights.T + constant

    def document_margins(self, texts: Sequence[str]) -> Array:
        """Raw scores of documents, shape (texts, labels)."""
        spans = [passages_of(text) for text in texts]
        margins = self.margins([text[start:end] for text, found in zip(texts, spans, strict=True) for start, end in found])
        return self._reduce(margins, [len(found) for found in spans])

    def _reduce(self, margins: Array, counts: Sequence[int]) -> Array:
        if not counts:
            return np.zeros((0, len(self.labels)))
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        if self.facts.task == "threat":
            worst: Array = np.maximum.reduceat(margins, starts)
            clean = self.labels.index(CLEAN)
            worst[:, clean] = np.minimum.reduceat(margins[:, clean], starts)
            return worst
        mean: Array = np.add.reduceat(margins, starts) / np.asarray(counts)[:, None]
        return mean

    def _calibrated(self, margins: Array) -> Array:
        values: Array = 1 / (1 + np.exp(-(self._slope * margins + self._intercept)))
        return values / values.sum(1, keepdims=True) if self._softmax else values

    def decide(self, scores: Scores) -> list[list[str]]:
        """The labels given: the likeliest of exclusive ones, else every threat above its threshold, or `clean`."""
        if self._softmax:
            return [[self.labels[index]] for index in scores.values.argmax(1)]
        found = []
        for row in scores.values:
            given = [
                label
                for label, value in zip(self.labels, row, strict=True)
                if (t := self.facts.labels[label].threshold) is not None and value >= t
            ]
            found.append(sorted(given, key=lambda label: -row[self.labels.index(label)]) or [CLEAN])
        return found

    def evidence(self, text: str, label: str, words: int = 8) -> list[Evidence]:
        """Paragraphs of a text by what they add to a label, the strongest first, with the tokens that weigh most in each."""
        column = self.labels.index(label)
        spans = [(start, end) for start, end in paragraphs_of(text) if fold(text[start:end])]
        if not spans:
            return []
        scores = self.score_passages([text[start:end] for start, end in spans]).values[:, column]
        found = [
            Evidence(start, end, float(score), self._words(text[start:end], column, words))
            for (start, end), score in zip(spans, scores, strict=True)
        ]
        return sorted(found, key=lambda item: -item.score)

    def _words(self, passage: str, column: int, limit: int) -> list[tuple[str, float]]:
        found = kernel.contributions(fold(passage), self._linear, self._order[column], self._tables.run, self._presence)
        if self._layer is not None:
            found = _merged(found, _listed(passage, column, self._layer[0]))
        return found[:limit]


def quality_of(scores: Scores) -> Array:
    """Quality from 0 to 1: the mean of the grades, weighted by their probabilities. Shape (texts,)."""
    mean: Array = scores.values @ np.array([float(label) for label in scores.labels])
    return mean


def _listed(passage: str, column: int, layer: Array) -> list[tuple[str, float]]:
    """Words of the lists with their part of what their group adds to a label beyond the mean of the others."""
    weights = layer[column] - np.delete(layer, column, axis=0).mean(0)
    values = dict(zip(lists.FEATURES, lists.evidence(batch_of([passage]))[0] * weights, strict=True))
    points = {entry: entry.weight * count for entry, count in lists.words(passage).items()}
    of_group = {group: sum(value for entry, value in points.items() if entry.group == group) for group in lists.GROUPS}
    return [
        (entry.text, float((values[f"{entry.group}_per_100"] + values[f"{entry.group}_points"]) * value / of_group[entry.group]))
        for entry, value in points.items()
    ]


def _layer(facts: ListFacts, labels: Sequence[str]) -> tuple[Array, Array]:
    """Weights, shape (labels, FEATURES), and constants of the second layer."""
    return _matrix(facts.weights, labels, lists.FEATURES), np.array([facts.constant[label] for label in labels])


def _mixed(linear: LinearModel, layer: ListFacts) -> LinearModel:
    """The tokens' weights after the second layer, which is linear in them."""
    centred = linear.weights - linear.weights.mean(1, keepdims=True)
    return linear._replace(weights=(centred @ _matrix(layer.mix, linear.labels, linear.labels).T).astype(np.float32))


def _matrix(rows: dict[str, dict[str, float]], labels: Sequence[str], columns: Sequence[str]) -> Array:
    return np.array([[rows[label][column] for column in columns] for label in labels])


def _merged(found: list[tuple[str, float]], more: list[tuple[str, float]]) -> list[tuple[str, float]]:
    total: dict[str, float] = {}
    for word, value in (*found, *more):
        total[word] = total.get(word, 0.0) + value
    return sorted(((word, value) for word, value in total.items() if value > 0), key=lambda pair: (-pair[1], pair[0]))


def _log_sum_of_others(raw: Array) -> Array:
    """For each label the log of the sum of the other labels' exponentials: what softmax weighs it against."""
    result = np.empty_like(raw)
    for column in range(raw.shape[1]):
        others = np.delete(raw, column, axis=1)
        highest = others.max(1, keepdims=True)
        result[:, column] = (highest + np.log(np.exp(others - highest).sum(1, keepdims=True)))[:, 0]
    return result


def passages_of(text: str) -> list[tuple[int, int]]:
    """Where the passages of a text begin and end that its score is made of: all of a short text, three of a long one."""
    size = len(text)
    if size <= PASSAGE_CHARS:
        return [(0, size)]
    if size <= PASSAGES * PASSAGE_CHARS:
        count = -(-size // PASSAGE_CHARS)
        cuts = [size * i // count for i in range(count + 1)]
        return list(pairwise(cuts))
    middle = (size - PASSAGE_CHARS) // 2
    return [(0, PASSAGE_CHARS), (middle, middle + PASSAGE_CHARS), (size - PASSAGE_CHARS, size)]


def paragraphs_of(text: str) -> list[tuple[int, int]]:
    """Where the lines of a text begin and end that hold anything."""
    spans, start = [], 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def load(folder: str) -> Classifier:
    """The model in a local folder that `twllm classifiers train` wrote. Raises UserError where it is missing, damaged or foreign."""
    return _load(Path(folder), folder)


@cache
def bundled(task: Task) -> Classifier:
    """The model for a task that ships with the package."""
    return _load(files("factory.zh.classifiers") / "models" / task, f"bundled model {task}")


def _load(folder: Traversable, name: str) -> Classifier:
    blobs = {}
    for file in (FACTS_FILE, MODEL_FILE):
        try:
            with (folder / file).open("rb") as stream:
                blobs[file] = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise UserError(
                f"{name}: {file} cannot be read: {error.strerror}. Name a folder that 'twllm classifiers train' wrote."
            ) from None
        if len(blobs[file]) > MAX_BYTES:
            raise UserError(f"{name}: {file} is larger than {MAX_BYTES >> 20} MB. Name a folder that 'twllm classifiers train' wrote.")
    try:
        content = json.loads(blobs[FACTS_FILE])
    except ValueError as error:
        raise UserError(f"{name}: {FACTS_FILE} is not JSON: {error}. Train the model again.") from None
    facts = parse_model(content, ModelFacts, f"{name}/{FACTS_FILE}")
    if sha256(blobs[MODEL_FILE]) != facts.sha256:
        raise UserError(
            f"{name}: {MODEL_FILE} is not the file that {FACTS_FILE} describes (its SHA-256 differs). Train the model again, or fetch both."
        )
    linear = parse(blobs[MODEL_FILE], f"{name}/{MODEL_FILE}")
    unknown = sorted(set(linear.labels) ^ set(facts.labels) | (set(facts.lists.constant) ^ set(facts.labels) if facts.lists else set()))
    if unknown or not set(linear.labels) <= set(TASKS[facts.task]):
        raise UserError(f"{name}: label {(unknown or sorted(linear.labels))[0]!r} is not one of task {facts.task}. Train the model again.")
    return Classifier(facts, linear)
