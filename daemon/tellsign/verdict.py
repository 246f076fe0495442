"""Pooled logit -> calibrated probability -> suspected / unsure / none, and a sentence of reason."""

import math
from dataclasses import dataclass

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


def judge(logit: float, calibration: Calibration) -> Verdict:
    """Platt-scale a pooled logit and compare it with the thresholds (Platt, 1999)."""
    # tanh form of the logistic function: no overflow at any logit.
    probability = 0.5 * (1 - math.tanh((calibration.a * logit + calibration.b) / 2))
    if probability >= calibration.suspected:
        kind = SUSPECTED
        reason = "Looks generated: at most 1 in 100 real pictures scores as high as this one."
    elif probability >= calibration.unsure:
        kind = UNSURE
        reason = "Some signs of generation, but about 1 in 20 real pictures scores like this."
    else:
        kind = NONE
        reason = "No sign of generation found. This does not mean that the picture is real."
    return Verdict(kind, probability, logit, calibration.suspected, calibration.unsure, reason)
