"""Five hundred real records, three annotators, planted disagreements and gold errors: what comes out is what was planted."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from curation.review.adjudicate import adjudicate
from curation.review.agreement import measure
from curation.review.answers import load
from curation.review.export import export
from curation.review.pull import pull
from curation.review.push import push
from curation.review.report import write
from curation.server.instance import Instance
from tests.curation.review.scripted import (
    Row,
    Scripted,
    annotators,
    answer_all,
    dataset_id,
    owner_door,
    read_rows,
    real_conversations,
    records_of,
    write_rows,
)

RECORDS, GOLD, SHARED = 500, 25, 100
WRONG = {0: 0, 1: 1, 2: 4}  # annotator -> gold questions answered wrong: 100 %, 96 % and 84 % right
SPLIT, DISSENT = 6, 9  # shared records where all three differ, and where the third differs from the other two
SKIPPED, ASIDE = 10, 5  # single records that nobody answers, and that are put aside


def nominal(units: list[list[Any]]) -> float:
    """Krippendorff's alpha for nominal data, written out (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", C)."""
    together: Counter[tuple[Any, Any]] = Counter()
    for unit in units:
        for pair in permutations(unit, 2):
            together[pair] += 1 / (len(unit) - 1)  # type: ignore[assignment]
    total: Counter[Any] = Counter()
    for (first, _), weight in together.items():
        total[first] += weight
    n = sum(total.values())
    same = sum(weight for (first, second), weight in together.items() if first == second)
    by_chance = sum(weight * (weight - 1) for weight in total.values())
    return ((n - 1) * same - by_chance) / (n * (n - 1) - by_chance)


class Plan:
    """Who says what, by external id."""

    def __init__(self, shared: list[str], gold: dict[str, str], single: list[str]) -> None:
        self.gold = gold
        self.truth = {name: ("keep", "fix", "reject")[number % 3] for number, name in enumerate(sorted([*shared, *single]))}
        ordered = sorted(shared)
        self.split, self.dissent = ordered[:SPLIT], ordered[SPLIT : SPLIT + DISSENT]
        self.skipped, self.aside = sorted(single)[:SKIPPED], sorted(single)[SKIPPED : SKIPPED + ASIDE]

    def say(self, who: int, name: str) -> Row | None:
        if name in self.aside:
            return None
        if name in self.gold:
            wrong = sorted(self.gold).index(name) < WRONG[who]
            verdict = {"keep": "reject", "reject": "keep"}[self.gold[name]] if wrong else self.gold[name]
        elif name in self.split:
            verdict = ("keep", "fix", "reject")[who]
        elif name in self.dissent and who == 2:
            verdict = {"keep": "reject", "reject": "fix", "fix": "keep"}[self.truth[name]]
        else:
            verdict = self.truth[name]
        grade = {"keep": 5, "fix": 3, "reject": 1}[verdict]
        values: Row = {"verdict": verdict, "fluency": grade, "taiwaneseness": 4 if grade > 1 else 3, "factuality": grade, "safety": 5}
        if verdict == "fix":
            values["corrected"] = f"改寫後的回答（{who}）：查證結果如下，洽詢請撥 0912-345-678。"
        return values


@pytest.fixture(scope="module")
def home(argilla_server: Instance) -> Path:
    return Path(argilla_server.home)


def test_what_was_planted_comes_out(argilla_server: Instance, home: Path, twllm_data: Path, tmp_path: Path) -> None:
    rows = real_conversations(twllm_data, RECORDS + GOLD)
    answers = {row["id"]: ("keep", "reject")[number % 2] for number, row in enumerate(rows[RECORDS:])}
    dataset = write_rows(tmp_path / "rows.jsonl", rows[:RECORDS])
    gold = write_rows(tmp_path / "gold.jsonl", [{**row, "gold": {"verdict": answers[row["id"]]}} for row in rows[RECORDS:]])
    door = owner_door(argilla_server)

    pushed = push(door, home, dataset, "planted", gold=gold)
    assert (pushed.read, pushed.new, len(pushed.quarantined)) == (RECORDS, RECORDS, 0)
    assert (pushed.single, pushed.shared, pushed.gold, pushed.sent) == (RECORDS - SHARED, SHARED, GOLD, RECORDS + GOLD)
    again = push(door, home, dataset, "planted", gold=gold)
    assert (again.new, again.known, again.sent) == (0, RECORDS, 0)

    single, shared = dataset_id(argilla_server, "planted"), dataset_id(argilla_server, "planted-shared")
    review = load(home, "planted")
    plan = Plan(
        [r.id for r in review.records if r.part == "shared" and r.gold is None],
        {r.id: r.gold["verdict"] for r in review.records if r.gold is not None},
        [r.id for r in review.records if r.part == "single"],
    )
    people = annotators(argilla_server)
    lanes = _answer(people, plan, single, shared)
    assert sum(lanes.values()) == RECORDS - SHARED - SKIPPED

    pulled = pull(door, home, "planted")
    given = 3 * (SHARED + GOLD) + RECORDS - SHARED - SKIPPED - ASIDE
    assert (pulled.new, pulled.submitted, pulled.discarded) == (given + ASIDE, given, ASIDE)
    assert pull(door, home, "planted").new == 0

    review = load(home, "planted")
    found = measure(review)
    _check_agreement(plan, found, review)

    decided = _adjudicate(argilla_server, home, plan)
    assert decided == SPLIT + DISSENT
    assert pull(door, home, "planted").adjudicated == SPLIT + DISSENT
    assert adjudicate(door, home, "planted")[1:3] == (0, SPLIT + DISSENT)

    _check_export(home, tmp_path, plan, lanes, review)
    page = Path(write(home, "planted")).read_text("utf-8")
    assert "0912" not in page and people[0].name not in page


def _answer(people: list[Scripted], plan: Plan, single: str, shared: str) -> Counter[str]:
    """Everybody answers the shared records and their own lane. Returns how many single records each answered or put aside, by name."""
    lanes: Counter[str] = Counter()
    for who, person in enumerate(people):
        records = person.seen(shared)
        assert len(records) == SHARED + GOLD
        assert person.submit([(record["id"], plan.say(who, record["external_id"])) for record in records]) == SHARED + GOLD
        own = [record for record in person.seen(single, lane=str(who + 1)) if record["external_id"] not in plan.skipped]
        lanes[person.name] = person.submit([(record["id"], plan.say(who, record["external_id"])) for record in own])
    return lanes


def _check_agreement(plan: Plan, found: Any, review: Any) -> None:
    names = sorted(name for name in plan.truth if any(r.id == name and r.part == "shared" for r in review.records))
    for question in ("verdict", "fluency"):
        units = [[(plan.say(who, name) or {})[question] for who in range(3)] for name in names]
        alpha = next(row for row in found.alphas if row.question == question)
        assert (alpha.records, alpha.answers) == (SHARED, 3 * SHARED)
        if question == "verdict":
            assert alpha.alpha == pytest.approx(nominal(units), abs=1e-6)
            assert alpha.low < alpha.alpha < alpha.high
    assert next(row for row in found.alphas if row.question == "safety").uniform
    by_name = {row.by: row.all for row in found.gold}
    assert sorted((row.right, row.of) for row in by_name.values()) == sorted((GOLD - wrong, GOLD) for wrong in WRONG.values())
    agreed = sorted(row.agreed for row in found.confusion)
    wrong_together = [abs(WRONG[a] - WRONG[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    same = [SHARED - SPLIT, SHARED - SPLIT - DISSENT, SHARED - SPLIT - DISSENT]
    assert agreed == sorted(shared + GOLD - wrong for shared, wrong in zip(same, wrong_together, strict=True))


def _adjudicate(server: Instance, home: Path, plan: Plan) -> int:
    """The owner decides: of the split ones the first half is kept, the rest rejected; dissenters are overruled."""
    put = adjudicate(owner_door(server), home, "planted")
    again = adjudicate(owner_door(server), home, "planted")
    assert put == again and put.open == SPLIT + DISSENT
    dataset = dataset_id(server, "planted-adjudication", f"{server.workspace}-adjudication")
    assert len(records_of(server, dataset)) == SPLIT + DISSENT
    owner = Scripted(server, server.owner)

    def say(record: Row) -> Row:
        assert record["fields"]["answers"].count("annotator-") >= 3
        assert not any(account.name in record["fields"]["answers"].replace("annotator-", "") for account in server.annotators)
        name = record["external_id"]
        verdict = ("keep" if plan.split.index(name) < SPLIT // 2 else "reject") if name in plan.split else plan.truth[name]
        fixed = {"corrected": "裁定後的回答。"} if verdict == "fix" else {}
        return {"verdict": verdict, "fluency": 4, "taiwaneseness": 4, "factuality": 4, "safety": 5, **fixed}

    for person in annotators(server):  # a workspace of its own: whoever disagreed does not see what the others said
        assert all(row["name"] != "planted-adjudication" for row in person.call("GET", "/me/datasets")["items"])
    return answer_all(owner, dataset, say)


def _check_export(home: Path, tmp_path: Path, plan: Plan, lanes: Counter[str], review: Any) -> None:
    import datasets

    output = tmp_path / "export"
    result = export(home, "planted", str(output))
    weak = sorted(measure(review).gold, key=lambda row: row.all.right)[0].by  # 84 %: what only that person saw does not pass
    alone = [name for name, given in review.answers.items() if len(given) == 1 and given[0].by == weak and name not in plan.gold]
    expected: Counter[str] = Counter()
    for name, truth in plan.truth.items():
        if name in plan.skipped:
            expected["unanswered"] += 1
        elif name in plan.aside:
            expected["discarded"] += 1
        elif name in alone:
            expected["gold_accuracy"] += 1
        elif name in plan.split:
            expected["exported" if plan.split.index(name) < SPLIT // 2 else "verdict"] += 1
        else:
            expected["verdict" if truth == "reject" else "exported"] += 1
    assert result.exported == expected["exported"]
    assert result.rejected == {"verdict": expected["verdict"]}
    assert result.undecided == {"discarded": ASIDE, "gold_accuracy": expected["gold_accuracy"], "unanswered": SKIPPED}
    assert result.gold == GOLD
    assert (
        result.records == RECORDS + GOLD == result.exported + sum(result.rejected.values()) + sum(result.undecided.values()) + result.gold
    )
    assert result.low == []

    sft, pairs = read_rows(output / "sft.jsonl"), read_rows(output / "preferences.jsonl")
    assert len(sft) == expected["exported"] and len({row["id"] for row in sft}) == len(sft)
    fixed = [row for row in sft if row["review"]["verdict"] == "fix"]
    assert len(fixed) == len(pairs) > 100
    for row, pair in zip(fixed, pairs, strict=True):
        assert row["messages"][-1]["content"] == pair["chosen"][0]["content"] != pair["rejected"][0]["content"]
        assert "0912" not in row["messages"][-1]["content"]  # a corrected answer is redacted like any other
        assert row["lineage"]["review"]["corrected_by"] in [
            *row["lineage"]["review"]["responses"],
            row["lineage"]["review"]["adjudication"],
        ]
    for row in sft:
        assert row["review"]["by"] and all(by.startswith("annotator-") for by in row["review"]["by"])
        assert row["lineage"]["source"] == "cofacts" and row["license"] == "cc-by-sa-4.0"
    manifest = json.loads((output / "manifest.json").read_text("utf-8"))
    assert manifest["counts"]["in"] == RECORDS + GOLD and manifest["accepted_low_agreement"] == []
    for name, config in (("sft", "sft.jsonl"), ("preferences", "preferences.jsonl"), ("rejected", "rejected.jsonl")):
        loaded = datasets.load_dataset(str(output), name, split="train", cache_dir=str(tmp_path / "cache"))
        assert len(loaded) == manifest["files"][config]["rows"]
    assert len(datasets.load_dataset(str(output), split="train", cache_dir=str(tmp_path / "cache"))) == len(sft)  # what comes unasked
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    export(home, "planted", str(output))
    assert before == {path.name: path.read_bytes() for path in output.iterdir()}
