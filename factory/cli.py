"""The command `twllm`. Rooms are reached through one table and imported only when one of their commands runs."""

from __future__ import annotations

import errno
import importlib
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from factory import __version__
from factory.errors import UserError

ROOMS: dict[str, tuple[str, str]] = {
    "corpus": ("corpus.cli", "Raw Taiwanese text in, a documented corpus out."),
    "classifiers": ("corpus.classifiers.cli", "Which Chinese, which threat, how good: train, score, evaluate."),
    "synth": ("synth.cli", "Instruction data from handwritten seeds, each answer paid once."),
    "review": ("curation.cli", "Human review in Argilla: server, queue, agreement, export."),
    "publish": ("factory.hub.cli", "A dataset with its card, ready for the Hub, or on it."),
}
UsageError: Any = typer.BadParameter.__bases__[0]  # click's; typer brings its own copy of click since 0.17 and exports the name nowhere
BAD_USAGE, UNEXPECTED, INTERRUPTED = 2, 3, 130  # and 0 done, 1 findings


class Rooms(TyperGroup):
    """A group whose members stand in ROOMS; a room's module is imported when one of its commands runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(ROOMS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the help of `twllm` lists: name and one line, without importing the room."""
        if cmd_name not in ROOMS:
            return None
        listed = typer.Typer(callback=lambda: None, help=ROOMS[cmd_name][1])
        return _named(listed, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in ROOMS:
            return args[0], _named(importlib.import_module(ROOMS[args[0]][0]).app, args[0]), args[1:]
        return super().resolve_command(ctx, args)


def _named(app: typer.Typer, name: str) -> Any:
    command = typer.main.get_command(app)
    command.name = name
    return command


root = typer.Typer(cls=Rooms, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"twllm {__version__}")
        raise typer.Exit


@root.callback(help="The dataset factory and trainer for Taiwan's language models.")
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)] = False,
) -> None: ...


def main() -> None:
    """Entry point. A fault that the user can put right, usage among them, is one line on standard error and exit code 2."""
    try:
        code = root(prog_name="twllm", standalone_mode=False) or 0
        if code == INTERRUPTED:
            print("twllm: interrupted. Run the same command to go on from there.", file=sys.stderr)
        sys.exit(code)
    except UsageError as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            print(context.get_help() if context else error, file=sys.stderr)
        else:
            where = f" See '{context.command_path} --help'." if context else ""
            said = " ".join(error.format_message().split()).rstrip(".")
            print(f"twllm: {said}.{where}", file=sys.stderr)
        sys.exit(BAD_USAGE)
    except UserError as error:
        print(f"twllm: {error}", file=sys.stderr)
        sys.exit(BAD_USAGE)
    except BrokenPipeError:
        sys.stderr.close()
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):  # wherever a library met it
            place = f" ({error.filename})" if error.filename else ""
            print(f"twllm: {error.strerror}{place}. Free space and run the same command again.", file=sys.stderr)
            sys.exit(BAD_USAGE)
        traceback.print_exc()
        print(f"twllm: unexpected {type(error).__name__}: {error}. Please report it with the lines above.", file=sys.stderr)
        sys.exit(UNEXPECTED)
