"""Slurm: a job array that makes the missing parts, on datatrove's executor, and a job after it that does the rest of the build.

Nothing waits: the command submits, says what it submitted and ends. Run again after a failure it submits what is missing.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datatrove.executor.base import DistributedEnvVars
from datatrove.executor.slurm import SlurmPipelineExecutor

from corpus.estimate import Estimate, estimate
from corpus.progress import quiet_datatrove
from corpus.recipe import Plan, SlurmSettings
from corpus.sources.inputs import MAX_TEXT_BYTES
from corpus.tasks import Content, TaskHead, grouped, store_missing, tasks_of
from factory import storage
from factory.errors import UserError

SAMPLE_MEGABYTES = 1.0  # measured for each source before anything is submitted
START_SECONDS = 120  # of a task, for a cold file system: imports, models, compiled kernels
LEAST_MINUTES = 10
BASE_GB = 2.0  # a worker with its word lists, language model and one batch; an allowance, see docs/LOG.md for what was measured
COPIES = 6  # of a file that is read as one text: bytes, text, normalised text, features
FINISH_BASE_GB = 4.0
FINISH_BYTES_PER_DOCUMENT = 3_000  # decision table and signatures, which deduplication holds in memory
JOBS = "slurm-jobs.json"


class Request(NamedTuple):
    """What is asked of the cluster."""

    parts: int
    array: int  # tasks of the job array
    parts_per_task: int
    minutes: int  # limit of one array task
    memory_gb: int  # of one array task
    finish_memory_gb: int


class Submission(NamedTuple):
    """What was submitted. `array_job` is None where no part is missing."""

    array_job: str | None
    finish_job: str
    request: Request
    scripts: tuple[str, ...]
    logs: str


class Executor(SlurmPipelineExecutor):  # type: ignore[misc]
    """datatrove's executor with scripts whose paths may hold spaces, no job for statistics, and no look at other nodes."""

    memory_gb: int
    settings: SlurmSettings

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = super().get_sbatch_args(max_array)
        found.pop("mem-per-cpu", None)
        log = f"{self.slurm_logs_folder.replace('%', '%%')}/%A_%a.out"
        return {**found, "mem": f"{self.memory_gb}G", "output": log, "error": log, **account(self.settings)}

    def get_launch_file_contents(self, sbatch_args: dict[str, Any], run_script: str) -> str:
        command = [*_python(self.settings), "-m", "datatrove.tools.launch_pickled_pipeline", f"{self.logging_dir.path}/executor.pik"]
        start = ["srun", "-l", "-n", "1", f"--cpus-per-task={self.cpus_per_task}"] if self.settings.srun else []
        return script(sbatch_args, self.settings, [*start, *command])

    def launch_merge_stats(self) -> None:
        """No further job: the parts' records hold the counts."""

    def get_distributed_env(self, node_rank: int = -1) -> DistributedEnvVars:
        return DistributedEnvVars(
            datatrove_node_ips=os.environ.get("SLURM_NODELIST", "localhost"),
            datatrove_cpus_per_task=str(self.cpus_per_task),
            datatrove_mem_per_cpu="-1",
            datatrove_gpus_on_node="0",
            datatrove_executor="SLURM",
        )


def submit(plan: Plan) -> Submission:
    """Submits the array for the parts that are missing and the finishing job after it; returns at once.

    Raises UserError where there is no `sbatch`, where it refuses, and where jobs of an earlier submission are still queued.
    """
    settings = _settings(plan)
    if shutil.which("sbatch") is None:
        raise UserError("engine 'slurm': there is no command sbatch here. Run on a node that submits jobs, or use engine 'local'.")
    from corpus.annotate import new_folder
    from corpus.build import claimed

    with claimed(plan):
        folder = new_folder(f"{plan.output}/logs")
        os.makedirs(folder, exist_ok=True)
        _, missing = store_missing(tasks_of(plan.specs, plan.files, f"{plan.output}/work"), folder)
        asked = request(plan, missing, estimate(plan, SAMPLE_MEGABYTES))
        array = _submit_array(plan, settings, folder, asked) if missing else None
        finish, text = f"{folder}/finish.slurm", _finish_script(plan, settings, folder, asked)
        storage.atomic_write_text(finish, text)
        after = [f"--dependency=afterok:{array}", "--kill-on-invalid-dep=yes"] if array else []
        job = _sbatch([*after, finish])
        storage.atomic_write_text(f"{plan.output}/logs/{JOBS}", json.dumps({"array": array, "finish": job}) + "\n")
    scripts = (f"{folder}/launch_script.slurm", finish) if array else (finish,)
    return Submission(array, job, asked, scripts, folder)


def request(plan: Plan, missing: Sequence[TaskHead], found: Estimate) -> Request:
    """Array size, time and memory from an estimate.

    Time: the slowest array task's parts, at the CPU seconds a stored byte that the sample of their source took, times
    `time_factor`, and START_SECONDS. Memory: BASE_GB and COPIES of the largest file as far as a reader takes a file whole.
    """
    settings = _settings(plan)
    stored: dict[str, int] = {}
    for file in plan.files:
        stored[file.source] = stored.get(file.source, 0) + file.bytes
    speed = {name: source.cpu_seconds / max(1, stored[name]) for name, source in found.sources.items()}
    each = max(1, math.ceil(len(missing) / settings.max_array_size))
    jobs = [missing[first : first + each] for first in range(0, len(missing), each)]
    slowest = max((sum(speed[head.file.source] * head.bytes for head in job) for job in jobs), default=0.0)
    largest = max((file.bytes for file in plan.files), default=0)
    estimated = BASE_GB + COPIES * min(MAX_TEXT_BYTES, largest) / (1 << 30)
    documents = sum(source.documents for source in found.sources.values())
    return Request(
        parts=len(missing),
        array=len(jobs),
        parts_per_task=each,
        minutes=max(LEAST_MINUTES, math.ceil((settings.time_factor * slowest + START_SECONDS) / 60)),
        memory_gb=math.ceil(settings.memory_gb or min(settings.max_memory_gb, estimated)),
        finish_memory_gb=math.ceil(settings.finish_memory_gb or FINISH_BASE_GB + documents * FINISH_BYTES_PER_DOCUMENT / (1 << 30)),
    )


def foreseen(plan: Plan, found: Estimate) -> Request:
    """What a build of everything would ask for. Files are not read: where parts end, and so their number, is approximate."""
    heads = []
    for group in grouped((file, Content("", "")) for file in plan.files):
        first, _ = group[0]
        heads.append(TaskHead(first, len(group), sum(file.bytes for file, _ in group), "", ""))
    return request(plan, sorted(heads, key=lambda head: -head.bytes), found)


def refuse_while_running(output: str) -> None:
    """Raises UserError while the array job of an earlier submission is queued or runs, as far as `squeue` can tell."""
    try:
        with open(f"{output}/logs/{JOBS}", encoding="ascii") as stream:
            jobs = json.load(stream)
    except FileNotFoundError:
        return
    if jobs["array"] is None or os.environ.get("SLURM_JOB_ID") == jobs["finish"] or shutil.which("squeue") is None:
        return
    asked = subprocess.run(["squeue", "-h", "-o", "%i", "-j", jobs["array"]], capture_output=True, text=True, check=False)
    if asked.returncode == 0 and asked.stdout.strip():  # an unknown job is an error: it is long gone
        raise UserError(
            f"{output}: job {jobs['array']} still makes parts there. Wait for it, or end it: scancel {jobs['array']} {jobs['finish']}."
        )


def _settings(plan: Plan) -> SlurmSettings:
    if plan.recipe.slurm is None:
        raise UserError(f"{plan.recipe_path}: engine 'slurm' needs the key slurm. Add at least 'slurm: {{partition: NAME}}'.")
    return plan.recipe.slurm


def _submit_array(plan: Plan, settings: SlurmSettings, folder: str, asked: Request) -> str:
    from corpus.annotate import pipeline

    executor = Executor(
        pipeline(folder),
        tasks=asked.parts,
        time=_clock(asked.minutes),
        partition=settings.partition,
        cpus_per_task=settings.cpus_per_task,
        workers=settings.max_parallel or -1,
        job_name=f"twllm-{plan.recipe.name}",
        qos=settings.qos,
        sbatch_args=dict(settings.sbatch_args),
        max_array_size=settings.max_array_size,
        job_id_retriever=_job_id,
        logging_dir=folder,
        skip_completed=False,
        requeue_signals=None,
        tasks_per_job=asked.parts_per_task,
    )
    executor.memory_gb, executor.settings = asked.memory_gb, settings
    try:
        with quiet_datatrove(f"{folder}.log"):
            executor.launch_job()
    except subprocess.CalledProcessError as error:
        said = Path(f"{folder}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise _refused(error.returncode, said[-1] if said else "") from error
    return str(executor.job_id)


def _finish_script(plan: Plan, settings: SlurmSettings, folder: str, asked: Request) -> str:
    log = f"{folder.replace('%', '%%')}/finish-%j.out"
    options: dict[str, Any] = {
        "job-name": f"twllm-{plan.recipe.name}-finish", "partition": settings.partition, "nodes": 1, "cpus-per-task": 1,
        "mem": f"{asked.finish_memory_gb}G", "time": _clock(math.ceil(60 * settings.finish_hours)), "output": log, "error": log,
        **settings.sbatch_args, **({"qos": settings.qos} if settings.qos else {}), **account(settings),
    }  # fmt: skip
    recipe = plan.recipe_path if "://" in plan.recipe_path else os.path.abspath(plan.recipe_path)
    command = [*_python(settings), "-c", "from factory.cli import main; main()", "corpus", "build", recipe]
    return script(options, settings, [*command, "--engine", "local", "--workers", "1", "--output", plan.output])


def account(settings: SlurmSettings) -> dict[str, str]:
    """The option for the account that is charged, where there is one."""
    return {"account": settings.account} if settings.account else {}


def script(options: dict[str, Any], settings: SlurmSettings, command: Iterable[str]) -> str:
    """A batch script. A value with anything but plain characters stands in quotes, as sbatch reads it."""
    lines = ["#!/bin/bash"]
    for name, value in options.items():
        plain = value in (None, "") or re.fullmatch(r"[\w./:,%@=+-]+", str(value), re.ASCII)
        quoted = value if plain else '"' + re.sub(r'(["\\])', r"\\\1", str(value)) + '"'
        lines.append(f"#SBATCH --{name}" if value in (None, "") else f"#SBATCH --{name}={quoted}")
    if settings.venv:
        lines.append(f"source {shlex.quote(settings.venv)}/bin/activate")
    if settings.env_command:
        lines.append(settings.env_command)
    root = str(Path(__file__).resolve().parent.parent)
    if "site-packages" not in root:  # a checkout: its jobs run the same code
        lines.append(f"export PYTHONPATH={shlex.quote(root)}${{PYTHONPATH:+:$PYTHONPATH}}")
    return "\n".join([*lines, "set -e", "export PYTHONUNBUFFERED=1", shlex.join(command), ""])


def _python(settings: SlurmSettings) -> list[str]:
    return ["python" if settings.venv or settings.env_command else sys.executable]


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}:00"


def _sbatch(arguments: list[str]) -> str:
    done = subprocess.run(["sbatch", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise _refused(done.returncode, done.stderr)
    return _job_id(done.stdout)


def _refused(code: int, said: str) -> UserError:
    return UserError(f"sbatch refused the job (exit {code}): {said.strip() or 'it said nothing'}. Correct the recipe's key slurm.")


def _job_id(said: str) -> str:
    found = re.search(r"\d+", said)
    if found is None:
        raise UserError(f"sbatch told no job number but {said.strip()!r}. Look into 'squeue --me'.")
    return found[0]
