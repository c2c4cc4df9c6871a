"""`twllm corpus fetch`: the catalogue of public bulk files, and bringing one of them here with a record of where it is from."""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, model_validator

from corpus.connection import Patience
from corpus.download import Checksum, Part, Report, Version, download, read_text
from corpus.sources.spec import SourceType
from factory import __version__, manifest, storage
from factory.errors import UserError
from factory.recipe import Strict, load_model
from factory.records import License

CATALOGUE = Path(__file__).with_name("fetch.yaml")
_WEB = r"^https?://[^\s/]+/\S*$"


class ChecksumSource(Strict):
    """Where a file's published checksum stands: a list in the form of sha1sum, or the SHA-256 itself."""

    sha1sums: str | None = Field(None, pattern=_WEB, description="Address of a list with lines of '<sha1>  <name>'.")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="Hex, lower case.")

    @model_validator(mode="after")
    def _one(self) -> ChecksumSource:
        if (self.sha1sums is None) == (self.sha256 is None):
            raise ValueError("give one of sha1sums and sha256")
        return self


class Entry(Strict):
    """One file of the catalogue."""

    title: str = Field(min_length=1)
    url: str = Field(pattern=_WEB, description="The publisher's address of the file, http or https.")
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$", description="The name it gets here; no server's name is used.")
    license: License
    license_text: str = Field(min_length=1, description="The licence as the publisher states it.")
    rights_holder: str = Field(min_length=1)
    publisher_page: str = Field(pattern=_WEB)
    type: SourceType = Field(description="The recipe's source type that reads it.")
    checksum: ChecksumSource | None = None
    megabytes: float | None = Field(None, gt=0, description="About; null: not known.")


class Catalogue(Strict):
    """What can be fetched, by name."""

    sources: dict[str, Entry] = Field(min_length=1)


class Fetched(NamedTuple):
    """A file that is here."""

    name: str
    path: str
    bytes: int
    sha256: str
    fetched: bool  # False: it was here and is what the publisher has
    source: str  # path of the record of where it is from
    type: SourceType


def load_catalogue(path: str | None = None) -> dict[str, Entry]:
    """The bundled catalogue, or another file of its form. Raises UserError where it is not of that form."""
    return load_model(path or str(CATALOGUE), Catalogue).sources


def find_entry(catalogue: dict[str, Entry], name: str) -> Entry:
    """The entry of a name. Raises UserError that lists the names there are."""
    if name not in catalogue:
        raise UserError(f"{name}: no such source to fetch; there are {', '.join(sorted(catalogue))}.")
    return catalogue[name]


def fetch(
    name: str,
    entry: Entry,
    output: str | None = None,
    force: bool = False,
    patience: Patience | None = None,
    report: Report = lambda event: None,
) -> Fetched:
    """Brings a file of the catalogue to the local folder `output` (default `data/NAME`), or finds that it is here and current.

    An interrupted download goes on where it stood (see `corpus.download`). Beside the file, `FILE.source.json` records address,
    time, hash, licence and publisher. A file that is here is hashed, which costs one reading, and the server is asked whether it
    has another; `force` downloads without asking. Raises UserError where that cannot be done.
    """
    folder = output or os.path.join("data", name)
    if "://" in folder:
        raise UserError(f"--output {storage.shown(folder)}: fetched files are stored locally. Name a local folder and upload the file.")
    target = os.path.join(folder, entry.file)
    with manifest.exclusive(folder):
        if os.path.isdir(target):
            raise UserError(f"{target}: is a folder and in the way. Move it or choose another --output.")
        checksum = _published(entry, patience, report)
        if not force:
            standing = _standing(name, entry, target, checksum, report)
            if isinstance(standing, Fetched):
                return standing
        else:
            standing = None
        report({"event": "start", "name": name, "url": storage.shown(entry.url), "path": target})
        part = download(entry.url, target, checksum, patience, standing and standing.version, report)
        if part is None:
            assert standing is not None
            return _result(name, entry, target, standing.record, fetched=False)
        record = _record(name, entry, part, checksum)
        # before the file has its name: a run killed between the two finds the part whole and does this again
        _write_record(target, record)
        part.publish()
        return _result(name, entry, target, record, fetched=True)


def _result(name: str, entry: Entry, target: str, record: dict[str, Any], fetched: bool) -> Fetched:
    return Fetched(name, target, record["bytes"], record["sha256"], fetched, f"{target}.source.json", entry.type)


def _write_record(target: str, record: dict[str, Any]) -> None:
    storage.atomic_write_text(f"{target}.source.json", json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def _record(name: str, entry: Entry, part: Part, checksum: Checksum | None) -> dict[str, Any]:
    version = part.version or Version(None, None, None)
    return {
        "name": name,
        "title": entry.title,
        "url": storage.shown(entry.url),
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "bytes": part.done,
        "sha256": part.digest("sha256"),
        "checked_against": checksum._asdict() if checksum else None,
        "etag": version.etag,
        "last_modified": version.last_modified,
        "license": entry.license.value,
        "license_text": entry.license_text,
        "rights_holder": entry.rights_holder,
        "publisher_page": entry.publisher_page,
        "type": entry.type,
        "twllm": __version__,
    }


class _Standing(NamedTuple):
    """A file that is here and intact, as its record says, and the server's version it was."""

    record: dict[str, Any]
    version: Version


def _standing(name: str, entry: Entry, target: str, checksum: Checksum | None, report: Report) -> _Standing | Fetched | None:
    """What is at `target`: current by its published checksum, intact but to be asked for, or nothing that can be used.

    Raises UserError for a file that is not known to be a fetched one: it would be replaced.
    """
    if not os.path.exists(target):
        return None
    sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    with open(target, "rb") as stream:
        while piece := stream.read(1 << 20):
            sha1.update(piece)
            sha256.update(piece)
            size += len(piece)
    record = _read_record(target)
    intact = record is not None and record["sha256"] == sha256.hexdigest()
    agrees = checksum is not None and checksum.value == (sha1 if checksum.algorithm == "sha1" else sha256).hexdigest()
    if record is None and not agrees:
        raise UserError(f"{target}: is here without {entry.file}.source.json, so it was not fetched. Move it, or replace it with --force.")
    if record is None or (agrees and not intact):
        report({"event": "note", "message": f"{target} has the published checksum but no record; fetching it anew"})
        return None
    if not intact:
        report(
            {
                "event": "note",
                "message": f"{target} is not what was fetched on {record['retrieved']} (damaged or changed); fetching it anew",
            }
        )
        return None
    if agrees:
        return _result(name, entry, target, record, fetched=False)
    if record["url"] != storage.shown(entry.url):
        return None
    return _Standing(record, Version(record["etag"], record["last_modified"], size))


def _read_record(target: str) -> dict[str, Any] | None:
    try:
        with open(f"{target}.source.json", encoding="utf-8") as stream:
            record = json.load(stream)
    except (FileNotFoundError, ValueError):
        return None
    needed = {"url", "retrieved", "bytes", "sha256", "etag", "last_modified"}
    return record if isinstance(record, dict) and needed <= record.keys() else None


def _published(entry: Entry, patience: Patience | None, report: Report) -> Checksum | None:
    """The checksum that the publisher gives for the file; None where it gives none."""
    if entry.checksum is None:
        return None
    if entry.checksum.sha256 is not None:
        return Checksum("sha256", entry.checksum.sha256)
    assert entry.checksum.sha1sums is not None
    wanted = entry.url.rsplit("/", 1)[-1]
    found = checksum_in(read_text(entry.checksum.sha1sums, patience, report), wanted)
    if found is None:
        where = storage.shown(entry.checksum.sha1sums)
        report({"event": "note", "message": f"{where} does not list {wanted} (a new dump may be in the making): it is not checked"})
        return None
    return Checksum("sha1", found)


def checksum_in(listing: str, name: str) -> str | None:
    """The SHA-1 of a file in a list as sha1sum writes it; None where it is not listed.

    Wikimedia lists `zhwiki-20260101-…` for the file that is offered as `zhwiki-latest-…`.
    """
    pattern = re.escape(name).replace(r"\-latest\-", r"\-(?:latest|\d{8})\-")
    for line in listing.splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{40}) [ *](.+)", line.strip())
        if match and re.fullmatch(pattern, match[2]):
            return match[1].lower()
    return None
