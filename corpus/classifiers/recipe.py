"""A classifier's recipe: which labelled texts it learns from, how they are split and how fastText is set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from corpus.sources.spec import NonEmpty
from factory.errors import UserError
from factory.recipe import Strict, expand_path, load_model
from factory.records import License
from factory.zh.classifiers.model import TASKS, Task

Share = Annotated[float, Field(strict=True, ge=0, lt=1)]
Positive = Annotated[int, Field(strict=True, gt=0)]
OPEN_LICENSES = frozenset(License) - {License.CC_BY_NC_4, License.PROPRIETARY, License.UNKNOWN}


class DataSet(Strict):
    """Labelled rows of one file (JSONL, compressed or not)."""

    path: NonEmpty = Field(description="fsspec path; relative ones are taken from the recipe's folder, `package:` ones from this package.")
    license: License = Field(description="Licence of its texts; goes into the model's card.")
    labels: tuple[NonEmpty, ...] | None = Field(None, min_length=1, description="Labels of all its rows; null: each row has its own.")
    labels_field: NonEmpty = Field("labels", description="Column with a row's label, labels or quality.")
    values: dict[str, tuple[NonEmpty, ...]] | None = Field(None, description="The column's values -> labels; other rows are left out.")
    text_field: NonEmpty = Field("text", description="Column with the text.")
    where: dict[NonEmpty, NonEmpty] = Field(
        default_factory=dict, description="Column -> how its value must begin; other rows are left out."
    )
    convert: Literal["s2t", "s2tw", "s2twp"] | None = Field(None, description="OpenCC conversion of Simplified text.")
    source: NonEmpty | None = Field(None, description="Name of the source for splits; null: the row's `source`, or the file's name.")
    whole: bool = Field(False, description="Rows are texts to learn as they are; otherwise they are cut into passages.")
    max_passages: Positive | None = Field(None, description="Most passages to take, spread over all rows; null for all.")
    repeat: Positive = Field(1, description="How often each passage is shown in an epoch.")


class FastText(Strict):
    """fastText's own settings, by their names there. `autotune_seconds` lets it choose epoch, rate and dimension itself."""

    dim: Positive = 32
    epoch: Positive = 20
    lr: float = Field(0.5, gt=0, allow_inf_nan=False)
    min_count: Positive = Field(2, description="Documents that a token has to stand in; repeats count once.")
    max_share: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="Share of passages above which a token tells nothing.")
    han_only: bool = Field(False, description="Only tokens of Han characters: punctuation, digits and Latin show a source, not a variety.")
    cutoff: Positive | None = Field(100_000, description="Tokens that quantization keeps; null for all.")
    dsub: Positive = 2
    autotune_seconds: Positive | None = None


class Logistic(Strict):
    """Weights of tokens by logistic regression on which tokens a text holds, for sets too small for fastText's own descent.

    A text's vector has 1 for each token in it, times the token's inverse document frequency, over the square root of their number.
    """

    strength: float = Field(10.0, gt=0, allow_inf_nan=False, description="Inverse of the L2 penalty (scikit-learn's C).")
    min_count: Positive = Field(2, description="Documents that a token has to stand in; repeats count once.")
    cutoff: Positive = Field(150_000, description="Tokens kept, those with the largest weights.")
    folds: Annotated[int, Field(strict=True, ge=2)] = Field(5, description="Calibration and thresholds come from cross-validation.")


class OperatingPoint(Strict):
    """Where a label is given: the highest recall at which precision is at least `precision` among the label's texts and the
    `clean` ones, and at least `labelled_precision` among all labelled texts, look-alikes included, that the model did not learn from."""

    precision: float = Field(0.99, gt=0, lt=1)
    labelled_precision: float = Field(0.95, gt=0, lt=1)
    clean: tuple[DataSet, ...] = Field((), description="Texts known to carry none of the labels; none of them is trained on.")


class ClassifierRecipe(Strict):
    """One YAML file is one model."""

    name: NonEmpty
    task: Task
    version: NonEmpty
    description: str = ""
    seed: Positive = 20261124
    longest_token: Literal[1, 2, 3] = Field(2, description="Characters in the longest token.")
    passage_chars: tuple[Positive, Positive] = Field((50, 500), description="Shortest and longest passage.")
    calibration: Share = Field(0.15, description="Share of clusters kept for calibration and thresholds.")
    test: Share = Field(0.15, description="Share of clusters kept for the test.")
    data: tuple[DataSet, ...] = Field(min_length=1)
    held_out: tuple[DataSet, ...] = Field((), description="Sources that are only tested on.")
    fasttext: FastText = FastText()
    logistic: Logistic | None = Field(None, description="Instead of `fasttext`.")
    word_lists: bool = Field(False, description="A second layer weighs the tokens' scores and the project's word lists.")
    operating_point: OperatingPoint = OperatingPoint()
    output: NonEmpty

    @model_validator(mode="after")
    def _consistent(self) -> ClassifierRecipe:
        low, high = self.passage_chars
        if low > high:
            raise ValueError(f"passage_chars: shortest {low} is above longest {high}")
        if self.word_lists and (self.task != "variety" or self.logistic is not None):
            raise ValueError("word_lists: the layer is for task variety, trained with fastText; leave it out")
        known = TASKS[self.task]
        for number, data in enumerate((*self.data, *self.held_out)):
            for label in (*(data.labels or ()), *(label for labels in (data.values or {}).values() for label in labels)):
                if label not in known:
                    raise ValueError(
                        f"data set {number + 1} ({data.path}): label {label!r} is not in the guideline; "
                        f"labels of {self.task} are {', '.join(known)}"
                    )
        return self


def load_recipe(path: str) -> tuple[ClassifierRecipe, str]:
    """A recipe and the folder that its paths start from. Raises UserError for the first fault."""
    return load_model(path, ClassifierRecipe), os.path.dirname(path) or "."


def resolve(data: DataSet, base: str, where: str) -> str:
    """The absolute path of a data set. Raises UserError where it does not exist."""
    if data.path.startswith("package:"):
        path = str(Path(__file__).parent / data.path.removeprefix("package:"))
    else:
        path = expand_path(data.path, base, where)
    if "://" not in path and not os.path.isfile(path):
        raise UserError(f"{where}: {path}: no such file. Correct 'path'.")
    return path


def facts(data: DataSet) -> dict[str, Any]:
    """A data set as the model's card names it."""
    return data.model_dump(mode="json", exclude_defaults=True)
