"""The verbs as a user types them: JSON that parses, exit codes that mean something, one line for each fault."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
import yaml

from corpus.features import FEATURES
from factory.cli import main
from tests.corpus.conftest import RECIPE, tree_bytes, twllm

VERBS = ("build", "plan", "why", "diff", "stats", "report", "features", "fetch", "rights")


class Done(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code in (0, 1), self.err
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command in this process: arguments in, exit code and output out."""

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["twllm", *arguments])
        out, err, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as done:
                code = int(done.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def stricter_run(sample_run: Path, tmp_path: Path, rows_recipe: Callable[..., Path]) -> Path:
    """A copy of the sample run in which the first three kept documents are removed as scams."""
    shutil.copy(sample_run / "manifest.json", tmp_path)
    rows = pq.read_table(sample_run / "decisions.parquet").to_pylist()
    for row in [row for row in rows if row["status"] == "kept"][:3]:
        row.update(status="removed", reason="scam")
    schema = pq.read_schema(sample_run / "decisions.parquet")
    pq.write_table(schema.empty_table().from_pylist(rows, schema=schema), tmp_path / "decisions.parquet")
    return tmp_path


# --- help


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(run: Callable[..., Done], verb: str) -> None:
    done = run("corpus", verb, "--help")
    assert done.code == 0 and "Usage: twllm corpus" in done.out and verb in done.out


def test_help_lists_every_verb_and_imports_none_of_what_they_need() -> None:
    heavy = ["pyarrow", "numba", "numpy", "datatrove", "matplotlib"]
    code = f"import sys; from factory.cli import main\ntry: main()\nexcept SystemExit: print([m for m in {heavy} if m in sys.modules])"
    done = twllm("corpus", "--help")
    assert done.returncode == 0 and all(f"{verb} " in done.stdout for verb in VERBS)
    loaded = subprocess.run(
        [sys.executable, "-c", code, "corpus", "--help"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]
    assert loaded == "[]"


@pytest.mark.parametrize("arguments", [("corpus", "biuld"), ("corpus", "why"), ("corpus", "build"), ("corpus", "diff", "a"), ("corpse",)])
def test_bad_usage_is_exit_code_2(run: Callable[..., Done], arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "") and done.err.startswith("twllm: ") and done.err.count("\n") == 1
    assert "--help'." in done.err


@pytest.mark.parametrize("value", ["-1", "0", "many"])
def test_a_bad_number_of_workers_is_one_line(run: Callable[..., Done], value: str) -> None:
    done = run("corpus", "build", str(RECIPE), "--workers", value)
    assert (done.code, done.err.count("\n")) == (2, 1) and done.err.startswith("twllm: Invalid value for '--workers'")


def test_no_command_at_all_shows_the_help(run: Callable[..., Done]) -> None:
    assert all((done := run(*arguments)).code == 2 and "Usage: twllm" in done.out + done.err for arguments in ((), ("corpus",)))


def test_an_error_of_a_build_is_an_event_with_json(run: Callable[..., Done]) -> None:
    done = run("corpus", "build", "gone.yaml", "--json")
    assert done.code == 2 and json.loads(done.out) == {"event": "error", "message": done.err.strip().removeprefix("twllm: ")}


# --- every verb with --json


def test_build_prints_json_and_nothing_else_or_its_stages_and_the_corpus(rows_recipe: Callable[..., Path], tmp_path: Path) -> None:
    recipe = rows_recipe([{"id": "1", "text": "短"}, {"id": "2"}])
    done = twllm("corpus", "build", str(recipe), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    stages = ["annotate", "decide", "deduplicate", "assemble", "report"]
    for kind in ("stage", "done"):
        assert [event["stage"] for event in events if event["event"] == kind] == stages
    assert {event["event"] for event in events[:-1]} <= {"stage", "progress", "done"}
    assert all(event["documents"] == 1 for event in events if event["event"] == "done")
    found = events[-1]
    assert found["event"] == "result"
    assert found["output"] == str(tmp_path / "run") and found["agreement"] is None
    assert found["funnel"]["rows"] == {
        "documents": 2, "kept": 0, "removed": 1, "quarantined": 1, "reasons": {"too_short": 1, "unreadable": 1},
        "chars_kept": 0, "tokens_kept": 0, "redacted": 0,
    }  # fmt: skip
    assert found["reused"] == {"decide": False, "deduplicate": False, "assemble": False}
    again = twllm("corpus", "build", str(recipe))
    assert again.returncode == 0
    assert again.stderr.splitlines()[::2] == [f"{stage} …" for stage in stages]
    ends = again.stderr.splitlines()[1::2]
    assert [line.partition(":")[0] for line in ends] == stages and all("1 documents" in line for line in ends)
    assert [line.endswith("reused") for line in ends] == [True, True, True, True, False]
    where = f"corpus: {tmp_path}/run/data\nreport: {tmp_path}/run/report.html\n"
    assert "\nreused: decide, deduplicate, assemble\n" in again.stdout and again.stdout.endswith(where)
    assert "nothing was kept" in again.stdout and "rows: rows.jsonl, line 2: " in again.stdout


def test_plan_prints_json_and_writes_nothing(run: Callable[..., Done], tmp_path: Path) -> None:
    found = run("corpus", "plan", str(RECIPE), "--output", str(tmp_path / "run"), "--json").json()
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    assert list(found["sources"]) == list(recipe["sources"])
    assert all(0 < source["kept"] <= source["documents"] for source in found["sources"].values())
    assert not (tmp_path / "run").exists()
    assert "minutes with" in run("corpus", "plan", str(RECIPE), "--sample-mb", "0.01").out


def test_plan_of_the_sample_foresees_what_the_build_finds_but_duplicates(run: Callable[..., Done], sample_run: Path) -> None:
    planned = run("corpus", "plan", str(RECIPE), "--json").json()["sources"]
    funnel = run("corpus", "stats", "--run", str(sample_run), "--json").json()["funnel"]
    duplicates = {"exact_duplicate", "near_duplicate", "line_duplicates", "duplicate_id"}
    for source, counts in funnel.items():
        if planned[source]["sampled"] == planned[source]["documents"]:
            later = sum(count for reason, count in counts["reasons"].items() if reason in duplicates)
            assert planned[source]["kept"] == counts["kept"] + later, source


def test_why_prints_json(run: Callable[..., Done], sample_run: Path) -> None:
    for row in pq.read_table(sample_run / "decisions.parquet").to_pylist()[:3]:
        found = run("corpus", "why", row["id"], "--run", str(sample_run), "--json").json()
        assert set(found) == {"decision", "rule", "features", "document", "excerpt", "parts", "evidence"}
        assert found["decision"] == row
        assert run("corpus", "why", row["id"], "--run", str(sample_run)).out.startswith(f"{row['id']}: {row['status']}")


def test_stats_prints_json(run: Callable[..., Done], sample_run: Path) -> None:
    manifest = json.loads((sample_run / "manifest.json").read_text(encoding="utf-8"))
    found = run("corpus", "stats", "--run", str(sample_run), "--json").json()
    assert found == {name: manifest[name] for name in ("funnel", "quotas", "agreement")}
    kept = sum(counts["kept"] for counts in manifest["funnel"].values())
    (total,) = [line.split() for line in run("corpus", "stats", "--run", str(sample_run)).out.splitlines() if line.startswith("all ")]
    assert total[2] == f"{kept:,}"


def test_features_prints_json(run: Callable[..., Done]) -> None:
    found = run("corpus", "features", "--json").json()
    assert found == {name: {"unit": feature.unit, "meaning": feature.meaning} for name, feature in FEATURES.items()}
    plain = run("corpus", "features").out
    assert all(f"{name} " in plain for name in FEATURES)


def test_report_writes_the_same_files_again(run: Callable[..., Done], sample_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(sample_run, copy)
    (copy / "report.html").unlink()
    (copy / "README.md").unlink()
    done = run("corpus", "report", "--run", str(copy))
    assert (done.code, done.out) == (0, f"{copy}/report.html\n")
    assert tree_bytes(copy) == tree_bytes(sample_run)


# --- diff


def test_diff_of_equal_runs_is_exit_code_0(run: Callable[..., Done], sample_run: Path) -> None:
    done = run("corpus", "diff", str(sample_run), str(sample_run))
    documents = pq.read_metadata(sample_run / "decisions.parquet").num_rows
    assert (done.code, done.out) == (0, f"{documents} documents decided alike, 0 moved\n")


def test_diff_of_different_runs_is_exit_code_1_and_counts_them(run: Callable[..., Done], sample_run: Path, stricter_run: Path) -> None:
    done = run("corpus", "diff", str(sample_run), str(stricter_run))
    documents = pq.read_metadata(sample_run / "decisions.parquet").num_rows
    assert done.code == 1 and done.out.startswith(f"{documents - 3} documents decided alike, 3 moved\n")
    assert [line.split() for line in done.out.splitlines()][2] == ["kept", "scam", "3"]
    as_json = run("corpus", "diff", str(sample_run), str(stricter_run), "--json")
    assert as_json.code == 1
    assert as_json.json()["unchanged"] == documents - 3
    assert [(move["before"], move["after"]) for move in as_json.json()["moves"]] == [("kept", "scam")] * 3


def test_exit_codes_reach_the_shell(sample_run: Path, stricter_run: Path) -> None:
    assert [twllm("corpus", "diff", str(sample_run), str(other)).returncode for other in (stricter_run, "/nowhere")] == [1, 2]


# --- faults


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("build", "gone.yaml"), ["gone.yaml", "no such file"]),
        (("plan", "gone.yaml"), ["gone.yaml", "no such file"]),
        (("why", "law:A", "--run", "gone"), ["gone", "no finished run", "--run"]),
        (("stats", "--run", "gone"), ["gone", "no finished run", "--run"]),
        (("report", "--run", "gone"), ["gone", "no finished run", "--run"]),
        (("diff", "gone", "gone"), ["gone", "no finished run"]),
    ],
)
def test_a_fault_is_one_line_and_exit_code_2(run: Callable[..., Done], arguments: tuple[str, ...], named: list[str]) -> None:
    done = run("corpus", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("twllm: ") and done.err.count("\n") == 1
    assert all(name in done.err for name in named), done.err


def test_an_unknown_id_is_exit_code_2(run: Callable[..., Done], sample_run: Path) -> None:
    done = run("corpus", "why", "law:Z001000", "--run", str(sample_run))
    assert done.code == 2 and "Did you mean law:" in done.err and done.err.count("\n") == 1


def test_a_tokenizer_beside_the_recipe_counts_the_corpus(
    rows_recipe: Callable[..., Path], tmp_path: Path, run: Callable[..., Done]
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    by_character = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    by_character.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    by_character.save(str(tmp_path / "tokenizer.json"))
    text = "這一帶的居民習慣在傍晚沿著河堤散步，順便到市場買隔天早餐要用的蔬菜，遇到熟人就停下來聊幾句，直到路燈亮起才回家。"
    recipe = rows_recipe([{"id": "1", "text": text}], mixture={"tokenizer": "tokenizer.json"}, workers=1)
    built = json.loads(run("corpus", "build", str(recipe), "--json").out.splitlines()[-1])
    assert built["funnel"]["rows"]["tokens_kept"] == len(by_character.encode(text).ids) == len(text)
    plan = run("corpus", "plan", str(recipe), "--json").json()
    assert plan["sources"]["rows"]["tokens"] == len(text)
