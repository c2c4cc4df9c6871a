"""Folds keep copies and sources apart, and a score never comes from a model that saw the text."""

from __future__ import annotations

import numpy as np
import pytest

from corpus.classifiers.data import TERMS, Passage
from corpus.classifiers.folds import OF_ALL, by_cluster, by_source, out_of_fold


def passage(document: str, label: str = "tw", source: str = "s", text: str = "") -> Passage:
    return Passage(f"{document}#0", document, text or document, (label,), source)


def test_a_file_goes_whole_where_its_labels_have_three_and_is_divided_where_not() -> None:
    rows = [passage(f"{name}/{i}", label) for name, label in (("a", "tw"), ("b", "tw"), ("d", "tw"), ("c", "hk")) for i in range(40)]
    folds = by_source([*rows, passage("lists:terms/cn-1", "cn", TERMS)], 3, 1)
    a, b, d, c = (set(folds[i : i + 40].tolist()) for i in (0, 40, 80, 120))
    assert len(a) == len(b) == len(d) == 1 and len(a | b | d) == 3
    assert c == {0, 1, 2}
    assert folds[-1] == OF_ALL


def test_copies_share_a_fold() -> None:
    text = "今天下午在圖書館門口遇到以前的同事，聊了很久才發現我們住在同一條街上。"
    rows = [passage(f"f/{i}", text=text + "嗯" * (i % 2)) for i in range(20)] + [
        passage(f"g/{i}", text=chr(0x4E00 + i) * 30) for i in range(60)
    ]
    folds = by_cluster(rows, 5, 1)
    assert len(set(folds[:20].tolist())) == 1
    assert set(folds[20:].tolist()) == {0, 1, 2, 3, 4}


def test_scores_come_from_the_other_folds() -> None:
    rows = [passage(f"f/{i}", "tw" if i % 2 else "hk") for i in range(12)]
    folds = np.array([0, 0, 1, 1, 2, 2, OF_ALL, OF_ALL, 0, 1, 2, 0])
    seen = []

    def scored(train: list[Passage], rest: list[Passage]) -> dict[str, np.ndarray]:
        seen.append((train, rest))
        assert not {p.id for p in train} & {p.id for p in rest}
        assert {p.id for p in rows[6:8]} <= {p.id for p in train}
        return {"tw": np.full(len(rest), 2.0), "hk": np.arange(len(rest)) + 3.0}

    found = out_of_fold(rows, folds, ("tw", "hk", "cn"), scored)
    assert len(seen) == 3 and found.shape == (12, 3)
    assert not found[6:8].any()
    assert (found[[0, 1, 8, 11]] == [[2, 3, 2], [2, 4, 2], [2, 5, 2], [2, 6, 2]]).all()  # the label that is missing gets the lowest


def test_nothing_to_fold_is_zeros() -> None:
    assert out_of_fold([passage("a/1")], np.array([OF_ALL]), ("tw",), lambda train, rest: pytest.fail("called")).shape == (1, 1)
