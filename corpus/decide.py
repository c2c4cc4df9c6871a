"""Decide: the policy over the feature rows, without reading any text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow.parquet as pq

from corpus import decisions
from corpus.annotate import Part
from corpus.forget import FLAG, Selectors
from corpus.permissions import refused
from corpus.policy import Action, Policy, Rule, apply_rules, columns_of
from corpus.recipe import CorpusRecipe
from factory.records import Reason, Status


def decide(parts: Sequence[Part], policy: Policy, recipe: CorpusRecipe, opt_outs: Selectors | None = None) -> decisions.Decisions:
    """One decision a document, in the order of the parts. A second document with an id already seen is quarantined."""
    result = decisions.empty()
    columns = result.columns
    wanted = columns_of(policy)
    seen: set[bytes] = set()
    for index, part in enumerate(parts):
        source = part.file.source
        source_type = recipe.sources[source].type
        rules = policy.rules_for(source, source_type)
        dropped = [f"pii_{kind}" for kind, action in policy.personal_actions(source, source_type).items() if action is Action.DROP]
        table = pq.read_table(f"{part.folder}/features.parquet", columns=sorted({"id", "chars", "flags", *wanted, *dropped}))
        flags = table.column("flags").to_pylist()
        verdicts = apply_rules(table, rules)
        values = {name: table.column(name).to_pylist() for name in wanted}
        personal = {name: table.column(name).to_pylist() for name in dropped}
        ids = table.column("id").to_pylist()
        for name, value in (("source", source), ("part", index), ("status", str(Status.KEPT))):
            columns[name] += [value] * len(ids)
        for name in ("reason", "rule", "observed", "threshold", "kept_id", "similarity", "dropped_lines", "redacted", "tokens"):
            columns[name] += [None] * len(ids)
        columns["id"] += ids
        columns["chars"] += table.column("chars").to_pylist()
        base = len(result) - len(ids)
        asked = recipe.use is not None or opt_outs is not None
        unusable = refused(f"{part.folder}/documents.parquet", recipe.use, opt_outs) if asked else [None] * len(ids)
        for row, fired in enumerate(verdicts.fired):
            key = hashlib.blake2b(ids[row].encode(), digest_size=12).digest()
            if key in seen:
                columns["status"][base + row] = str(Status.QUARANTINED)
                columns["reason"][base + row] = str(Reason.DUPLICATE_ID)
                continue
            seen.add(key)
            if FLAG in flags[row]:
                result.remove(base + row, Reason.FORGOTTEN, rule="forget", observed="asked for in forgotten.jsonl")
                continue
            if fired >= 0:
                rule = rules[fired]
                observed = ", ".join(f"{name}={values[name][row]}" for name in rule.remove_if)
                result.remove(base + row, rule.reason, rule=rule.id, observed=observed, threshold=threshold_text(rule))
            elif held := next((name for name in dropped if personal[name][row]), None):
                result.remove(
                    base + row,
                    Reason.PERSONAL_DATA,
                    rule=f"personal_data.{held.removeprefix('pii_')}",
                    observed=f"{held}={personal[held][row]}",
                    threshold=f"{held} ≥ 1",
                )
            elif (verdict := unusable[row]) is not None:
                reason, name = (Reason.OPT_OUT, "opt_outs") if verdict.opted_out else (Reason.RIGHTS, "use")
                result.remove(base + row, reason, rule=name, observed=verdict.observed, threshold=verdict.threshold)
    return result


def threshold_text(rule: Rule) -> str:
    """The rule's conditions on one line, for example `chars < 50`."""
    return " and ".join(f"{name} {condition.text()}" for name, condition in rule.remove_if.items())
