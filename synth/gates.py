"""Why a candidate is not taken: questions with typed answers, asked in order; the first objection decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from factory.zh.charclass import CharClass, table
from factory.zh.classifiers.model import THREATS as THREAT_LABELS
from factory.zh.classifiers.model import bundled
from factory.zh.matcher import CONVERSION, hits
from factory.zh.ngrams import batch_of, class_counts
from factory.zh.overlap import Matcher
from factory.zh.pii import find
from synth.tasks import Candidate

NOVELTY = 0.7  # longest common subsequence of letters, over the longer text's
LEAST_CHARS, MOST_CHARS = 2, 8_000  # of one message
HAN_SHARE = 0.3  # of letters in an answer; code, mathematics and translation may be in other scripts
SIMPLIFIED_SHARE = 0.1  # of characters that exist in one script only
FOREIGN_POINTS = 2  # weight from which a term of the mainland or of Hong Kong counts by itself: clear or exclusive
SCRIPT_FREE = frozenset({"code", "mathematics", "translation"})
LEAST_SCORE = 3  # of a judge, in each of its four

_ASSISTANT = re.compile(
    r"作為一[個名款](?:AI|人工智[慧能]|大?型?語言模型)|身為一?[個名款]?(?:AI|人工智[慧能]|大?型?語言模型)|我(?:只)?是一?[個名款](?:AI|人工智[慧能]|大?型?語言模型)"
    r"|as an ai\b|language model",
    re.IGNORECASE,
)
_REFUSAL = re.compile(r"^(?:很?抱歉|對不起|不好意思|I'm sorry|Sorry)[^。！\n]{0,24}(?:無法|不能|沒辦法|cannot|can't)", re.IGNORECASE)
_LETTER = re.compile(r"[^\W_]")


class Rejection(StrEnum):
    """The reasons, in the order in which they are asked."""

    NO_ANSWER = "no_answer"  # the endpoint refused or gave up
    MALFORMED = "malformed"
    LENGTH = "length"
    REPETITION = "repetition"
    LANGUAGE = "language"
    SIMPLIFIED = "simplified"
    MAINLAND_TERM = "mainland_term"
    CONVERSION = "conversion"
    ASSISTANT_TALK = "assistant_talk"
    REFUSAL = "refusal"
    PERSONAL_DATA = "personal_data"
    THREAT = "threat"
    UNSUPPORTED_SPAN = "unsupported_span"
    EVALUATION_SET = "evaluation_set"
    NOT_NOVEL = "not_novel"
    JUDGE = "judge"


class Objection(NamedTuple):
    """A gate's no, with what it saw."""

    reason: Rejection
    detail: str


class Gates:
    """The gates of a run, with the memory that novelty needs."""

    def __init__(self, pool: Sequence[str] = (), evaluation: Matcher | None = None, novelty: float = NOVELTY) -> None:
        self._taken = [_letters(text) for text in pool]
        self._evaluation, self._novelty = evaluation, novelty

    def object(self, candidate: Candidate, novel: bool = True) -> Objection | None:
        """The first objection. With `novel`, the candidate's first question is compared with all that was taken."""
        return next(self.every(candidate, novel), None)

    def every(self, candidate: Candidate, novel: bool = True) -> Iterator[Objection]:
        """The objections of all gates, in the order in which they are asked."""
        texts = [message["content"] for message in candidate.messages]
        if "rejected" in candidate.extra:
            texts.append(candidate.extra["rejected"])
        said = [m["content"] for m in candidate.messages if m["role"] == "assistant"]
        own = [text.replace(candidate.extra.get("passage", ""), "") if candidate.extra.get("passage") else text for text in texts]
        for objection in (
            _length(texts),
            _script(said, candidate.category),
            _terms("\n".join(own)) if candidate.category != "translation" else None,
            _talk(said),
            _personal(own),
            _threat(own),
            _spans(candidate),
            self._leak(texts),
            self._novel(texts[0]) if novel and texts else None,
        ):
            if objection is not None:
                yield objection

    def take(self, candidate: Candidate) -> None:
        """Remembers an accepted candidate."""
        self._taken.append(_letters(candidate.messages[0]["content"]))

    def _leak(self, texts: list[str]) -> Objection | None:
        if self._evaluation is None:
            return None
        (found,) = self._evaluation.find(["\n".join(texts)])
        return Objection(Rejection.EVALUATION_SET, f"{found[0].item.set}:{found[0].item.id}, {found[0].share}") if found else None

    def _novel(self, question: str) -> Objection | None:
        letters = _letters(question)
        best = process.extractOne(letters, self._taken, scorer=LCSseq.normalized_similarity, score_cutoff=self._novelty)
        if best is None or best[1] <= self._novelty:
            return None
        return Objection(Rejection.NOT_NOVEL, f"{best[1]:.3f} of row {best[2]}")


def _letters(text: str) -> str:
    return "".join(_LETTER.findall(text.lower()))


def _length(texts: list[str]) -> Objection | None:
    for text in texts:
        if not LEAST_CHARS <= len(text) <= MOST_CHARS:
            return Objection(Rejection.LENGTH, f"{len(text)} characters")
    return None


def _script(said: list[str], category: str) -> Objection | None:
    batch = batch_of(["\n".join(said)])
    count = dict(zip(CharClass, class_counts(batch.codes, batch.offsets, table())[0].tolist(), strict=True))
    han, others = (
        count[CharClass.HAN],
        count[CharClass.LATIN] + count[CharClass.KANA] + count[CharClass.HANGUL] + count[CharClass.OTHER_LETTER],
    )
    if category not in SCRIPT_FREE and han < HAN_SHARE * (han + others):
        return Objection(Rejection.LANGUAGE, f"{han} Han of {han + others} letters")
    one_script = count[CharClass.SIMPLIFIED] + count[CharClass.TRADITIONAL]
    if category != "translation" and count[CharClass.SIMPLIFIED] > SIMPLIFIED_SHARE * one_script:
        return Objection(Rejection.SIMPLIFIED, f"{count[CharClass.SIMPLIFIED]} of {one_script} characters of one script")
    return None


def _terms(text: str) -> Objection | None:
    for hit in hits(text):
        if hit.entry.group == "cn" and hit.entry.weight >= FOREIGN_POINTS:
            return Objection(Rejection.MAINLAND_TERM, hit.entry.text)
        if hit.entry.group == CONVERSION and hit.entry.weight >= FOREIGN_POINTS:
            return Objection(Rejection.CONVERSION, hit.entry.text)
    return None


def _talk(said: list[str]) -> Objection | None:
    for text in said:
        if found := _ASSISTANT.search(text):
            return Objection(Rejection.ASSISTANT_TALK, found[0])
        if found := _REFUSAL.search(text.strip()):
            return Objection(Rejection.REFUSAL, found[0])
    return None


def _personal(texts: list[str]) -> Objection | None:
    for text in texts:
        if spans := find(text):
            return Objection(Rejection.PERSONAL_DATA, spans[0].kind)
    return None


def _threat(texts: list[str]) -> Objection | None:
    model = bundled("threat")
    values = model.score(["\n".join(texts)]).values[0]
    for label, value in sorted(zip(model.labels, values.tolist(), strict=True), key=lambda pair: -pair[1]):
        point = model.facts.labels[label].threshold
        if label in THREAT_LABELS and point is not None and value >= point:
            return Objection(Rejection.THREAT, f"{label}, {value:.3f}")
    return None


def _spans(candidate: Candidate) -> Objection | None:
    for span in candidate.extra.get("spans", ()):
        if span not in candidate.extra["passage"]:
            return Objection(Rejection.UNSUPPORTED_SPAN, span[:40])
    return None
