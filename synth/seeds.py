"""Seeds: rows written by hand that everything grows from, and the linter that keeps them fit for it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from factory.errors import UserError
from factory.recipe import Strict
from factory.storage import list_files, open_binary
from factory.zh.matcher import CONVERSION, hits
from synth.tasks import CATEGORIES, TONES

LIKENESS = 0.5  # Jaccard of character 5-grams from which two seeds are one
QUESTION_CHARS, ANSWER_CHARS = (4, 600), (10, 1_200)


class Seed(Strict):
    """One row of a seed file."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    category: Literal[CATEGORIES]  # type: ignore[valid-type]
    topic: str = Field(min_length=1)
    tone: Literal[TONES]  # type: ignore[valid-type]
    question: str
    answer: str
    fact: str = ""
    source: str = ""
    as_of: str = Field("", pattern=r"^(\d{4}-(0[1-9]|1[0-2]))?$")
    contested: bool = False


class Finding(NamedTuple):
    """Something to put right."""

    id: str
    fault: str


def bundled_paths() -> list[str]:
    """The project's own seed files."""
    return sorted(str(path) for path in Path(str(files("synth") / "seeds")).glob("*.jsonl"))


def load(paths: Sequence[str]) -> list[Seed]:
    """All seeds of some files. Raises UserError that names file, line and fault."""
    found: list[Seed] = []
    seen: set[str] = set()
    for pattern in paths:
        listed = sorted(list_files(pattern))
        if not listed:
            raise UserError(f"seeds: {pattern!r} names no file. Correct the path.")
        for path in listed:
            with open_binary(path) as stream:
                for number, line in enumerate(stream, 1):
                    if line.strip():
                        found.append(_seed(line, f"{path}:{number}"))
                        if found[-1].id in seen:
                            raise UserError(f"{path}:{number}: id {found[-1].id!r} stands twice. Give each seed its own.")
                        seen.add(found[-1].id)
    if not found:
        raise UserError("seeds: the files hold no seed. Write at least one row.")
    return found


def _seed(line: bytes, where: str) -> Seed:
    try:
        return Seed.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: key {key!r}: {first['msg']}. Correct that row.") from None
    except ValueError as error:
        raise UserError(f"{where}: is not JSON: {error}. Correct that line.") from None


def lint(seeds: Sequence[Seed]) -> list[Finding]:
    """Lengths, terms of the mainland, facts without a source, and pairs that are too much alike."""
    found = []
    for seed in seeds:
        for name, text, (least, most) in (("question", seed.question, QUESTION_CHARS), ("answer", seed.answer, ANSWER_CHARS)):
            if not least <= len(text) <= most:
                found.append(Finding(seed.id, f"{name}: {len(text)} characters, not {least} to {most}"))
        text = seed.answer if seed.category != "translation" else ""
        terms = sorted({hit.entry.text for hit in hits(text) if hit.entry.group in ("cn", CONVERSION) and hit.entry.weight >= 2})
        if terms:
            found.append(Finding(seed.id, f"answer: not said so in Taiwan: {', '.join(terms)}"))
        if bool(seed.fact) and not seed.source and seed.category == "knowledge":
            found.append(Finding(seed.id, "fact: no source says where it can be checked"))
    grams = [(seed.id, _ngrams(seed.question + seed.answer)) for seed in seeds]
    for (one, first), (other, second) in combinations(grams, 2):
        if first and second and (likeness := len(first & second) / len(first | second)) >= LIKENESS:
            found.append(Finding(other, f"is like {one}: Jaccard {likeness:.2f}"))
    return found


def _ngrams(text: str) -> set[str]:
    letters = re.sub(r"\W", "", text)
    return {letters[start : start + 5] for start in range(len(letters) - 4)}
