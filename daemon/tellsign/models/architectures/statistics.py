"""A convolutional network that is read at every stage by the statistics of its channels."""

from typing import Any

import timm
import torch
from torch import nn


class StatisticsDetector(nn.Module):
    """An EfficientNet, cut after some stages, with a head on its channels' statistics.

    Mean and variance of a channel over the picture are what style transfer knows as style (Huang
    and Belongie, 2017). Those of the first stages hold the texture that a generator leaves; the
    last stages hold what a picture shows, which only misleads: they are cut off.
    float [n, 3, S, S] -> logits float [n].
    """

    LEAST = 1e-5
    """Added to a variance before its logarithm is taken."""
    MOST = 6.0
    """Standard deviations by which a statistic may be off."""

    def __init__(
        self, backbone: str = "tf_efficientnet_lite0", stages: int = 6, hidden: int = 1024
    ) -> None:
        super().__init__()
        network: Any = timm.create_model(backbone, num_classes=0)
        network.blocks = network.blocks[:stages]
        network.conv_head = network.bn2 = nn.Identity()
        self.backbone = network
        channels = [network.conv_stem.out_channels]
        channels += [_width(stage) for stage in network.blocks]
        # A channel that is hardly used where it learns may be far out elsewhere.
        norm = nn.BatchNorm1d(2 * sum(channels), affine=False)
        self.norm = nn.Sequential(norm, nn.Hardtanh(-self.MOST, self.MOST))
        self.head = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(2 * sum(channels), hidden), nn.GELU(),
            nn.Dropout(0.2), nn.Linear(hidden, 1),
        )  # fmt: skip

    def statistics(self, x: torch.Tensor) -> torch.Tensor:
        """Means and logarithms of variances, stage by stage, float [n, 2 sum(channels)]."""
        network, found = self.backbone, []
        x = network.bn1(network.conv_stem(x))
        for stage in [nn.Identity(), *network.blocks]:
            x = stage(x)
            flat = x.float().flatten(2)
            found += [flat.mean(2), (flat.var(2, correction=0) + self.LEAST).log()]
        return torch.cat(found, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.norm(self.statistics(x))).squeeze(1)
        return logits

    def cam_layer(self) -> nn.Module:
        """The last stage of 14x14, which Grad-CAM reads."""
        stage: nn.Module = self.backbone.blocks[4]
        return stage


def _width(stage: Any) -> int:
    """Channels that a stage gives."""
    convolutions = [m for m in stage[-1].modules() if isinstance(m, nn.Conv2d)]
    return int(convolutions[-1].out_channels)
