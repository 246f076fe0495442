"""How many views of which scale a detector should read: tried on `val`, not guessed.

Every plan of a grid is scored from the same crops: a picture is delivered once, each different crop
goes through the network once, and a plan's logit is the mean of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellsign.detector import Detector
from tellsign.picture import PictureError
from tellsign.views import Box, Pixels, ViewPlan, boxes, canonical, whole
from tellsign_training import metrics
from tellsign_training.data import DataError, Sample, load
from tellsign_training.delivery import TIERS, deliver
from tellsign_training.pooled import pooled

LONG_SIDES = (512, 768, 1024)
CROPS = (1, 2, 4, 6, 9)
TOLERANCE = 0.002
"""A plan of fewer views is as good as the best if its AUC is at most this much lower."""

Members = dict[ViewPlan, list[int]]
"""The rows of a stack of crops that a plan reads."""


@dataclass(frozen=True)
class Tried:
    """A plan's figures on a split, each the mean over the tiers; `views` is the mean number."""

    plan: ViewPlan
    auc: float
    tpr_at_5_fpr: float
    views: float


def candidates(plan: ViewPlan) -> list[ViewPlan]:
    """The plans that are tried for a network of this size of view."""
    return [
        replace(plan, long_side=side, crops=crops, whole=with_whole)
        for side in LONG_SIDES
        for crops in CROPS
        for with_whole in (False, True)
    ]


def tried(detector: Detector, samples: Sequence[Sample], workers: int) -> list[Tried]:
    """The figures of all candidates, the best AUC first; unreadable pictures are left out.

    Raises:
        DataError: the pictures are all real or all AI.
    """
    plans = candidates(detector.plan)
    logits: dict[ViewPlan, list[list[float]]] = {plan: [] for plan in plans}
    counts: dict[ViewPlan, list[int]] = {plan: [] for plan in plans}
    labels = []
    found = pooled(partial(_tiers, plans=plans), samples, workers, "trying views")
    for sample, tiers in zip(samples, found, strict=True):
        if not tiers:
            continue
        labels.append(sample.ai)
        scored = [(detector.score(list(crops[:, None])), members) for crops, members in tiers]
        for plan in plans:
            rows = [np.array(scores)[members[plan]] for scores, members in scored]
            logits[plan].append([float(row.mean()) for row in rows])
            counts[plan].append(sum(map(len, rows)))
    ai = np.array(labels, np.bool_)
    if ai.all() or not ai.any():
        raise DataError("Choosing views needs both real and AI pictures.")
    results = [
        _figures(plan, ai, np.array(logits[plan]), sum(counts[plan]) / len(labels) / len(TIERS))
        for plan in plans
    ]
    return sorted(results, key=lambda t: -t.auc)


def chosen(found: Sequence[Tried]) -> Tried:
    """The plan of the fewest views among those as good as the best."""
    best = max(t.auc for t in found)
    return min((t for t in found if t.auc >= best - TOLERANCE), key=lambda t: (t.views, -t.auc))


def _figures(plan: ViewPlan, ai: metrics.Labels, logits: metrics.Array, views: float) -> Tried:
    once = np.ones((1, len(ai)))
    aucs = [metrics.auc(ai, tier, once) for tier in logits.T]
    tprs = [metrics.tpr_at_fpr(ai, tier, once, fpr=0.05) for tier in logits.T]
    return Tried(plan, float(np.mean(aucs)), float(np.mean(tprs)), float(views))


def _tiers(sample: Sample, plans: Sequence[ViewPlan]) -> list[tuple[Pixels, Members]]:
    """For each tier all different crops of a picture, uint8 [n, S, S, 3], and who reads which."""
    try:
        image, _ = load(sample)
    except PictureError:
        return []
    return [_shared(deliver(image, tier), plans) for tier in TIERS]


def _shared(image: Image.Image, plans: Sequence[ViewPlan]) -> tuple[Pixels, Members]:
    """All different crops that the plans cut out of a picture, and who reads which."""
    scaled = {plan.long_side: canonical(image, plan) for plan in plans}
    rows: dict[tuple[tuple[int, int], Box | None], int] = {}
    crops: list[npt.NDArray[np.uint8]] = []
    members: Members = {}
    for plan in plans:
        picture = scaled[plan.long_side]
        wanted: list[Box | None] = [*boxes(*picture.size, plan), *[None] * plan.whole]
        for box in wanted:
            if (picture.size, box) not in rows:
                rows[picture.size, box] = len(crops)
                view = picture.crop(box) if box else whole(picture, plan.size)
                crops.append(np.asarray(view))
        members[plan] = [rows[picture.size, box] for box in wanted]
    return np.stack(crops), members
