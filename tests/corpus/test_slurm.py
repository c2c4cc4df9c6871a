"""Slurm: scripts, arrays, dependencies and reruns on a stand-in for the cluster.

No Slurm runs here: `sbatch`, `srun` and `squeue` are small programs that this file puts on PATH. They read the #SBATCH lines as
the real ones do, and `Cluster.work` really runs what was submitted, array task by array task, in the order of the dependencies.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.estimate import Estimate, SourceEstimate
from corpus.recipe import SlurmSettings, load_plan
from corpus.slurm import LEAST_MINUTES, foreseen, request, script
from corpus.tasks import TaskHead
from tests.corpus.conftest import differing, eight_sources, twllm

SBATCH = """#!{python}
import json, os, shlex, sys
here = {here!r}
jobs = sorted(int(name.split(".")[0]) for name in os.listdir(here + "/jobs"))
path = [a for a in sys.argv[1:] if not a.startswith("-")][0]
text = open(path, encoding="utf-8").read()
lines = [line for line in text.splitlines() if line.startswith("#SBATCH ")]
options = dict((shlex.split(line[8:])[0][2:].split("=", 1) + [""])[:2] for line in lines)
options.update((a[2:].split("=", 1) + [""])[:2] for a in sys.argv[1:] if a.startswith("-"))
if options["partition"] == "closed":
    sys.exit("sbatch: error: invalid partition specified: closed")
number = jobs[-1] + 1 if jobs else 7001
job = {{"script": text, "options": options, "cwd": os.getcwd(), "state": "pending"}}
json.dump(job, open(f"{{here}}/jobs/{{number}}.json", "w"))
print("Submitted batch job", number)
"""
SRUN = """#!/bin/bash
while [[ "$1" == -* ]]; do [[ "$1" == -n ]] && shift; shift; done
exec "$@"
"""
SQUEUE = """#!{python}
import json, os, sys
for number in sys.argv[sys.argv.index("-j") + 1].split(","):
    path = f"{here}/jobs/{{number}}.json"
    if not os.path.exists(path):
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    if json.load(open(path))["state"] == "pending":
        print(number)
"""


class Cluster:
    """Holds submitted jobs as files; runs them when told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "jobs").mkdir()
        (folder / "bin").mkdir()
        for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("squeue", SQUEUE)):
            path = folder / "bin" / name
            path.write_text(text if name == "srun" else text.format(python=sys.executable, here=str(folder)), encoding="utf-8")
            path.chmod(0o755)
        self.env = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}

    def jobs(self) -> dict[int, dict[str, Any]]:
        found = sorted(self.folder.glob("jobs/*.json"))
        return {int(path.stem): json.loads(path.read_text(encoding="utf-8")) for path in found}

    def work(self, fail: Callable[[int, int], bool] = lambda job, task: False) -> list[str]:
        """Runs what is pending and may begin; `fail(job, array task)` ends a task before it does anything. Returns the states."""
        states = {}
        for number, job in self.jobs().items():
            if job["state"] == "pending":
                job["state"] = self._run(number, job, fail)
                (self.folder / "jobs" / f"{number}.json").write_text(json.dumps(job), encoding="utf-8")
            states[number] = job["state"]
        return list(states.values())

    def _run(self, number: int, job: dict[str, Any], fail: Callable[[int, int], bool]) -> str:
        kind, _, needed = job["options"].get("dependency", "").partition(":")
        if kind == "afterok" and self.jobs()[int(needed)]["state"] != "done":
            assert "kill-on-invalid-dep" in job["options"]
            return "cancelled"
        first, last = (int(end) for end in job["options"].get("array", "0-0").partition("%")[0].split("-"))
        ended = [self._task(number, job, task) for task in range(first, last + 1) if not fail(number, task)]
        return "done" if ended == [0] * (last - first + 1) else "failed"

    def _task(self, number: int, job: dict[str, Any], task: int) -> int:
        path = self.folder / "script"
        path.write_text(job["script"], encoding="utf-8")
        output = job["options"]["output"].replace("%A", str(number)).replace("%j", str(number)).replace("%a", str(task)).replace("%%", "%")
        env = {**self.env, "SLURM_JOB_ID": str(number), "SLURM_NODELIST": "node1", "SLURM_SUBMIT_DIR": job["cwd"]}
        if "array" in job["options"]:
            env["SLURM_ARRAY_TASK_ID"] = str(task)
        with open(output, "ab") as log:
            return subprocess.run(["bash", str(path)], cwd=job["cwd"], env=env, stdout=log, stderr=log, check=False).returncode


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "cluster").mkdir()
    return Cluster(tmp_path / "cluster")


def slurm_recipe(folder: Path, **settings: Any) -> Path:
    return eight_sources(folder, engine="slurm", slurm={"partition": "cpu", **settings})


def test_an_array_and_a_finishing_job_make_what_a_local_build_makes(cluster: Cluster, tmp_path: Path, eight_run: Path) -> None:
    recipe = slurm_recipe(eight_run.parent, max_array_size=3, account="lab", sbatch_args={"constraint": "cpu|fast", "exclusive": None})
    run = tmp_path / "語料 50% $HOME 'x'"  # spaces, Chinese, and what a shell or Slurm would replace
    done = twllm("corpus", "build", str(recipe), "--output", str(run), env=cluster.env)
    assert done.returncode == 0, done.stderr
    (array, finish), jobs = cluster.jobs(), cluster.jobs()
    assert f"annotate: job {array}, 8 parts in an array of 3 tasks of 3 parts" in done.stdout and f"finish:   job {finish}" in done.stdout
    options = jobs[array]["options"]
    assert {name: options[name] for name in ("array", "partition", "account", "constraint", "exclusive", "cpus-per-task", "time")} == {
        "array": "0-2", "partition": "cpu", "account": "lab", "constraint": "cpu|fast", "exclusive": "", "cpus-per-task": "1",
        "time": "0:10:00",
    }  # fmt: skip
    assert not {"qos", "mail-type", "mail-user", "mem-per-cpu"} & options.keys() and options["mem"].endswith("G")
    assert jobs[finish]["options"]["dependency"] == f"afterok:{array}"
    again = twllm("corpus", "build", str(recipe), "--output", str(run), env=cluster.env)
    assert again.returncode == 2 and f"job {array} still makes parts" in again.stderr and len(cluster.jobs()) == 2
    assert cluster.work() == ["done", "done"], [path.read_text() for path in run.glob("logs/*/finish-*.out")]
    assert differing(run, eight_run) == []
    assert (run / "logs").exists() and list(run.glob("**/*.pik")) != []  # what jobs unpickle lies in the run's own logs


def test_a_rerun_after_a_failure_submits_what_is_missing(cluster: Cluster, tmp_path: Path, eight_run: Path) -> None:
    recipe = slurm_recipe(eight_run.parent, max_array_size=4, srun=False)
    run = tmp_path / "run"
    command = ("corpus", "build", str(recipe), "--output", str(run), "--json")
    first = json.loads(twllm(*command, env=cluster.env).stdout.splitlines()[-1])
    assert (first["event"], first["request"]["parts"], first["request"]["array"]) == ("result", 8, 4)
    assert cluster.work(fail=lambda job, task: task == 1) == ["failed", "cancelled"]
    assert not (run / "manifest.json").exists()
    second = json.loads(twllm(*command, env=cluster.env).stdout.splitlines()[-1])
    assert second["request"]["parts"] == 2
    assert cluster.work()[2:] == ["done", "done"]
    assert differing(run, eight_run) == []
    third = json.loads(twllm(*command, env=cluster.env).stdout.splitlines()[-1])
    assert third["array_job"] is None and "dependency" not in cluster.jobs()[int(third["finish_job"])]["options"]
    assert cluster.work()[-1] == "done" and differing(run, eight_run) == []


def test_where_there_is_no_cluster_one_line_says_so(tmp_path: Path, eight_run: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = twllm(
        "corpus",
        "build",
        str(slurm_recipe(eight_run.parent)),
        "--output",
        str(tmp_path / "run"),
        env={**os.environ, "PATH": str(tmp_path / "bin")},
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "sbatch" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_sbatch_says_reaches_the_user(cluster: Cluster, tmp_path: Path, eight_run: Path) -> None:
    recipe = slurm_recipe(eight_run.parent, partition="closed")
    done = twllm("corpus", "build", str(recipe), "--output", str(tmp_path / "run"), "--json", env=cluster.env)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "invalid partition specified: closed" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"event": "error", "message": done.stderr.strip().removeprefix("twllm: ")}


def test_engine_slurm_without_its_settings_is_one_line(eight_run: Path, tmp_path: Path) -> None:
    done = twllm("corpus", "build", str(eight_sources(eight_run.parent)), "--engine", "slurm", "--output", str(tmp_path / "run"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "partition" in done.stderr


# --- scripts and what is asked for


def test_a_script_is_read_by_shell_and_sbatch_as_meant(tmp_path: Path) -> None:
    odd = "a \"b\" \\ $HOME `id` 'c' 語料"
    settings = SlurmSettings(partition="x", env_command="export SEEN=yes")
    text = script({"output": odd, "requeue": "", "job-name": "plain"}, settings, ["printf", "%s|", odd, "end"])
    lines = [shlex.split(line[len("#SBATCH ") :])[0] for line in text.splitlines() if line.startswith("#SBATCH")]
    assert lines == [f"--output={odd}", "--requeue", "--job-name=plain"]
    assert "#SBATCH --job-name=plain\n" in text and text.index("#SBATCH") < text.index("export SEEN=yes")
    (tmp_path / "script").write_text(text, encoding="utf-8")
    assert subprocess.run(["bash", str(tmp_path / "script")], capture_output=True, text=True, check=True).stdout == f"{odd}|end|"


def test_more_parts_and_slower_sources_ask_for_more(eight_run: Path) -> None:
    plan = load_plan(str(slurm_recipe(eight_run.parent, max_array_size=2, time_factor=2.0, max_memory_gb=3)))
    sources = {name: SourceEstimate(10**6, 10**6, 0, 0, 3600.0, 0, 0) for name in plan.specs}
    found = Estimate(sources, 1, 0.0, 0)
    heads = [
        TaskHead(file, 1, sum(f.bytes for f in plan.files if f.source == name), "", "")
        for name in plan.specs
        for file in plan.files
        if file.source == name
    ][:3]
    asked = request(plan, heads, found)
    assert (asked.parts, asked.array, asked.parts_per_task) == (3, 2, 2)
    assert asked.minutes == 2 * 2 * 60 + 2  # two parts of an hour each, doubled, and the start
    assert asked.memory_gb == 3 and asked.finish_memory_gb > 8 * 10**6 * 3000 / 2**30
    assert request(plan, [], found)._replace(finish_memory_gb=0)[:4] == (0, 0, 1, LEAST_MINUTES)
    assert foreseen(plan, found).parts == 8


def test_plan_shows_what_would_be_asked_for(eight_run: Path) -> None:
    recipe = slurm_recipe(eight_run.parent)
    assert shutil.which("sbatch") is None and yaml.safe_load(recipe.read_text())["engine"] == "slurm"
    done = twllm("corpus", "plan", str(recipe), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["slurm"]["array"] == 8
    assert "8 parts in an array of 8 tasks" in twllm("corpus", "plan", str(recipe)).stdout
