"""What the verbs print: Rich tables on a terminal, plain ones elsewhere, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from corpus.progress import write_event

if TYPE_CHECKING:
    from corpus.budget import Budget
    from corpus.build import Result
    from corpus.estimate import Estimate
    from corpus.rights_account import Account
    from corpus.slurm import Request, Submission
    from corpus.why import Difference, Explanation

SHOWN = 20  # rows of a long list


def _json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None, numbers: int = 0) -> None:
    """Prints a table; its last `numbers` columns are right-aligned."""
    drawn = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, name in enumerate(header):
        drawn.add_column(name, justify="right" if index >= len(header) - numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, 120)
    console.print(drawn)


def show_result(result: Result, as_json: bool) -> None:
    """The end of a build: funnel, agreement with labels, where the report is."""
    if as_json:
        write_event({
            "event": "result",
            "output": result.output,
            "funnel": {name: counts._asdict() for name, counts in result.funnel.items()},
            "agreement": result.agreement._asdict() if result.agreement else None,
            "reused": result.reused,
        }, sys.stdout)  # fmt: skip
        return
    _funnel({name: counts._asdict() for name, counts in result.funnel.items()})
    reused = [stage for stage, taken in result.reused.items() if taken]
    if reused:
        print(f"\nreused: {', '.join(reused)}")
    if result.agreement:
        a = result.agreement
        seen = a.labelled - len(a.missing)
        print(f"\nlabels: {a.decisions_right} of {seen} decisions agree ({a.decisions_right / max(seen, 1):.1%}), "
              f"{a.reasons_right} with the same reason ({a.reasons_right / max(seen, 1):.1%})"
              + (f"; {len(a.missing)} labelled documents were not seen" if a.missing else ""))  # fmt: skip
        wrong = [d for d in a.disagreements if "keep" in (d.expected, d.found)]
        if wrong:
            table(["id", "case", "label", "decision"], [[d.id, d.case, d.expected, d.found] for d in wrong[:SHOWN]])
            _more(len(wrong), f"{result.output}/report.html")
    if any(counts.quarantined for counts in result.funnel.values()):
        _quarantine(result.output)
    if not any(counts.kept for counts in result.funnel.values()):
        print("\nnothing was kept: see the reasons with 'twllm corpus stats', and check 'fields' and 'paths' of the recipe")
    print(f"\ncorpus: {result.output}/data\nreport: {result.output}/report.html")


def show_submission(found: Submission, as_json: bool) -> None:
    """Jobs that were submitted, and how to look at them."""
    if as_json:
        write_event({"event": "result", **found._asdict(), "request": found.request._asdict()}, sys.stdout)
        return
    if found.array_job:
        print(f"annotate: job {found.array_job}, {_request(found.request)}")
    else:
        print("annotate: every part is there")
    print(f"finish:   job {found.finish_job}" + (", begins when the array has ended well" if found.array_job else ""))
    print("scripts:  " + "\n          ".join(found.scripts))
    jobs = ",".join(job for job in (found.array_job, found.finish_job) if job)
    print(f"look:     squeue -j {jobs}; logs in {found.logs}")
    print("after a failure, run the same command again: it submits what is missing")


def _request(asked: Request) -> str:
    each = f" of {asked.parts_per_task} parts" if asked.parts_per_task > 1 else ""
    return (
        f"{asked.parts:,} parts in an array of {asked.array:,} tasks{each}, {asked.memory_gb} GB and at most {asked.minutes:,} minutes each"
    )


def _more(count: int, where: str) -> None:
    if count > SHOWN:
        print(f"... and {count - SHOWN} more, see {where}")


def _quarantine(output: str) -> None:
    """The first row of each source that could not be read, and where the others stand."""
    if not os.path.exists(f"{output}/quarantine.jsonl"):
        return
    first: dict[str, dict[str, Any]] = {}
    with open(f"{output}/quarantine.jsonl", encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            first.setdefault(row["source"], row)
    if first:
        print(f"\nquarantined rows: {output}/quarantine.jsonl; the first of each source:")
        for source, row in first.items():
            print(f"  {source}: {row['path']}, {row['locator']}: {row['error']}")


def _funnel(funnel: dict[str, dict[str, Any]]) -> None:
    names = ("documents", "kept", "removed", "quarantined", "tokens_kept")
    rows: list[list[Any]] = [[source, *(counts[name] for name in names)] for source, counts in funnel.items()]
    rows.append(["all", *(sum(counts[name] for counts in funnel.values()) for name in names)])
    table(["source", "in", "kept", "removed", "quarantined", "tokens kept"], rows, numbers=5)


def show_rights(accounts: list[Account], as_json: bool) -> None:
    """What each holder's texts came to."""
    if as_json:
        _json([account._asdict() for account in accounts])
        return
    header = ["rights holder", "contract", "licence", "share", "works", "documents", "tokens"]
    rows = [
        [
            a.rights_holder or "not stated",
            a.contract_id or "–",
            a.license,
            "–" if a.share is None else a.share,
            a.books,
            a.documents,
            a.tokens,
        ]
        for a in accounts
    ]
    table(header, rows, numbers=4)


def show_budget(found: Budget, measured: bool, written: int | None, as_json: bool) -> None:
    """What each source gives to a mixture, and what is missing."""
    if as_json:
        sources = [source._asdict() for source in found.sources]
        facts = {"target": found.target, "tokens": found.tokens, "reachable": found.reachable, "measured": measured}
        _json({**facts, "sources": sources, "tokens_with_whole_repeats": written})
        return
    header = ["source", "quota", "may be used", "not allowed", "used", "epochs", "tokens", "missing"]
    rows = [[s.source, s.quota, s.available, s.withheld, s.used, s.epochs, s.tokens, s.missing] for s in found.sources]
    table(header, rows, "tokens", numbers=1)
    print(f"{found.tokens:,} of {found.target:,} tokens ({found.tokens / found.target:.1%}).")
    for source in found.sources:
        if source.missing:
            most = f"{source.available:,} tokens repeated {source.epochs:g} times" if source.available else "nothing that may be used"
            print(f"{source.source}: has {most}; {source.missing:,} of its {source.quota:,} tokens are missing.")
    if found.tokens < found.target:
        print(f"The largest mixture that these shares fill: {found.reachable:,} tokens. Give a source less weight, or more text.")
    if not measured:
        print("From a sample of the files: quality and copies are not known before a build.")
    if written is not None:
        print(f"Whole repeats make {written:,} tokens.")


def show_stats(manifest: dict[str, Any], as_json: bool) -> None:
    """The funnel of a finished run and its reasons."""
    if as_json:
        _json({"funnel": manifest["funnel"], "quotas": manifest["quotas"], "agreement": manifest["agreement"]})
        return
    _funnel(manifest["funnel"])
    totals: dict[str, int] = {}
    for counts in manifest["funnel"].values():
        for reason, count in counts["reasons"].items():
            totals[reason] = totals.get(reason, 0) + count
    print()
    table(["reason", "documents"], sorted(totals.items(), key=lambda item: -item[1]), numbers=1)


def show_why(found: Explanation, as_json: bool) -> None:
    """One document's story."""
    if as_json:
        _json(found._asdict())
        return
    decision = found.decision
    print(f"{decision['id']}: {decision['status']}" + (f" ({decision['reason']})" if decision["reason"] else ""))
    if found.parts:
        print(f"  one of {len(found.parts)} parts: {', '.join(found.parts[:SHOWN])}")
    if decision["rule"]:
        print(f"  rule {decision['rule']}: {decision['threshold']}; observed {decision['observed']}")
    if found.rule:
        print(f"  unit {found.rule['unit']}; from {found.rule['origin']} ({found.rule['date']})")
    if decision["kept_id"]:
        print(f"  the copy that stays: {decision['kept_id']} (similarity {decision['similarity']:.2f})")
    if decision["dropped_lines"]:
        print(f"  lines removed as repeated across documents: {len(decision['dropped_lines'])}")
    facts = {name: value for name, value in found.document.items() if value not in (None, [], "{}")}
    print()
    table(["origin", ""], [[name, str(value)] for name, value in facts.items()])
    print()
    table(["feature", "value"], [[name, str(value)] for name, value in found.features.items()])
    for item in found.evidence:
        where = f"paragraph {item['paragraph']} ({item['paragraph_score']:.3f})"
        print(f"\n{item['label']} {item['score']:.3f}: {where}, by {'、'.join(item['words'])}")
        print(f"  {item['excerpt']}")
    print(f"\n{found.excerpt}…")


def show_audit(found: dict[str, Any], as_json: bool) -> None:
    """Error rates of an audited run."""
    if as_json:
        _json(found)
        return
    rows = [
        [what, f"{rate['share']:.1%}", f"{rate['low']:.1%} to {rate['high']:.1%}", rate["labelled"], rate["population"]]
        for what, rate in (
            ("kept, should go (leakage)", found["leakage"]),
            ("removed, should stay (false removal)", found["false_removal"]),
        )
    ]
    table(["documents", "rate", "95 % interval", "labelled", "of"], rows, numbers=2)
    if found["undecided"]:
        print(f"{found['undecided']:,} records without a majority are left out")


def show_diff(found: Difference, as_json: bool) -> None:
    """What moved between two runs."""
    if as_json:
        _json({"unchanged": found.unchanged, "moves": [move._asdict() for move in found.moves]})
        return
    print(f"{found.unchanged:,} documents decided alike, {len(found.moves):,} moved")
    if found.moves:
        table(["before", "after", "documents"], [[*ways, count] for ways, count in found.counts.items()], numbers=1)
        print()
        table(["id", "before", "after"], found.moves[:SHOWN])
        _more(len(found.moves), "--json")


def show_estimate(found: Estimate, as_json: bool, asked: Request | None = None) -> None:
    """A build before it runs, and what it would ask of a Slurm cluster."""
    if as_json:
        sources = {name: source._asdict() for name, source in found.sources.items()}
        _json({**found._asdict(), "sources": sources, **({"slurm": asked._asdict()} if asked else {})})
        return
    header = ["source", "documents", "kept", "tokens", "MB of text", "CPU seconds", "sampled", "unreadable"]
    rows = [
        [name, s.documents, s.kept, s.tokens, f"{s.text_bytes / 1e6:,.1f}", f"{s.cpu_seconds:,.1f}", s.sampled, s.unreadable]
        for name, s in found.sources.items()
    ]
    table(header, rows, numbers=7)
    print(f"\nabout {found.wall_seconds / 60:.1f} minutes with {found.workers} workers, {found.disk_bytes / 1e9:.2f} GB of disk "
          "(extrapolated; duplicates are not foreseen)")  # fmt: skip
    if asked:
        print(f"Slurm: about {_request(asked)}; then a job with {asked.finish_memory_gb} GB")
