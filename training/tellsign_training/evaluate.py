"""The measuring protocol: from scores on `test` and a calibration to a report."""

from typing import Any

from tellsign.models.folder import Calibration
from tellsign.verdict import probability
from tellsign_training import metrics
from tellsign_training.metrics import Array, Labels
from tellsign_training.scores import Scores

MIN_GROUP = 10
"""Pictures that a generator or a source must have to be named as the worst."""


def evaluate(scores: Scores, calibration: Calibration) -> dict[str, Any]:
    """The report of a detector: the figures of each tier with 95 % intervals, and flips."""
    p = probability(scores.logits, calibration.a, calibration.b)
    return {
        "pictures": {"ai": int(scores.ai.sum()), "real": int((~scores.ai).sum())},
        "flip_rate": round(metrics.flip_rate(p, calibration.suspected, calibration.unsure), 4),
        "tiers": {name: _tier(scores, p[:, i], calibration) for i, name in enumerate(scores.tiers)},
    }


def _tier(scores: Scores, p: Array, calibration: Calibration) -> dict[str, Any]:
    ai = scores.ai
    figures = {
        "tpr_at_1_fpr": lambda y, s: metrics.tpr_at_fpr(y, s, 0.01),
        "tpr_at_5_fpr": lambda y, s: metrics.tpr_at_fpr(y, s, 0.05),
        "auc": metrics.auc,
        "average_precision": metrics.average_precision,
    }
    hit = p >= calibration.suspected
    unsure = (p >= calibration.unsure) & ~hit
    wrong = (hit & ~ai) | (~hit & ai)
    return {
        **{name: _with_interval(figure, ai, p) for name, figure in figures.items()},
        "tpr": _share(hit[ai]),
        "fpr": _share(hit[~ai]),
        "balanced_accuracy": round(float((hit[ai].mean() + (~hit)[~ai].mean()) / 2), 4),
        "ece": round(metrics.balanced_ece(ai, p), 4),
        "brier": round(metrics.brier(ai, p), 4),
        "unsure": round(float(unsure.mean()), 4),
        "error_among_sure": round(float(wrong[~unsure].mean()), 4),
        "generators": _groups(scores.generator, ai, hit),
        "sources": _groups(scores.source, ~ai, hit),
        "content_false_positives": _groups(scores.content, ~ai, hit),
    }


def _with_interval(figure: Any, ai: Labels, p: Array) -> dict[str, float]:
    low, high = metrics.bootstrap(figure, ai, p)
    return {"value": round(figure(ai, p), 4), "low": round(low, 4), "high": round(high, 4)}


def _share(hit: Labels) -> dict[str, float]:
    low, high = metrics.wilson(int(hit.sum()), len(hit))
    return {"value": round(float(hit.mean()), 4), "low": round(low, 4), "high": round(high, 4)}


def _groups(groups: list[str], chosen: Labels, hit: Labels) -> dict[str, dict[str, float]]:
    """Share of hits of every group among the chosen pictures, with Wilson's interval."""
    names = [group for group, keep in zip(groups, chosen, strict=True) if keep]
    counts = metrics.by_group(names, hit[chosen])
    return {
        name: {"n": n, "share": round(hits / n, 4), "upper": round(metrics.wilson(hits, n)[1], 4)}
        for name, (hits, n) in sorted(counts.items(), key=lambda item: -item[1][1])
    }


def worst(groups: dict[str, dict[str, float]], highest: bool) -> tuple[str, dict[str, float]]:
    """The group of at least `MIN_GROUP` pictures with the highest (or lowest) share."""
    large = {name: g for name, g in groups.items() if g["n"] >= MIN_GROUP} or groups
    name = (max if highest else min)(large, key=lambda g: large[g]["share"])
    return name, large[name]


def summary(report: dict[str, Any]) -> str:
    """The report's main table in Markdown."""
    lines = [
        "| tier | TPR at 1 % FPR | TPR at 5 % FPR | AUC | suspected: AI / real | unsure | ECE |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, t in report["tiers"].items():
        cells = [_cell(t[key]) for key in ("tpr_at_1_fpr", "tpr_at_5_fpr", "auc")]
        share = f"{t['tpr']['value']:.1%} / {t['fpr']['value']:.1%}"
        lines.append(
            f"| {name} | {' | '.join(cells)} | {share} | {t['unsure']:.1%} | {t['ece']:.3f} |"
        )
    return "\n".join(lines)


def _cell(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
