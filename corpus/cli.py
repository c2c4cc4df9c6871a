"""The verbs of `twllm corpus`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from factory.errors import UserError

if TYPE_CHECKING:
    from corpus.progress import Report

Engine = Literal["local", "ray", "slurm"]

app = typer.Typer(
    help="Raw Taiwanese text in, a documented corpus out.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

Recipe = Annotated[str, typer.Argument(help="Recipe: a YAML file.", metavar="RECIPE")]
Run = Annotated[str, typer.Option("--run", help="Folder of a finished run.", metavar="FOLDER")]
Output = Annotated[str | None, typer.Option("--output", help="Folder of the run; overrides the recipe's 'output'.", metavar="FOLDER")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes for annotate; never changes the result.", min=1)]
EngineName = Annotated[
    Engine | None, typer.Option("--engine", help="Where annotate runs; overrides the recipe's 'engine' and never changes the result.")
]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON lines for a program to read: events, and last the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command()
def build(
    recipe: Recipe,
    output: Output = None,
    workers: Workers = None,
    engine: EngineName = None,
    use: Annotated[
        Literal["train", "redistribute", "commercial"] | None, typer.Option("--use", help="Keep only what may be used so.")
    ] = None,
    as_json: JsonLines = False,
) -> None:
    """Build the corpus, or finish a build that was interrupted. On Slurm: submit the jobs that do so."""
    with _errors_told(as_json):
        from corpus.recipe import load_plan

        plan = load_plan(recipe, output, workers, engine, use)
        if plan.recipe.engine == "slurm":
            from corpus.show import show_submission
            from corpus.slurm import submit

            show_submission(submit(plan), as_json)
            return
        from corpus.build import build as run
        from corpus.show import show_result

        with _progress(as_json) as report:
            result = run(plan, report)
        show_result(result, as_json)
        if plan.recipe.use is not None and not as_json:
            from corpus.why import read_manifest

            cost = read_manifest(result.output)["use"]
            left = f"{cost['documents_left_out']:,} documents, about {cost['tokens_left_out_estimated']:,} tokens"
            print(f"Left out because their rights do not allow '{cost['asked']}': {left}.")


@app.command()
def fetch(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A source of the catalogue; without it the catalogue is listed.")
    ] = None,
    output: Annotated[str | None, typer.Option("--output", help="Folder for the file; default data/NAME.", metavar="FOLDER")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List what can be fetched.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Download again, and replace what is there.")] = False,
    catalogue: Annotated[str | None, typer.Option(help="Another catalogue: a YAML file like the bundled one.", metavar="FILE")] = None,
    stall_seconds: Annotated[float, typer.Option(help="Give a connection up after so long without a byte.", min=0.1)] = 60.0,
    attempts: Annotated[int, typer.Option(help="Failures in a row before it gives up; the next run goes on from there.", min=1)] = 6,
    as_json: AsJson = False,
) -> None:
    """Download a public source in bulk from its publisher, or finish a download that was interrupted."""
    from corpus.connection import Patience
    from corpus.fetch import fetch as run
    from corpus.fetch import find_entry, load_catalogue
    from corpus.show_fetch import show_catalogue, show_fetched, watching

    entries = load_catalogue(catalogue)
    if listing or name is None:
        show_catalogue(entries, as_json)
        return
    entry = find_entry(entries, name)
    with watching(as_json) as report:
        found = run(name, entry, output, force, Patience(stall_seconds=stall_seconds, attempts=attempts), report)
    show_fetched(found, as_json)


@app.command()
def plan(
    recipe: Recipe,
    output: Output = None,
    sample_mb: Annotated[float, typer.Option(help="Megabytes of text to measure per source.", min=0.01)] = 1.0,
    engine: EngineName = None,
    target_tokens: Annotated[
        str | None, typer.Option("--target-tokens", help="Instead: what a mixture of so many tokens is made of, such as 35B.")
    ] = None,
    use: Annotated[
        Literal["train", "redistribute", "commercial"] | None, typer.Option("--use", help="With only what may be used so.")
    ] = None,
    max_epochs: Annotated[float, typer.Option(help="Most repetitions of a document in that mixture.")] = 4.0,
    repeats: Annotated[str | None, typer.Option(help="Write how often each document goes into it: Parquet.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate documents, tokens, time and disk from a sample, before anything runs; or plan a mixture of a finished run."""
    from corpus.estimate import estimate
    from corpus.recipe import load_plan
    from corpus.show import show_estimate

    planned = load_plan(recipe, output, engine=engine)
    if target_tokens is not None:
        from corpus import budget
        from corpus.show import show_budget

        target = budget.tokens_of(target_tokens)
        asked_use = use or planned.recipe.use
        if os.path.exists(os.path.join(planned.output, "manifest.json")):
            supply = budget.of_run(planned.output, asked_use)
        else:
            supply = budget.of_estimate(planned, estimate(planned, sample_mb), asked_use)
        weights = {name: spec.weight for name, spec in planned.recipe.sources.items()}
        mixture = budget.solve(supply, weights, target, max_epochs)
        written = budget.write_repeats(supply, mixture, repeats) if repeats else None
        show_budget(mixture, supply.measured, written, as_json)
        return
    found = estimate(planned, sample_mb)
    asked = None
    if planned.recipe.engine == "slurm":
        from corpus.slurm import foreseen

        asked = foreseen(planned, found)
    show_estimate(found, as_json, asked)


@app.command()
def why(
    document_id: Annotated[str, typer.Argument(metavar="ID", help="A document's id, for example law:A0000001.")],
    run: Run = "runs/sample",
    as_json: AsJson = False,
) -> None:
    """Show why a document is in or out: its features, the rule that fired, the copy that was kept."""
    from corpus.show import show_why
    from corpus.why import explain

    show_why(explain(run, document_id), as_json)


@app.command()
def diff(
    run_a: Annotated[str, typer.Argument(metavar="A", help="Folder of a run.")],
    run_b: Annotated[str, typer.Argument(metavar="B", help="Folder of another run.")],
    as_json: AsJson = False,
) -> None:
    """Show which documents two runs decide differently. Exit code 1 where there are any."""
    from corpus.show import show_diff
    from corpus.why import difference

    found = difference(run_a, run_b)
    show_diff(found, as_json)
    raise typer.Exit(1 if found.moves else 0)


@app.command()
def stats(run: Run = "runs/sample", as_json: AsJson = False) -> None:
    """Show the funnel of a run: what came in, what stayed, and why the rest did not."""
    from corpus.show import show_stats
    from corpus.why import read_manifest

    show_stats(read_manifest(run), as_json)


@app.command()
def rights(
    run: Run = "runs/sample",
    ledger: Annotated[str | None, typer.Option("--ledger", help="Write a row for each document: Parquet.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Count works, documents and tokens of each rights holder and contract in a finished run."""
    from corpus.rights_account import account, write_ledger
    from corpus.show import show_rights

    show_rights(account(run), as_json)
    if ledger is not None:
        count = write_ledger(run, ledger)
        if not as_json:
            print(f"{ledger}: {count:,} documents")


@app.command()
def forget(
    recipe: Recipe,
    ids: Annotated[list[str] | None, typer.Option("--id", help="A document's id, or the id of one that was split.")] = None,
    urls: Annotated[list[str] | None, typer.Option("--url", help="An address, as the source stated it.")] = None,
    domains: Annotated[list[str] | None, typer.Option("--domain", help="A host; its subdomains are meant, too.")] = None,
    holders: Annotated[list[str] | None, typer.Option("--holder", help="A rights holder.")] = None,
    keep_copies: Annotated[bool, typer.Option("--keep-copies", help="Leave what the run found to be copies of them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which documents are meant.")] = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Forget documents: their text leaves every file of the run, and later builds do not bring it back."""
    from corpus.build import forget_documents
    from corpus.forget import PROOF, Selectors, find
    from corpus.recipe import load_plan

    plan = load_plan(recipe, output)
    selectors = Selectors(*(tuple(values or ()) for values in (ids, urls, [d.lower() for d in domains or ()], holders)))
    if dry_run:
        named = find(plan.output, selectors, not keep_copies)
    else:
        with _progress(False) as report:
            named = forget_documents(plan, selectors, not keep_copies, report)
    if as_json:
        print(json.dumps({**named._asdict(), "forgotten": not dry_run}, ensure_ascii=False, indent=1))
        return
    for name in (*named.ids, *named.copies):
        print(name)
    what = f"{len(named.ids):,} documents and {len(named.copies):,} copies of them"
    print(f"{what} would be forgotten." if dry_run else f"{what} are forgotten; proof: {os.path.join(plan.output, PROOF)}")


@app.command()
def royalties(
    run: Run = "runs/sample",
    epochs: Annotated[float, typer.Option(help="How often the corpus is trained on.", min=0.001)] = 1.0,
    output: Annotated[str, typer.Option("--output", help="Folder for royalties.csv and royalties.md.", metavar="FOLDER")] = ".",
) -> None:
    """Write what each rights holder's texts are of a run: a CSV, and a statement in Chinese."""
    from corpus.permissions import as_csv, statement
    from corpus.permissions import royalties as shares
    from corpus.rights_account import account
    from corpus.why import read_manifest
    from factory.storage import atomic_write_text

    manifest = read_manifest(run)
    found = shares(account(run), epochs)
    os.makedirs(output, exist_ok=True)
    atomic_write_text(os.path.join(output, "royalties.csv"), as_csv(found))
    atomic_write_text(os.path.join(output, "royalties.md"), statement(found, manifest["name"], manifest["tokens_are_estimated"]))
    print(f"{os.path.join(output, 'royalties.csv')} and royalties.md: {len(found):,} accounts")


@app.command()
def audit(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    sample: Annotated[int | None, typer.Option("--sample", help="Draw so many documents, half kept and half removed.", min=2)] = None,
    output: Annotated[str | None, typer.Option("--output", help="The sample: a JSONL file of Argilla records.", metavar="FILE")] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other documents.", min=1)] = 1,
    labels: Annotated[str | None, typer.Option("--labels", help="Labels that came back, for report and card.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a random sample of kept and of removed documents to label, or turn labels into error rates."""
    from corpus.audit import account, write_sample
    from corpus.audit import sample as draw
    from corpus.show import show_audit
    from corpus.why import read_manifest

    read_manifest(run)
    if (sample is None) == (labels is None):
        raise UserError("audit: give either --sample N with --output FILE, or --labels FILE.")
    if labels is not None:
        found = account(run, labels)
        report(run)
        show_audit(found, as_json)
        return
    if output is None:
        raise UserError("audit: --sample needs --output FILE for the documents to label.")
    drawn = draw(run, sample or 0, seed)
    write_sample(run, drawn, output)
    print(f"{output}: {len(drawn):,} documents. Give each a 'decision', keep or remove; then: twllm corpus audit {run} --labels FILE")


@app.command()
def report(run: Run = "runs/sample") -> None:
    """Write a run's report.html and dataset card again."""
    from corpus.card import write_card
    from corpus.report import write_report
    from corpus.why import read_manifest

    read_manifest(run)
    write_card(run)
    write_report(run)
    print(os.path.join(run, "report.html"))


@app.command()
def features(as_json: AsJson = False) -> None:
    """List the features that a policy's rules may name, with units."""
    from corpus.features import FEATURES
    from corpus.show import table

    if as_json:
        print(json.dumps({name: {"unit": f.unit, "meaning": f.meaning} for name, f in FEATURES.items()}, ensure_ascii=False, indent=1))
    else:
        table(["feature", "unit", "meaning"], [[name, f.unit, f.meaning] for name, f in FEATURES.items()])


@contextmanager
def _progress(as_json: bool) -> Iterator[Report]:
    """Bars on a terminal, plain lines elsewhere, JSON lines for a program."""
    from corpus.progress import as_bars, as_json_lines, as_lines

    if as_json:
        with as_json_lines(sys.stdout) as report:
            yield report
        return
    # a duplicate of the descriptor: workers' standard error goes to a log file while they run
    with os.fdopen(os.dup(sys.stderr.fileno()), "w") as stream, (as_bars if stream.isatty() else as_lines)(stream) as report:
        yield report


@contextmanager
def _errors_told(as_json: bool) -> Iterator[None]:
    """With --json the one line for a user stands on standard output, too, as an event."""
    try:
        yield
    except UserError as error:
        if as_json:
            from corpus.progress import write_event

            write_event({"event": "error", "message": str(error)}, sys.stdout)
        raise
