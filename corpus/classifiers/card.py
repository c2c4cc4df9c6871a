"""The model card beside a trained model."""

from __future__ import annotations

from corpus.classifiers.data import by_label
from corpus.classifiers.recipe import ClassifierRecipe
from corpus.classifiers.train import Trained, may_be_published
from factory.storage import atomic_write_text

_SHARE_ALIKE = ("cc-by-sa-3.0", "cc-by-sa-4.0")


def write_card(trained: Trained, recipe: ClassifierRecipe, folder: str) -> None:
    """Writes README.md: what the model tells apart, what it learnt from, how it was made, and where it gives a label."""
    atomic_write_text(f"{folder}/README.md", card(trained, recipe))


def card(trained: Trained, recipe: ClassifierRecipe) -> str:
    """The card's Markdown, with the metadata that the Hub reads."""
    licenses = sorted({str(data.license) for data in recipe.data})
    licence = "cc-by-sa-4.0" if set(licenses) & set(_SHARE_ALIKE) else "apache-2.0"
    counts = {name: by_label(side) for name, side in zip(("train", "calibration", "test"), trained.split, strict=True)}
    lines = [
        "---", "language: [zh, nan, hak, yue, lzh]", f"license: {licence if may_be_published(recipe) else 'other'}",
        "library_name: fasttext", "pipeline_tag: text-classification", "---", "",
        f"# {recipe.name} {recipe.version}", "", recipe.description or f"Task {recipe.task}.", "",
        "| label | train | calibration | test | threshold |", "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for label, facts in trained.facts.labels.items():
        threshold = "–" if facts.threshold is None else "never" if facts.threshold >= 1 else f"{facts.threshold:.3f}"
        lines.append(f"| {label} | {' | '.join(f'{len(side.get(label, [])):,}' for side in counts.values())} | {threshold} |")
    lines += [
        "", "Counts are passages. Splits keep a document and its near copies together.", "", "## What it learnt from", "",
        "| file | licence | labels | rows | conversion |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for data in recipe.data:
        name = data.path.removeprefix("package:").rsplit("/", 1)[-1]
        rows = ", ".join(f"{column} {value}" for column, value in data.where.items()) or "all"
        lines.append(f"| {name} | {data.license} | {', '.join(data.labels or ('its own',))} | {rows} | {data.convert or '–'} |")
    if not may_be_published(recipe):
        lines += ["", "Some of these texts are not openly licensed: the model is for its maker's own use."]
    lines += [
        "", "## How it was made", "",
        f"{'fastText' if recipe.logistic is None else 'Logistic regression'} ({_settings(trained)}); tokens of 1 to "
        f"{recipe.longest_token} characters; {len(trained.blob):,} bytes.",
        f"Made by (SHA-256 of recipe, training passages and code): `{trained.facts.made_by}`. Weights: `{trained.facts.sha256}`.", "",
        _calibration(recipe),
    ]  # fmt: skip
    if recipe.task == "threat":
        lines.append(
            "A label is given from the score of highest recall at which precision is at least "
            f"{recipe.operating_point.precision:.0%} against {len(trained.clean):,} clean texts of law and news, and at least "
            f"{recipe.operating_point.labelled_precision:.0%} among the labelled texts, look-alikes included. "
            "Several may be given; none is `clean`."
        )
    return "\n".join(lines) + "\n"


def _calibration(recipe: ClassifierRecipe) -> str:
    if recipe.word_lists:
        return "Scores come from a multinomial logistic layer over tokens and word lists, fitted on sources new to the tokens' model."
    seen = "the calibration split" if recipe.logistic is None else f"{recipe.logistic.folds}-fold cross-validation"
    return f"Scores are calibrated (Platt 1999) on {seen}."


def _settings(trained: Trained) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(trained.settings.items()) if name not in ("verbose",))
