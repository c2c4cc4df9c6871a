"""One YAML file is one run: read strictly, validated into a pydantic model, refused with one line that names the key."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from factory.errors import UserError
from factory.storage import open_stored

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


class Strict(BaseModel):
    """Base of every recipe model: unknown keys are errors and values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeys(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, where YAML would silently keep the last, and names the line of each fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # "<<" inserts other keys and is none itself
                continue
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                raise UserError(f"{self.name}:{line}: key {key!r} is a list or a mapping. Write a word before the colon.")
            if key in seen:
                raise UserError(f"{self.name}:{line}: key {key!r} stands twice. Remove one of them.")
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a date that the calendar does not have
            raise UserError(f"{self.name}:{node.start_mark.line + 1}: value {node.value!r}: {error}. Correct it.") from None


def read_yaml(path: str) -> Any:
    """The content of a YAML file at an fsspec path. Raises UserError where it cannot be read, is not UTF-8 or not YAML."""
    try:
        with open_stored(path) as stream:
            blob = stream.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Give the path of a recipe, for example recipes/sample.yaml.") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder. Give the path of a YAML file.") from None
    except (OSError, ImportError, ValueError) as error:  # fsspec: a protocol that is not installed or not known
        raise UserError(f"{path}: cannot be read: {error}. Correct the path, its permissions or its protocol.") from error
    try:
        text = blob.decode("utf-8")
        loader = _UniqueKeys(text)
        loader.name = path
        return loader.get_single_data()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}:{_line(blob[: error.start])}: is not UTF-8 ({error.reason}). Save the file as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: is not valid YAML: {error.problem}. Correct that line.") from None
    except yaml.reader.ReaderError as error:
        line = _line(text[: error.position].encode())
        raise UserError(f"{path}:{line}: holds the control character U+{int(error.character):04X}. Remove it.") from None


def _line(before: bytes) -> int:
    return before.count(b"\n") + 1


def load_model(path: str, model: type[Model]) -> Model:
    """Reads a YAML file into `model`. Raises UserError that names file, key, value and remedy for the first fault."""
    return parse_model(read_yaml(path), model, path)


def parse_model(content: Any, model: type[Model], where: str) -> Model:
    """Validates already parsed content; `where` begins each message."""
    if not isinstance(content, dict):
        held = "nothing" if content is None else type(content).__name__
        raise UserError(f"{where}: holds {held}, not keys and values. Begin with a key such as 'name: …'.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{where}: {_explain(error, model)}") from None


MAX_VALUE_CHARS = 200  # a longer value is not repeated in a message: the key says where it stands


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    faults = error.errors(include_url=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])  # a misspelt key is missing, too
    location = [str(part) for part in first["loc"]]
    key, value = ".".join(location), first["input"]
    more = f" ({len(faults) - 1} more fault(s) beside this one.)" if len(faults) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        near = get_close_matches(location[-1], known, 1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
        return f"unknown key {key!r} (value {value!r}). {remedy}{more}"
    if first["type"] == "missing":
        return f"key {key!r} is missing. Add it.{more}"
    shown = repr(value)
    value_text = f" has value {shown}" if key and len(shown) <= MAX_VALUE_CHARS else ""
    subject = f"key {key!r}{value_text}: " if key else ""
    return f"{subject}{first['msg'].removeprefix('Value error, ')}.{more}"


def _known_keys(annotation: Any, path: list[str]) -> list[str]:
    """Sorted field names of the nested model at `path`; mappings and lists are stepped through by any name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            return sorted(annotation.model_fields)
        field = annotation.model_fields.get(path[0])
        return _known_keys(field.annotation, path[1:]) if field else []
    if get_origin(annotation) in (Union, UnionType):
        # where several members could be meant, pydantic puts the member's name into the path
        steps = [(member, path[1:] if path[:1] == [getattr(member, "__name__", None)] else path) for member in get_args(annotation)]
    else:
        steps = [(member, path[1:]) for member in get_args(annotation) if path]
    return sorted({key for member, rest in steps for key in _known_keys(member, rest)})


def expand_path(path: str, base: str, where: str) -> str:
    """A path of a recipe made absolute: `${VARIABLE}` replaced, relative paths taken from `base`, the recipe's folder."""

    def replace(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if not value:
            raise UserError(f"{where}: path {path!r} needs the environment variable {match[1]}, which is not set. Export it.")
        return value

    expanded = os.path.expanduser(_VARIABLE.sub(replace, path))
    if "://" in expanded or os.path.isabs(expanded):
        return expanded
    return f"{base}/{expanded}" if "://" in base else str(Path(base) / expanded)
