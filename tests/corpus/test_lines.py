"""Repeated lines counted over all sources, and paragraphs that stand in another document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from corpus.build import build
from corpus.recipe import load_plan
from corpus.why import explain
from tests.corpus.test_deduplicate import Corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def test_lines_across_sources(corpus: Corpus) -> None:
    for number in range(2):
        corpus.add("forum", str(number), line_hashes=[7, 100 + number])
        corpus.add("news", str(number), line_hashes=[200 + number, 7])
        corpus.add("law", str(number), line_hashes=[7])
    rows = corpus.run(lines={"max_documents": 3, "across_sources": True, "skip_sources": ["law"]})
    assert [rows[f"{name}:0"]["dropped_lines"] for name in ("forum", "news", "law")] == [[0], [1], None]


def test_the_preferred_document_keeps_a_paragraph(corpus: Corpus) -> None:
    corpus.add("forum", "copy", line_hashes=[1, 7, 2, 7], line_chars=[90, 90, 90, 90])
    corpus.add("news", "original", line_hashes=[3, 7, 7], line_chars=[90, 90, 90])
    corpus.add("news", "later", line_hashes=[4, 7], line_chars=[90, 90])
    rows = corpus.run({"news": 1, "forum": 2}, lines=None, paragraphs={"min_chars": 80})
    assert rows["forum:copy"]["dropped_lines"] == [1, 3]
    kept = sorted((rows["news:original"]["dropped_lines"], rows["news:later"]["dropped_lines"]), key=str)
    assert kept == [None, [1]] or kept == [None, [1, 2]]  # by id, where priority, length and date are equal
    assert rows["news:later"]["dropped_lines"] is None  # "later" sorts before "original"


def test_short_lines_stay_and_so_do_sources_that_keep_theirs(corpus: Corpus) -> None:
    corpus.add("law", "a", line_hashes=[7, 8], line_chars=[90, 79])
    corpus.add("law", "b", line_hashes=[7, 8], line_chars=[90, 79])
    corpus.add("forum", "c", line_hashes=[7, 8, 0], line_chars=[90, 79, 5])
    rows = corpus.run({"forum": 1, "law": 2}, lines=None, paragraphs={"min_chars": 80, "skip_sources": ["law"]})
    assert [rows[name]["dropped_lines"] for name in ("law:a", "law:b", "forum:c")] == [None, None, [0]]


def test_lines_and_paragraphs_together(corpus: Corpus) -> None:
    for number in range(3):
        corpus.add("forum", str(number), line_hashes=[5, 7, 10 + number], line_chars=[20, 90, 90])
    rows = corpus.run(lines={"max_documents": 2}, paragraphs={})
    assert [rows[f"forum:{number}"]["dropped_lines"] for number in range(3)] == [[0, 1]] * 3  # too frequent for any to keep


def test_a_build_takes_paragraphs_out_and_removes_what_is_left_empty(tmp_path: Path) -> None:
    shared = "那年冬天的霧特別濃，渡船頭的燈整夜都亮著，老船長說他這輩子沒看過這麼安靜的海，" * 3
    own = "隔天早上大家才發現堤防邊多了一艘沒有名字的小船，船上放著半袋地瓜和一本泡過水的日記。" * 3
    rows = [{"id": "a", "text": f"{shared}\n{own}{own}"}, {"id": "b", "text": f"今天讀到一段很喜歡的文字。\n{shared}"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    rules = [{"id": "one", "reason": "too_short", "remove_if": {"chars": {"lt": 1}}, "unit": "chars", "origin": "t", "date": "2026-11-24"}]
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump({"name": "plain", "version": "1", "description": "", "rules": rules}), "utf-8")
    content = {
        "name": "p", "output": str(tmp_path / "run"), "workers": 1, "policy": "plain.yaml",
        "sources": {"web": {"type": "rows", "paths": ["rows.jsonl"], "fields": {"id": "id", "text": "text"}}},
        "deduplicate": {"near": None, "lines": None, "paragraphs": {"min_chars": 80, "min_remaining_chars": 20}},
    }  # fmt: skip
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content), "utf-8")
    result = build(load_plan(str(tmp_path / "p.yaml")))
    assert (result.funnel["web"].kept, result.funnel["web"].reasons) == (1, {"line_duplicates": 1})
    decision = explain(result.output, "web:b").decision
    assert decision["observed"] == "remaining chars=13" and decision["threshold"] == "remaining chars < 20"
