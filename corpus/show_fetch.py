"""What `twllm corpus fetch` prints: the catalogue, a bar on a terminal, plain lines elsewhere, one JSON object a line for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console

from corpus.show import table

if TYPE_CHECKING:
    from corpus.fetch import Entry, Fetched

LINE_SHARE = 0.1  # a plain line for each tenth of the file
LINE_BYTES = 100_000_000  # or for so many bytes, where the length is not known


def show_catalogue(catalogue: dict[str, Entry], as_json: bool) -> None:
    """What can be fetched."""
    if as_json:
        print(json.dumps({name: entry.model_dump(mode="json") for name, entry in catalogue.items()}, ensure_ascii=False, indent=1))
        return
    header = ["name", "title", "licence", "from", "MB"]
    rows = [
        [name, entry.title, entry.license.value, entry.publisher_page, "?" if entry.megabytes is None else f"about {entry.megabytes:g}"]
        for name, entry in catalogue.items()
    ]
    table(header, rows, numbers=1)
    print("\ntwllm corpus fetch NAME downloads one of them.")


def show_fetched(found: Fetched, as_json: bool) -> None:
    """The end: the file, its hash, and how a recipe reads it."""
    if as_json:
        print(json.dumps({"event": "done", **found._asdict()}, ensure_ascii=False), flush=True)
        return
    state = "fetched" if found.fetched else "is up to date"
    print(f"{found.path}: {state}, {found.bytes / 1e6:,.1f} MB, sha256 {found.sha256}")
    print(f"record: {found.source}\nin a recipe:\n  {found.name}:\n    type: {found.type}\n    paths: [{found.path}]")


@contextmanager
def watching(as_json: bool, stream: IO[str] | None = None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yields a report for `corpus.fetch.fetch`."""
    if as_json:
        yield lambda event: print(json.dumps(event, ensure_ascii=False), flush=True)
        return
    console = Console(file=stream or sys.stderr, highlight=False, markup=False)
    if console.is_terminal:
        with _bar(console) as report:
            yield report
    else:
        yield _lines(console.file)


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[dict[str, Any]], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("connecting", total=None)

        def report(event: dict[str, Any]) -> None:
            if event["event"] == "progress":
                progress.update(task, completed=event["bytes"], total=event["total"])
            else:
                if event["event"] == "start":
                    progress.update(task, description=event["name"])
                console.print(_words(event), soft_wrap=True)

        yield report


def _lines(stream: IO[str]) -> Callable[[dict[str, Any]], None]:
    printed = 0

    def report(event: dict[str, Any]) -> None:
        nonlocal printed
        if event["event"] == "progress":
            done, total = event["bytes"], event["total"]
            step = total * LINE_SHARE if total else LINE_BYTES
            if 0 <= done - printed < step and done != total:
                return
            printed = done
        print(_words(event), file=stream, flush=True)

    return report


def _words(event: dict[str, Any]) -> str:
    """One event as one line."""
    match event["event"]:
        case "progress":
            share = f" of {event['total'] / 1e6:,.1f} MB ({event['bytes'] / event['total']:.0%})" if event["total"] else " MB"
            return f"{event['bytes'] / 1e6:,.1f}{share}"
        case "start":
            return f"{event['name']}: {event['url']} → {event['path']}"
        case "resume":
            return f"going on after {event['bytes'] / 1e6:,.1f} MB of an earlier download"
        case "restart":
            return f"starting over: {event['reason']}"
        case "retry":
            return f"{event['reason']}; trying again in {event['wait_seconds']:g} s"
        case _:
            return str(event["message"])
