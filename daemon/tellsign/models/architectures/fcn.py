"""Fully convolutional networks that say for every pixel whether it is generated."""

from typing import Any

import timm
import torch
from torch import nn
from torch.nn import functional as F


class PixelDetector(nn.Module):
    """A network that labels pixels.

    float [n, 3, S, S] -> logits float [n]: the mean of the quarter of the pixels with the highest
    logits, so that a generated part counts in a real picture.
    """

    TOP = 0.25

    def pixels(self, x: torch.Tensor) -> torch.Tensor:
        """float [n, 3, S, S] -> a logit a pixel, float [n, S, S]."""
        raise NotImplementedError

    def pooled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of pixels, float [n, S, S] -> of pictures, float [n]."""
        flat = pixels.flatten(1)
        return flat.topk(round(self.TOP * flat.shape[1]), dim=1).values.mean(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pooled(self.pixels(x))


class Fcn(PixelDetector):
    """A fully convolutional network (Long et al., 2015) with a transposed-convolution decoder."""

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
        levels = self.backbone(x)
        y = self.lateral[-1](levels[-1])
        for up, lateral, level in zip(
            reversed(self.up), reversed(self.lateral[:-1]), reversed(levels[:-1]), strict=True
        ):
            y = F.relu(up(y)[..., : level.shape[2], : level.shape[3]] + lateral(level))
        return _to(x, self.head(y)).squeeze(1)


class NoiseUnet(PixelDetector):
    """The first five stages of EfficientNet-Lite 0 as a U-Net (Ronneberger et al., 2015), which
    reads the picture's noise residual beside the picture.

    What autoencoders leave is weak against what a picture shows. The residual, what a blur takes
    away, is where forensic networks look first (Zhou et al., "Learning Rich Features for Image
    Manipulation Detection", 2018).
    """

    BACKBONE = "tf_efficientnet_lite0"
    STAGES = (0, 1, 2, 4)
    """Those that are read: 2, 4, 8 and 16 pixels a cell."""
    GAIN, MOST = 8.0, 3.0
    """Of the residual."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        network: Any = timm.create_model(
            self.BACKBONE, features_only=True, out_indices=(0, 1, 2, 3)
        )
        self.backbone = network
        channels = network.feature_info.channels()
        stem = network.conv_stem.out_channels
        self.residual = nn.Conv2d(3, stem, 5, stride=2, padding=2, bias=False)
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.mix = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in channels[1:]
        )
        self.head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 1, 1))

    def pixels(self, x: torch.Tensor) -> torch.Tensor:
        levels = zip(self.lateral, self._levels(x), strict=True)
        *finer, y = [lateral(level) for lateral, level in levels]
        for mix, level in zip(reversed(self.mix), reversed(finer), strict=True):
            y = _to(level, y + mix(y)) + level
        return _to(x, self.head(y)).squeeze(1)

    def _levels(self, x: torch.Tensor) -> list[torch.Tensor]:
        network, levels = self.backbone, []
        blurred = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        residual = (self.GAIN * (x - blurred)).clamp(-self.MOST, self.MOST)
        x = network.bn1(network.conv_stem(x) + self.residual(residual))
        for number, stage in enumerate(network.blocks):
            x = stage(x)
            if number in self.STAGES:
                levels.append(x)
        return levels


def _to(like: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Scaled to the height and width of another."""
    return F.interpolate(y, like.shape[2:], mode="bilinear", align_corners=False)
