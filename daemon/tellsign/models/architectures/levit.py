"""LeViT-128S (Graham et al., 2021) with either of two heads: what comes with Tellsign."""

import math
from collections.abc import Iterator
from typing import Any

import timm
import torch
from torch import nn

from tellsign.models.architectures.statistics import StatisticsReader


class Levit:
    """What both have: timm's network, its batch norms folded away where it doesn't learn."""

    backbone: Any

    @staticmethod
    def start() -> Any:
        """The backbone as it is before it has learned, without a head of its own."""
        return timm.create_model("levit_128s", pretrained=False, num_classes=0)

    def fuse(self) -> None:
        """Fold the batch norms into their neighbours, for inference."""
        fuse_batch_norms(self.backbone)

    def cam_layer(self) -> nn.Module:
        """The 14x14 stage, whose tokens Grad-CAM reads."""
        stage: nn.Module = self.backbone.stages[0]
        return stage


class LevitDetector(Levit, nn.Module):
    """With the detector head of the original report.

    The 384-channel last feature map goes through a 1x1 convolution to 64 channels, ReLU, average
    pooling and a linear layer: float [n, 3, 224, 224] -> logits float [n], positive for AI.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = self.start()
        self.head = nn.Sequential(
            nn.Conv2d(384, 64, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.backbone.forward_features(x)
        logits: torch.Tensor = self.head(tokens.transpose(1, 2).reshape(-1, 384, 4, 4)).squeeze(1)
        return logits


class LevitStatistics(Levit, StatisticsReader):
    """With a head on the statistics of the stem's convolutions and of each stage.

    float [n, 3, 224, 224] -> logits float [n], positive for AI.
    """

    CHANNELS = (16, 32, 64, 128, 128, 256, 384)

    def __init__(self, hidden: int = 256) -> None:
        super().__init__(self.CHANNELS, hidden)
        self.backbone = self.start()

    def maps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Those of the stem's four convolutions, before they are activated, and of each stage."""
        for number, layer in enumerate(self.backbone.stem):
            x = layer(x)
            if number % 2 == 0:
                yield x
        tokens = x.flatten(2).transpose(1, 2)
        for stage in self.backbone.stages:
            tokens = stage(tokens)
            side = math.isqrt(tokens.shape[1])
            yield tokens.transpose(1, 2).unflatten(2, (side, side))


def fuse_batch_norms(module: nn.Module) -> None:
    """Replace timm's layers that know how to `fuse()` themselves by what they fuse to."""
    for name, child in module.named_children():
        fused = getattr(child, "fuse", None)
        if callable(fused):
            setattr(module, name, fused())
        else:
            fuse_batch_norms(child)
