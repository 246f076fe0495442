"""CLIP's image tower, cut where the traces of generation are still there."""

from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import nn


class ClipTower(nn.Module):
    """CLIP ViT-B/16 (Radford et al., 2021) up to its last tapped block, with a head.

    The head reads the class tokens after the tapped blocks and the mean patch token after the last
    of them: float [n, 3, 224, 224] -> logits float [n]. It is linear, or, with `hidden` units, a
    projection to `DIRECTIONS` and a layer of these.
    """

    DIRECTIONS = 256

    NAME = "vit_base_patch16_clip_quickgelu_224"

    def __init__(self, taps: Sequence[int] = (4, 6, 8), hidden: int = 0) -> None:
        super().__init__()
        tower: Any = timm.create_model(self.NAME, num_classes=0)
        tower.blocks = tower.blocks[: max(taps)]
        tower.norm = nn.Identity()
        self.backbone: Any = tower
        self.taps = tuple(taps)
        width = tower.embed_dim * (len(taps) + 1)
        layers: list[nn.Module] = [nn.Linear(width, 1)]
        if hidden:
            layers = [
                nn.Linear(width, self.DIRECTIONS, bias=False),
                nn.Linear(self.DIRECTIONS, hidden), nn.GELU(), nn.Linear(hidden, 1),
            ]  # fmt: skip
        norm = nn.BatchNorm1d(width, affine=False)
        self.head = nn.Sequential(norm, nn.Dropout(0.2), *layers)

    def taken(self, x: torch.Tensor) -> torch.Tensor:
        """Class tokens and mean patch token, float [n, 768 (taps + 1)]."""
        tower = self.backbone
        x = tower.norm_pre(tower._pos_embed(tower.patch_embed(x)))
        classes = []
        for number, block in enumerate(tower.blocks, start=1):
            x = block(x)
            if number in self.taps:
                classes.append(x[:, 0])
        return torch.cat([*classes, x[:, 1:].mean(1)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.taken(x)).squeeze(1)
        return logits
