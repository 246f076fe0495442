"""What is minimised: labels, pixels, and what teachers say, each part by itself."""

import torch
from torch import nn
from torch.nn import functional as F

from tellsign.models.architectures import LevitStatistics, PixelDetector
from tellsign_training.hints import SHAPES, hints_of
from tellsign_training.recipe import FitPlan, RecipeError
from tellsign_training.stores import Batch

LEVIT = {"28": 64, "14": 128, "7": 256, "statistics": 2 * sum(LevitStatistics.CHANNELS)}
"""Channels that LeViT has where a hint is given."""
WEIGHTS = {"28": 1.0, "14": 1.0, "7": 1.0, "statistics": 3.0}
"""Of the hints among themselves."""


class Learner(nn.Module):
    """The detector with all that it needs only while it learns.

    Raises:
        RecipeError: the plan has hints for a network that can't take them.
    """

    def __init__(self, detector: nn.Module, plan: FitPlan) -> None:
        super().__init__()
        self.detector = detector
        self.plan = plan
        if plan.hints_weight:
            if not isinstance(detector, LevitStatistics):
                raise RecipeError("hints_weight is for levit_128s_statistics alone.")
            self.to_hints = nn.ModuleDict({
                name: nn.Conv2d(LEVIT[name], shape[0], 1) if shape[1:]
                else nn.Linear(LEVIT[name], shape[0])
                for name, shape in SHAPES.items()
            })  # fmt: skip

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The parts of the loss, each weighted; their sum is minimised."""
        plan, parts = self.plan, {}
        if plan.hints_weight:
            logits, hints = self._hinted(batch["x"])
            missed = [
                weight * _missed(hints[name], batch[name], batch["hinted"])
                for name, weight in WEIGHTS.items()
            ]
            parts["hints"] = plan.hints_weight * torch.stack(missed).sum()
        elif isinstance(self.detector, PixelDetector):
            pixels, mask = self.detector.pixels(batch["x"]).float(), batch["mask"].float()
            parts["pixels"] = F.binary_cross_entropy_with_logits(
                pixels, _smoothed(mask, plan.label_smoothing)
            )
            if plan.overlap_weight:
                parts["overlap"] = plan.overlap_weight * _not_overlapping(pixels, mask)
            logits = self.detector.pooled(pixels)
        else:
            logits = self.detector(batch["x"]).flatten()
        target = _smoothed(batch["y"], plan.label_smoothing)
        parts["label"] = plan.label_weight * F.binary_cross_entropy_with_logits(
            logits.float(), target
        )
        if plan.logits_weight:
            said = batch["logits"].isfinite()
            soft = torch.sigmoid(batch["logits"].nan_to_num())
            loss = F.binary_cross_entropy_with_logits(logits.float(), soft, reduction="none")
            parts["logits"] = plan.logits_weight * (loss * said).mean()
        return parts

    def _hinted(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """LeViT's logits, and what it makes of each hint."""
        detector = self.detector
        assert isinstance(detector, LevitStatistics)
        found = hints_of(detector, [*detector.maps(x)])
        found["statistics"] = detector.norm(found["statistics"])
        logits = detector.head(found["statistics"]).squeeze(1)
        return logits, {name: to(found[name]) for name, to in self.to_hints.items()}


def _smoothed(label: torch.Tensor, by: float) -> torch.Tensor:
    return label * (1 - by) + by / 2


def _not_overlapping(pixels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 less the Jaccard index of probabilities with masks, [n, S, S], of those with both kinds of
    pixels (Rahman and Wang, 2016)."""
    probability = torch.sigmoid(pixels)
    both = (probability * mask).sum((1, 2))
    either = (probability + mask - probability * mask).sum((1, 2))
    partly = mask.amin((1, 2)) < mask.amax((1, 2))
    return ((1 - (both + 1) / (either + 1)) * partly).mean()


def _missed(found: torch.Tensor, wanted: torch.Tensor, hinted: torch.Tensor) -> torch.Tensor:
    """Mean squared difference over the crops that have hints."""
    difference = (found.float() - wanted).square().flatten(1).mean(1)
    return (difference * hinted).mean()
