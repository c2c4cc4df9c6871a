"""`README.md` as it goes out: the run's own card as its body, and below it what publishing adds. Figures come from the run and the rows."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

import yaml

from factory import __version__
from factory.errors import UserError
from factory.hub import review, terms
from factory.hub.folder import Folder, Kind
from factory.hub.metadata import faults, size_category, vocabulary
from factory.hub.rows import Tally, Written
from factory.hub.screen import Screen
from factory.manifest import KEY_LENGTH, digest

# what a run's own card may say in its header; licence, sizes and configurations follow from the rows
_OWN = ("pretty_name", "language", "language_bcp47", "tags", "task_categories")
_OWN_MODEL = (
    "language", "language_bcp47", "tags", "pipeline_tag", "library_name", "base_model", "datasets",
    "license", "license_name", "license_link",
)  # fmt: skip
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_PLACE = "path/of/this/folder"  # how a card names its own folder in examples


class _Verbatim(str):
    """Text that a template shows as it is."""


def write(folder: Folder, into: str, repo: str, written: list[Written], tally: Tally, screen: Screen, contact: str | None) -> None:
    """Writes `into/README.md`. Raises UserError for a header that the Hub would not take, and for a model without a licence."""
    names = [name for split in written for name in split.names]
    header = _model_header(folder) if folder.kind is Kind.MODEL else _dataset_header(folder, into, written, tally)
    found = faults(header, names)
    if found:
        raise UserError(f"{folder.path}/README.md: {found[0]}. Correct the header of that card.")
    screen.text(folder.body, "README.md")
    screen.secrets(yaml.safe_dump(header, allow_unicode=True), "README.md")
    text = _render(folder, into, repo, written, tally, screen, contact)
    head = yaml.safe_dump(header, allow_unicode=True, sort_keys=False, width=120)
    content = f"---\n{head}---\n\n{text}\n"
    _read_back(content, header, folder.kind)
    with open(f"{into}/README.md", "w", encoding="utf-8", newline="\n") as stream:
        stream.write(content)


def _read_back(content: str, header: dict[str, Any], kind: Kind) -> None:
    """What the Hub's own library reads in the card must be what was meant."""
    from huggingface_hub import DatasetCard, ModelCard

    card: Any = (ModelCard if kind is Kind.MODEL else DatasetCard)(content)
    assert card.data.to_dict() == header, "the card does not read back as it was written"


def _dataset_header(folder: Folder, into: str, written: list[Written], tally: Tally) -> dict[str, Any]:
    own = {key: folder.header[key] for key in _OWN if key in folder.header}
    tags = own.pop("tags", [])
    return {
        "pretty_name": folder.name,
        "language": ["zh"],
        "language_bcp47": ["zh-Hant-TW"],
        **own,
        **terms.header({license for _, license in tally.licenses}),
        "task_categories": own.get("task_categories", ["text-generation"]),
        "size_categories": [size_category(tally.rows)],
        "tags": [*(tags if isinstance(tags, list) else [tags]), *(tag for tag in ("taiwan", "traditional-chinese") if tag not in tags)],
        "configs": _configs(folder, into, written),
    }


def _configs(folder: Folder, into: str, written: list[Written]) -> list[dict[str, Any]]:
    """Configurations as `datasets` reads them.

    Each describes itself with a digest of its shards: `datasets` caches a local folder by its name and configurations, not by its files.
    """
    configs: dict[str, list[Written]] = {}
    for split in written:
        configs.setdefault(split.part.config, []).append(split)
    found = [
        {
            "config_name": name,
            "description": f"{sum(split.rows for split in splits):,} rows, shards {_digest(into, splits)}",
            "data_files": [{"split": split.part.split, "path": _pattern(split)} for split in splits],
        }
        for name, splits in configs.items()
    ]
    if folder.kind is Kind.CORPUS:
        every = {"split": "train", "path": "data/*/train-*.parquet"}
        rows = sum(split.rows for split in written)
        found.insert(0, {"config_name": "default", "description": f"{rows:,} rows, shards {_digest(into, written)}", "data_files": [every]})
    return found


def _pattern(split: Written) -> str:
    return f"{os.path.dirname(split.names[0])}/{split.part.split}-*.parquet"


def _digest(into: str, splits: list[Written]) -> str:
    found = hashlib.sha256()
    for name in (name for split in splits for name in split.names):
        with open(f"{into}/{name}", "rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()[:KEY_LENGTH]


def _model_header(folder: Folder) -> dict[str, Any]:
    own = {key: folder.header[key] for key in _OWN_MODEL if key in folder.header}
    license = own.get("license") or folder.facts.get("license")
    if license in (None, "unknown") or license not in vocabulary()["licenses"]:
        known = "states no licence" if license in (None, "unknown") else f"license {license!r} is not in the Hub's list"
        raise UserError(f"{folder.path}: {known}. Write 'license:' into the header of its README.md, as the base model's licence allows.")
    usual = {"language": ["zh"], "language_bcp47": ["zh-Hant-TW"], "pipeline_tag": "text-generation", "library_name": "transformers"}
    return {**usual, **own, "license": license}


def _render(folder: Folder, into: str, repo: str, written: list[Written], tally: Tally, screen: Screen, contact: str | None) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Markdown, not HTML: `plain` escapes what every expression gives
    environment = Environment(
        loader=PackageLoader("factory.hub", "templates"), autoescape=False, undefined=StrictUndefined,  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, finalize=plain,
    )  # fmt: skip
    environment.filters.update(whole=lambda value: _Verbatim(f"{value:,}"), verbatim=lambda value: _Verbatim(" ".join(str(value).split())))
    body = folder.body.replace(_PLACE, repo)
    headings = [heading.lower() for heading in _HEADING.findall(body)]
    place = "datasets/" if folder.kind is not Kind.MODEL else ""
    splits = [
        {"config": split.part.config, "split": split.part.split, "rows": split.rows, "files": len(split.names),
         "bytes": sum(os.path.getsize(f"{into}/{name}") for name in split.names)}
        for split in written
    ]  # fmt: skip
    text = environment.get_template("card.md.j2").render(
        body=_Verbatim(body),
        said=lambda word: any(word in heading for heading in headings),
        name=folder.name,
        kind=str(folder.kind),
        repo=repo,
        rows=tally.rows,
        forms=" and ".join(sorted(tally.forms)),
        written=splits,
        configs=list(dict.fromkeys(split["config"] for split in splits)),
        first_split={split["config"]: split["split"] for split in reversed(splits)},
        licenses=_license_rows(tally),
        models=", ".join(sorted(tally.models)),
        prompts=", ".join(sorted(tally.prompts)),
        made_with=folder.facts.get("twllm"),
        version=__version__,
        lineage=_lineage(folder),
        personal=[
            {"source": source, "kind": kind.replace("_", " "), "texts": count} for (source, kind), count in sorted(screen.passed.items())
        ],
        review=review.read(folder.facts),
        reviewed=tally.reviewed,
        traced=tally.traced,
        contact=contact or f"https://huggingface.co/{place}{repo}/discussions",
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _license_rows(tally: Tally) -> list[dict[str, Any]]:
    return [
        {"source": source, "license": str(license), "rows": rows, "link": terms.TERMS[license].link, "reason": terms.TERMS[license].reason}
        for (source, license), rows in sorted(tally.licenses.items())
    ]


def _lineage(folder: Folder) -> list[tuple[str, str]]:
    """Digests by which the run can be found again: of its recipe, its stages, its own account."""
    found = []
    if isinstance(folder.facts.get("recipe"), dict):
        found.append(("recipe (SHA-256 of its values)", digest(folder.facts["recipe"])))
    stages = folder.facts.get("stages")
    if isinstance(stages, dict) and folder.kind is not Kind.CORPUS:  # a corpus's own card lists them
        found += [(f"stage {name}", str(key)) for name, key in stages.items()]
    for key in ("code_version", "commit", "recipe_hash"):
        if isinstance(folder.facts.get(key), str):
            found.append((key.replace("_", " "), folder.facts[key]))
    if folder.facts:
        found.append(("manifest or summary (SHA-256 of its values)", digest(folder.facts)))
    return found


def plain(value: object) -> object:
    """A value as Markdown text that means only itself, on one line."""
    if not isinstance(value, str) or isinstance(value, _Verbatim):
        return value
    text = " ".join(value.split())
    return _MARKDOWN.sub(r"\\\1", text) if _MARKDOWN.search(text) else text
