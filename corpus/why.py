"""Answers about finished runs: one document's story, and what two runs decide differently."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.policy import Policy
from factory.errors import UserError
from factory.zh.pii import Span, redact

EXCERPT_CHARS = 200
EVIDENCE_FROM = 0.5  # of a threat's score
_HIDDEN = ("minhash", "line_hashes", "line_chars", "exact_hash", "id", "pii_spans")


def read_manifest(run: str) -> dict[str, Any]:
    """The manifest of a finished run. Raises UserError where the folder holds none."""
    try:
        with open(f"{run}/manifest.json", encoding="utf-8") as stream:
            manifest: dict[str, Any] = json.load(stream)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{run}: holds no finished run (no manifest.json). Build one, or name its folder with --run.") from None
    except ValueError as error:
        raise UserError(f"{run}/manifest.json: is no manifest: {error}. The run was changed by hand; build it again.") from None
    return manifest


class Explanation(NamedTuple):
    """One document: its decision, features and origin."""

    decision: dict[str, Any]
    rule: dict[str, Any] | None  # the policy's rule that fired, as it applied to the source
    features: dict[str, Any]
    document: dict[str, Any]  # without its text
    excerpt: str
    parts: list[str]  # of a split document: the ids of its parts
    evidence: Sequence[dict[str, Any]] = ()  # for each classifier's score that counts: the paragraph where it is highest, and its words


def explain(run: str, document_id: str) -> Explanation:
    """Everything that a run knows of a document. Raises UserError for an id that it has not seen."""
    manifest = read_manifest(run)
    decision = _row(f"{run}/decisions.parquet", document_id)
    if decision is None:
        parts = _parts_of(run, document_id)
        if parts:
            found = explain(run, parts[0])
            return found._replace(parts=parts)
        raise UserError(f"{document_id}: no document of {run} has this id.{_suggestion(run, document_id)}")
    part = manifest["parts"][decision["part"]]
    folder = f"{run}/work/annotate/{part['folder']}"
    features = _row(f"{folder}/features.parquet", document_id) or {}
    document = _row(f"{folder}/documents.parquet", document_id) or {}
    text = document.pop("text", "")
    rule = None
    if decision["rule"]:
        policy = Policy.model_validate(manifest["policy"])
        source_type = manifest["recipe"]["sources"][decision["source"]]["type"]
        matching = [r for r in policy.rules_for(decision["source"], source_type) if r.id == decision["rule"]]
        rule = matching[0].model_dump(mode="json", exclude_none=True) if matching else None
    features["raw_sha256"] = features["raw_sha256"].hex()
    shown = {name: value for name, value in features.items() if name not in _HIDDEN}
    spans = [Span(**span) for span in features["pii_spans"] or []]
    named = tuple(rule["remove_if"]) if rule else ()
    return Explanation(decision, rule, shown, document, redact(text, spans)[:EXCERPT_CHARS], [], evidence(text, features, named, spans))


def evidence(text: str, features: dict[str, Any], named: tuple[str, ...], spans: list[Span]) -> list[dict[str, Any]]:
    """The paragraph and words behind each score that a rule names, else behind threats from EVIDENCE_FROM and the likeliest variety.

    The text is read again, whole, paragraph by paragraph; excerpts are redacted.
    """
    from factory.zh.classifiers.features import evidence_for
    from factory.zh.classifiers.model import THREATS, bundled

    high = [f"score_{label}" for label in THREATS if (features.get(f"score_{label}") or 0) >= EVIDENCE_FROM]
    likeliest = [f"score_{features['variety_label']}"] if features.get("variety_label") else []
    found = []
    for task, label in evidence_for(list(dict.fromkeys([*named, *high, *likeliest]))):
        best = bundled(task).evidence(text, label)[:1]
        for item in best:
            within = [span for span in spans if item.start <= span.start and span.end <= item.end]
            inside = [span._replace(start=span.start - item.start, end=span.end - item.start) for span in within]
            found.append({
                "label": label,
                "score": features[f"score_{label}"],
                "paragraph": text.count("\n", 0, item.start),
                "paragraph_score": round(item.score, 5),
                "excerpt": redact(text[item.start : item.end], inside)[:EXCERPT_CHARS],
                "words": [word for word, _ in item.words],
            })  # fmt: skip
    return found


def _row(path: str, document_id: str) -> dict[str, Any] | None:
    rows = _table(path, filters=[("id", "==", document_id)]).slice(0, 1).to_pylist()
    return rows[0] if rows else None


def _table(path: str, **options: Any) -> pa.Table:
    if not os.path.exists(path):
        raise UserError(f"{path}: is missing. The run was changed by hand; build it again.")
    return pq.read_table(path, **options)


def _parts_of(run: str, document_id: str) -> list[str]:
    ids = pq.read_table(f"{run}/decisions.parquet", columns=["id"]).column("id")
    return [str(part) for part in pc.filter(ids, pc.starts_with(ids, f"{document_id}#")).to_pylist()]


def _suggestion(run: str, document_id: str) -> str:
    ids = pq.read_table(f"{run}/decisions.parquet", columns=["id"]).column("id").to_pylist()
    near = get_close_matches(document_id, ids[:50_000], 1)
    return f" Did you mean {near[0]}?" if near else f" All ids stand in {run}/decisions.parquet."


class Move(NamedTuple):
    """A document that two runs decide differently: "kept", a reason, or "absent"."""

    id: str
    before: str
    after: str


class Difference(NamedTuple):
    """All documents that moved, and how many moved each way."""

    moves: list[Move]
    counts: dict[tuple[str, str], int]
    unchanged: int


def difference(run_a: str, run_b: str) -> Difference:
    """Compares the decisions of two runs, by id."""
    before, after = _outcomes(run_a), _outcomes(run_b)
    moves = [
        Move(document, before.get(document, "absent"), after.get(document, "absent"))
        for document in sorted(before.keys() | after.keys())
        if before.get(document) != after.get(document)
    ]
    counts = Counter((move.before, move.after) for move in moves)
    return Difference(moves, dict(counts.most_common()), len(before.keys() & after.keys()) - sum(
        1 for move in moves if "absent" not in (move.before, move.after)
    ))  # fmt: skip


def _outcomes(run: str) -> dict[str, str]:
    read_manifest(run)
    table = _table(f"{run}/decisions.parquet", columns=["id", "status", "reason"])
    return {
        row["id"]: row["reason"] or row["status"]
        for row in table.to_pylist()
        if row["reason"] != "duplicate_id"  # its id belongs to another document
    }
