"""Renews what the README shows: pictures of the sample's report, and tables made of committed results (`make docs`)."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from corpus.build import build
from corpus.recipe import load_plan

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SIGNATURES_ONLY = ("rensa", "datasketch")  # sides of the throughput benchmark that do a part of the work: no ratio
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


def sample() -> Path:
    """Builds the bundled sample and stores what the README says of it."""
    result = build(load_plan(str(ROOT / "recipes" / "sample.yaml"), str(ROOT / "runs" / "sample")))
    assert result.agreement is not None
    totals = [sum(getattr(counts, name) for counts in result.funnel.values()) for name in ("documents", "kept", "removed", "quarantined")]
    figures = {
        "what": "the bundled sample: decisions against labels that were given before the code was written",
        **dict(zip(("documents", "kept", "removed", "quarantined"), totals, strict=True)),
        "labelled": result.agreement.labelled,
        "decisions_right": result.agreement.decisions_right,
        "reasons_right": result.agreement.reasons_right,
    }
    (RESULTS / "sample.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return Path(result.output)


def pictures(run: Path) -> None:
    """Screenshots of the report in both languages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for language, name in (("en-US", "report-en.png"), ("zh-TW", "report-zh.png")):
            page = browser.new_page(viewport={"width": 1100, "height": 1180}, locale=language)
            page.goto((run / "report.html").resolve().as_uri())
            page.screenshot(path=str(ROOT / "docs" / "images" / name))
        browser.close()


def tables() -> dict[str, str]:
    """The text of each `<!-- name -->` block of the READMEs."""
    speed: dict[str, Any] = json.loads((RESULTS / "corpus_throughput.json").read_text(encoding="utf-8"))
    theirs = speed["sides"]["datatrove"][-1]["cpu_seconds"]
    lines = ["| | MB/s per core | core-hours/TB | peak MB | × |", "|---|---:|---:|---:|---:|"]
    for name, sizes in speed["sides"].items():
        row = sizes[-1]
        times = "" if name in SIGNATURES_ONLY else f"{theirs / row['cpu_seconds']:.3g}"
        lines.append(
            f"| {name} | {row['mb_per_second_per_core']:.3g} | {row['core_hours_per_tb']:,.0f} | {row['peak_rss_mb']:,.0f} | {times} |"
        )
    figures: dict[str, Any] = json.loads((RESULTS / "sample.json").read_text(encoding="utf-8"))
    share = figures["decisions_right"] / figures["labelled"]
    return {"speed": "\n".join(lines), "agreement": f"{figures['decisions_right']} / {figures['labelled']} ({share:.1%})"}


def fill(path: Path, blocks: dict[str, str]) -> None:
    """Replaces what stands between `<!-- name -->` and `<!-- /name -->`."""
    text = path.read_text(encoding="utf-8")
    for name, content in blocks.items():
        edge = "\n" if "\n" in content else ""
        pattern = rf"(<!-- {name} -->).*?(<!-- /{name} -->)"
        text, count = re.subn(pattern, lambda match, filled=edge + content + edge: match[1] + filled + match[2], text, flags=re.DOTALL)  # type: ignore[misc]
        assert count, f"{path.name} has no block {name!r}"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Pictures, then tables."""
    pictures(sample())
    for name in ("README.md", "README.zh-TW.md"):
        fill(ROOT / name, tables())


if __name__ == "__main__":
    main()
