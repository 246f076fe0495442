"""Platt scaling and thresholds at a false-positive budget, from scores on `val`."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tellsign.verdict import probability
from tellsign_training.data import DataError
from tellsign_training.metrics import Array, Labels, threshold_at_fpr, wilson
from tellsign_training.scores import Scores

BUDGETS = {"suspected": 0.01, "unsure": 0.05}


class WrongWayError(ValueError):
    """A model whose scores do not rise from real to AI pictures; the message says what to do."""


def platt(ai: Labels, logits: Array) -> tuple[float, float]:
    """A and B of p = 1 / (1 + exp(A s + B)), both classes weighing the same (Platt, 1999)."""
    model = LogisticRegression(C=1e6, class_weight="balanced").fit(logits.reshape(-1, 1), ai)
    return -float(model.coef_[0, 0]), -float(model.intercept_[0])


def calibrate(scores: Scores, data: str) -> dict[str, Any]:
    """The content of calibration.json.

    Platt is fitted over all tiers together. A threshold is the strictest of those that hold its
    budget of false positives in each tier, so that no way of delivery breaks the promise.

    Raises:
        DataError: the pictures are all real or all AI.
        WrongWayError: the scores are no better than chance, or the wrong way round.
    """
    if scores.ai.all() or not scores.ai.any():
        raise DataError("Calibrating needs both real and AI pictures.")
    tiers = scores.logits.shape[1]
    ai, logits = np.repeat(scores.ai, tiers), scores.logits.ravel()
    a, b = platt(ai, logits)
    auc = roc_auc_score(ai, logits)
    if a >= 0 or auc < 0.5:
        raise WrongWayError(
            f"This model does not score AI pictures higher than real ones (AUC {auc:.3f} over all "
            "tiers, 0.5 is chance): its probabilities would be upside down. Look whether the "
            "labels of its training and of this data are the same, or train it further."
        )
    real = scores.logits[~scores.ai]
    thresholds = {}
    for name, budget in BUDGETS.items():
        logit = max(threshold_at_fpr(real[:, i], budget) for i in range(tiers))
        false = dict(zip(scores.tiers, (real >= logit).sum(0).tolist(), strict=True))
        thresholds[name] = {
            "probability": float(probability(logit, a, b)),
            "logit": logit,
            "budget": budget,
            "real": len(real),
            "false_positives": false,
            "upper": {t: round(wilson(n, len(real))[1], 4) for t, n in false.items()},
        }
    return {
        "platt": {"a": a, "b": b},
        "thresholds": thresholds,
        "data": {
            "name": data, "split": "val", "tiers": list(scores.tiers),
            "ai": int(scores.ai.sum()), "real": int((~scores.ai).sum()),
        },
    }  # fmt: skip
