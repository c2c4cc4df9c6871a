"""`README.md` of a finished run: the dataset card that the Hugging Face Hub shows and `datasets.load_dataset` reads."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corpus import report_format as form
from corpus.audit import read_audit
from corpus.policy import Action
from corpus.report import policy_rows
from corpus.report_data import (
    KINDS,
    Right,
    Run,
    Share,
    funnel_rows,
    kept_lanes,
    labelled,
    load_run,
    reason_counts,
    rights,
    rule_hits,
    summed,
    total,
)  # fmt: skip
from factory import storage
from factory.records import License

MAX_HOLDERS = 20
# Identifiers of https://huggingface.co/docs/hub/repositories-licenses; what is missing there is "other" with a name of its own.
_HUB_LICENSES = {
    License.CC0: "cc0-1.0",
    License.CC_BY_3: "cc-by-3.0",
    License.CC_BY_4: "cc-by-4.0",
    License.CC_BY_SA_3: "cc-by-sa-3.0",
    License.CC_BY_SA_4: "cc-by-sa-4.0",
    License.CC_BY_NC_4: "cc-by-nc-4.0",
    License.APACHE_2: "apache-2.0",
    License.MIT: "mit",
    License.MPL_2: "mpl-2.0",
    License.GPL_3: "gpl-3.0",
    License.UNKNOWN: "unknown",
}
_LINKS = {
    License.PUBLIC_RECORD: "https://law.moj.gov.tw/ENG/LawClass/LawAll.aspx?pcode=J0070017",
    License.OGDL_TW_1: "https://data.gov.tw/license",
    License.GPL_2: "https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
}
_LANES = {"zh-Hant": ("zh", "zh-Hant-TW"), "nan": ("nan", "nan-Hant-TW"), "hak": ("hak", "hak-Hant-TW")}  # ISO 639, BCP 47
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"))  # fmt: skip
_SHARD = re.compile(r"(?P<source>.+)-\d{5,}\.parquet")
_SHARD_GLOB = "[0-9]" * 5  # a plain * would also take the shards of a source whose name goes on, `law-tw` for `law`
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def write_card(output: str) -> None:
    """Writes `<output>/README.md`. Raises UserError where `output` holds no finished run."""
    storage.atomic_write_text(f"{output}/README.md", render(load_run(output)))


def render(run: Run) -> str:
    """The card as text: a YAML header, then Markdown."""
    shares = rights(run)
    lanes = kept_lanes(run)
    # Markdown, not HTML: `plain` escapes what every expression gives
    environment = Environment(
        loader=FileSystemLoader(str(form.TEMPLATES)),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=plain,
    )
    environment.globals.update(percent=form.percent, kinds=KINDS, term=form.term)
    environment.filters.update(whole=form.whole)
    rows = funnel_rows(run.manifest)
    body = environment.get_template("card.md.j2").render(
        run=run.manifest,
        policy=run.policy,
        run_actions=lambda source: _actions(run, source),
        sources=rows,
        total=total(rows),
        reasons=reason_counts(run.manifest),
        rules=policy_rows(run.policy, rule_hits(run)),
        shares=list(shares.items()),
        holders=list(summed(shares, "holder").items())[:MAX_HOLDERS],
        holders_left=max(0, len(summed(shares, "holder")) - MAX_HOLDERS),
        licenses=[(license_id, share) for (license_id,), share in summed(shares, "license").items()],
        unstated=sum(share.documents for right, share in shares.items() if right.license == License.UNKNOWN),
        lanes=list(lanes.items()),
        labels=labelled(run.manifest),
        audit=read_audit(run.folder, run.manifest),
        mixture=run.manifest["recipe"]["mixture"],
        deduplicate=run.manifest["recipe"]["deduplicate"],
        tokenizer=Path(run.manifest["recipe"]["mixture"]["tokenizer"] or "").name,
        configs=[config["config_name"] for config in configurations(run)],
    )
    head = yaml.safe_dump(header(run, shares, lanes), allow_unicode=True, sort_keys=False, width=120)
    return f"---\n{head}---\n\n{body.strip()}\n"


def _actions(run: Run, source: str) -> dict[str, str]:
    """For each action the kinds of personal data that it meets in a source."""
    actions = run.policy.personal_actions(source, run.source_type(source))
    named = {action: [kind.replace("_", " ") for kind, own in actions.items() if own is action] for action in Action}
    return {str(action): ("all" if len(kinds) == len(actions) else ", ".join(kinds) or "–") for action, kinds in named.items()}


def header(run: Run, shares: dict[Right, Share], lanes: dict[str, int]) -> dict[str, Any]:
    """The card's metadata as the Hub defines it."""
    known = [_LANES[lane] for lane in _LANES if lane in lanes] or [_LANES["zh-Hant"]]
    documents = total(funnel_rows(run.manifest)).counts["kept"]
    return {
        "pretty_name": run.manifest["name"],
        "language": [language for language, _ in known],
        "language_bcp47": [tag for _, tag in known],
        **license_of({License(right.license) for right in shares}),
        "task_categories": ["text-generation"],
        "size_categories": [next((name for limit, name in _SIZES if documents < limit), "n>1T")],
        "tags": ["taiwan", "traditional-chinese"],
        **({"configs": found} if (found := configurations(run)) else {}),
    }


def license_of(licenses: set[License]) -> dict[str, str]:
    """What the header says of the licence: the Hub's own identifier for a single one it knows, else `other` with a name."""
    if len(licenses) != 1:
        return {"license": "other", "license_name": "mixed" if licenses else "none"}
    (only,) = licenses
    if only in _HUB_LICENSES:
        return {"license": _HUB_LICENSES[only]}
    return {"license": "other", "license_name": str(only), **({"license_link": _LINKS[only]} if only in _LINKS else {})}


def configurations(run: Run) -> list[dict[str, Any]]:
    """`default` over all shards, and one configuration for each source that has shards. None where nothing was kept.

    Each describes itself with the key of the shards: `datasets` caches a local folder by its last name and its configurations,
    not by the files, and would give the rows of an older build of the same name.
    """
    folder = f"{run.folder}/data"
    names = [match["source"] for name in (os.listdir(folder) if os.path.isdir(folder) else []) if (match := _SHARD.fullmatch(name))]
    sources = [source for source in run.manifest["funnel"] if source in names]
    key = run.manifest["stages"]["assemble"]
    found = [("default", "data/*.parquet", "all sources")]
    for source in sources:
        found.append(("source-default" if source == "default" else source, f"data/{source}-{_SHARD_GLOB}.parquet", f"source {source}"))
    return [
        {"config_name": name, "description": f"{what}, assembled as {key}", "data_files": pattern}
        for name, pattern, what in found
        if sources
    ]


def plain(value: object) -> object:
    """A value as Markdown text that means only itself: on one line, with the signs of Markdown and HTML escaped.

    What a template marks as safe stays as it is.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = " ".join(value.split())
    return _MARKDOWN.sub(r"\\\1", text) if _MARKDOWN.search(text) else text
