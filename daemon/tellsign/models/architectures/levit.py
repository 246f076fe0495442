"""LeViT-128S with the detector's head: the network that comes with Tellsign."""

from typing import Any

import timm
import torch
from torch import nn


class LevitDetector(nn.Module):
    """LeViT-128S (Graham et al., 2021) with the detector head of the original report.

    The 384-channel last feature map goes through a 1x1 convolution to 64 channels, ReLU, average
    pooling and a linear layer: float [n, 3, 224, 224] -> logits float [n], positive for AI.
    """

    GRID = 4

    def __init__(self) -> None:
        super().__init__()
        self.backbone: Any = timm.create_model("levit_128s", pretrained=False, num_classes=0)
        self.head = nn.Sequential(
            nn.Conv2d(384, 64, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 1),
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The last feature map, float [n, 384, 4, 4]."""
        tokens: torch.Tensor = self.backbone.forward_features(x)
        return tokens.transpose(1, 2).reshape(len(x), 384, self.GRID, self.GRID)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(x)).squeeze(1)
        return logits

    def fuse(self) -> None:
        """Fold the batch norms into their neighbours, for inference."""
        fuse_batch_norms(self)

    def cam_layer(self) -> nn.Module:
        """The 14x14 stage, whose tokens Grad-CAM reads."""
        stage: nn.Module = self.backbone.stages[0]
        return stage


def fuse_batch_norms(module: nn.Module) -> None:
    """Replace timm's layers that know how to `fuse()` themselves by what they fuse to."""
    for name, child in module.named_children():
        fused = getattr(child, "fuse", None)
        if callable(fused):
            setattr(module, name, fused())
        else:
            fuse_batch_norms(child)
