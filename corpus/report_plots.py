"""Histograms of features, kept beside removed, as SVG that takes its colours and fonts from the page."""

from __future__ import annotations

import io
import re
from bisect import bisect
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.policy import Policy
from corpus.report_data import Run, feature_columns

_ACCENT, _OUTLINE, _INK, _RULE = "#010203", "#010204", "#010205", "#010206"  # placeholders, replaced by the page's variables
_COLOURS = {_ACCENT: "var(--kept)", _OUTLINE: "var(--outline)", _INK: "var(--muted)", _RULE: "var(--line)"}
_FONT_UNITS = 10.5
_TICKS_ABOVE = (0, 12, 50)  # percent: tallest bars from which each of _TICKS fits
_TICKS = ((0, 1, 2, 5, 10), (0, 1, 5, 10, 25, 50), (0, 5, 25, 50, 100))


class Axis(NamedTuple):
    """One feature's histogram: equal bins from `low` to `high`, in decades where `log`; what lies outside goes to the end bins."""

    feature: str
    low: float
    high: float
    bins: int
    log: bool = False

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Borders of the bins, one more than there are bins."""
        if self.log:
            return np.logspace(np.log10(self.low), np.log10(self.high), self.bins + 1)
        return np.linspace(self.low, self.high, self.bins + 1)


AXES = (
    Axis("chars", 1, 1_000_000, 48, log=True),
    Axis("variety_score", -1, 1, 40),
    Axis("han_ratio", 0, 1, 40),
    Axis("dup_ngram_10", 0, 1, 40),
    Axis("stopword_ratio", 0, 0.6, 40),
    Axis("roundtrip_changes", 0, 40, 40),
)


class Histogram(NamedTuple):
    """Documents in each bin, and thresholds that the policy sets on this feature alone."""

    axis: Axis
    kept: npt.NDArray[np.int64]
    removed: npt.NDArray[np.int64]  # or quarantined
    thresholds: tuple[float, ...]


def histograms(run: Run) -> list[Histogram]:
    """Counts of AXES over all documents that have a value."""
    shape = [(np.zeros(axis.bins, np.int64), np.zeros(axis.bins, np.int64)) for axis in AXES]
    for part, table in feature_columns(run, [axis.feature for axis in AXES]):
        kept = run.kept[part.first : part.first + part.documents]
        for axis, (inside, outside) in zip(AXES, shape, strict=True):
            values = table.column(axis.feature).cast("double").to_numpy()
            valid = ~np.isnan(values)
            clipped = np.clip(values, axis.low, axis.high)
            inside += np.histogram(clipped[valid & kept], axis.edges)[0]
            outside += np.histogram(clipped[valid & ~kept], axis.edges)[0]
    return [Histogram(axis, *counts, thresholds_on(run.policy, axis)) for axis, counts in zip(AXES, shape, strict=True)]


def thresholds_on(policy: Policy, axis: Axis) -> tuple[float, ...]:
    """Bounds, inside the axis, of rules that look at this feature only."""
    bounds = set()
    for rule in policy.rules:
        condition = rule.remove_if.get(axis.feature)
        if condition is not None and len(rule.remove_if) == 1:
            bounds |= {value for value in (condition.lt, condition.le, condition.gt, condition.ge) if value is not None}
    return tuple(sorted(value for value in bounds if axis.low <= value <= axis.high))


def draw(histogram: Histogram) -> str:
    """The histogram as an `<svg>` element without size, ids of groups, fonts or colours of its own."""
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    axis, edges = histogram.axis, histogram.axis.edges
    settings: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": f"twllm {axis.feature}",
        "font.family": "sans-serif",
        "font.size": _FONT_UNITS,
        "axes.unicode_minus": False,
        "axes.edgecolor": _INK,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
    }
    with style.context(["default", settings]):  # whatever matplotlibrc the machine has
        figure = Figure(figsize=(4.4, 2.2), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.stairs(_percent(histogram.kept), edges, fill=True, color=_ACCENT, alpha=0.75, linewidth=0)
        axes.stairs(_percent(histogram.removed), edges, color=_OUTLINE, linewidth=1.4)
        for value in histogram.thresholds:
            axes.axvline(value, color=_INK, linewidth=0.9, linestyle=(0, (4, 3)))
        if axis.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: _decade(value))
            axes.minorticks_off()
        else:
            axes.locator_params(axis="x", nbins=5)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:.12g}")
        axes.set_xlim(axis.low, axis.high)
        top = max(1.0, 1.05 * max(_percent(histogram.kept).max(), _percent(histogram.removed).max()))
        axes.set_yscale("function", functions=(_root, np.square))  # so that tails of one percent show beside a peak
        axes.set_ylim(0, top)
        axes.set_yticks([value for value in _TICKS[bisect(_TICKS_ABOVE, top) - 1] if value <= top])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
        axes.grid(axis="y", color=_RULE, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=6)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(stream.getvalue())


def _root(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    roots: npt.NDArray[np.float64] = np.sqrt(np.maximum(values, 0))
    return roots


def _percent(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return 100 * counts / max(1, int(counts.sum()))


def _decade(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _inline(svg: str) -> str:
    """The bare element: prologue, metadata, styles, size, group ids and fonts gone, colours named by variables."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)  # would apply to the whole page
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    size = re.search(r'viewBox="[^"]*"', svg)
    assert size is not None
    svg = re.sub(r"<svg[^>]*>", f'<svg {size[0]} aria-hidden="true" focusable="false">', svg, count=1)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for placeholder, variable in _COLOURS.items():
        svg = svg.replace(placeholder, variable)
    return svg.strip()
