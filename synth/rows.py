"""The rows of a run, taken and rejected, and the pool that later stages draw from. They lie on disk: a run of many holds few in memory."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from factory.zh.overlap import Matcher, read_items
from synth import seeds
from synth.gates import LEAST_SCORE, Gates, Rejection
from synth.gates.paraphrase import Paraphrases, require
from synth.recipe import GateSettings, Plan
from synth.tasks import SCORES, Row


def gates_of(pool: list[str], evaluation: list[str], settings: GateSettings) -> Gates:
    """The gates that a recipe asks for, with the questions of its evaluation sets. Raises UserError where the encoder is missing."""
    items = [item for path in evaluation for item in read_items(path)]
    if not items:
        return Gates(pool, None, settings.novelty)
    paraphrases = None
    if settings.paraphrases:
        require()
        paraphrases = Paraphrases(items, settings.paraphrase_score)
    return Gates(pool, Matcher(items), settings.novelty, paraphrases)


class Rows:
    """Rows in the order in which they came."""

    def __init__(self, plan: Plan) -> None:
        self.seeds: list[Row] = [
            {"id": s.id, "category": s.category, "question": s.question, "answer": s.answer} for s in seeds.load(plan.seeds)
        ]
        self.gates = gates_of([row["question"] for row in self.seeds], plan.evaluation, plan.recipe.gates)
        self.accepted = Spool(f"{plan.output}/accepted.tmp")
        self.rejected = Spool(f"{plan.output}/rejected.tmp")
        self.reasons: Counter[str] = Counter()  # of rejected rows, and of rows that a judge has turned down
        self.judged: dict[str, dict[str, Any]] = {}  # id of an accepted row -> scores, reason, model
        self.waiting = 0
        self.pairs = 0  # accepted rows of one question and one answer that no judge has turned down

    def accept(self, row: dict[str, Any]) -> None:
        """Takes a row that passed the gates."""
        self.accepted.append(row)
        self.pairs += is_pair(row)

    def reject(self, row: dict[str, Any]) -> None:
        """Keeps a row that did not, with its reason."""
        self.rejected.append(row)
        self.reasons[row["reason"]] += 1

    def judge(self, row: str, scores: dict[str, Any]) -> None:
        """Takes a judge's scores of an accepted row of one question and one answer."""
        lowered = bool(too_low(scores)) - (row in self.judged and bool(too_low(self.judged[row])))
        self.judged[row] = scores
        self.pairs -= lowered
        self.reasons[str(Rejection.JUDGE)] += lowered

    def standing(self) -> Iterator[dict[str, Any]]:
        """Accepted rows that no judge has turned down, with their scores, as of this call: what comes in meanwhile does not show."""
        return self._judged(self.accepted.read(), dict(self.judged), False)

    def turned_down(self) -> Iterator[dict[str, Any]]:
        """Accepted rows that a judge has turned down, as of this call."""
        return self._judged(self.accepted.read(), dict(self.judged), True)

    @staticmethod
    def _judged(rows: Iterator[dict[str, Any]], judged: dict[str, dict[str, Any]], down: bool) -> Iterator[dict[str, Any]]:
        for row in rows:
            scores = judged.get(row["id"])
            low = too_low(scores) if scores else []
            if bool(low) != down:
                continue
            found = {**row, "judge": scores} if scores else row
            yield {**found, "reason": str(Rejection.JUDGE), "detail": ", ".join(low)} if down else found

    def close(self) -> None:
        """Removes what was only needed while the run lasted."""
        self.accepted.close()
        self.rejected.close()


class Spool:
    """Rows on disk, in order."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stream = open(path, "w", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.count = 0

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row."""
        self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.count += 1

    def read(self) -> Iterator[dict[str, Any]]:
        """The rows so far; what is added meanwhile comes with the next reading."""
        self._stream.flush()
        return self._lines(self.count)

    def _lines(self, count: int) -> Iterator[dict[str, Any]]:
        with open(self._path, encoding="utf-8") as stream:
            for line in islice(stream, count):
                yield json.loads(line)

    def close(self) -> None:
        """Removes the file."""
        self._stream.close()
        os.unlink(self._path)


def too_low(scores: dict[str, Any]) -> list[str]:
    """The scores below LEAST_SCORE, in words."""
    return [f"{name} {scores[name]}" for name in SCORES if scores[name] < LEAST_SCORE]


def is_pair(row: dict[str, Any]) -> bool:
    """Whether it is one question with its answer, which later stages can take up; a preference is not."""
    return len(row["messages"]) == 2 and "rejected" not in row


def flat(row: dict[str, Any]) -> Row:
    """A row of one question and one answer, in the columns of the tasks."""
    question, answer = (message["content"] for message in row["messages"])
    return {"id": row["id"], "category": row["category"], "question": question, "answer": answer}
