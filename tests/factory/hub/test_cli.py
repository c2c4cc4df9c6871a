"""`twllm publish` as typed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factory.hub.conftest import REPOSITORY, Publish, command, conversation, write_rows
from tests.factory.hub.hub_server import Hub


def test_a_dry_run_lists_files_with_sizes_and_digests(publish: Publish, rows_folder: Path, hub: Hub) -> None:
    done = publish(rows_folder, "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    output = Path(f"{rows_folder}.hub")
    for line in lines[:3]:
        name, size, digest = line.split()
        assert (output / name).stat().st_size == int(size.replace(",", ""))
        assert len(digest) == 64
    assert lines[3].startswith("3 files, ")
    assert lines[3].endswith(" bytes, 50 rows")
    assert lines[4] == "left behind: rejected.jsonl, summary.json"
    assert lines[5] == f"dry run, nothing sent: {output}"
    assert stat.S_IMODE(output.stat().st_mode) & 0o700 == 0o700
    checked = subprocess.run(["sha256sum", "-c", f"{output}.sha256"], cwd=output, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert hub.requests == []


def test_json(publish: Publish, rows_folder: Path, tmp_path: Path) -> None:
    dry = json.loads(publish(rows_folder, "--dry-run", "--json", "--output", str(tmp_path / "out")).stdout)
    assert dry["rows"] == 50
    assert dry["folder"] == str(tmp_path / "out")
    pushed = json.loads(publish(rows_folder, "--json").stdout)
    assert pushed["files"] == dry["files"]
    assert pushed["url"].endswith("/datasets/org/demo")
    assert pushed["private"] is True


def test_findings_are_exit_code_1(publish: Publish, rows_folder: Path) -> None:
    write_rows(
        rows_folder / "accepted.jsonl", [conversation(1, license="unknown"), conversation(2, category="信箱 a.person@mail.example.tw")]
    )
    done = publish(rows_folder, "--dry-run")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "1 rows of 'paraphrase' under licence 'unknown' may not be passed on",
        "accepted.jsonl:2 (synth-0002): email",
        f"{rows_folder}: not published. State the licence of these rows or leave them out, replace what is named, and export again.",
    ]
    assert json.loads(publish(rows_folder, "--dry-run", "--json").stdout)["refused"][0].startswith("1 rows")
    assert not Path(f"{rows_folder}.hub").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent", "--to", "a/b", "--dry-run"], "absent: is no folder"),
        (["absent", "--to", "ab", "--dry-run"], "is no ORG/NAME"),
        (["absent", "--dry-run"], "Missing option '--to'"),
        (["absent", "--to", "a/b", "--kind", "space"], "--kind"),
        (["absent", "--to", "a/b"], "no token"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = command(["publish", *arguments], HF_HOME=str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line


def test_a_disk_that_takes_no_more(rows_folder: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    place = tmp_path / "place"
    limited = f"ulimit -f 1; exec {sys.executable} -c 'from factory.cli import main; main()' publish {rows_folder} --to a/b --dry-run"
    environment = {**os.environ, "HF_TOKEN": "", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-c", f"{limited} --output {place}/out"], cwd=REPOSITORY, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "File too large. Correct permissions, free space" in line
    assert list(place.iterdir()) == []


def test_help_comes_without_heavy_imports() -> None:
    heavy = ["pyarrow", "huggingface_hub", "jinja2", "yaml"]
    code = f"import sys; import factory.hub.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_kept_output_of_a_push_is_what_was_sent(publish: Publish, rows_folder: Path, tmp_path: Path, hub: Hub) -> None:
    assert publish(rows_folder, "--output", str(tmp_path / "out")).returncode == 0
    sent = hub.repos["datasets/org/demo"].files
    assert all((tmp_path / "out" / name).read_bytes() == blob for name, blob in sent.items() if name != ".gitattributes")


def test_a_model_can_be_named_as_one(publish: Publish, rows_folder: Path) -> None:
    done = publish(rows_folder, "--kind", "model", "--dry-run")
    assert done.returncode == 2
    assert "holds no *.safetensors" in done.stderr
