"""`twllm` answers at once, imports a room only to run it, and ends with an exit code that means something."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from factory import __version__, cli

REPOSITORY = Path(__file__).parents[2]
HEAVY = ["numpy", "pyarrow", "datatrove", "numba", "datasets", "opencc", "fasttext", "jieba", "ahocorasick_rs", "matplotlib", "jinja2"]
RUN = "from factory.cli import main; main()"
ROOM = """
import typer
from factory.errors import UserError
app = typer.Typer()

@app.command()
def fault() -> None:
    raise UserError("run.yaml: key 'a' has value 3.\\n  Write a word.")

@app.command()
def findings() -> None:
    raise typer.Exit(1)

@app.command()
def defect() -> None:
    raise ZeroDivisionError

@app.command()
def fine(name: str) -> None:
    print("done", name)
"""


def twllm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, cwd=REPOSITORY, check=False)


def imported_by(*arguments: str) -> set[str]:
    """Top-level modules that a process has imported when the command has ended well."""
    code = (
        "import json, sys\nfrom factory.cli import main\ntry:\n    main()\nexcept SystemExit as exit:\n    assert not exit.code\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    return set(json.loads(done.stderr))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A room `annex` with a command for each way to end."""
    (tmp_path / "annex_cli.py").write_text(ROOM, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.ROOMS, "annex", ("annex_cli", "A room for tests."))
    monkeypatch.delitem(sys.modules, "annex_cli", raising=False)


def run_here(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of `main` in this process."""
    monkeypatch.setattr(sys, "argv", ["twllm", *arguments])
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_help_lists_every_room_with_its_line() -> None:
    done = twllm("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [name for name, (_, line) in cli.ROOMS.items() if name not in done.stdout or line not in " ".join(done.stdout.split())] == []


def test_help_imports_no_room_and_nothing_heavy() -> None:
    modules = imported_by("--help")
    assert modules.isdisjoint([*HEAVY, "yaml", "pydantic", "fsspec"])
    assert modules.isdisjoint({module.partition(".")[0] for module, _ in cli.ROOMS.values()} - {"factory"})
    assert modules.isdisjoint({"factory.hub", *(module for module, _ in cli.ROOMS.values())})  # publishing lives in factory itself


@pytest.mark.parametrize("room_name", cli.ROOMS)
def test_the_help_of_a_room_imports_nothing_heavy(room_name: str) -> None:
    assert imported_by(room_name, "--help").isdisjoint(HEAVY)


@pytest.mark.parametrize("room_name", cli.ROOMS)
def test_every_room_in_the_table_has_commands(room_name: str) -> None:
    app = importlib.import_module(cli.ROOMS[room_name][0]).app
    assert app.registered_commands


def test_the_version_is_one_line() -> None:
    done = twllm("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"twllm {__version__}\n", "")


def test_the_installed_command_is_this_one() -> None:
    (script,) = entry_points(group="console_scripts", name="twllm")
    assert script.value == "factory.cli:main"


@pytest.mark.parametrize("arguments", [["nosuchroom"], ["--nosuchoption"], ["corpus", "nosuchcommand"], ["corpus", "build"]])
def test_bad_usage_is_exit_code_2_on_standard_error(arguments: list[str]) -> None:
    done = twllm(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert any(word in done.stderr for word in (arguments[-1], "RECIPE"))


def test_no_arguments_show_the_help_and_exit_code_2() -> None:
    done = twllm()
    assert done.returncode == 2
    assert "Usage: twllm" in done.stdout + done.stderr


def test_a_fault_of_the_user_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = str(tmp_path / "absent.yaml")
    done = twllm("corpus", "build", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"twllm: {path}: no such file. Give the path of a recipe, for example recipes/sample.yaml.\n"


def test_a_fault_that_was_raised_over_two_lines_is_one_line(
    room: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(monkeypatch, "annex", "fault") == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "twllm: run.yaml: key 'a' has value 3. Write a word.\n")


@pytest.mark.parametrize(("arguments", "code"), [(["fine", "x"], 0), (["findings"], 1), (["fine"], 2)])
def test_exit_codes_of_a_rooms_commands(room: None, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int) -> None:
    assert run_here(monkeypatch, "annex", *arguments) == code


def test_a_defect_of_ours_is_not_hidden(room: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(monkeypatch, "annex", "defect") == cli.UNEXPECTED
    shown = capsys.readouterr().err.splitlines()
    assert shown[0].startswith("Traceback") and shown[-1].startswith("twllm: unexpected ZeroDivisionError")


def test_a_room_that_cannot_be_imported_spoils_only_its_own_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken_cli.py").write_text("raise ZeroDivisionError", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.ROOMS, "broken", ("broken_cli", "A room that fails."))
    assert run_here(monkeypatch, "--help") == 0
    assert "A room that fails." in capsys.readouterr().out
    assert run_here(monkeypatch, "broken", "any") == cli.UNEXPECTED


def test_a_closed_pipe_ends_without_a_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", RUN, "--help"], stdout=writer, stderr=subprocess.PIPE, cwd=REPOSITORY, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode != 0
