"""The command `twllm publish`."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from factory.errors import UserError

if TYPE_CHECKING:
    from factory.hub.bundle import Bundle, Refused
    from factory.hub.push import Pushed

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
LINE_SECONDS = 5.0


@app.command()
def publish(
    dataset: Annotated[str, typer.Argument(help="Folder of a corpus run, of instruction rows or of a model.", metavar="DATASET")],
    to: Annotated[str, typer.Option("--to", help="Where on the Hub.", metavar="ORG/NAME")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the files that would be uploaded, and send nothing.")] = False,
    output: Annotated[
        str | None, typer.Option("--output", help="Folder for these files; a dry run's default is DATASET.hub.", metavar="FOLDER")
    ] = None,
    private: Annotated[bool, typer.Option("--private/--public", help="Who may see a repository that is created.")] = True,
    kind: Annotated[Literal["dataset", "model"] | None, typer.Option("--kind", help="What it is; default: as its files say.")] = None,
    contact: Annotated[
        str | None, typer.Option("--contact", help="Whom to ask for removal; default: the discussions page.", metavar="TEXT")
    ] = None,
    accept_kept: Annotated[
        bool, typer.Option("--accept-kept", help="Let pass the personal data that the corpus's policy keeps on purpose; the card says so.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """A dataset or model with its card, ready for the Hub, or on it.

    Refuses rows whose licence does not allow passing them on, personal data and secrets: exit code 1, before anything is sent.
    """
    from factory.hub import bundle, folder, push

    push.check_repo(to)
    secret = os.environ.get("HF_TOKEN", "") if dry_run else push.token()  # before the work, not after it
    if not dry_run:
        push.endpoint()
    found = folder.read(dataset, kind)
    place = output or (f"{os.path.abspath(dataset)}.hub" if dry_run else None)
    wish = bundle.Wish(to, contact, accept_kept, secret)
    try:
        with bundle.place(place) as into:
            made = bundle.make(found, into, wish, _Progress())
            if place is not None:
                made = bundle.keep(made, place)
            if dry_run:
                _show(made, to, None, as_json)
                return
            quiet = as_json or not sys.stderr.isatty()
            _show(made, to, push.push(made, found.kind, found.name, to, private, secret, quiet), as_json)
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"{error.filename or place or dataset}: {error.strerror or error}"
        raise UserError(f"{what}. Correct permissions, free space, or choose another --output.") from error
    except bundle.Refused as refused:
        _show_refused(dataset, refused, as_json)
        raise typer.Exit(1) from None


class _Progress:
    """A line on standard error every few seconds."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, rows: int) -> None:
        if time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            print(f"{rows:,} rows looked at", file=sys.stderr)


def _show(made: Bundle, to: str, pushed: Pushed | None, as_json: bool) -> None:
    if as_json:
        files = [file._asdict() for file in made.files]
        facts = {"to": to, "rows": made.rows, "files": files, "left_out": list(made.left_out)}
        print(json.dumps({**facts, **(pushed._asdict() if pushed else {"folder": made.folder})}, ensure_ascii=False))
        return
    width = max(len(file.path) for file in made.files)
    for file in made.files:
        print(f"{file.path:<{width}}  {file.bytes:>14,}  {file.sha256}")
    rows = "" if made.rows is None else f", {made.rows:,} rows"
    print(f"{len(made.files):,} files, {sum(file.bytes for file in made.files):,} bytes{rows}")
    if made.left_out:
        print(f"left behind: {', '.join(made.left_out)}")
    if pushed is None:
        print(f"dry run, nothing sent: {made.folder}")
        return
    for path in pushed.removed:
        print(f"removed there: {path}")
    state = "published" if pushed.changed else "already there, unchanged"
    print(f"{state}, {'private' if pushed.private else 'public'}: {pushed.url} (commit {pushed.commit})")


def _show_refused(dataset: str, refused: Refused, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"refused": refused.lines, "remedy": refused.remedy}, ensure_ascii=False))
        return
    for line in refused.lines:
        print(line)
    print(f"{dataset}: not published. {refused.remedy}")
