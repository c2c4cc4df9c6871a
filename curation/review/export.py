"""What passed review as sets to train on, what did not as sets for the classifiers, and nothing lost between: each record is in one of
exported, rejected, undecided and gold. The same answers give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from curation.review.agreement import Agreement, Alpha, measure
from curation.review.answers import Answer, Review, load
from curation.review.redaction import redacted
from curation.review.verdict import Fate, Outcome, decide
from factory import __version__, storage
from factory.errors import UserError
from factory.zh.classifiers.model import CLEAN, THREATS

LEAST_ALPHA = 0.67  # Krippendorff 2004, p. 241: the lowest from which tentative conclusions may be drawn
FORM = 1  # of the manifest
Rows = list[dict[str, Any]]


class Exported(NamedTuple):
    """What an export came to. in = exported + rejected + undecided + gold."""

    name: str
    output: str
    records: int
    exported: int
    rejected: dict[str, int]
    undecided: dict[str, int]
    gold: int
    files: dict[str, int]  # name -> rows
    low: list[str]  # questions that people did not agree on enough, and that were let pass


def export(home: Path, name: str, output: str, accept_low_agreement: bool = False) -> Exported:
    """Writes the sets, a card and a manifest to the folder `output`.

    Raises UserError where people agree too little on a question, or where that was not measured, unless `accept_low_agreement` is set;
    the card then says so.
    """
    review = load(home, name)
    agreement = measure(review)
    low = [row for row in agreement.alphas if is_low(row)]
    if low and not accept_low_agreement:
        raise UserError(
            f"review {name!r}: people agree too little on {', '.join(_told(row) for row in low)}; alpha is to be {LEAST_ALPHA} or more. "
            "Sharpen the guidelines and review more, or give --accept-low-agreement, which the card will state."
        )
    outcomes = decide(review, agreement.accuracy())
    files = _files(review, outcomes)
    counts = _counts(outcomes)
    for file, rows in files.items():
        storage.atomic_write(f"{output}/{file}", lambda stream, rows=rows: _write(rows, stream))  # type: ignore[misc]
    manifest = _manifest(review, agreement, counts, files, output, [row.question for row in low])
    storage.atomic_write_text(f"{output}/README.md", card(manifest, agreement))
    storage.atomic_write_text(f"{output}/manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return Exported(
        name, output, len(outcomes), counts["exported"], counts["rejected"], counts["undecided"], counts["gold"],
        {file: len(rows) for file, rows in files.items()}, [row.question for row in low],
    )  # fmt: skip


def is_low(row: Alpha) -> bool:
    """Whether agreement on a question is too low, or was not measured. One and the same answer throughout is not low."""
    return not row.uniform and (row.alpha is None or row.alpha < LEAST_ALPHA)


def _told(row: Alpha) -> str:
    return f"{row.question} (not measured: nothing was answered twice)" if row.alpha is None else f"{row.question} ({row.alpha:.3f})"


def _counts(outcomes: list[Outcome]) -> dict[str, Any]:
    by_fate: dict[str, Any] = {
        str(fate): dict(sorted(Counter(str(o.why) for o in outcomes if o.fate is fate).items())) for fate in (Fate.REJECTED, Fate.UNDECIDED)
    }
    fates = Counter(outcome.fate for outcome in outcomes)
    return {"in": len(outcomes), "exported": fates[Fate.ACCEPTED], **by_fate, "gold": fates[Fate.GOLD]}


def _files(review: Review, outcomes: list[Outcome]) -> dict[str, Rows]:
    accepted = [outcome for outcome in outcomes if outcome.fate is Fate.ACCEPTED]
    rejected = [outcome for outcome in outcomes if outcome.fate is Fate.REJECTED]
    undecided = [
        {"id": outcome.record.row["id"], "record": outcome.record.id, "reason": str(outcome.why), "answers": len(outcome.answers)}
        for outcome in outcomes
        if outcome.fate is Fate.UNDECIDED
    ]
    if review.kind.name == "audit":
        decided = sorted([*accepted, *rejected], key=lambda outcome: outcome.record.place)
        threats = [row for outcome in decided if (row := _threat(outcome)) is not None]
        return {"labels.jsonl": [_label(o, review) for o in decided], "labels-threat.jsonl": threats, "undecided.jsonl": undecided}
    if review.kind.name == "preference":
        return {
            "preferences.jsonl": [_pair(outcome, review) for outcome in accepted],
            "rejected.jsonl": [_turned_down(outcome, review) for outcome in rejected],
            "undecided.jsonl": undecided,
        }
    graded = [outcome for outcome in (*accepted, *rejected) if outcome.ratings("fluency") or _last(outcome, "fluency") is not None]
    return {
        "sft.jsonl": [_conversation(outcome, review) for outcome in accepted],
        "preferences.jsonl": [_corrected_pair(outcome, review) for outcome in accepted if outcome.correction is not None],
        "rejected.jsonl": [_turned_down(outcome, review) for outcome in rejected],
        "undecided.jsonl": undecided,
        "labels-quality.jsonl": [_quality(outcome) for outcome in graded],
    }


def _review(outcome: Outcome, review: Review) -> dict[str, Any]:
    """Who said what and when, under pseudonyms."""
    voices = [*outcome.answers, *([outcome.adjudication] if outcome.adjudication else [])]
    ratings = {q.name: statistics.median(found) for q in review.kind.questions if q.type == "rating" and (found := outcome.ratings(q.name))}
    return {
        "verdict": outcome.value, "via": outcome.via, "by": [answer.by for answer in voices],
        "when": max(answer.updated for answer in voices), "ratings": {name: float(value) for name, value in ratings.items()},
    }  # fmt: skip


def _lineage(outcome: Outcome, review: Review) -> dict[str, Any]:
    stated = outcome.record.row.get("lineage")
    return {
        **(stated if isinstance(stated, dict) else {}),
        "review": {
            "name": review.name, "record": outcome.record.id, "responses": [answer.response for answer in outcome.answers],
            "adjudication": outcome.adjudication.response if outcome.adjudication else None,
            "corrected_by": outcome.correction.response if outcome.correction else None,
            "original_sha256": hashlib.sha256(_answer(outcome).encode()).hexdigest() if outcome.correction else None,
        },
    }  # fmt: skip


def _answer(outcome: Outcome) -> str:
    return str(outcome.record.row["messages"][-1]["content"])


def _correction(correction: Answer) -> str:
    return redacted(str(correction.values["corrected"]).strip(), Counter())


def _conversation(outcome: Outcome, review: Review) -> dict[str, Any]:
    row = outcome.record.row
    messages = [{"role": message["role"], "content": message["content"]} for message in row["messages"]]
    if outcome.correction is not None:
        messages[-1] = {"role": "assistant", "content": _correction(outcome.correction)}
    return _row(outcome, review, {"messages": messages})


def _row(outcome: Outcome, review: Review, content: dict[str, Any], suffix: str = "") -> dict[str, Any]:
    row = outcome.record.row
    return {
        "id": row["id"] + suffix, **content, "category": outcome.record.category, "lineage": _lineage(outcome, review),
        "license": str(row.get("license") or "unknown"), "review": _review(outcome, review),
    }  # fmt: skip


def _corrected_pair(outcome: Outcome, review: Review) -> dict[str, Any]:
    assert outcome.correction is not None
    prompt = [{"role": message["role"], "content": message["content"]} for message in outcome.record.row["messages"][:-1]]
    pair = {
        "prompt": prompt, "chosen": [{"role": "assistant", "content": _correction(outcome.correction)}],
        "rejected": [{"role": "assistant", "content": _answer(outcome)}],
    }  # fmt: skip
    return _row(outcome, review, pair, "-corrected")


def _pair(outcome: Outcome, review: Review) -> dict[str, Any]:
    row = outcome.record.row
    better, worse = (row["chosen"], row["rejected"]) if outcome.value == "chosen" else (row["rejected"], row["chosen"])
    return _row(outcome, review, {"prompt": row["prompt"], "chosen": better, "rejected": worse})


def _turned_down(outcome: Outcome, review: Review) -> dict[str, Any]:
    row = outcome.record.row
    names = ("messages",) if "messages" in row else ("prompt", "chosen", "rejected")
    return {**_row(outcome, review, {name: row[name] for name in names}), "reason": str(outcome.why)}


def _quality(outcome: Outcome) -> dict[str, Any]:
    """The answer that was reviewed, and how well it says things: fluency of 1 to 5 on the classifier's scale of 0 to 1."""
    graded = _last(outcome, "fluency") or statistics.median(outcome.ratings("fluency"))
    return {"id": outcome.record.row["id"], "text": _answer(outcome), "quality": (graded - 1) / 4, "source": "review",
            "license": str(outcome.record.row.get("license") or "unknown")}  # fmt: skip


def _last(outcome: Outcome, question: str) -> Any:
    return outcome.adjudication.values.get(question) if outcome.adjudication else None


def _label(outcome: Outcome, review: Review) -> dict[str, Any]:
    """A document's label as `twllm corpus audit RUN --labels` reads it, and whether the run's decision was right."""
    row = outcome.record.row
    ran = "keep" if row["metadata"]["status"] == "kept" else "remove"
    right = "yes" if outcome.value == ran else "no"
    return {"id": row["id"], "decision": outcome.value, "right": right, "class": _class(outcome), "lineage": _lineage(outcome, review),
            "review": _review(outcome, review)}  # fmt: skip


def _class(outcome: Outcome) -> str | None:
    """What was decided on, or what more than half said."""
    if (last := _last(outcome, "class")) is not None:
        return str(last)
    said = Counter(outcome.ratings("class"))
    value, votes = said.most_common(1)[0] if said else (None, 0)
    return str(value) if votes * 2 > said.total() else None


def _threat(outcome: Outcome) -> dict[str, Any] | None:
    """The document as a classifier recipe's `data` reads it; None where its class is not one of the classifier's."""
    label = _class(outcome)
    if label not in (*THREATS, CLEAN):
        return None
    fields = outcome.record.row["fields"]
    return {"id": outcome.record.row["id"], "text": fields["text"], "labels": [label], "source": str(fields.get("source") or "review")}


def _write(rows: Iterable[dict[str, Any]], stream: IO[bytes]) -> None:
    for row in rows:
        stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _manifest(
    review: Review, agreement: Agreement, counts: dict[str, Any], files: dict[str, Rows], output: str, low: list[str]
) -> dict[str, Any]:
    licenses = Counter(row["license"] for name in ("sft.jsonl", "preferences.jsonl") for row in files.get(name, []))
    facts = {
        name: {"rows": len(rows), "bytes": storage.file_size(f"{output}/{name}"), "sha256": storage.sha256_file(f"{output}/{name}")}
        for name, rows in files.items()
    }
    return {
        "form": FORM, "name": review.name, "kind": review.kind.name, "counts": counts, "quarantined": review.quarantined, "files": facts,
        "licenses": dict(sorted(licenses.items())), "agreement": [row._asdict() for row in agreement.alphas],
        "gold_accuracy": [{"by": row.by, **row.all._asdict()} for row in agreement.gold], "accepted_low_agreement": low,
        "adjudicated": len(review.adjudicated), "options": review.options._asdict(), "twllm": __version__,
    }  # fmt: skip


def card(manifest: dict[str, Any], agreement: Agreement) -> str:
    """The dataset card of an export."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("curation.review", "templates")
    environment = Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # noqa: S701 - Markdown
    licenses = list(manifest["licenses"])
    configs = [
        (name.removesuffix(".jsonl"), name) for name, facts in manifest["files"].items() if facts["rows"] and name != "undecided.jsonl"
    ]
    return environment.get_template("card.md.j2").render(
        manifest, license=licenses[0] if len(licenses) == 1 else "other", configs=configs, least=LEAST_ALPHA, people=len(agreement.gold)
    )  # fmt: skip
