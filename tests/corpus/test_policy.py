"""Policies: what each condition means at its bound, which rule wins, what a source changes, and what is refused."""

from __future__ import annotations

import datetime
import io
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus import features
from corpus.policy import BUNDLED, Action, Condition, Policy, Rule, apply_rules, columns_of, load_policy
from corpus.recipe import CorpusRecipe
from corpus.sources.spec import open_source
from factory.errors import UserError
from factory.recipe import load_model, parse_model
from factory.records import Document

RECIPE = Path(__file__).parents[2] / "recipes" / "taiwan-v2.yaml"
RULE = {
    "id": "short",
    "reason": "too_short",
    "remove_if": {"chars": {"lt": 40}},
    "unit": "characters",
    "origin": "test",
    "date": "2026-01-02",
}
POLICY = {"name": "test", "version": "1", "rules": [RULE]}
CHANGE = {"remove_if": {"chars": {"lt": 10}}, "origin": "test of a source", "date": "2026-02-03"}


def rule(rule_id: str, **conditions: dict[str, Any]) -> Rule:
    return Rule.model_validate({**RULE, "id": rule_id, "remove_if": conditions})


def holds(condition: dict[str, Any], values: list[Any], kind: pa.DataType | None = None) -> list[bool]:
    answer: list[bool] = Condition.model_validate(condition).mask(pa.chunked_array([pa.array(values, kind)])).to_pylist()
    return answer


# --- conditions


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ({"lt": 40}, [39, 40, 41], [True, False, False]),
        ({"le": 40}, [39, 40, 41], [True, True, False]),
        ({"gt": 40}, [39, 40, 41], [False, False, True]),
        ({"ge": 40}, [39, 40, 41], [False, True, True]),
        ({"eq": 40}, [39, 40, 41], [False, True, False]),
        ({"lt": 0.4}, [0.39, 0.4, 0.41], [True, False, False]),
        ({"ge": 0.4}, [0.39, 0.4, 0.41], [False, True, True]),
        ({"lt": 0}, [-1, 0, 1], [True, False, False]),
        ({"ge": 3, "lt": 5}, [2, 3, 4, 5], [False, True, True, False]),
        ({"eq": "ja"}, ["ja", "ko", ""], [True, False, False]),
        ({"eq": True}, [True, False], [True, False]),
        ({"eq": False}, [True, False], [False, True]),
        ({"one_of": ["ja", "ko"]}, ["ja", "ko", "zh-Hant", "j"], [True, True, False, False]),
        ({"none_of": ["ja", "ko"]}, ["ja", "ko", "zh-Hant", "j"], [False, False, True, True]),
        ({"contains": "abolished"}, [["abolished"], ["x", "abolished"], ["x"], [], ["abolished!"]], [True, True, False, False, False]),
    ],
)
def test_a_condition_at_its_bound(condition: dict[str, Any], values: list[Any], expected: list[bool]) -> None:
    assert holds(condition, values) == expected


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        *(({bound: 0}, pa.int64()) for bound in ("lt", "le", "gt", "ge", "eq")),
        *(({bound: 0}, pa.float64()) for bound in ("lt", "le", "gt", "ge", "eq")),
        ({"eq": "ja"}, pa.string()),
        ({"eq": False}, pa.bool_()),
        ({"one_of": ["ja"]}, pa.string()),
        ({"none_of": ["ja"]}, pa.string()),
        ({"contains": "x"}, pa.list_(pa.string())),
        ({"lt": 1, "gt": -1}, pa.float64()),
    ],
)
def test_a_feature_without_a_value_fulfils_nothing(condition: dict[str, Any], kind: pa.DataType) -> None:
    assert holds(condition, [None, None], kind) == [False, False]


@given(st.lists(st.lists(st.one_of(st.none(), st.lists(st.sampled_from("ab"), max_size=2)), max_size=4), max_size=4))
def test_the_layout_of_a_column_in_chunks_does_not_matter(chunks: list[list[Any]]) -> None:
    column = pa.chunked_array([pa.array(chunk, pa.list_(pa.string())) for chunk in chunks], pa.list_(pa.string()))
    expected = ["a" in (row or []) for chunk in chunks for row in chunk]
    assert Condition(contains="a").mask(column).to_pylist() == expected
    numbers = pa.chunked_array([pa.array([None if row is None else len(row) for row in chunk], pa.int64()) for chunk in chunks], pa.int64())
    table = pa.table({"flags": column, "chars": numbers})
    fired = apply_rules(table, (rule("both", flags={"contains": "a"}, chars={"ge": 2}),)).fired
    assert fired == [0 if row and "a" in row and len(row) >= 2 else -1 for chunk in chunks for row in chunk]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ({"lt": 50}, "< 50"),
        ({"ge": 3, "lt": 5}, "< 5 and ≥ 3"),
        ({"gt": 0.25, "le": 0.5}, "≤ 0.5 and > 0.25"),
        ({"lt": 3_000_000}, "< 3000000"),
        ({"le": -0.25}, "≤ -0.25"),
        ({"eq": 0}, "= 0"),
        ({"eq": "ja"}, "= ja"),
        ({"one_of": ["ja", "ko"]}, "in ja ko"),
        ({"none_of": ["ja"]}, "not in ja"),
        ({"contains": "abolished"}, "has abolished"),
    ],
)
def test_a_condition_as_a_person_reads_it(condition: dict[str, Any], text: str) -> None:
    assert Condition.model_validate(condition).text() == text


# --- rules


@pytest.mark.parametrize(("order", "reason_index"), [(("a", "b"), 0), (("b", "a"), 0)])
def test_the_first_rule_that_fires_wins(order: tuple[str, str], reason_index: int) -> None:
    both = {"a": rule("a", chars={"lt": 50}), "b": rule("b", chars={"lt": 60})}
    verdicts = apply_rules(pa.table({"chars": [10]}), tuple(both[name] for name in order))
    assert verdicts.rules[verdicts.fired[0]].id == order[reason_index]


def test_a_rule_fires_only_where_all_its_conditions_hold() -> None:
    table = pa.table({"chars": [100, 100, 5000, None], "pii_mobile": [3, 2, 3, 3]})
    assert apply_rules(table, (rule("list", pii_mobile={"ge": 3}, chars={"lt": 3000}),)).fired == [0, -1, -1, -1]


def test_no_rules_and_no_rows() -> None:
    assert apply_rules(pa.table({"chars": [1, 2]}), ()).fired == [-1, -1]
    assert apply_rules(pa.table({"chars": pa.array([], pa.int64())}), (rule("a", chars={"lt": 50}),)).fired == []


SIGNS: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
}
BOUNDS = st.dictionaries(st.sampled_from(sorted(SIGNS)), st.integers(-2, 2), min_size=1, max_size=2)
RULES = st.lists(st.dictionaries(st.sampled_from(["chars", "han_ratio"]), BOUNDS, min_size=1), max_size=5)
ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(-3, 3)), st.one_of(st.none(), st.integers(-3, 3))), max_size=8)


@given(RULES, ROWS)
def test_rules_agree_with_a_plain_reading_of_them(written: list[dict[str, dict[str, int]]], rows: list[tuple[Any, Any]]) -> None:
    def fires(conditions: dict[str, dict[str, int]], row: dict[str, Any]) -> bool:
        return all(
            row[name] is not None and all(SIGNS[sign](row[name], bound) for sign, bound in bounds.items())
            for name, bounds in conditions.items()
        )

    expected = [
        next((number for number, conditions in enumerate(written) if fires(conditions, {"chars": chars, "han_ratio": ratio})), -1)
        for chars, ratio in rows
    ]
    table = pa.table({"chars": pa.array([c for c, _ in rows], pa.int64()), "han_ratio": pa.array([r for _, r in rows], pa.float64())})
    assert apply_rules(table, tuple(rule(f"r{n}", **conditions) for n, conditions in enumerate(written))).fired == expected


# --- sources


def test_a_source_changes_a_rule_or_switches_it_off() -> None:
    other = {**RULE, "id": "long", "reason": "too_long", "remove_if": {"chars": {"gt": 900}}}
    policy = Policy.model_validate({**POLICY, "rules": [RULE, other], "sources": {"law": {"short": CHANGE}, "news": {"short": None}}})
    assert policy.rules_for("web", "rows") == policy.rules
    assert [r.id for r in policy.rules_for("news", "rows")] == ["long"]
    changed, untouched = policy.rules_for("law", "rows")
    assert (changed.id, changed.reason, changed.unit) == ("short", "too_short", "characters")
    assert (changed.remove_if, changed.origin, changed.date) == ({"chars": Condition(lt=10)}, "test of a source", datetime.date(2026, 2, 3))
    assert untouched == policy.rules[1]
    fired = apply_rules(pa.table({"chars": [9, 10, 39, 900, 901]}), policy.rules_for("law", "rows"))
    assert [fired.rules[index].id if index >= 0 else None for index in fired.fired] == ["short", None, None, None, "long"]


def test_a_source_is_looked_up_by_its_name_then_by_its_type() -> None:
    policy = Policy.model_validate({**POLICY, "sources": {"law": {"short": None}, "statutes": {"short": CHANGE}}})
    assert policy.rules_for("anything", "law") == ()
    assert [r.remove_if["chars"].lt for r in policy.rules_for("statutes", "law")] == [10]
    assert [r.remove_if["chars"].lt for r in policy.rules_for("law2", "rows")] == [40]


def test_columns_of_a_policy_include_those_that_only_a_source_names() -> None:
    change = {**CHANGE, "remove_if": {"lines": {"lt": 2}, "chars": {"lt": 10}}}
    policy = Policy.model_validate({**POLICY, "sources": {"law": {"short": change}, "news": {"short": None}}})
    assert columns_of(policy) == ["chars", "lines"]


# --- refusals


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rules": [{**RULE, "remove_if": {"chras": {"lt": 4}}}]}, ["chras", "twllm corpus features"]),
        ({"rules": [{**RULE, "remove_if": {"lane": {"lt": 4}}}]}, ["lane", "string", "< 4"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"one_of": ["ja"]}}}]}, ["chars", "int64", "in ja"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"none_of": ["ja"]}}}]}, ["chars", "int64", "not in ja"]),
        ({"rules": [{**RULE, "remove_if": {"lane": {"contains": "ja"}}}]}, ["lane", "string", "has ja"]),
        ({"rules": [{**RULE, "remove_if": {"lane": {"contains": ""}}}]}, ["lane", "string", "has"]),
        ({"rules": [{**RULE, "remove_if": {"flags": {"ge": 1}}}]}, ["flags", "list", "≥ 1"]),
        ({"rules": [{**RULE, "remove_if": {"mojibake_repaired": {"gt": 0}}}]}, ["mojibake_repaired", "bool", "> 0"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"eq": "forty"}}}]}, ["chars", "int64", "= forty"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"eq": True}}}]}, ["chars", "int64", "= True"]),
        ({"rules": [{**RULE, "remove_if": {"lane": {"eq": 4}}}]}, ["lane", "string", "= 4"]),
        ({"rules": [{**RULE, "remove_if": {"mojibake_repaired": {"eq": "yes"}}}]}, ["mojibake_repaired", "bool", "= yes"]),
        ({"rules": [{**RULE, "remove_if": {"flags": {"eq": "abolished"}}}]}, ["flags", "list", "= abolished"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"lt": "x"}}}]}, ["remove_if.chars.lt", "'x'"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"lt": float("nan")}}}]}, ["remove_if.chars.lt", "nan"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {}}}]}, ["remove_if.chars", "needs one of lt"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"lt": None}}}]}, ["remove_if.chars", "needs one of lt"]),
        ({"rules": [{**RULE, "remove_if": {"lane": {"one_of": []}}}]}, ["remove_if.lane.one_of", "at least 1"]),
        ({"rules": [{**RULE, "remove_if": {"chars": {"less": 4}}}]}, ["remove_if.chars.less", "4"]),
        ({"rules": [{**RULE, "remove_if": {}}]}, ["rules.0.remove_if", "at least 1"]),
        ({"rules": [{**RULE, "reason": "boring"}]}, ["rules.0.reason", "'boring'", "too_short"]),
        ({"rules": [{name: value for name, value in RULE.items() if name != "unit"}]}, ["rules.0.unit", "missing"]),
        ({"rules": [{name: value for name, value in RULE.items() if name != "origin"}]}, ["rules.0.origin", "missing"]),
        ({"rules": [{name: value for name, value in RULE.items() if name != "date"}]}, ["rules.0.date", "missing"]),
        ({"rules": [{**RULE, "date": "yesterday"}]}, ["rules.0.date", "yesterday"]),
        ({"rules": [RULE, {**RULE, "reason": "scam"}]}, ["two rules", "'short'"]),
        ({"rules": []}, ["rules", "at least 1"]),
        ({"sources": {"law": {"shrot": None}}}, ["sources.law", "'shrot'", "no rule"]),
        ({"sources": {"law": {"short": {**CHANGE, "remove_if": {"chras": {"lt": 4}}}}}}, ["sources.law.short", "chras"]),
        ({"sources": {"law": {"short": {"remove_if": {"chars": {"lt": 4}}}}}}, ["sources.law.short.origin", "missing"]),
        ({"sorces": {}}, ["sorces", "sources"]),
    ],
)
def test_a_wrong_policy_is_one_line_that_names_what_is_wrong(tmp_path: Path, changes: dict[str, Any], named: list[str]) -> None:
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({**POLICY, **changes}, allow_unicode=True), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_policy("p.yaml", str(tmp_path))
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/p.yaml: ") and "\n" not in message
    assert all(name in message for name in named), message


def test_a_number_may_be_compared_with_a_whole_or_a_broken_one(tmp_path: Path) -> None:
    for bounds in ({"eq": 40}, {"eq": 40.0}, {"lt": 1e3}):
        (tmp_path / "p.yaml").write_text(yaml.safe_dump({**POLICY, "rules": [{**RULE, "remove_if": {"chars": bounds}}]}), encoding="utf-8")
        assert apply_rules(pa.table({"chars": [40]}), load_policy("p.yaml", str(tmp_path)).rules).fired == [0]


def test_a_policy_is_found_by_its_bundled_name_or_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(yaml.safe_dump(POLICY), encoding="utf-8")
    assert load_policy("taiwan-v2", str(tmp_path)).name == "taiwan-v2"
    assert load_policy("own.yml", str(tmp_path)).name == "test"
    assert load_policy(str(tmp_path / "own.yml"), "/nowhere").name == "test"
    with pytest.raises(UserError, match=r"'taiwan-v9'.*there are taiwan-v2"):
        load_policy("taiwan-v9", str(tmp_path))
    with pytest.raises(UserError, match=r"gone\.yaml: no such file"):
        load_policy("gone.yaml", str(tmp_path))


# --- the bundled policies


@pytest.mark.parametrize("name", sorted(path.stem for path in BUNDLED.glob("*.yaml")))
def test_a_bundled_policy_says_unit_origin_and_date_of_each_threshold(name: str) -> None:
    policy = load_policy(name, "")
    assert policy.name == name and policy.version
    for given_rule in policy.rules:
        assert given_rule.unit.strip() and given_rule.origin.strip() and given_rule.date.year >= 2026, given_rule.id
    for changes in policy.sources.values():
        for change in changes.values():
            assert change is None or (change.origin.strip() and change.date.year >= 2026)


def test_a_policy_survives_being_stored_in_a_manifest() -> None:
    policy = load_policy("taiwan-v2", "")
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy


SAMPLED_LAWS = 1_500


def test_the_bundled_policy_keeps_the_statutes(twllm_data: Path, tmp_path: Path) -> None:
    with open(twllm_data / "corpus/law_moj.jsonl.zst", "rb") as packed:
        rows = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), encoding="utf-8").readlines()
    chosen = [rows[number * len(rows) // SAMPLED_LAWS] for number in range(SAMPLED_LAWS)]
    (tmp_path / "law.jsonl").write_text("".join(chosen), encoding="utf-8")
    source = open_source("law", load_model(str(RECIPE), CorpusRecipe).sources["law"])
    documents = [item for item in source.read(str(tmp_path / "law.jsonl")) if isinstance(item, Document)]
    laws = {document.parent_id or document.id for document in documents}
    assert len(laws) == SAMPLED_LAWS
    _, table = features.annotate(documents)
    verdicts = apply_rules(table, load_policy("taiwan-v2", "").rules_for("law", "law"))
    removed = {d.parent_id or d.id: verdicts.rules[fired].id for d, fired in zip(documents, verdicts.fired, strict=True) if fired >= 0}
    kept = len(laws) - len(removed)
    assert kept >= 0.99 * SAMPLED_LAWS, f"{kept} of {SAMPLED_LAWS} laws kept; removed: {removed}"


def test_what_a_policy_does_not_name_of_personal_data_is_redacted() -> None:
    found = load_policy("taiwan-v2", ".")
    assert set(found.personal_actions("anything", "rows").values()) == {Action.REDACT, Action.KEEP}
    assert found.personal_actions("anything", "rows")["company_id"] is Action.KEEP
    assert set(found.personal_actions("statutes", "law").values()) == {Action.KEEP}
    bare = Policy.model_validate({"name": "x", "version": "1", "rules": [rule("short", chars={"lt": 1}).model_dump(mode="json")]})
    assert set(bare.personal_actions("anything", "law").values()) == {Action.REDACT}


def test_an_unknown_kind_of_personal_data_is_named() -> None:
    rules = [rule("short", chars={"lt": 1}).model_dump(mode="json")]
    with pytest.raises(UserError, match="no kind of personal data is called 'mobil'; did you mean 'mobile'"):
        parse_model({"name": "x", "version": "1", "rules": rules, "personal_data": {"default": {"mobil": "keep"}}}, Policy, "p.yaml")
    with pytest.raises(UserError, match="personal_data.default.mobile.*hide"):
        parse_model({"name": "x", "version": "1", "rules": rules, "personal_data": {"default": {"mobile": "hide"}}}, Policy, "p.yaml")
