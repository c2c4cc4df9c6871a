"""`review-report.html`: how far a review is, how far people agree, how long a record takes them, and what comes of it; in the Chinese of
Taiwan. The page asks for nothing outside itself and runs no script.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from curation.review import store
from curation.review.agreement import PAUSE_SECONDS, RESAMPLES, Agreement, measure
from curation.review.answers import Review, load
from curation.review.export import LEAST_ALPHA, is_low
from curation.review.verdict import GOLD_ACCURACY, Fate, Outcome, Why, decide, disagreements
from factory.storage import atomic_write_text

MOST_PAIRS = 6  # of people whose confusion is drawn in full
CHINESE = {
    Why.VERDICT: "審查者認為不收", Why.PRIVACY: "還看得出是誰", Why.TIE: "兩個回答差不多", Why.UNANSWERED: "還沒有人回答",
    Why.DISCARDED: "看過的人都捨棄", Why.WAITING: "還在等其他人回答", Why.NO_MAJORITY: "沒有過半，待裁定", Why.UNSURE: "審查者無法確定",
    Why.GOLD_ACCURACY: "只有一人看過，而他的金題正確率未達標準", Why.NO_CORRECTION: "要改，但沒有人寫出怎麼改",
}  # fmt: skip
CHINESE_VIA = {"adjudication": "裁定", "majority": "過半", "single": "一人，金題正確率達標"}
CHINESE_SIDES = {"chosen": "原本較好的", "rejected": "原本較差的", "tie": "差不多"}


class Progress(NamedTuple):
    """Records of one part, gold questions included."""

    title: str
    records: int
    complete: int
    begun: int  # with an answer, but not yet with all that are wanted


def write(home: Path, name: str, output: str | None = None) -> str:
    """Writes the page and returns its path; `output` None stands for `review-report.html` beside what was pulled.

    Raises UserError where there is no such review.
    """
    review = load(home, name)
    path = output or str(store.folder(home, name) / "review-report.html")
    atomic_write_text(path, render(review, measure(review)))
    return path


def render(review: Review, agreement: Agreement) -> str:
    """The page as text; the same answers give the same bytes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    outcomes = decide(review, agreement.accuracy())
    loader = PackageLoader("curation.review", "templates")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2").render(
        name=review.name, kind=review.kind, options=review.options, progress=_progress(review), agreement=agreement,
        titles={question.name: question.title for question in review.kind.questions}, labels=_labels(review), outcome=_yield(outcomes),
        low=[row.question for row in agreement.alphas if is_low(row)], least=LEAST_ALPHA, wanted=GOLD_ACCURACY, resamples=RESAMPLES,
        pause_minutes=round(PAUSE_SECONDS / 60), pairs=agreement.confusion[:MOST_PAIRS], more_pairs=agreement.confusion[MOST_PAIRS:],
        open=sum(record.id not in review.adjudicated for record, _ in disagreements(review)), adjudicated=len(review.adjudicated),
        quarantined=review.quarantined, versions=review.versions, answers=sum(map(len, review.answers.values())),
    )  # fmt: skip


def _progress(review: Review) -> list[Progress]:
    rows = []
    for part, title, needed in (("single", "每筆一人回答", 1), ("shared", "每筆多人回答（含金題）", review.options.answers)):
        given = [len(review.answers.get(record.id, [])) for record in review.records if record.part == part]
        if given:
            complete = sum(number >= needed for number in given)
            rows.append(Progress(title, len(given), complete, sum(number > 0 for number in given) - complete))
    return rows


def _yield(outcomes: list[Outcome]) -> dict[str, Any]:
    fates = Counter(outcome.fate for outcome in outcomes)
    reasons = {
        fate: [(CHINESE[why], number) for why, number in Counter(o.why for o in outcomes if o.fate is fate).most_common()]
        for fate in (Fate.REJECTED, Fate.UNDECIDED)
    }
    via = Counter(o.via for o in outcomes if o.fate is Fate.ACCEPTED)
    return {
        "records": len(outcomes), "accepted": fates[Fate.ACCEPTED], "rejected": fates[Fate.REJECTED], "undecided": fates[Fate.UNDECIDED],
        "gold": fates[Fate.GOLD], "why_rejected": reasons[Fate.REJECTED], "why_undecided": reasons[Fate.UNDECIDED],
        "via": [(CHINESE_VIA[name], number) for name, number in via.most_common()],
        "corrected": sum(o.correction is not None for o in outcomes if o.fate is Fate.ACCEPTED),
    }  # fmt: skip


def _labels(review: Review) -> list[str]:
    """The decisive question's answers as the page calls them, in the order of the confusion's rows."""
    question = review.kind.question(review.kind.decisive)
    return [CHINESE_SIDES.get(value) or question.options.get(value, str(value)) for value in review.domain(question.name)]
