"""Prompts are files: an id, a version, typed variables, golden cases. `prompts.lock` holds the hash of each version that ever shipped."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from factory.recipe import Strict, parse_model, read_yaml
from synth.request import Message, canonical

FOLDER = Path(__file__).parent / "prompts"
LOCK = FOLDER / "prompts.lock"
REPEATED = 12  # letters in a row: an instruction that a small model says again
_LETTER = re.compile(r"[^\W_]")
_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


class Golden(Strict):
    """Variables, and what the rendered prompt then holds."""

    variables: dict[str, str | int]
    contains: list[str] = Field(min_length=1)


class Prompt(Strict):
    """One prompt file."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    variables: dict[str, Literal["text", "number"]]
    system: str = Field(min_length=1)
    user: str = Field(min_length=1)
    golden: list[Golden] = Field(min_length=1)

    @property
    def name(self) -> str:
        """id@version"""
        return f"{self.id}@{self.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of what shapes a request: variables and texts."""
        return hashlib.sha256(canonical([self.variables, self.system, self.user])).hexdigest()

    def render(self, **values: str | int) -> list[Message]:
        """Messages with every variable in its place; a value's own braces mean nothing. Raises ValueError where variables do not match."""
        wanted = {name: int if kind == "number" else str for name, kind in self.variables.items()}
        wrong = sorted({*wanted} ^ {*values} | {name for name, value in values.items() if type(value) is not wanted.get(name)})
        if wrong:
            raise ValueError(f"prompt {self.name}: variables {', '.join(wrong)} are missing, unknown or of another type")
        system, user = (_VARIABLE.sub(lambda found: str(values[found[1]]), text) for text in (self.system, self.user))
        return [{"role": "system", "content": system.strip()}, {"role": "user", "content": user.strip()}]


@cache
def prompt(name: str) -> Prompt:
    """A bundled prompt by its id. Raises UserError for a damaged file."""
    return load(str(FOLDER / f"{name}.yaml"))


@cache
def _runs(name: str) -> frozenset[str]:
    text = "".join(_LETTER.findall(_VARIABLE.sub("\n", f"{prompt(name).system}\n{prompt(name).user}")))
    return frozenset(text[start : start + REPEATED] for start in range(len(text) - REPEATED + 1))


def repeats(name: str, text: str) -> str | None:
    """The first REPEATED letters in a row that a text has from a prompt's instructions or example; None where it has none."""
    letters, known = "".join(_LETTER.findall(text)), _runs(name)
    return next((run for start in range(len(letters) - REPEATED + 1) if (run := letters[start : start + REPEATED]) in known), None)


def load(path: str) -> Prompt:
    """A prompt file. Raises UserError where it is not one."""
    return parse_model(read_yaml(path), Prompt, path)


def names() -> list[str]:
    """Ids of the bundled prompts."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def locked() -> dict[str, str]:
    """Digest of each id@version in the lock file."""
    rows = (line.split() for line in LOCK.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return {row[0]: row[1] for row in rows}
