"""What `twllm review export` leaves, published: only this test knows both sides."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest

from curation.review import export as module
from curation.review.export import export
from tests.curation.review.made import answer, record, review
from tests.factory.hub.conftest import Publish

RATED = {"fluency": 5, "taiwaneseness": 5, "factuality": 5}
VERDICTS = {"a": "fix", "b": "keep", "c": "reject", "d": "keep"}


def test_sets_go_out_and_rejected_rows_and_labels_stay(publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record(name, "shared") for name in VERDICTS]
    said = [
        answer(
            name,
            by,
            n,
            verdict=verdict,
            safety=1 + (n + ord(name)) % 5,
            **RATED,
            **({"corrected": "改好的回答"} if verdict == "fix" else {}),
        )
        for name, verdict in VERDICTS.items()
        for n, by in enumerate(("ann", "bob", "eve"))
    ]
    made = review(records, said)
    monkeypatch.setattr(module, "load", lambda home, name: made)
    folder = tmp_path / "export"
    export(tmp_path, made.name, str(folder), accept_low_agreement=True)
    done = publish(folder, "--dry-run", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left behind: labels-quality.jsonl, manifest.json, rejected.jsonl" in done.stdout
    cache = str(tmp_path / "cache")
    sft = datasets.load_dataset(str(tmp_path / "out"), "sft", split="train", cache_dir=cache)
    assert sft[0]["messages"][-1]["content"] == "改好的回答"
    assert len(sft) == 3
    pairs = datasets.load_dataset(str(tmp_path / "out"), "preferences", split="train", cache_dir=cache)
    assert pairs[0]["chosen"][0]["content"] == "改好的回答"
    body = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert body.count("## How it was reviewed") == 1
    assert "agreed too little on safety" in body
    assert "Not reviewed" not in body
