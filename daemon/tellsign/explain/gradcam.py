"""Grad-CAM (Selvaraju et al., 2017) at the stage of a network that still has a fine grid."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from tellsign.explain.cover import Map, covered
from tellsign.explain.heatmap import Heatmap
from tellsign.views import Pixels, ViewPlan


def gradcam(
    network: nn.Module,
    to_tensor: Callable[[Pixels], torch.Tensor],
    image: Image.Image,
    plan: ViewPlan,
) -> Heatmap:
    """Grad-CAM of every crop that covers the picture, each weighted by the crop's own probability.

    `to_tensor` normalises views as the network wants them.
    """
    return covered(image, plan, "gradcam", lambda crops: _maps(network, to_tensor(crops)))


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
