"""ResNet-18 features with a support vector machine, as in one of the first studies."""

from typing import Any

import timm
import torch
from torch import nn


class ResNetSVM(nn.Module):
    """ResNet-18 (He et al., 2016), its 512 pooled features into an RBF support vector machine.

    The machine is scikit-learn's decision function as tensors, sum_i c_i exp(-g |v_i - f|^2) + b of
    standardised features f: float [n, 3, 224, 224] -> logits float [n].
    """

    mean: torch.Tensor
    scale: torch.Tensor
    vectors: torch.Tensor
    coefficients: torch.Tensor
    gamma: torch.Tensor
    intercept: torch.Tensor

    def __init__(self, support_vectors: int = 0) -> None:
        super().__init__()
        self.backbone: Any = timm.create_model("resnet18", num_classes=0)
        self.register_buffer("mean", torch.zeros(512))
        self.register_buffer("scale", torch.ones(512))
        self.register_buffer("vectors", torch.zeros(support_vectors, 512))
        self.register_buffer("coefficients", torch.zeros(support_vectors))
        self.register_buffer("gamma", torch.tensor(1 / 512))
        self.register_buffer("intercept", torch.tensor(0.0))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features, float [n, 512]."""
        result: torch.Tensor = self.backbone(x)
        return result

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = (self.features(x).float() - self.mean) / self.scale
        kernel = torch.exp(-self.gamma * torch.cdist(f, self.vectors).square())
        logits: torch.Tensor = kernel @ self.coefficients + self.intercept
        return logits
