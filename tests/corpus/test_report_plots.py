"""Histograms: counts, thresholds, and SVG that fits into any page."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from corpus.policy import Policy
from corpus.report_data import load_run
from corpus.report_plots import AXES, Axis, Histogram, draw, histograms, thresholds_on
from tests.corpus.test_report_data import POLICY, document, documents, write_run


def test_every_document_with_a_value_is_in_one_bin(tmp_path: Path) -> None:
    rows = documents()
    for histogram in histograms(load_run(str(write_run(tmp_path, rows)))):
        assert int(histogram.kept.sum()) == sum(row["status"] == "kept" for row in rows)
        assert int(histogram.kept.sum() + histogram.removed.sum()) == len(rows)


def test_values_beyond_the_axis_are_in_its_end_bins(tmp_path: Path) -> None:
    rows = [document("a", features={"roundtrip_changes": 900.0}), document("b", features={"roundtrip_changes": None, "chars": 0})]
    found = {histogram.axis.feature: histogram for histogram in histograms(load_run(str(write_run(tmp_path, rows))))}
    assert found["roundtrip_changes"].kept.tolist() == [0] * 39 + [1]
    assert found["chars"].kept[0] == 1


def test_thresholds_of_rules_on_one_feature_only() -> None:
    policy = Policy.model_validate(POLICY)
    assert thresholds_on(policy, Axis("chars", 1, 1_000, 10)) == (50.0,)
    assert thresholds_on(policy, Axis("chars", 100, 1_000, 10)) == ()
    assert thresholds_on(policy, Axis("scam_points", 0, 10, 10)) == ()


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.feature)
def test_drawing(axis: Axis) -> None:
    counts = np.arange(axis.bins)
    histogram = Histogram(axis, counts, counts[::-1] * 7, (axis.low + (axis.high - axis.low) / 3,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph, a layout that does not fit
        svg = draw(histogram)
    assert draw(histogram) == svg
    tree = ElementTree.fromstring(svg)
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)) <= {"none", "var(--kept)", "var(--outline)", "var(--muted)", "var(--line)"}
    assert "font-family" not in svg and "<style" not in svg and "http" not in svg


def test_an_empty_histogram_is_drawn() -> None:
    nothing = np.zeros(AXES[0].bins, np.int64)
    assert draw(Histogram(AXES[0], nothing, nothing, ())).startswith("<svg")
