"""Finished runs and imports as one dataset that trains as it is: conversations and preferences in TRL's forms, with card and manifest."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any, NamedTuple

from factory import __version__, manifest, storage
from factory.errors import UserError

FILES = {"sft": "accepted.jsonl", "preferences": "preferences.jsonl"}


class Exported(NamedTuple):
    """Counts: rows of the runs = conversations + preferences + those left out, by reason."""

    conversations: int
    preferences: int
    left: dict[str, int]


def export(folders: Sequence[str], output: str, chosen: str | None = None) -> Exported:
    """Writes `sft.jsonl`, `preferences.jsonl`, `README.md` and `manifest.json` into `output`, which `datasets` loads by either name.

    With `chosen`, only the conversations of that file (of `twllm synth select`). A row that two runs share is taken once. Raises UserError
    for a folder that is no finished run, or an output folder that holds something else.
    """
    if os.path.isdir(output) and os.listdir(output) and not os.path.isfile(f"{output}/manifest.json"):
        raise UserError(f"--output {output}: holds files that are no export. Give a folder that is new or of an earlier export.")
    wanted = None if chosen is None else {row["id"] for row in _lines(chosen)}
    left: Counter[str] = Counter()
    counts: dict[str, int] = {}
    licenses: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    models: Counter[str] = Counter()
    digests: dict[str, str] = {}
    with manifest.exclusive(output):
        for name, file in FILES.items():
            seen: set[str] = set()
            digest = hashlib.sha256()

            def rows(name: str = name, file: str = file, seen: set[str] = seen, digest: Any = digest) -> Iterator[bytes]:
                for folder in folders:
                    for row in _run(folder, file, name == "preferences"):
                        if wanted is not None and name == "sft" and row["id"] not in wanted:
                            left["not selected"] += 1
                            continue
                        if row["id"] in seen:
                            left["in two runs"] += 1
                            continue
                        seen.add(row["id"])
                        licenses[row["license"]] += 1
                        categories[row["category"]] += name == "sft"
                        models[row["lineage"].get("model") or "people"] += 1
                        line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")
                        digest.update(line)
                        yield line

            storage.atomic_write(f"{output}/{name}.jsonl", partial(_write, rows()))
            counts[name], digests[f"{name}.jsonl"] = len(seen), digest.hexdigest()
        if wanted is not None and (missing := len(wanted) - counts["sft"]):
            raise UserError(f"{chosen}: {missing:,} of its rows are in none of the runs. Name the runs that they were selected from.")
        facts = {
            "twllm": __version__, "rows": counts, "left_out": dict(left), "licenses": dict(licenses.most_common()),
            "categories": dict(sorted((name, count) for name, count in categories.items() if count)),
            "models": dict(models.most_common()), "runs": [os.path.basename(os.path.abspath(folder)) for folder in folders],
            "sha256": digests,
        }  # fmt: skip
        storage.atomic_write_text(f"{output}/README.md", _card(os.path.basename(os.path.abspath(output)), facts))
        storage.atomic_write_text(f"{output}/manifest.json", json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    return Exported(counts["sft"], counts["preferences"], dict(left))


def _write(lines: Iterator[bytes], stream: IO[bytes]) -> None:
    stream.writelines(lines)


def _run(folder: str, file: str, may_lack: bool) -> Iterator[dict[str, Any]]:
    path = f"{folder}/{file}"
    if may_lack and not os.path.exists(path) and os.path.exists(f"{folder}/{FILES['sft']}"):
        return
    yield from _lines(path)


def _lines(path: str) -> Iterator[dict[str, Any]]:
    try:
        with storage.open_binary(path) as stream:
            for number, line in enumerate(stream, 1):
                row = json.loads(line)
                if not isinstance(row, dict) or not isinstance(row.get("id"), str):
                    raise UserError(f"{path}:{number}: is no row with an id. Give what `twllm synth` wrote.")
                yield row
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Give folders of finished runs or imports.") from None
    except ValueError as error:
        raise UserError(f"{path}: is not JSON lines: {error}. Run it again.") from None


def _card(name: str, facts: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("synth", "templates"), trim_blocks=True, undefined=StrictUndefined)  # noqa: S701 - Markdown
    return environment.get_template("export.md.j2").render(name=name, **facts)
