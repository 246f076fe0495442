"""Pooled logit -> calibrated probability -> suspected / unsure / none, and a sentence of reason."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tellsign.models.folder import Calibration

SUSPECTED, UNSURE, NONE = "suspected", "unsure", "none"


@dataclass(frozen=True)
class Verdict:
    """`verdict` is what the probability means at the model's thresholds; `none` is never "real"."""

    verdict: str
    probability: float
    logit: float
    suspected_from: float
    unsure_from: float
    reason: str


def probability(logits: Any, a: float, b: float) -> Any:
    """p = 1 / (1 + exp(a s + b)) of logits s, float64 [...] (Platt, 1999)."""
    # tanh form of the logistic function: no overflow at any logit.
    return 0.5 * (1 - np.tanh((a * logits + b) / 2))


def judge(logit: float, calibration: Calibration) -> Verdict:
    """Platt-scale a pooled logit and compare it with the thresholds."""
    p = float(probability(np.float64(logit), calibration.a, calibration.b))
    if p >= calibration.suspected:
        kind = SUSPECTED
        reason = "Looks generated: at most 1 in 100 real pictures scores as high as this one."
    elif p >= calibration.unsure:
        kind = UNSURE
        reason = "Some signs of generation, but about 1 in 20 real pictures scores like this."
    else:
        kind = NONE
        reason = "No sign of generation found. This does not mean that the picture is real."
    return Verdict(kind, p, logit, calibration.suspected, calibration.unsure, reason)
