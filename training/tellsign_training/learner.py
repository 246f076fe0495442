"""What is minimised: labels, pixels, and what teachers say, each part by itself."""

import torch
from torch import nn
from torch.nn import functional as F

from tellsign.models.architectures import LevitDetector, PixelDetector
from tellsign_training.recipe import FitPlan, RecipeError
from tellsign_training.stores import Batch
from tellsign_training.teacher import TOKENS, VECTOR


class Learner(nn.Module):
    """The detector with all that it needs only while it learns.

    Raises:
        RecipeError: the plan wants features of a network that shows none.
    """

    def __init__(self, detector: nn.Module, plan: FitPlan) -> None:
        super().__init__()
        self.detector = detector
        self.plan = plan
        self.copies_features = bool(plan.vector_weight or plan.tokens_weight)
        if self.copies_features:
            if not isinstance(detector, LevitDetector):
                raise RecipeError("vector_weight and tokens_weight are for LeViT-128S alone.")
            self.to_tokens = nn.Linear(256, TOKENS)
            self.to_vector = nn.Sequential(nn.LayerNorm(384), nn.Linear(384, VECTOR))

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The parts of the loss, each weighted; their sum is minimised."""
        plan, parts = self.plan, {}
        if self.copies_features:
            logits, vector, tokens = self._levit(batch["x"])
            parts["vector"] = plan.vector_weight * _taught(vector, batch["vector"], batch)
            parts["tokens"] = plan.tokens_weight * _taught(tokens, batch["tokens"], batch)
        elif isinstance(self.detector, PixelDetector):
            pixels = self.detector.pixels(batch["x"])
            parts["pixels"] = F.binary_cross_entropy_with_logits(
                pixels.float(), batch["mask"].float()
            )
            logits = self.detector.pooled(pixels)
        else:
            logits = self.detector(batch["x"]).flatten()
        target = batch["y"] * (1 - plan.label_smoothing) + plan.label_smoothing / 2
        parts["label"] = F.binary_cross_entropy_with_logits(logits.float(), target)
        if plan.logits_weight:
            said = batch["logits"].isfinite()
            soft = torch.sigmoid(batch["logits"].nan_to_num())
            loss = F.binary_cross_entropy_with_logits(logits.float(), soft, reduction="none")
            parts["logits"] = plan.logits_weight * (loss * said).mean()
        return parts

    def _levit(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """LeViT's logits, and its two views of the teacher's features."""
        detector = self.detector
        assert isinstance(detector, LevitDetector)
        backbone = detector.backbone
        x = backbone.stem(x).flatten(2).transpose(1, 2)
        x = backbone.stages[1](backbone.stages[0](x))
        tokens = self.to_tokens(x).reshape(len(x), 7, 7, TOKENS)
        x = backbone.stages[2](x)
        vector = self.to_vector(x.mean(1))
        grid = x.transpose(1, 2).reshape(len(x), 384, LevitDetector.GRID, LevitDetector.GRID)
        return detector.head(grid).squeeze(1), vector, tokens


def _taught(found: torch.Tensor, wanted: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean squared difference over the crops that the teacher has seen."""
    difference = (found.float() - wanted).square().flatten(1).mean(1)
    return (difference * batch["taught"]).mean()
