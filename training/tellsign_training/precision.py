"""Whether a model may calculate in a lower precision: only where its verdicts stay the same."""

from typing import Any

import numpy as np

from tellsign.models.folder import Calibration
from tellsign.verdict import probability
from tellsign_training.metrics import Array, Labels, wilson_share
from tellsign_training.scores import Scores

MOST_FLIPS = 0.005
"""The share of verdicts that may be others."""


def flipped(exact: Scores, lower: Scores, calibration: Calibration) -> dict[str, Any]:
    """How many verdicts, of all pictures in all tiers, differ, and by how much the logits do.

    Raises:
        ValueError: the scores are of different pictures or tiers.
    """
    if (exact.path, exact.tiers) != (lower.path, lower.tiers):
        raise ValueError("The scores are of different pictures.")
    verdicts = [_verdicts(scores, calibration) for scores in (exact, lower)]
    others = (verdicts[0] != verdicts[1]).any(2)
    off = np.abs(exact.logits - lower.logits)
    return {
        "verdicts": others.size,
        "flipped": int(others.sum()),
        "share": wilson_share(int(others.sum()), others.size),
        "logits_off": {"median": float(np.median(off)), "most": float(off.max())},
    }


def _verdicts(scores: Scores, calibration: Calibration) -> Labels:
    """Whether each is at least unsure, and whether it is suspected, [pictures, tiers, 2]."""
    p: Array = probability(scores.logits, calibration.a, calibration.b)
    return p[..., None] >= np.array([calibration.unsure, calibration.suspected])
