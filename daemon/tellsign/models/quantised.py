"""Weights as 8-bit integers on the disk: a quarter of the bytes, float32 once loaded.

Each matrix is scaled row by row, symmetrically: `w = scale * q`, with q an int8 in [-127, 127]. In
a file `NAME` holds q and `NAME.scale` the scales, float32 [rows]. What is no large matrix stays. So
does a network's head, which may tell pictures apart by small differences of large numbers.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"
LEAST = 1 << 16
"""Elements of a matrix that is worth it."""
HEAD = "head."
NDIM = (2, 4)
"""Of the weights of linear layers and of convolutions."""


def quantised(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with their large matrices as int8 and scales, to be written to a file."""
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        matrix = weight.is_floating_point() and weight.ndim in NDIM and weight.numel() >= LEAST
        if not matrix or name.startswith(HEAD):
            stored[name] = weight
            continue
        rows = weight.float().flatten(1)
        scale = (rows.abs().amax(1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
        q = (rows / scale[:, None]).round().clamp(-127, 127)
        stored[name] = q.to(torch.int8).view_as(weight)
        stored[name + SCALE] = scale
    return stored


def restored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a file, float32 where it holds int8 with scales.

    Raises:
        ValueError: integers without their scales, or scales of another shape.
    """
    weights = {name: value for name, value in stored.items() if not name.endswith(SCALE)}
    for name, q in weights.items():
        if q.dtype != torch.int8:
            continue
        scale = stored.get(name + SCALE, torch.empty(0))
        if q.ndim not in NDIM or scale.dtype != torch.float32 or scale.shape != q.shape[:1]:
            raise ValueError(f"{name} has no scale that fits it")
        weights[name] = q.float() * scale.view(-1, *[1] * (q.ndim - 1))
    return weights
