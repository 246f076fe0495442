"""Grad-CAM (Selvaraju et al., 2017) at the stage of a network that still has a fine grid."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from tellsign.explain.heatmap import Heatmap
from tellsign.views import Box, Pixels, ViewPlan, boxes, canonical, middle, whole

Map = npt.NDArray[np.float32]

STRIDE = 16
"""Pixels of the canonical picture that one cell of the map stands for."""
BATCH = 16


def gradcam(
    network: nn.Module,
    to_tensor: Callable[[Pixels], torch.Tensor],
    image: Image.Image,
    plan: ViewPlan,
) -> Heatmap:
    """Grad-CAM of every crop that covers the picture, each weighted by the crop's own probability.

    Of a model that reads no crops it is that of the picture's middle square, scaled, which it reads
    in their place. `to_tensor` normalises views as the network wants them.
    """
    image = canonical(image, plan)
    everything = ViewPlan(plan.size, plan.long_side, crops=10_000, whole=False)
    places = boxes(*image.size, everything) if plan.crops else [middle(*image.size)]
    rows, columns = -(-image.height // STRIDE), -(-image.width // STRIDE)
    total = np.zeros((rows, columns), np.float64)
    count = np.zeros_like(total)
    for start in range(0, len(places), BATCH):
        batch = places[start : start + BATCH]
        crops = np.stack([np.asarray(_view(image, box, plan)) for box in batch])
        maps, weights = _maps(network, to_tensor(crops))
        for (left, top, right, _), values, weight in zip(batch, maps, weights, strict=True):
            cells = _shrink(values, -(-(right - left) // STRIDE))
            row, column = round(top / STRIDE), round(left / STRIDE)
            part = np.s_[row : row + len(cells), column : column + len(cells)]
            cut = total[part].shape
            total[part] += cells[: cut[0], : cut[1]] * weight
            count[part] += 1
    values = (total / count.clip(1)).clip(0, 1).astype(np.float32)
    shrunk = plan.size / (places[0][2] - places[0][0])  # of a scaled view, cells are larger
    return Heatmap(values, "gradcam", (round(rows * shrunk), round(columns * shrunk)))


def _view(image: Image.Image, box: Box, plan: ViewPlan) -> Image.Image:
    return image.crop(box) if plan.crops else whole(image, plan.size)


def _maps(network: nn.Module, x: torch.Tensor) -> tuple[Map, Map]:
    """Views, float [n, 3, S, S] -> their maps, [n, S, S] in [0, 1], and probabilities, [n].

    Gradients go back no further than to the layer that is read.
    """
    kept: list[torch.Tensor] = []
    with (
        torch.enable_grad(),
        cam_layer(network).register_forward_hook(lambda _module, _x, output: kept.append(output)),
    ):
        logits = network(x).flatten()
    activations = kept[0]
    [gradients] = torch.autograd.grad(logits.sum(), activations)
    weights = _grid(gradients).mean((2, 3), keepdim=True)
    maps = (weights * _grid(activations.detach())).sum(1, keepdim=True).relu()
    maps = F.interpolate(_stretched(maps), x.shape[2:], mode="bilinear")
    probabilities = torch.sigmoid(logits.detach().float())
    return _stretched(maps)[:, 0].float().cpu().numpy(), probabilities.cpu().numpy()


def _stretched(maps: torch.Tensor) -> torch.Tensor:
    """Each from 0 to 1."""
    maps = maps - maps.amin((2, 3), keepdim=True)
    return maps / (maps.amax((2, 3), keepdim=True) + 1e-7)


def cam_layer(network: nn.Module) -> nn.Module:
    """The layer to read: the network's own choice, the last block's tokens, the last convolution.

    Raises:
        ValueError: the network has neither.
    """
    own: Callable[[], nn.Module] | None = getattr(network, "cam_layer", None)
    if own is not None:
        return own()
    last: Any = getattr(getattr(network, "backbone", network), "blocks", [None])[-1]
    if isinstance(getattr(last, "norm1", None), nn.LayerNorm):
        norm: nn.Module = last.norm1
        return norm
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    grids = [c for c in convolutions if max(c.kernel_size) > 1]
    if not grids:
        raise ValueError(f"Grad-CAM finds no layer in {type(network).__name__}.")
    return grids[-1]


def _grid(output: torch.Tensor) -> torch.Tensor:
    """Tokens [n, g * g (+ 1), c] -> [n, c, g, g]; a class token in front is left out."""
    if output.ndim == 4:
        return output
    side = int(output.shape[1] ** 0.5)
    tokens = output[:, output.shape[1] - side * side :]
    return tokens.transpose(1, 2).reshape(len(output), -1, side, side)


def _shrink(values: Map, cells: int) -> Map:
    return np.asarray(Image.fromarray(values).resize((cells, cells), Image.Resampling.BOX))
