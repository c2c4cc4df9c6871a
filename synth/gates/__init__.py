"""Why a candidate is not taken: questions with typed answers, asked in order; the first objection decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from factory.zh.overlap import Matcher
from synth.gates.assistant import assistant
from synth.gates.language import language
from synth.gates.length import length
from synth.gates.objection import Objection, Rejection, Texts
from synth.gates.paraphrase import Paraphrases
from synth.gates.personal import personal
from synth.gates.refusal import refusal
from synth.gates.repetition import repetition
from synth.gates.simplified import simplified
from synth.gates.spans import spans
from synth.gates.terms import terms
from synth.gates.threat import threat
from synth.tasks import Candidate

__all__ = ["LEAST_SCORE", "NOVELTY", "Gates", "Objection", "Rejection"]

NOVELTY = 0.7  # longest common subsequence of letters, over the longer text's
LEAST_SCORE = 3  # of a judge, in each of its four
_LETTER = re.compile(r"[^\W_]")


def texts_of(candidate: Candidate) -> Texts:
    """The texts of a candidate, taken apart."""
    passage = str(candidate.extra.get("passage", ""))
    questions = [m["content"].removeprefix(passage).strip() for m in candidate.messages if m["role"] == "user"]
    answers = [m["content"] for m in candidate.messages if m["role"] == "assistant"]
    return Texts(questions, answers, str(candidate.extra.get("rejected", "")), passage, candidate.category)


class Gates:
    """The gates of a run, with the memory that novelty needs."""

    def __init__(
        self,
        pool: Sequence[str] = (),
        evaluation: Matcher | None = None,
        novelty: float = NOVELTY,
        paraphrases: Paraphrases | None = None,
    ) -> None:
        self._taken = [_letters(text) for text in pool]
        self._evaluation, self._novelty, self._paraphrases = evaluation, novelty, paraphrases

    def object(self, candidate: Candidate, novel: bool = True) -> Objection | None:
        """The first objection. With `novel`, the candidate's first question is compared with all that was taken."""
        return next(self.every(candidate, novel), None)

    def every(self, candidate: Candidate, novel: bool = True) -> Iterator[Objection]:
        """The objections of all gates, in the order in which they are asked."""
        texts = texts_of(candidate)
        for objection in (
            length(texts),
            repetition(texts),
            language(texts),
            simplified(texts),
            terms(texts),
            assistant(texts),
            refusal(texts),
            personal(texts),
            threat(texts),
            spans(candidate),
            self._leak(texts),
            self._novel(texts.questions[0]) if novel and texts.questions else None,
        ):
            if objection is not None:
                yield objection

    def take(self, candidate: Candidate) -> None:
        """Remembers an accepted candidate."""
        self._taken.append(_letters(candidate.messages[0]["content"]))

    def _leak(self, texts: Texts) -> Objection | None:
        if self._evaluation is not None:
            (found,) = self._evaluation.find(["\n".join(texts.own)])
            if found:
                return Objection(Rejection.EVALUATION_SET, f"{found[0].item.set}:{found[0].item.id}, {found[0].share}")
        if self._paraphrases is not None:
            for question, answer in zip(texts.questions, texts.answers, strict=False):
                if (like := self._paraphrases.find(question, answer)) is not None:
                    return Objection(Rejection.EVALUATION_SET, f"{like.item.set}:{like.item.id} in other words, {like.score:.2f}")
        return None

    def _novel(self, question: str) -> Objection | None:
        letters = _letters(question)
        best = process.extractOne(letters, self._taken, scorer=LCSseq.normalized_similarity, score_cutoff=self._novelty)
        if best is None or best[1] <= self._novelty:
            return None
        return Objection(Rejection.NOT_NOVEL, f"{best[1]:.3f} of row {best[2]}")


def _letters(text: str) -> str:
    return "".join(_LETTER.findall(text.lower()))
