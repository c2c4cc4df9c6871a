"""Verbs that concern records and answers."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from curation.review.pull import Pulled

Name = Annotated[str, typer.Argument(help="Name of the review.", metavar="NAME")]
Home = Annotated[str | None, typer.Option("--home", help="Folder of the review server and of what was pulled.", metavar="FOLDER")]
Url = Annotated[str | None, typer.Option("--url", help="A server elsewhere; its owner's key is in TWLLM_REVIEW_API_KEY.", metavar="URL")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Let the key go to --url over plain http, outside this machine, too.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
LINE_SECONDS = 5.0
SHOWN = 5  # quarantined rows that are printed


def add(app: typer.Typer) -> None:
    """Puts the verbs into `twllm review`."""
    for verb in (push, pull, agreement, adjudicate, export, report):
        app.command()(verb)


def push(
    dataset: Annotated[str, typer.Argument(help="JSONL: conversations, preferences, or what `corpus audit` wrote.", metavar="DATASET")],
    kind: Annotated[str | None, typer.Option("--kind", help="conversation, audit, preference or chat; none: seen from the rows.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the review; none: from the file's name.")] = None,
    overlap: Annotated[float | None, typer.Option("--overlap", help="Share of records that everybody answers (0.2).")] = None,
    gold: Annotated[str | None, typer.Option("--gold", help="Rows with known answers ('gold'), to mix in.", metavar="FILE")] = None,
    gold_share: Annotated[float | None, typer.Option("--gold-share", help="Gold questions for each record (0.05).")] = None,
    annotators: Annotated[int | None, typer.Option("--annotators", help="How many share the queue; none: as the server says.")] = None,
    suggest: Annotated[bool, typer.Option("--suggestions/--no-suggestions", help="Show what models would answer.")] = True,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over what a home pushed that is lost; give the same files.")] = False,
    home: Home = None,
    url: Url = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Put a dataset before people. Personal data is replaced first. Interrupted, the same command goes on."""
    import re

    from curation.review.client import door
    from curation.review.push import push as send
    from curation.server import instance
    from factory.storage import stem

    begun = time.monotonic()

    def note(done: int, of: int) -> None:
        nonlocal begun
        if time.monotonic() - begun >= LINE_SECONDS:
            begun = time.monotonic()
            print(f"{done:,} of {of:,} records", file=sys.stderr)

    chosen = name or re.sub(r"[^a-z0-9_-]+", "-", stem(dataset).lower()).strip("-_") or "review"
    place = instance.home(home).path
    found = send(door(home, url, insecure), place, dataset, chosen, kind, overlap, gold, gold_share, annotators, suggest, adopt, note)
    if as_json:
        _print(found)
        return
    parts = f"{found.new:,} new + {found.known:,} known + {len(found.quarantined):,} quarantined"
    print(f"{found.name} ({found.kind}): {found.read:,} rows = {parts}")
    print(
        f"sent {found.sent:,}; in all {found.single:,} are answered once, {found.shared:,} by everybody, {found.gold:,} are gold questions"
    )
    print(f"model suggestions {found.suggestions:,}")
    replaced = ", ".join(f"{kind} {count:,}" for kind, count in found.redacted.items())
    print(f"personal data replaced before anything was sent: {replaced or 'none found'}")
    told = [*found.quarantined, *found.gold_quarantined]
    for row in told[:SHOWN]:
        print(f"  {row.path}:{row.line}: {row.error}")
    if len(told) > SHOWN:
        print(f"  and {len(told) - SHOWN:,} more; --json lists them")
    if found.answers < 2:
        print("one annotator: agreement cannot be measured, and without it nothing is exported but with --accept-low-agreement")
    print("annotators begin here:")
    for link in found.links:
        print(f"  {link.who:<9}  {link.url}")


def pull(
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until interrupted; webhooks wake it.")] = False,
    home: Home = None,
    url: Url = None,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Bring home what people answered. Every version is kept; nothing is taken twice."""
    from threading import Event

    from curation.review import watch as watching
    from curation.review.client import door
    from curation.review.pull import pull as fetch
    from curation.server import instance

    place = instance.home(home).path

    def told(found: Pulled) -> None:
        if as_json:
            _print(found._asdict())
            return
        print(
            f"{found.new:,} new; {found.submitted:,} submitted, {found.discarded:,} put aside, {found.adjudicated:,} adjudicated",
            flush=True,
        )
        if found.strangers:
            print(f"  {found.strangers:,} records on the server are not of this review and are left alone")

    if watch:
        watching.watch(door(home, url, insecure), place, name, told, Event())
    else:
        told(fetch(door(home, url, insecure), place, name))


def agreement(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """Say how far people agree, with each other and with known answers. Exit code 1 where it is too little to export."""
    from curation.review.agreement import measure
    from curation.review.answers import load
    from curation.review.export import is_low
    from curation.server import instance

    found = measure(load(instance.home(home).path, name))
    low = [row.question for row in found.alphas if is_low(row)]
    if as_json:
        _print({**_plain(found), "low": low})
    else:
        for row in found.alphas:
            value = (
                "one answer throughout"
                if row.uniform
                else "not measured: nothing was answered twice"
                if row.alpha is None
                else f"{row.alpha:.3f} ({row.low:.3f} to {row.high:.3f})"
            )
            mark = "  TOO LOW" if row.question in low and row.alpha is not None else ""
            print(f"{row.question:<16} alpha {value}, {row.records:,} records, {row.answers:,} answers{mark}")
        for person in found.gold:
            share = person.all
            right = (
                "no gold question yet"
                if share.share is None
                else f"{share.right} of {share.of} gold questions right ({share.low:.2f} to {share.high:.2f})"
            )
            print(f"{person.by:<22} {right}")
    raise typer.Exit(1 if low else 0)


def adjudicate(name: Name, home: Home = None, url: Url = None, insecure: Insecure = False, as_json: AsJson = False) -> None:
    """Put what people disagree on before one who decides; `pull` brings the decisions home."""
    from curation.review.adjudicate import adjudicate as decide
    from curation.review.client import door
    from curation.server import instance

    found = decide(door(home, url, insecure), instance.home(home).path, name)
    if as_json:
        _print(found._asdict())
        return
    print(f"{found.open:,} to decide, {found.decided:,} decided" + (f": {found.link}" if found.link else ""))


def export(
    name: Name,
    output: Annotated[str, typer.Option("--output", help="Where the sets go.", metavar="FOLDER")],
    accept_low_agreement: Annotated[bool, typer.Option("--accept-low-agreement", help="Export all the same; the card says so.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write what passed as sets to train on, and what did not as sets for the classifiers."""
    from curation.review.export import export as write
    from curation.server import instance

    found = write(instance.home(home).path, name, output, accept_low_agreement)
    if as_json:
        _print(found._asdict())
        return
    rejected, undecided = sum(found.rejected.values()), sum(found.undecided.values())
    parts = f"{found.exported:,} exported + {rejected:,} rejected + {undecided:,} undecided + {found.gold:,} gold questions"
    print(f"{found.records:,} records = {parts}")
    for group, counts in (("rejected", found.rejected), ("undecided", found.undecided)):
        for reason, count in counts.items():
            print(f"  {group}: {reason} {count:,}")
    if found.low:
        print(f"people agree too little on {', '.join(found.low)}; the card says so")
    for file, rows in found.files.items():
        print(f"{output}/{file}: {rows:,} rows")


def report(
    name: Name,
    output: Annotated[
        str | None, typer.Option("--output", help="Where the page goes; none: beside what was pulled.", metavar="FILE")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a page on progress, agreement, time per record and yield."""
    from curation.review.report import write
    from curation.server import instance

    path = write(instance.home(home).path, name, output)
    if as_json:
        _print({"report": path})
    else:
        print(f"report: {path}")


def _plain(value: Any) -> Any:
    """Named tuples as objects, however deep."""
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _print(content: Any) -> None:
    print(json.dumps(_plain(content), ensure_ascii=False))
