"""Figures worked out by hand, masks that leave no listed word, baselines that know what they are for."""

from __future__ import annotations

import pytest

from corpus.classifiers import baselines
from corpus.classifiers.data import Passage
from corpus.classifiers.evaluate import by_length, figures
from corpus.classifiers.masking import BLANK, mask, phrases


def passage(number: int, label: str, text: str = "字") -> Passage:
    return Passage(f"p{number}", f"d{number}", text, (label,), "here")


def test_figures_are_counted_right() -> None:
    rows = [passage(i, label) for i, label in enumerate(["tw", "tw", "tw", "hk"])]
    found = figures(rows, lambda texts: [["tw"], ["tw"], ["hk"], ["hk"]], ("tw", "hk", "cn"))
    assert found["labels"]["tw"]["recall"] == pytest.approx(2 / 3, abs=1e-4) and found["labels"]["tw"]["precision"] == 1.0
    assert found["labels"]["hk"]["recall"] == 1.0 and found["labels"]["hk"]["precision"] == 0.5
    assert "cn" not in found["labels"]
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2, abs=1e-4)
    assert found["macro_f1_interval"][0] <= found["macro_f1"] <= found["macro_f1_interval"][1]
    assert found["errors"]["ids"] == [{"id": "p2", "label": ["tw"], "given": ["hk"]}]


def test_lengths_do_not_overlap() -> None:
    rows = [passage(i, "tw", "字" * size) for i, size in enumerate((49, 50, 199, 200, 900))]
    found = by_length(rows, lambda texts: [["tw"] for _ in texts])
    assert (found["50-199"]["texts"], found["200+"]["texts"]) == (2, 2)


def test_a_masked_text_holds_no_listed_word() -> None:
    text = "這個視頻的質量很好，我喺度用軟件，捷運站旁的發票載具"
    found = mask(text)
    assert len(found.text) == len(text) and found.blanked == found.text.count(BLANK) > 8
    assert not any(word in found.text for word in ("視頻", "軟件", "捷運", "喺度"))
    assert len(phrases()) > 50_000


def test_baselines_do_what_they_are_called() -> None:
    assert baselines.term_regex("這個視頻的質量很好") == "cn_converted"
    assert baselines.term_regex("这个视频的质量很好") == "cn"
    assert baselines.term_regex("今天天氣很好") == "tw"
    assert baselines.round_trip("这个视频的质量很好") == "cn"
    assert baselines.lexicon("佢哋喺度食緊飯，唔好阻住佢哋做嘢，你哋係咪嚟搵我㗎？") == "yue"
    assert baselines.threats("今天天氣很好") == ["clean"]
