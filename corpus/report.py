"""`report.html` of a finished run: one page that explains the corpus, in English and in Chinese of Taiwan.

The page asks for nothing outside itself, holds no time or path of the run, and is the same bytes for the same run. Texts of a
corpus are hostile: jinja2 escapes every value, and the page's own policy (CSP) lets no script run but the one it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corpus import report_format as form
from corpus.audit import read_audit
from corpus.decide import threshold_text
from corpus.policy import Policy
from corpus.report_data import (
    KINDS,
    Hits,
    Right,
    Run,
    Share,
    funnel_rows,
    kept_lanes,
    kind_of,
    labelled,
    load_run,
    reason_counts,
    rights,
    rule_hits,
    summed,
    total,
)  # fmt: skip
from corpus.report_plots import draw, histograms
from corpus.report_samples import cases, shown
from factory import storage

MAX_HOLDERS = 20
MAX_IDS = 12  # of one kind of disagreement
MAX_ERRORS = 20
_ERROR_CHARS = 160
_DISTINCT_ERRORS = 5_000  # counted; messages that all differ are added up beyond it


def write_report(output: str) -> None:
    """Writes `<output>/report.html`. Raises UserError where `output` holds no finished run."""
    storage.atomic_write_text(f"{output}/report.html", render(load_run(output)))


def render(run: Run) -> str:
    """The page as text."""
    template = _environment().get_template("report.html.j2")
    return template.render(context(run), **_inlined()) + "\n"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(form.TEMPLATES)), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(t=bilingual, name=named, number=_number)
    environment.filters.update(whole=form.whole)
    environment.globals.update(percent=form.percent, kinds=KINDS, kind_of=kind_of)
    return environment


def bilingual(english: object, chinese: object) -> Markup:
    """The same said in both languages; the page shows one of them. Both are escaped."""
    return Markup('<span class="t" lang="en">{}</span><span class="t" lang="zh-Hant-TW">{}</span>').format(english, chinese)


def named(kind: str, key: str) -> Markup:
    """What `templates/terms.tsv` calls a key."""
    term = form.term(kind, key)
    return Markup("{}").format(term.en) if term.en == term.zh else bilingual(term.en, term.zh)


def _number(value: int) -> Markup:
    english, chinese = (form.short(value, language) for language in form.LANGUAGES)
    return Markup("{}").format(english) if english == chinese else bilingual(english, chinese)


def _inlined() -> dict[str, Any]:
    """The page's own style and script, and the digest by which its content policy knows the script."""
    style, script = (Path(str(form.TEMPLATES / name)).read_text("utf-8") for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "script_digest": digest}  # noqa: S704 - files of this package


def context(run: Run) -> dict[str, Any]:
    """Everything that the template shows."""
    manifest = run.manifest
    rows = funnel_rows(manifest)
    shares = rights(run)
    holders = summed(shares, "holder")
    reasons = reason_counts(manifest)
    hits = rule_hits(run)
    return {
        "run": manifest,
        "policy": run.policy,
        "sources": rows,
        "total": total(rows),
        "mixture": manifest["recipe"]["mixture"],
        "tokenizer": Path(manifest["recipe"]["mixture"]["tokenizer"] or "").name,
        "reasons": reasons,
        "most": max((count for _, count in reasons), default=0),
        "plots": [(plot, Markup(draw(plot))) for plot in histograms(run)],  # noqa: S704 - numbers only
        "cases": cases(run),
        "rules": policy_rows(run.policy, hits),
        "origins": {rule.id: rule.origin for rule in run.policy.rules},
        "licenses": license_rows(shares),
        "holders": list(holders.items())[:MAX_HOLDERS],
        "holders_left": max(0, len(holders) - MAX_HOLDERS),
        "lanes": kept_lanes(run),
        "labels": labelled(manifest),
        "audit": read_audit(run.folder, manifest),
        "max_ids": MAX_IDS,
        "errors": quarantine_errors(run.folder),
        "files": _files(manifest),
    }


def _files(manifest: dict[str, Any]) -> Counter[str]:
    files: Counter[str] = Counter()
    for part in manifest["parts"]:
        files[part["source"]] += part["files"]
    return files


def license_rows(shares: dict[Right, Share]) -> list[tuple[str, Share, list[tuple[str, Share]]]]:
    """Each licence with its amount and, beneath it, that of each source; the most tokens first."""
    by_source = summed(shares, "license", "source")
    return [
        (str(license_id), share, [(str(source), part) for (owner, source), part in by_source.items() if owner == license_id])
        for (license_id,), share in summed(shares, "license").items()
    ]


class PolicyRow(NamedTuple):
    """One rule of the policy as a table row."""

    id: str
    reason: str
    threshold: str
    unit: str
    origin: str
    date: str
    documents: int  # removed by it
    sources: dict[str, int]  # documents by source
    changes: list[tuple[str, str | None, str, str]]  # source or type, its threshold (None: switched off), origin, date

    @property
    def switched_off(self) -> list[str]:
        """Sources or types that do without the rule."""
        return [source for source, threshold, _, _ in self.changes if threshold is None]


def policy_rows(policy: Policy, hits: list[Hits]) -> list[PolicyRow]:
    """The rules in the policy's order, with what each removed."""
    rows = []
    for rule in policy.rules:
        own = {row.source: row.documents for row in hits if row.rule == rule.id}
        changes: list[tuple[str, str | None, str, str]] = []
        for source, change in ((name, changed[rule.id]) for name, changed in policy.sources.items() if rule.id in changed):
            if change is None:
                changes.append((source, None, "", ""))
            else:
                text = threshold_text(rule.model_copy(update={"remove_if": change.remove_if}))
                changes.append((source, text, change.origin, str(change.date)))
        row = PolicyRow(
            rule.id, str(rule.reason), threshold_text(rule), rule.unit, rule.origin, str(rule.date), sum(own.values()), own, changes
        )
        rows.append(row)
    return rows


class InputError(NamedTuple):
    """One kind of fault in the input, and where it stands first."""

    source: str
    error: str
    rows: int
    first: str


def quarantine_errors(folder: str) -> list[InputError]:
    """The most frequent faults of `quarantine.jsonl`."""
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    with fsspec.open(f"{folder}/quarantine.jsonl", "rt", encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            key = (row["source"], shown(row["error"], _ERROR_CHARS))
            if key not in counts and len(counts) >= _DISTINCT_ERRORS:
                key = (row["source"], "…")
            counts[key] += 1
            first.setdefault(key, f"{row['path']}: {row['locator']}")
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [InputError(*key, count, first[key]) for key, count in ranked[:MAX_ERRORS]]
