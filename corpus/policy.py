"""A policy: an ordered list of rules with thresholds, per source, and the pure function that applies it to feature rows.

Rules are tried in order and the first that fires gives the document its reason. A rule fires when all conditions under
`remove_if` hold. A source may change a rule or switch it off with null.
"""

from __future__ import annotations

import datetime
import os
from difflib import get_close_matches
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field, model_validator

from corpus.features import FEATURES
from factory.errors import UserError
from factory.recipe import Strict, load_model
from factory.records import Reason
from factory.zh.lane import LANES
from factory.zh.pii import KINDS

BUNDLED = Path(__file__).parent / "policies"

Value = float | int | str | bool


Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # a number, not "40" or true


class Condition(Strict):
    """Bounds on one feature; each that is given must hold. A feature without a value never fulfils a condition."""

    lt: Bound | None = None
    le: Bound | None = None
    gt: Bound | None = None
    ge: Bound | None = None
    eq: Value | None = None
    one_of: tuple[str, ...] | None = Field(None, min_length=1)
    none_of: tuple[str, ...] | None = Field(None, min_length=1)
    contains: str | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Condition:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("a condition needs one of lt, le, gt, ge, eq, one_of, none_of, contains")
        return self

    def mask(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Where the condition holds; null counts as not."""
        tests: list[Any] = []
        for name, compare in (("lt", pc.less), ("le", pc.less_equal), ("gt", pc.greater), ("ge", pc.greater_equal), ("eq", pc.equal)):
            bound = getattr(self, name)
            if bound is not None:
                tests.append(compare(column, bound))
        if self.one_of is not None:
            tests.append(pc.is_in(column, value_set=pa.array(self.one_of)))
        if self.none_of is not None:
            tests.append(pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, value_set=pa.array(self.none_of)))))
        if self.contains is not None:
            tests.append(pa.chunked_array([pa.array([self.contains in (row or ()) for row in column.to_pylist()], pa.bool_())]))
        return pc.fill_null(reduce(pc.and_, tests), False)

    def text(self) -> str:
        """The bounds as a person reads them, for example `< 50`."""
        signs = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "one_of": "in", "none_of": "not in", "contains": "has"}
        given = [(sign, getattr(self, name)) for name, sign in signs.items() if getattr(self, name) is not None]
        return " and ".join(f"{sign} {_shown(bound)}" for sign, bound in given)


def _shown(bound: Value | tuple[str, ...]) -> str:
    if isinstance(bound, tuple):
        return " ".join(bound)
    return f"{bound:.12g}" if isinstance(bound, float) else str(bound)  # 40, not 40.0


def _check_conditions(conditions: dict[str, Condition]) -> dict[str, Condition]:
    for name, condition in conditions.items():
        if name not in FEATURES:
            near = get_close_matches(name, FEATURES, 1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no feature is called {name!r}; {guess}'twllm corpus features' lists them")
        _check_type(name, condition)
    return conditions


Conditions = Annotated[dict[str, Condition], Field(min_length=1), AfterValidator(_check_conditions)]


class Rule(Strict):
    """One reason to remove a document, with where its thresholds come from."""

    id: str
    reason: Reason
    remove_if: Conditions
    unit: str = Field(description="unit of the thresholds")
    origin: str = Field(description="paper, or what it was measured on")
    date: datetime.date = Field(description="when the threshold was set")


def _check_type(name: str, condition: Condition) -> None:
    kind = FEATURES[name].type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    ordered = any(getattr(condition, bound) is not None for bound in ("lt", "le", "gt", "ge"))
    listed = condition.one_of is not None or condition.none_of is not None
    if numeric:
        comparable: tuple[type, ...] = (int, float)
    else:
        comparable = (bool,) if pa.types.is_boolean(kind) else (str,) if pa.types.is_string(kind) else ()
    named = (*(condition.one_of or ()), *(condition.none_of or ()))
    if name == "lane" and (wrong := sorted(set(named) - set(LANES))):
        raise ValueError(f"no lane is called {wrong[0]!r}; lanes are {', '.join(LANES)}")
    if (
        (ordered and not numeric)
        or (listed and not pa.types.is_string(kind))
        or (condition.contains is not None and not pa.types.is_list(kind))
        or (condition.eq is not None and type(condition.eq) not in comparable)
    ):
        raise ValueError(f"feature {name!r} is {kind}; the condition '{condition.text()}' does not apply to it")


class Action(StrEnum):
    """What becomes of a kind of personal data in a source's documents."""

    REDACT = "redact"  # a typed placeholder takes its place
    KEEP = "keep"
    DROP = "drop"  # the document is removed


def _check_kinds(actions: dict[str, Action]) -> dict[str, Action]:
    for kind in actions:
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, 1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no kind of personal data is called {kind!r}; {guess}kinds are {', '.join(KINDS)}")
    return actions


Actions = Annotated[dict[str, Action], AfterValidator(_check_kinds)]


class Change(Strict):
    """What a source changes about a rule."""

    remove_if: Conditions
    origin: str
    date: datetime.date


class Policy(Strict):
    """A versioned table of thresholds."""

    name: str
    version: str
    description: str = ""
    rules: tuple[Rule, ...] = Field(min_length=1)
    sources: dict[str, dict[str, Change | None]] = Field(default_factory=dict)
    personal_data: dict[str, Actions] = Field(
        default_factory=dict,
        description="'default', or a source's name or type -> kind -> redact, keep or drop. What is not named is redacted.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        ids = [rule.id for rule in self.rules]
        for rule_id in ids:
            if ids.count(rule_id) > 1:
                raise ValueError(f"two rules are called {rule_id!r}")
        for source, changes in self.sources.items():
            for rule_id in changes:
                if rule_id not in ids:
                    raise ValueError(f"sources.{source} changes {rule_id!r}, but no rule is called so")
        return self

    def rules_for(self, source: str, source_type: str) -> tuple[Rule, ...]:
        """The rules with a source's changes applied (by its name, else by its type); those switched off are left out."""
        changes = self.sources.get(source, self.sources.get(source_type, {}))
        result = []
        for rule in self.rules:
            if rule.id not in changes:
                result.append(rule)
            elif (change := changes[rule.id]) is not None:
                result.append(rule.model_copy(update=dict(change)))
        return tuple(result)

    def personal_actions(self, source: str, source_type: str) -> dict[str, Action]:
        """What to do with each kind of personal data in a source (by its name, else by its type)."""
        changes = self.personal_data.get(source, self.personal_data.get(source_type, {}))
        return {**dict.fromkeys(KINDS, Action.REDACT), **self.personal_data.get("default", {}), **changes}


def load_policy(name: str, base: str) -> Policy:
    """A bundled policy by its name (`taiwan-v2`), or a YAML file relative to `base`."""
    bundled = BUNDLED / f"{name}.yaml"
    if bundled.is_file():
        return load_model(str(bundled), Policy)
    if not name.endswith((".yaml", ".yml")):
        known = ", ".join(sorted(path.stem for path in BUNDLED.glob("*.yaml")))
        raise UserError(f"policy {name!r}: no bundled policy is called so (there are {known}). Name one, or a .yaml file.")
    path = name if "://" in name or Path(name).is_absolute() else os.path.normpath(Path(base) / name)
    if "://" not in path and not os.path.isfile(path):
        raise UserError(f"policy {name!r}: {path}: no such file. Give its path from the recipe's folder, or a bundled policy's name.")
    return load_model(path, Policy)


class Verdicts(NamedTuple):
    """Per document, in order: the rule that fired (index into `rules`, -1 for none) and the rules it refers to."""

    fired: list[int]
    rules: tuple[Rule, ...]


def apply_rules(features: pa.Table, rules: tuple[Rule, ...]) -> Verdicts:
    """The first rule that fires for each row of a feature table. A pure function of its arguments."""
    fired = [-1] * features.num_rows
    for index in range(len(rules) - 1, -1, -1):
        masks = [condition.mask(features.column(name)) for name, condition in rules[index].remove_if.items()]
        for row, hit in enumerate(reduce(pc.and_, masks).to_pylist()):
            if hit:
                fired[row] = index
    return Verdicts(fired, rules)


def columns_of(policy: Policy) -> list[str]:
    """Names of the features that the policy looks at, sorted."""
    conditions = [rule.remove_if for rule in policy.rules]
    conditions += [change.remove_if for changes in policy.sources.values() for change in changes.values() if change]
    return sorted({name for features in conditions for name in features})
