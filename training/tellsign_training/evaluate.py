"""The measuring protocol: from a detector's scores and its calibration to its figures."""

from functools import partial
from typing import Any, NamedTuple

from tellsign.models.folder import Calibration
from tellsign.verdict import probability
from tellsign_training import metrics
from tellsign_training.data import DataError
from tellsign_training.delivery import TIERS
from tellsign_training.metrics import Array, Figure, Labels
from tellsign_training.scores import Scores

MIN_GROUP = 10
"""Pictures that a generator or a source must have to be named as the worst."""

FEED_SHARE = 0.05
"""The share of AI pictures in a feed for which the precision of a badge is foretold."""


class Grouping(NamedTuple):
    """One class of pictures, split by a column of the manifest."""

    key: str
    column: str
    ai: bool
    title: str


GROUPINGS = (
    Grouping("generators", "generator", True, "generator"),
    Grouping("ai_content", "content", True, "content of AI pictures"),
    Grouping("sources", "source", False, "source of real pictures"),
    Grouping("cameras", "generator", False, "camera or kind of real pictures"),
    Grouping("real_content", "content", False, "content of real pictures"),
)


def evaluate(scores: Scores, calibration: Calibration) -> dict[str, Any]:
    """A detector's figures: of each delivery with 95 % intervals, and flips between the tiers.

    The flip rate is None where fewer than two tiers of the protocol's first table were scored.

    Raises:
        DataError: the pictures are all real or all AI.
    """
    if scores.ai.all() or not scores.ai.any():
        raise DataError("Measuring needs both real and AI pictures.")
    p = probability(scores.logits, calibration.a, calibration.b)
    tiers = [i for i, name in enumerate(scores.tiers) if name in {tier.name for tier in TIERS}]
    flips = metrics.flips(p[:, tiers], calibration.suspected, calibration.unsure)
    return {
        "pictures": {"ai": int(scores.ai.sum()), "real": int((~scores.ai).sum())},
        "flip_rate": metrics.wilson_share(int(flips.sum()), len(flips)) if len(tiers) > 1 else None,
        "tiers": {
            name: _tier(scores, scores.logits[:, i], calibration)
            for i, name in enumerate(scores.tiers)
        },
    }


def _tier(scores: Scores, logits: Array, calibration: Calibration) -> dict[str, Any]:
    ai = scores.ai
    p = probability(logits, calibration.a, calibration.b)
    hit = p >= calibration.suspected
    unsure = (p >= calibration.unsure) & ~hit
    groups = {g.key: _groups(getattr(scores, g.column), ai == g.ai, hit) for g in GROUPINGS}
    verdicts = {"suspected": hit, "unsure": unsure, "none": ~hit & ~unsure}
    return {
        # Log-odds rank as probabilities do, but do not run together near 0 and 1.
        **metrics.measured(_figures(ai, -(calibration.a * logits + calibration.b), p), ai),
        **metrics.measured(_at_threshold(ai, hit, unsure), ai),
        "tpr": metrics.wilson_share(int(hit[ai].sum()), int(ai.sum())),
        "fpr": metrics.wilson_share(int(hit[~ai].sum()), int((~ai).sum())),
        "confusion": {
            kind: {verdict: int((given & chosen).sum()) for verdict, given in verdicts.items()}
            for kind, chosen in (("ai", ai), ("real", ~ai))
        },
        "groups": groups,
        "worst": {g.key: worst(groups[g.key], highest=not g.ai) for g in GROUPINGS},
        "reliability": [[round(x, 4) for x in point] for point in metrics.reliability(ai, p)],
    }


def _figures(ai: Labels, log_odds: Array, p: Array) -> dict[str, Figure]:
    """The figures that need no threshold of ours."""
    return {
        "tpr_at_1_fpr": partial(metrics.tpr_at_fpr, ai, log_odds, fpr=0.01),
        "tpr_at_5_fpr": partial(metrics.tpr_at_fpr, ai, log_odds, fpr=0.05),
        "auc": partial(metrics.auc, ai, log_odds),
        "average_precision": partial(metrics.average_precision, ai, log_odds),
        "ece": partial(metrics.balanced_ece, ai, p),
        "brier": partial(metrics.brier, ai, p),
    }


def _at_threshold(ai: Labels, hit: Labels, unsure: Labels) -> dict[str, Figure]:
    """The figures at the thresholds that the model ships with."""
    return {
        "balanced_accuracy": partial(metrics.balanced_accuracy, ai, hit),
        "precision": partial(metrics.share, ai, hit),
        "precision_in_feed": partial(metrics.precision_at, ai, hit, FEED_SHARE),
        "f1": partial(metrics.f1, ai, hit),
        "unsure": partial(metrics.share, unsure, ai | ~ai),
        "error_among_sure": partial(metrics.share, hit != ai, ~unsure),
    }


def _groups(groups: list[str], chosen: Labels, hit: Labels) -> dict[str, dict[str, float]]:
    """Share of hits of every group among the chosen pictures, with Wilson's interval."""
    names = [group for group, keep in zip(groups, chosen, strict=True) if keep]
    counts = metrics.by_group(names, hit[chosen])
    return {
        name or "(not known)": {"n": n, **metrics.wilson_share(hits, n)}
        for name, (hits, n) in sorted(counts.items(), key=lambda item: -item[1][1])
    }


def worst(groups: dict[str, dict[str, float]], highest: bool) -> dict[str, Any]:
    """The group of at least `MIN_GROUP` pictures with the highest (or lowest) share."""
    large = {name: g for name, g in groups.items() if g["n"] >= MIN_GROUP} or groups
    name = (max if highest else min)(large, key=lambda g: large[g]["value"])
    return {"name": name, **large[name]}


def summary(figures: dict[str, Any]) -> str:
    """A detector's main table in Markdown."""
    lines = [
        "| tier | TPR at 1 % FPR | TPR at 5 % FPR | AUC | suspected: AI / real | unsure | ECE |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, t in figures["tiers"].items():
        cells = " | ".join(told(t[key]) for key in ("tpr_at_1_fpr", "tpr_at_5_fpr", "auc"))
        share = f"{t['tpr']['value']:.1%} / {t['fpr']['value']:.1%}"
        unsure, ece = t["unsure"]["value"], t["ece"]["value"]
        lines.append(f"| {name} | {cells} | {share} | {unsure:.1%} | {ece:.3f} |")
    return "\n".join(lines)


def told(figure: dict[str, float]) -> str:
    """A figure with its interval, for a table."""
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
