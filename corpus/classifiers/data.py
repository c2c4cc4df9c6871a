"""Labelled passages: rows of files read, cut and converted as the recipe says, and split so that no copy stands on two sides."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import orjson

from corpus.classifiers.recipe import ClassifierRecipe, DataSet, resolve
from factory.errors import UserError
from factory.storage import open_binary, stem
from factory.zh.charclass import table
from factory.zh.classifiers.model import TASKS
from factory.zh.matcher import CONVERSION, LANGUAGES, REGIONS, entries
from factory.zh.ngrams import batch_of, minhash_signatures

TERMS = "lists:terms"  # in place of a path: the project's lists of terms
TERMS_TOGETHER = 15  # in one passage
SAME = 0.5  # estimated Jaccard similarity of character 9-grams from which passages are copies
_BANDS, _ROWS = 32, 4  # finds 98 % of pairs at 0.6 and 87 % at 0.5: 1 - (1 - s^4)^32


class Passage(NamedTuple):
    """A text with its labels, and where it comes from."""

    id: str  # of its document, and its place in it
    document: str
    text: str
    labels: tuple[str, ...]
    source: str
    quality: float | None = None  # the row's own number, task quality only
    repeat: int = 1


def read_set(data: DataSet, recipe: ClassifierRecipe, base: str, where: str) -> list[Passage]:
    """The passages of a data set, in file order. Raises UserError for a row that cannot be used."""
    if data.path == TERMS:
        return list(_term_passages(data, recipe, where))
    path = resolve(data, base, where)
    passages: list[Passage] = []
    with open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                passages += _passages(line, f"{path}:{number}", stem(path), data, recipe)
    if not passages:
        raise UserError(f"{where}: {path} gives no passage. Correct 'where', 'values' or the file.")
    if data.max_passages is not None and len(passages) > data.max_passages:
        passages = sorted(sorted(passages, key=lambda p: draw(p.id, recipe.seed))[: data.max_passages], key=lambda p: p.id)
    return passages


def _term_passages(data: DataSet, recipe: ClassifierRecipe, where: str) -> Iterator[Passage]:
    """Passages of TERMS_TOGETHER entries drawn from the project's own lists, heavier ones more often, a group of `values` after another."""
    if not data.values or data.max_passages is None:
        raise UserError(f"{where}: path {TERMS} needs 'values' (group of a list -> labels) and 'max_passages' (for each group). Add them.")
    for group, labels in sorted(data.values.items()):
        found = [entry for entry in entries() if entry.group == group]
        if not found:
            raise UserError(f"{where}: values.{group}: no list has this group. Use one of {', '.join((*REGIONS, CONVERSION, *LANGUAGES))}.")
        weights = np.array([entry.weight for entry in found], float)
        rng = np.random.default_rng(recipe.seed)
        for number in range(data.max_passages):
            drawn = rng.choice(len(found), TERMS_TOGETHER, p=weights / weights.sum())
            name = f"{TERMS}/{group}-{number}"
            yield Passage(f"{name}#0", name, "。".join(found[i].text for i in drawn), labels, TERMS, None, data.repeat)


def _passages(line: bytes, where: str, name: str, data: DataSet, recipe: ClassifierRecipe) -> Iterator[Passage]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UserError(f"{where}: is not JSON: {error}. Correct that line.") from None
    text = row.get(data.text_field) if isinstance(row, dict) else None
    if not isinstance(text, str) or not isinstance(row.get("id"), str):
        raise UserError(f"{where}: a row needs 'id' and {data.text_field!r} as text. Correct that line or 'text_field'.")
    if any(not str(row.get(column, "")).startswith(start) for column, start in data.where.items()):
        return
    labels, quality = _labels(row, where, data, recipe)
    if labels is None:
        return
    if data.convert is not None:
        text = _converter(data.convert).convert(text)
    source = data.source or row.get("source") or name
    pieces = [(0, text)] if data.whole else list(enumerate(cut(text, row["id"], recipe)))
    for index, piece in pieces:
        document = f"{name}/{row['id']}"
        yield Passage(f"{document}#{index}", document, piece, labels, str(source), quality, data.repeat)


def _labels(row: dict[str, Any], where: str, data: DataSet, recipe: ClassifierRecipe) -> tuple[tuple[str, ...] | None, float | None]:
    if data.labels is not None:
        return data.labels, None
    value = row.get(data.labels_field)
    if data.values is not None:
        return data.values.get(str(value)), None
    if value is None:
        raise UserError(f"{where}: column {data.labels_field!r} is missing. Add it, or correct 'labels_field'.")
    if recipe.task == "quality":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise UserError(f"{where}: quality {value!r} is not a number from 0 to 1. Correct that line.")
        nearest = min(TASKS["quality"], key=lambda grade: abs(float(grade) - value))
        return (nearest,), float(value)
    labels = tuple([value] if isinstance(value, str) else value)
    for label in labels:
        if label not in TASKS[recipe.task]:
            raise UserError(
                f"{where}: label {label!r} is not in the guideline; labels of {recipe.task} are {', '.join(TASKS[recipe.task])}."
            )
    if not labels:
        raise UserError(f"{where}: has no label. Add one of {', '.join(TASKS[recipe.task])}.")
    return labels, None


@cache
def _converter(name: str) -> Any:
    import opencc

    return opencc.OpenCC(name)


def cut(text: str, seed: str, recipe: ClassifierRecipe) -> Iterator[str]:
    """Passages of a text: whole lines joined up to a length drawn for each; what is shorter than the shortest is left out.

    Lines longer than the longest passage are cut after a sentence, or hard where there is none.
    """
    low, high = recipe.passage_chars
    classes = table()
    number, goal, held = 0, _length(seed, 0, low, high), ""
    for piece in _pieces(text, high):
        if held and len(held) + len(piece) > goal:
            if len(held) >= low and _is_prose(held, classes):
                yield held
            number += 1
            goal, held = _length(seed, number, low, high), ""
        held = f"{held}\n{piece}" if held else piece
    if len(held) >= low and _is_prose(held, classes):
        yield held


def _pieces(text: str, high: int) -> Iterator[str]:
    for line in text.split("\n"):
        line = line.strip()
        while len(line) > high:
            end = max(line.rfind(mark, high // 2, high) for mark in "。！？；!?，,") + 1 or high
            yield line[:end]
            line = line[end:].lstrip()
        if line:
            yield line


def _is_prose(text: str, classes: Any) -> bool:
    """At least half of its letters are Han: tables of numbers and foreign paragraphs teach no label."""
    han = sum("㐀" <= c <= "鿿" for c in text)
    return 2 * han >= sum(not c.isspace() for c in text)


def draw(name: str, seed: int) -> int:
    """A 64-bit number that a name and a seed always give."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _length(seed: str, number: int, low: int, high: int) -> int:
    return low + draw(f"{seed}#{number}", 0) % (high - low + 1)


class Split(NamedTuple):
    """Passages to learn from, to calibrate with and to test on."""

    train: list[Passage]
    calibration: list[Passage]
    test: list[Passage]


def split(passages: Sequence[Passage], recipe: ClassifierRecipe) -> Split:
    """Splits by cluster: passages of one document, and of documents with near copies, stay together."""
    cluster = clusters(passages)
    sides: tuple[list[Passage], ...] = ([], [], [])
    for passage, root in zip(passages, cluster, strict=True):
        place = 1.0 if passage.source == TERMS else draw(root, recipe.seed) / 2**64  # lists teach, they do not judge
        side = 1 if place < recipe.calibration else 2 if place < recipe.calibration + recipe.test else 0
        sides[side].append(passage)
    return Split(*sides)


def clusters(passages: Sequence[Passage]) -> list[str]:
    """For each passage the smallest document name of its cluster. Documents are joined by near copies among their passages."""
    parent: dict[str, str] = {passage.document: passage.document for passage in passages}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    signatures = minhash_signatures(batch_of([p.text.encode("utf-8", "replace").decode() for p in passages]), table())
    for band in range(_BANDS):
        first: dict[bytes, int] = {}
        columns = np.ascontiguousarray(signatures[:, band * _ROWS : (band + 1) * _ROWS])
        for index, key in enumerate(map(bytes, columns)):
            other = first.setdefault(key, index)
            if other != index and (signatures[index] == signatures[other]).mean() >= SAME:
                a, b = sorted((root(passages[index].document), root(passages[other].document)))
                parent[b] = a
    return [root(passage.document) for passage in passages]


def by_label(passages: Iterable[Passage]) -> dict[str, list[Passage]]:
    """Passages under each of their labels."""
    found: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        for label in passage.labels:
            found[label].append(passage)
    return dict(found)


def digest(passages: Iterable[Passage]) -> str:
    """SHA-256 over what was learnt from: ids, texts, labels and weights, in order."""
    total = hashlib.sha256()
    for passage in passages:
        total.update(json.dumps(passage, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return total.hexdigest()
