"""The verbs of `twllm classifiers`. Each imports what it needs when it runs."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

app = typer.Typer(
    help="Which Chinese, which threat, how good: train, score, evaluate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Task = Literal["variety", "threat", "quality"]
TaskName = Annotated[Task, typer.Option("--task", help="Which classifier.")]
Model = Annotated[str | None, typer.Option("--model", help="Folder of a trained model; without it the bundled one.", metavar="FOLDER")]
Input = Annotated[str, typer.Option("--input", help="JSONL (also .zst, .gz, …) with 'id' and 'text'.", metavar="FILE")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Recipe: a YAML file.", metavar="RECIPE")],
    output: Annotated[
        str | None, typer.Option("--output", help="Folder of the model; overrides the recipe's 'output'.", metavar="FOLDER")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a classifier from labelled texts, calibrate it, set its thresholds and write its card."""
    import sys

    from corpus.classifiers.card import write_card
    from corpus.classifiers.recipe import load_recipe
    from corpus.classifiers.train import train as run
    from corpus.classifiers.train import write
    from factory.recipe import expand_path

    loaded, base = load_recipe(recipe)
    folder = output or expand_path(loaded.output, base, recipe)
    trained = run(loaded, base, recipe, lambda line: print(f"{line} …", file=sys.stderr))
    write_card(trained, loaded, folder)
    write(trained, folder)
    found = {"output": folder, "bytes": len(trained.blob), "made_by": trained.facts.made_by, "settings": trained.settings}
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        print(f"{folder}: {len(trained.blob):,} bytes, labels {', '.join(trained.classifier.labels)}")


@app.command()
def score(
    task: TaskName,
    input: Input,
    output: Annotated[str, typer.Option("--output", help="JSONL with id, label, labels, scores.", metavar="FILE")],
    model: Model = None,
) -> None:
    """Score texts: one row out for each row in, in the same order."""
    from corpus.classifiers.score import open_model, score_file

    count = score_file(open_model(task, model), input, output)
    print(f"{output}: {count:,} rows")


@app.command(name="eval")
def evaluate(
    task: TaskName,
    input: Annotated[str, typer.Option("--input", help="JSONL with 'id', 'text' and 'labels' (task quality: 'quality').", metavar="FILE")],
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Compare a classifier with labelled texts: precision and recall of each label, with 95 % intervals."""
    from corpus.classifiers.score import evaluate_file, open_model, show_figures

    show_figures(evaluate_file(open_model(task, model), input), as_json)
