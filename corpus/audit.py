"""An audit of a finished run: a random sample of kept and of removed documents for people to label, and the error rates that come back.

Two rates are estimated: leakage, the share of kept documents that a person would remove, and false removal, the share of
removed documents that a person would keep. Copies and documents over a mixture's cap were not removed for what they say and
are not sampled.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from typing import Any, NamedTuple

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.why import read_manifest
from factory import storage
from factory.errors import UserError
from factory.records import Reason, Status
from factory.statistics import wilson
from factory.zh.pii import find, redact

NOT_CONTENT = (Reason.EXACT_DUPLICATE, Reason.NEAR_DUPLICATE, Reason.LINE_DUPLICATES, Reason.MIXTURE_CAP)
MIN_STRATUM = 5  # documents of each source kept and of each reason for removal, where there are so many
TEXT_CHARS = 2_000  # that a person is shown
AUDIT_FILE = "audit.json"
_DECISIONS = ("keep", "remove")


class Drawn(NamedTuple):
    """One sampled document."""

    id: str
    part: int
    status: str
    stratum: str  # the source of a kept document, the reason of a removed one


def sample(run: str, size: int, seed: int = 1) -> list[Drawn]:
    """`size` documents, half kept and half removed, spread over the strata by their sizes with MIN_STRATUM of each.

    The same run, size and seed give the same documents. A run with fewer gives all.
    """
    found: list[Drawn] = []
    for status in (Status.KEPT, Status.REMOVED):
        strata = _strata(run)[str(status)]
        for stratum, count in _allocated({name: len(rows) for name, rows in strata.items()}, size // 2).items():
            found += sorted(strata[stratum], key=lambda row: _draw(row.id, seed))[:count]
    return sorted(found, key=lambda row: _draw(row.id, seed + 1))  # mixed, so that an order gives nothing away


def _strata(run: str) -> dict[str, dict[str, list[Drawn]]]:
    table = pq.read_table(f"{run}/decisions.parquet", columns=["id", "source", "part", "status", "reason"])
    table = table.filter(pc.field("status") != str(Status.QUARANTINED))
    strata: dict[str, dict[str, list[Drawn]]] = {str(Status.KEPT): defaultdict(list), str(Status.REMOVED): defaultdict(list)}
    for row in table.to_pylist():
        if row["reason"] not in NOT_CONTENT:
            stratum = row["source"] if row["status"] == Status.KEPT else row["reason"]
            strata[row["status"]][stratum].append(Drawn(row["id"], row["part"], row["status"], stratum))
    return strata


def _allocated(sizes: dict[str, int], wanted: int) -> dict[str, int]:
    """How many to draw from each stratum: in proportion, none under its least share, largest remainders first."""
    total = sum(sizes.values())
    if total <= wanted:
        return sizes
    least = {name: min(size, MIN_STRATUM) for name, size in sizes.items()}
    left = max(0, wanted - sum(least.values()))
    rest = {name: size - least[name] for name, size in sizes.items()}
    room = sum(rest.values())
    exact = {name: left * size / room if room else 0.0 for name, size in rest.items()}
    counts = {name: least[name] + int(exact[name]) for name in sizes}
    by_remainder = sorted(sizes, key=lambda name: (-(exact[name] % 1), name))
    for name in by_remainder[: left - sum(int(value) for value in exact.values())]:
        counts[name] = min(sizes[name], counts[name] + 1)
    return counts


def _draw(document: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{document}".encode("utf-8", "replace"), digest_size=8).digest()


def write_sample(run: str, drawn: list[Drawn], path: str) -> None:
    """The sample as Argilla records (`rg.Record.from_dict`), one JSON object a line. Personal data is redacted whatever the policy says.

    What the run decided is metadata, not a field: the person who labels is not to be led by it.
    """
    manifest = read_manifest(run)
    texts = _texts(run, manifest, drawn)
    lines = []
    for row in drawn:
        document = texts[row.id]
        shown = redact(document["text"], find(document["text"]))
        fields = {
            "text": shown[:TEXT_CHARS],
            "source": document["source"],
            "title": redact(title, find(title)) if (title := document["title"]) else "",
        }
        lines.append(
            json.dumps({"id": row.id, "fields": fields, "metadata": {"status": row.status, "stratum": row.stratum}}, ensure_ascii=False)
            + "\n"
        )
    storage.atomic_write_text(path, "".join(lines))


def _texts(run: str, manifest: dict[str, Any], drawn: list[Drawn]) -> dict[str, dict[str, Any]]:
    wanted: dict[int, list[str]] = defaultdict(list)
    for row in drawn:
        wanted[row.part].append(row.id)
    found: dict[str, dict[str, Any]] = {}
    for part, ids in wanted.items():
        path = f"{run}/work/annotate/{manifest['parts'][part]['folder']}/documents.parquet"
        for document in pq.read_table(path, columns=["id", "text", "source", "title"], filters=[("id", "in", ids)]).to_pylist():
            found.setdefault(document["id"], document)
    return found


class Rate(NamedTuple):
    """A share of a population estimated from labels; each stratum weighs what it is of the population."""

    share: float
    low: float
    high: float
    wrong: int  # labelled
    labelled: int
    population: int
    strata: dict[str, dict[str, Any]]


def account(run: str, path: str) -> dict[str, Any]:
    """Leakage and false removal from labels, written to `<run>/audit.json`.

    `path` is JSONL: rows with `id` and `decision` (keep or remove), or records as Argilla exports them with the question
    `decision`; of several people's answers the majority counts, and a tie counts as undecided. Raises UserError for a row that
    cannot be read, an id that the run does not hold, and for labels of one side only.
    """
    manifest = read_manifest(run)
    labels, undecided = read_labels(path)
    strata = _strata(run)
    known = {row.id for side in strata.values() for rows in side.values() for row in rows}
    if stranger := next((document for document in labels if document not in known), None):
        raise UserError(f"{path}: {stranger}: {run} holds no such document to audit. Give the labels of this run's sample.")
    rates = {}
    for name, status, wrong in (("leakage", Status.KEPT, "remove"), ("false_removal", Status.REMOVED, "keep")):
        side = strata[str(status)]
        answers = {stratum: [labels[row.id] == wrong for row in rows if row.id in labels] for stratum, rows in side.items()}
        if side and not any(answers.values()):
            raise UserError(f"{path}: labels no {status} document of {run}. Label the whole sample that 'twllm corpus audit' wrote.")
        rates[name] = _rate(answers, {stratum: len(rows) for stratum, rows in side.items()})._asdict()
    result = {"run": manifest["stages"]["assemble"], "labelled": len(labels), "undecided": undecided, **rates}
    storage.atomic_write_text(f"{run}/{AUDIT_FILE}", json.dumps(result, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return result


def _rate(answers: dict[str, list[bool]], sizes: dict[str, int]) -> Rate:
    """The stratified estimate, with the Wilson interval at the effective number of labels (Kish 1965, section 8.2)."""
    labelled = {name: rows for name, rows in answers.items() if rows}
    population = sum(sizes[name] for name in labelled)
    weights = [(sizes[name] / len(rows), wrong) for name, rows in labelled.items() for wrong in rows]
    total = sum(weight for weight, _ in weights)
    share = sum(weight for weight, wrong in weights if wrong) / total if total else 0.0
    effective = total**2 / sum(weight**2 for weight, _ in weights) if weights else 0.0
    low, high = _wilson_share(share, effective)
    by_stratum = {
        name: {
            "labelled": len(rows),
            "wrong": sum(rows),
            "population": sizes[name],
            "interval": [round(b, 6) for b in wilson(sum(rows), len(rows))],
        }
        for name, rows in sorted(labelled.items())
    }
    return Rate(round(share, 6), round(low, 6), round(high, 6), sum(map(sum, labelled.values())), len(weights), population, by_stratum)


def _wilson_share(share: float, of: float) -> tuple[float, float]:
    scale = 10_000  # wilson() counts; a weighted share of a fractional number of labels is a count in finer units
    if of <= 0:
        return 0.0, 1.0
    low, high = wilson(round(share * scale), scale, z=1.959964 * (scale / of) ** 0.5)
    return low, high


def read_labels(path: str) -> tuple[dict[str, str], int]:
    """id -> keep or remove, and how many records people did not agree on or left without an answer."""
    labels: dict[str, str] = {}
    undecided = 0
    with storage.open_stored(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UserError(f"{where}: is not JSON: {error}. Correct that line.") from None
            if not isinstance(row, dict) or not isinstance(row.get("id"), str):
                raise UserError(f"{where}: a label needs 'id'. Correct that line.")
            answers = _answers(row)
            for answer in answers:
                if answer not in _DECISIONS:
                    raise UserError(f"{where}: decision {answer!r} is not keep or remove. Correct that line.")
            keep, remove = answers.count("keep"), answers.count("remove")
            if keep == remove:
                undecided += 1
            else:
                labels[row["id"]] = "keep" if keep > remove else "remove"
    if not labels:
        raise UserError(f"{path}: holds no label. Each row needs 'id' and 'decision', keep or remove.")
    return labels, undecided


def _answers(row: dict[str, Any]) -> list[Any]:
    if "decision" in row:
        return [row["decision"]]
    responses = row.get("responses")
    given = responses.get("decision", []) if isinstance(responses, dict) else []
    return [answer.get("value") if isinstance(answer, dict) else answer for answer in given]


def read_audit(run: str, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The audit of a run, or None where there is none or where the run has been built anew since."""
    try:
        with open(f"{run}/{AUDIT_FILE}", encoding="utf-8") as stream:
            found: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{run}/{AUDIT_FILE}: is no audit: {error}. Remove it, or make it again with --labels.") from None
    return found if found.get("run") == manifest["stages"]["assemble"] else None
