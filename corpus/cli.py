"""The verbs of `twllm corpus`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

app = typer.Typer(
    help="Raw Taiwanese text in, a documented corpus out.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

Recipe = Annotated[str, typer.Argument(help="Recipe: a YAML file.", metavar="RECIPE")]
Run = Annotated[str, typer.Option("--run", help="Folder of a finished run.", metavar="FOLDER")]
Output = Annotated[str | None, typer.Option("--output", help="Folder of the run; overrides the recipe's 'output'.", metavar="FOLDER")]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes for annotate; never changes the result.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command()
def build(recipe: Recipe, output: Output = None, workers: Workers = None, as_json: AsJson = False) -> None:
    """Build the corpus, or finish a build that was interrupted."""
    from corpus.build import build as run
    from corpus.recipe import load_plan
    from corpus.show import show_result

    plan = load_plan(recipe, output, workers)
    with _progress(quiet=as_json) as report:
        result = run(plan, report)
    show_result(result, as_json)


@app.command()
def plan(
    recipe: Recipe,
    output: Output = None,
    sample_mb: Annotated[float, typer.Option(help="Megabytes of text to measure per source.", min=0.01)] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Estimate documents, tokens, time and disk from a sample, before anything runs."""
    from corpus.estimate import estimate
    from corpus.recipe import load_plan
    from corpus.show import show_estimate

    show_estimate(estimate(load_plan(recipe, output), sample_mb), as_json)


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
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A `report(stage, done, total)` that draws a bar on a terminal and prints one line a stage elsewhere."""
    if quiet:
        yield lambda stage, done, total: None
        return
    # a duplicate of the descriptor: workers' standard error goes to a log file while they run
    with os.fdopen(os.dup(sys.stderr.fileno()), "w") as stream:
        from corpus.show import progress

        with progress(stream) as report:
            yield report
