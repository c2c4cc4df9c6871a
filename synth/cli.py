"""The verbs of `twllm synth`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from synth.output import Result
    from synth.progress import Progress
    from synth.recipe import Plan

app = typer.Typer(
    help="Instruction data from handwritten seeds, each answer paid once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Recipe = Annotated[str, typer.Argument(help="Recipe: a YAML file, or the name of a bundled one.", metavar="RECIPE")]
Output = Annotated[str | None, typer.Option("--output", help="Folder of the run; overrides the recipe's 'output'.", metavar="FOLDER")]
OnPremise = Annotated[bool, typer.Option("--on-premise", help="Refuse an endpoint that is neither on this machine nor listed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Batch = Annotated[bool, typer.Option("--batch", help="Ask through the endpoint's batch API: within a day, at its lower price.")]


@app.command()
def lint(
    paths: Annotated[list[str] | None, typer.Argument(help="Seed files; none: the bundled hundred.", metavar="[FILE]...")] = None,
) -> None:
    """Check seeds: form, lengths, mainland terms, sources, likeness. Exit code 1 where something is found."""
    from synth import seeds

    listed = seeds.load(paths or seeds.bundled_paths())
    found = seeds.lint(listed)
    for finding in found:
        print(f"{finding.id}: {finding.fault}")
    print(f"{len(listed):,} seeds, {len(found):,} findings")
    raise typer.Exit(1 if found else 0)


@app.command()
def estimate(
    recipe: Recipe,
    output: Output = None,
    pilot: Annotated[
        int | None, typer.Option("--pilot", min=1, help="Ask so many requests of each stage first, and go by them.", metavar="N")
    ] = None,
    on_premise: OnPremise = False,
    as_json: AsJson = False,
) -> None:
    """Say what a run would take and cost. Without --pilot nothing is asked."""
    from synth.recipe import load_plan
    from synth.run import foresee, piloted
    from synth.run import run as start

    plan = load_plan(recipe, output)
    if pilot is not None:
        start(piloted(plan, pilot), on_premise, watch=_watch(plan, as_json))
    found, guess = foresee(plan)
    if as_json:
        print(json.dumps({**found._asdict(), "cost": str(found.cost), "guess": guess}))
        return
    currency, dated = plan.recipe.prices.currency, plan.recipe.prices.dated
    tokens = f"{found.prompt_tokens:,} tokens of prompts, {found.completion_tokens:,} of answers"
    print(f"{found.requests:,} requests to come, {tokens}: {found.cost:.4f} {currency} (prices of {dated})")
    if guess:
        print("Some stages have no answers yet: their lengths are the recipe's, and all their rows count as accepted. --pilot 10 measures.")


@app.command()
def run(recipe: Recipe, output: Output = None, on_premise: OnPremise = False, batch: Batch = False, as_json: AsJson = False) -> None:
    """Ask for what the ledger lacks, and write the rows. Interrupted, the same command goes on."""
    _run(recipe, output, on_premise, False, batch, as_json)


@app.command()
def retry(recipe: Recipe, output: Output = None, on_premise: OnPremise = False, batch: Batch = False, as_json: AsJson = False) -> None:
    """Like run, and ask again what was given up."""
    _run(recipe, output, on_premise, True, batch, as_json)


@app.command()
def status(recipe: Recipe, output: Output = None, as_json: AsJson = False) -> None:
    """Write the rows that the ledger has answers for, without asking anything, and say what is missing."""
    from synth.recipe import load_plan
    from synth.run import run as derive

    _show(derive(load_plan(recipe, output), ask=False), as_json)


def _run(recipe: str, output: str | None, on_premise: bool, again: bool, by_batch: bool, as_json: bool) -> None:
    from synth.recipe import load_plan
    from synth.run import run as start

    plan = load_plan(recipe, output)
    _show(start(plan, on_premise, again, _watch(plan, as_json), by_batch=by_batch), as_json)


def _watch(plan: Plan, as_json: bool) -> Progress:
    from synth.progress import Progress

    return Progress(plan.recipe.prices.currency, as_json)


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**result._asdict(), "cost": str(result.cost)}, ensure_ascii=False))
        return
    print(f"accepted {result.accepted:,}, rejected {sum(result.rejected.values()):,}, not asked {result.waiting:,}")
    for reason, number in result.rejected.items():
        print(f"  {reason} {number:,}")
    print(f"asked {result.asked:,} this time; the ledger's cost is {result.cost:.4f}")
    if result.stopped:
        print("Stopped at the cap. Raise 'cap' and run again to go on.")
    print(f"rows: {result.output}/accepted.jsonl")
    print(f"report: {result.output}/synth-report.html")


@app.command()
def export(
    folders: Annotated[list[str], typer.Argument(help="Folders of finished runs or imports.", metavar="RUN...")],
    output: Annotated[str, typer.Option("--output", help="Folder of the dataset.", metavar="FOLDER")],
    chosen: Annotated[str | None, typer.Option("--selected", help="Only the rows of this file of 'select'.", metavar="FILE")] = None,
) -> None:
    """Bring runs together as one dataset in TRL's forms, with card and manifest."""
    from synth.export import export as bring

    found = bring(folders, output, chosen)
    print(f"{output}: {found.conversations:,} conversations, {found.preferences:,} preferences")
    for reason, number in found.left.items():
        print(f"  left out: {reason} {number:,}")


@app.command()
def select(
    paths: Annotated[list[str], typer.Argument(help="accepted.jsonl of one or several runs.", metavar="FILE...")],
    count: Annotated[int, typer.Option("--count", help="How many rows.")],
    output: Annotated[str, typer.Option("--output", help="Where the chosen rows go: JSONL.", metavar="FILE")],
    share: Annotated[
        list[str] | None, typer.Option("--share", help="Share of a category, such as code=2; none: all the same.", metavar="NAME=NUMBER")
    ] = None,
    curve: Annotated[str | None, typer.Option(help="Write coverage against size: CSV.", metavar="FILE")] = None,
) -> None:
    """Choose the best N of M rows by quality, diversity and category."""
    from factory.storage import atomic_write_text
    from synth.select import read_rows, shares_of
    from synth.select import select as choose

    shares = shares_of(share or [])
    rows = read_rows(paths)
    found = choose(rows, count, shares)
    atomic_write_text(output, "".join(json.dumps(rows[index], ensure_ascii=False) + "\n" for index in sorted(found.rows)))
    if curve:
        atomic_write_text(curve, "rows,coverage\n" + "".join(f"{number},{share}\n" for number, share in found.curve))
    print(f"{output}: {len(found.rows):,} of {len(rows):,} rows")
    for category, number in found.categories.items():
        print(f"  {category} {number:,}")
    if found.curve:
        print(f"they hold {found.curve[-1][1]:.1%} of all different runs of three letters")


@app.command("import")
def import_(
    path: Annotated[str, typer.Argument(help="JSON or JSONL.", metavar="FILE")],
    form: Annotated[str, typer.Option("--form", help="alpaca, sharegpt, oasst or trl.")],
    output: Annotated[str, typer.Option("--output", help="Folder for accepted.jsonl and rejected.jsonl.", metavar="FOLDER")],
    license: Annotated[str | None, typer.Option("--license", help="Of rows that state none, such as cc-by-4.0.")] = None,
    consent: Annotated[str | None, typer.Option("--consent", help="Under which consent rows were collected that state none.")] = None,
    category: Annotated[str, typer.Option("--category", help="Of rows that state none.")] = "knowledge",
    evaluation: Annotated[
        list[str] | None, typer.Option("--evaluation", help="Evaluation set that no row may hold.", metavar="FILE")
    ] = None,
) -> None:
    """Bring human-collected rows through the gates."""
    from factory.errors import UserError
    from synth.imports import FORMS, import_rows
    from synth.recipe import GateSettings
    from synth.rows import gates_of

    if form not in FORMS:
        raise UserError(f"--form {form!r}: there are {', '.join(FORMS)}.")
    found = import_rows(path, form, license, consent, category, gates_of([], evaluation or [], GateSettings()), output)
    print(f"accepted {found.accepted:,}, rejected {sum(found.rejected.values()):,}")
    for reason, number in found.rejected.items():
        print(f"  {reason} {number:,}")
