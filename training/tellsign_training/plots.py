"""The report's curves, as SVG data URIs."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from tellsign_training.html import GREY, STYLE, svg
from tellsign_training.scores import Scores

COLOURS = ("#4c8dd6", "#e0873a", "#43a667", "#d65c8d", "#8f7ad6", "#b08f2e", "#3aa6a6", "#a05c3f")
POINTS = 400
"""Points of a curve that are drawn."""

Draw = Callable[[Axes, str, str, str], None]
"""Draws one model's curve in one tier: axes, model, tier, colour."""


def colour(index: int) -> str:
    """A model's colour; the page shows which is whose."""
    return COLOURS[index % len(COLOURS)]


def plots(scores: Mapping[str, Scores], models: Mapping[str, Any]) -> dict[str, str]:
    """Title -> data URI: ROC, precision and recall, reliability; a panel a delivery.

    `models` are the figures of `evaluate`, by the same names as the scores.
    """

    def roc(axes: Axes, model: str, tier: str, shade: str) -> None:
        false, true, _ = roc_curve(scores[model].ai, scores[model].tier(tier))
        axes.plot(*_thin(np.maximum(false, 1e-3), true), color=shade, lw=1.3)
        at = models[model]["tiers"][tier]
        axes.plot(max(at["fpr"]["value"], 1e-3), at["tpr"]["value"], "o", color=shade, ms=5)

    def precision(axes: Axes, model: str, tier: str, shade: str) -> None:
        found, recall, _ = precision_recall_curve(scores[model].ai, scores[model].tier(tier))
        axes.plot(*_thin(recall[:-1], found[:-1]), color=shade, lw=1.3)

    def reliability(axes: Axes, model: str, tier: str, shade: str) -> None:
        points = np.array(models[model]["tiers"][tier]["reliability"])
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
        axes.plot(points[:, 0], points[:, 1], "o-", color=shade, lw=1.3, ms=3)

    tiers = list(dict.fromkeys(tier for s in scores.values() for tier in s.tiers))
    return {
        "ROC": _grid(scores, tiers, roc, ("false positives", "true positives"), log=True),
        "Precision and recall": _grid(scores, tiers, precision, ("recall", "precision")),
        "Reliability": _grid(scores, tiers, reliability, ("probability said", "share of AI")),
    }


def _grid(
    scores: Mapping[str, Scores],
    tiers: list[str],
    draw: Draw,
    labels: tuple[str, str],
    log: bool = False,
) -> str:
    with mpl.rc_context(STYLE):
        rows = -(-len(tiers) // 4)
        figure = Figure(figsize=(11, 2.9 * rows), layout="constrained")
        for i, tier in enumerate(tiers):
            axes = figure.add_subplot(rows, min(4, len(tiers)), i + 1)
            axes.patch.set_alpha(0)
            axes.set(title=tier, ylim=(-0.02, 1.02), xlabel=labels[0], ylabel=labels[1])
            if log:
                axes.set(xscale="log", xlim=(1e-3, 1))
                axes.set_xticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
                axes.axvline(0.01, color=GREY, lw=0.8, ls="--")
                axes.axvline(0.05, color=GREY, lw=0.8, ls=":")
            else:
                axes.set(xlim=(-0.02, 1.02))
            for k, model in enumerate(scores):
                if tier in scores[model].tiers:
                    draw(axes, model, tier, colour(k))
        return svg(figure)


def _thin(x: Any, y: Any) -> tuple[Any, Any]:
    """At most about `POINTS` points of a curve, its ends among them."""
    picks = np.unique(np.linspace(0, len(x) - 1, min(POINTS, len(x))).round().astype(int))
    return x[picks], y[picks]
