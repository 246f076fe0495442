"""The figures of the measuring protocol, from scores and labels.

Figures take the labels `ai` bool [n], what was scored [n], and `weight` float [rounds, n]: how
often each picture counts in each round. They give float [rounds]. One round of ones is the figure
itself; rounds of bootstrap draws are its interval (`measured`). Tests compare with scikit-learn.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
Figure = Callable[[Array], Array]
"""A figure of fixed labels and scores: weight [rounds, n] -> [rounds]."""

ECE_BINS = 15
ROUNDS = 1000
CHUNK = 4_000_000
"""Weights drawn at a time: 32 MB."""


@dataclass(frozen=True)
class Curve:
    """Shares of real and of AI pictures at or over each threshold, [rounds, thresholds + 1].

    The thresholds are the distinct scores from the highest on; the first column is 0. `precision`
    is 1 where nothing is at or over the threshold.
    """

    fpr: Array
    tpr: Array
    precision: Array


def curve(ai: Labels, score: Array, weight: Array) -> Curve:
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    true, false = (
        np.pad(np.cumsum(weight[:, order] * kind[order], axis=1)[:, ends], ((0, 0), (1, 0)))
        for kind in (ai, ~ai)
    )
    found = true + false
    precision = np.divide(true, found, out=np.ones_like(true), where=found > 0)
    return Curve(false / false[:, -1:], true / true[:, -1:], precision)


def tpr_at_fpr(ai: Labels, score: Array, weight: Array, fpr: float) -> Array:
    """The highest true-positive rate of a threshold with at most this false-positive rate."""
    c = curve(ai, score, weight)
    best: Array = np.where(c.fpr <= fpr, c.tpr, 0.0).max(axis=1)
    return best


def auc(ai: Labels, score: Array, weight: Array) -> Array:
    c = curve(ai, score, weight)
    return np.asarray(np.trapezoid(c.tpr, c.fpr, axis=1))


def average_precision(ai: Labels, score: Array, weight: Array) -> Array:
    c = curve(ai, score, weight)
    area: Array = (np.diff(c.tpr, axis=1) * c.precision[:, 1:]).sum(axis=1)
    return area


def share(hit: Labels, among: Labels, weight: Array) -> Array:
    """The share of hits among some of the pictures; 0 where there is none of them."""
    some = weight @ among
    true = weight @ (hit & among)
    return np.divide(true, some, out=np.zeros(len(weight)), where=some > 0)


def balanced_accuracy(ai: Labels, hit: Labels, weight: Array) -> Array:
    return (share(hit, ai, weight) + share(~hit, ~ai, weight)) / 2


def precision_at(ai: Labels, hit: Labels, prevalence: float, weight: Array) -> Array:
    """The precision where `prevalence` of the pictures are AI, by Bayes; 0 without any hit."""
    true = prevalence * share(hit, ai, weight)
    found = true + (1 - prevalence) * share(hit, ~ai, weight)
    return np.divide(true, found, out=np.zeros(len(weight)), where=found > 0)


def f1(ai: Labels, hit: Labels, weight: Array) -> Array:
    """2 TP / (2 TP + FP + FN); 0 where there is none of them."""
    both = weight @ hit + weight @ ai
    true = 2 * (weight @ (hit & ai))
    return np.divide(true, both, out=np.zeros(len(weight)), where=both > 0)


def _balance(ai: Labels) -> Array:
    """What each picture counts so that both classes weigh the same, [n], sum 1."""
    weight: Array = np.where(ai, 0.5 / max(1, ai.sum()), 0.5 / max(1, (~ai).sum()))
    return weight


def _bin(probability: Array, bins: int) -> npt.NDArray[np.int64]:
    return np.minimum((probability * bins).astype(np.int64), bins - 1)


def balanced_ece(ai: Labels, probability: Array, weight: Array, bins: int = ECE_BINS) -> Array:
    """Expected calibration error (Guo et al., 2017), both classes weighing the same.

    Draws must keep the size of each class, as those of `draws` do. Few pictures a bin make it too
    high, a draw more so than the sample: its bootstrap interval can lie over the figure.
    """
    gap = _balance(ai) * (probability - ai)
    index = _bin(probability, bins)
    error = np.zeros(len(weight))
    for b in np.unique(index):
        error += np.abs(weight @ np.where(index == b, gap, 0.0))
    return error


def reliability(ai: Labels, probability: Array, bins: int = ECE_BINS) -> list[tuple[float, float]]:
    """Mean probability and share of AI of each bin that is not empty, classes weighing the same."""
    balance, index = _balance(ai), _bin(probability, bins)
    points = []
    for b in np.unique(index):
        inside = np.where(index == b, balance, 0.0)
        points.append(
            (float(inside @ probability / inside.sum()), float(inside @ ai / inside.sum()))
        )
    return points


def brier(ai: Labels, probability: Array, weight: Array) -> Array:
    """Brier score (1950), both classes weighing the same."""
    return weight @ (_balance(ai) * (probability - ai) ** 2)


def flips(probability: Array, suspected: float, unsure: float) -> Labels:
    """Which pictures [n] of [n, tiers] are `suspected` in one tier and `none` in another."""
    return np.asarray((probability >= suspected).any(1) & (probability < unsure).any(1))


def draws(ai: Labels, rounds: int) -> Iterator[Array]:
    """Bootstrap weights [chunk, n]: base pictures drawn again within each class, repeatably."""
    rng = np.random.default_rng(0)
    chunk = max(1, CHUNK // len(ai))
    for start in range(0, rounds, chunk):
        weight = np.zeros((min(chunk, rounds - start), len(ai)))
        for kind in (ai, ~ai):
            n = int(kind.sum())
            if n:
                weight[:, kind] = rng.multinomial(n, np.full(n, 1 / n), size=len(weight))
        yield weight


def measured(
    figures: dict[str, Figure], ai: Labels, rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """Each figure's `value` and 95 % bootstrap interval `low` to `high` (Efron, 1979)."""
    drawn: dict[str, list[Array]] = {name: [] for name in figures}
    for weight in draws(ai, rounds):
        for name, figure in figures.items():
            drawn[name].append(figure(weight))
    ones = np.ones((1, len(ai)))
    return {
        name: _interval(figure(ones)[0], *np.percentile(np.concatenate(drawn[name]), [2.5, 97.5]))
        for name, figure in figures.items()
    }


def wilson_share(hits: int, n: int) -> dict[str, float]:
    """A share with its 95 % interval by Wilson."""
    return _interval(hits / n if n else 0.0, *wilson(hits, n))


def _interval(value: float, low: float, high: float) -> dict[str, float]:
    named = {"value": value, "low": low, "high": high}
    return {name: round(float(x), 4) for name, x in named.items()}


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


def by_group(groups: Sequence[str], hit: Labels) -> dict[str, tuple[int, int]]:
    """Hits and number of each group."""
    names = np.array(groups)
    return {
        str(name): (int(hit[names == name].sum()), int((names == name).sum()))
        for name in np.unique(names)
    }
