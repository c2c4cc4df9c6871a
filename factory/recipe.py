"""One YAML file is one run: read strictly, validated into a pydantic model, refused with one line that names the key."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from factory.errors import UserError

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")


class Strict(BaseModel):
    """Base of every recipe model: unknown keys are errors and values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeys(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise UserError(f"{self.name}:{key_node.start_mark.line + 1}: key {key!r} stands twice. Remove one of them.")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: str) -> Any:
    """The content of a YAML file at an fsspec path. Raises UserError where it is absent, not UTF-8 or not YAML."""
    try:
        with fsspec.open(path, "rt", encoding="utf-8") as stream:
            return yaml.load(stream, _UniqueKeys)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Give the path of a recipe, for example recipes/sample.yaml.") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder. Give the path of a YAML file.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: is not valid YAML: {error.problem}. Correct that line.") from None


def load_model(path: str, model: type[Model]) -> Model:
    """Reads a YAML file into `model`. Raises UserError that names file, key, value and remedy for the first fault."""
    return parse_model(read_yaml(path), model, path)


def parse_model(content: Any, model: type[Model], where: str) -> Model:
    """Validates already parsed content; `where` begins each message."""
    if not isinstance(content, dict):
        raise UserError(f"{where}: holds {type(content).__name__}, not keys and values. Begin with a key such as 'name: …'.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{where}: {_explain(error, model)}") from None


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    first = error.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"]]
    key, value = ".".join(location), first["input"]
    more = f" ({error.error_count() - 1} more fault(s) after this one.)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        near = get_close_matches(location[-1], known, 1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(sorted(known))}."
        return f"unknown key {key!r} (value {value!r}). {remedy}{more}"
    if first["type"] == "missing":
        return f"key {key!r} is missing. Add it.{more}"
    return f"key {key!r} has value {value!r}: {first['msg']}.{more}"


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """Field names of the nested model at `path`; mappings and lists are stepped through by any name."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = field.annotation if field else None
        else:
            current = next((a for a in _models_in(current)), None)
            continue
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            models = _models_in(current)
            origin = getattr(current, "__origin__", None)
            current = current if origin in (dict, list, tuple) else (models[0] if models else None)
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        models = _models_in(current)
        current = models[0] if models else None
    return list(current.model_fields) if current else []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]


def expand_path(path: str, base: str, where: str) -> str:
    """A path of a recipe made absolute: `${VARIABLE}` replaced, relative paths taken from the recipe's folder."""

    def replace(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if not value:
            raise UserError(f"{where}: path {path!r} needs the environment variable {match[1]}, which is not set. Export it.")
        return value

    expanded = os.path.expanduser(_VARIABLE.sub(replace, path))
    if "://" in expanded or os.path.isabs(expanded):
        return expanded
    return str(Path(base) / expanded)
