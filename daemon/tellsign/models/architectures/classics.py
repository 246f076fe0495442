"""The two networks of the first studies, for squares of 256 pixels."""

import torch
from torch import nn


class LeNet5(nn.Sequential):
    """LeNet-5 (LeCun et al., 1998) on three channels of 256 pixels, with ReLU and max pooling.

    float [n, 3, 256, 256] -> logits float [n, 1].
    """

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * 61 * 61, 120), nn.ReLU(),
            nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 1),
        )  # fmt: skip


class CNN8(nn.Module):
    """The studies' own network: eight convolutions, each halving the sides, three linear layers.

    It has two outputs, real and AI; the logit is their difference, as for a softmax over both.
    float [n, 3, 256, 256] -> logits float [n].
    """

    WIDTHS = (32, 64, 128, 256, 362, 512, 724, 1024)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in zip((3, *self.WIDTHS), self.WIDTHS, strict=False):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(self.WIDTHS[-1], 724), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(724, 516), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(516, 2),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        real, ai = self.head(self.features(x)).unbind(1)
        logits: torch.Tensor = ai - real
        return logits
