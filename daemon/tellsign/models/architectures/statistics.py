"""Networks that are read at every stage by the statistics of its channels."""

from collections.abc import Iterator, Sequence
from typing import Any

import timm
import torch
from torch import nn


class StatisticsReader(nn.Module):
    """A head on what the channels of a network's maps are like over the whole picture.

    Mean and variance of a channel over the picture are what style transfer knows as style (Huang
    and Belongie, 2017). Those of the first stages hold the texture that a generator leaves.
    float [n, 3, S, S] -> logits float [n].
    """

    LEAST = 1e-5
    """Added to a variance before its logarithm is taken."""
    MOST = 6.0
    """Standard deviations by which a statistic may be off."""

    def __init__(self, channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        count = 2 * sum(channels)
        # A channel that is hardly used where it learns may be far out elsewhere.
        norm = nn.BatchNorm1d(count, affine=False)
        self.norm = nn.Sequential(norm, nn.Hardtanh(-self.MOST, self.MOST))
        self.head = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(count, hidden), nn.GELU(),
            nn.Dropout(0.2), nn.Linear(hidden, 1),
        )  # fmt: skip

    def maps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """The maps that are read, first to last, float [n, channels, H, W]."""
        raise NotImplementedError

    def read(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Means and logarithms of variances, map by map, float [n, 2 sum(channels)]."""
        found = []
        for flat in (x.float().flatten(2) for x in maps):
            found += [flat.mean(2), (flat.var(2, correction=0) + self.LEAST).log()]
        return torch.cat(found, 1)

    def statistics(self, x: torch.Tensor) -> torch.Tensor:
        """What the head reads before it is normalised, float [n, 2 sum(channels)]."""
        return self.read([*self.maps(x)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.norm(self.statistics(x))).squeeze(1)
        return logits


class StatisticsDetector(StatisticsReader):
    """An EfficientNet, cut after some stages, with a head on its channels' statistics.

    The last stages hold what a picture shows, which only misleads: they are cut off.
    """

    def __init__(
        self, backbone: str = "tf_efficientnet_lite0", stages: int = 6, hidden: int = 1024
    ) -> None:
        network: Any = timm.create_model(backbone, num_classes=0)
        network.blocks = network.blocks[:stages]
        network.conv_head = network.bn2 = nn.Identity()
        stem = network.conv_stem.out_channels
        super().__init__([stem, *map(_width, network.blocks)], hidden)
        self.backbone = network

    def maps(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Those of the stem and of each stage."""
        network = self.backbone
        x = network.bn1(network.conv_stem(x))
        for stage in [nn.Identity(), *network.blocks]:
            x = stage(x)
            yield x

    def cam_layer(self) -> nn.Module:
        """The last stage of 14x14, which Grad-CAM reads."""
        stage: nn.Module = self.backbone.blocks[4]
        return stage


def _width(stage: Any) -> int:
    """Channels that a stage gives."""
    convolutions = [m for m in stage[-1].modules() if isinstance(m, nn.Conv2d)]
    return int(convolutions[-1].out_channels)
