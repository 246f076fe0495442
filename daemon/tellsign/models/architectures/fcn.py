"""Fully convolutional networks that say for every pixel whether it is generated."""

from typing import Any

import timm
import torch
from torch import nn
from torch.nn import functional as F


class PixelDetector(nn.Module):
    """A fully convolutional network (Long et al., 2015) with a transposed-convolution decoder.

    float [n, 3, S, S] -> logits float [n]: the mean of the quarter of the pixels with the highest
    logits, so that a generated part counts in a real picture.
    """

    TOP = 0.25

    def __init__(self, backbone: str = "resnet50", width: int = 256) -> None:
        super().__init__()
        network: Any = timm.create_model(backbone, features_only=True, out_indices=(2, 3, 4))
        self.backbone = network
        channels = network.feature_info.channels()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1, groups=width)
            for _ in channels[1:]
        )
        self.head = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, 32, 4, stride=4), nn.ReLU(),
            nn.Conv2d(32, 1, 1),
        )  # fmt: skip

    def pixels(self, x: torch.Tensor) -> torch.Tensor:
        """float [n, 3, S, S] -> a logit a pixel, float [n, S, S]."""
        levels = self.backbone(x)
        y = self.lateral[-1](levels[-1])
        for up, lateral, level in zip(
            reversed(self.up), reversed(self.lateral[:-1]), reversed(levels[:-1]), strict=True
        ):
            y = F.relu(up(y)[..., : level.shape[2], : level.shape[3]] + lateral(level))
        y = F.interpolate(self.head(y), x.shape[2:], mode="bilinear", align_corners=False)
        return y.squeeze(1)

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of pixels, float [n, S, S] -> of pictures, float [n]."""
        flat = pixels.flatten(1)
        return flat.topk(round(self.TOP * flat.shape[1]), dim=1).values.mean(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pooled(self.pixels(x))
