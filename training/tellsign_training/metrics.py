"""The figures of the measuring protocol, from logits and labels."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


def auc(ai: Labels, score: Array) -> float:
    return float(roc_auc_score(ai, score))


def average_precision(ai: Labels, score: Array) -> float:
    return float(average_precision_score(ai, score))


def tpr_at_fpr(ai: Labels, score: Array, fpr: float) -> float:
    """The highest true-positive rate of a threshold with at most this false-positive rate."""
    false, true, _ = roc_curve(ai, score, drop_intermediate=False)
    return float(true[false <= fpr].max(initial=0.0))


def threshold_at_fpr(real: Array, fpr: float) -> float:
    """The lowest kind of threshold t such that at most `fpr` of the real scores are >= t.

    It lies half-way between the highest score that must be under it and the next one above.
    """
    ordered = np.sort(real)[::-1]
    under = ordered[int(np.floor(fpr * len(ordered)))]
    above = ordered[ordered > under]
    if not len(above):
        return float(under + max(1e-6, 1e-3 * np.ptp(ordered)))
    middle = float((above[-1] + under) / 2)
    return middle if middle > under else float(above[-1])


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson, 1927); (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def bootstrap(
    figure: Callable[[Labels, Array], float], ai: Labels, score: Array, rounds: int = 1000
) -> tuple[float, float]:
    """95 % interval of a figure, resampling base pictures within each class."""
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(ai), np.flatnonzero(~ai)]
    values = []
    for _ in range(rounds):
        rows = np.concatenate([rng.choice(g, len(g)) for g in groups])
        values.append(figure(ai[rows], score[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def balanced_ece(ai: Labels, probability: Array, bins: int = 15) -> float:
    """Expected calibration error with both classes weighing the same (Guo et al., 2017)."""
    weight = np.where(ai, 0.5 / ai.sum(), 0.5 / (~ai).sum())
    index = np.minimum((probability * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = index == b
        if inside.any():
            error += abs(float((weight[inside] * (probability[inside] - ai[inside])).sum()))
    return error


def brier(ai: Labels, probability: Array) -> float:
    """Brier score with both classes weighing the same."""
    squared = (probability - ai) ** 2
    return float((squared[ai].mean() + squared[~ai].mean()) / 2)


def flip_rate(probability: Array, suspected: float, unsure: float) -> float:
    """Share of pictures [n, tiers] that are `suspected` in one tier and `none` in another."""
    flips = (probability >= suspected).any(1) & (probability < unsure).any(1)
    return float(flips.mean())


def by_group(groups: Sequence[str], hit: Labels) -> dict[str, tuple[int, int]]:
    """Hits and number of each group."""
    names = np.array(groups)
    return {
        str(name): (int(hit[names == name].sum()), int((names == name).sum()))
        for name in np.unique(names)
    }
