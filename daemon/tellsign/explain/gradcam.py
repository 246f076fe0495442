"""Grad-CAM (Selvaraju et al., 2017) at the stage of a network that still has a fine grid."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
from torch import nn

from tellsign.explain.heatmap import Heatmap
from tellsign.views import Pixels, ViewPlan, boxes, canonical

Map = npt.NDArray[np.float32]

STRIDE = 16
"""Pixels of the canonical picture that one cell of the map stands for."""
BATCH = 16


def gradcam(
    network: nn.Module,
    to_tensor: Callable[[Pixels], torch.Tensor],
    pixels: Pixels,
    plan: ViewPlan,
) -> Heatmap:
    """Grad-CAM of every crop that covers the picture, each weighted by the crop's own probability.

    `pixels` is uint8 [H, W, 3]; `to_tensor` normalises views as the network wants them; the
    network has a method `cam_layer()` whose output is tokens [n, g * g, c].
    """
    image = canonical(Image.fromarray(pixels), plan)
    everything = ViewPlan(plan.size, plan.long_side, crops=10_000, whole=False)
    places = boxes(*image.size, everything)
    rows, columns = -(-image.height // STRIDE), -(-image.width // STRIDE)
    total = np.zeros((rows, columns), np.float64)
    count = np.zeros_like(total)
    layer = network.cam_layer()  # type: ignore[operator]
    with GradCAM(network, [layer], reshape_transform=_grid) as cam:
        for start in range(0, len(places), BATCH):
            batch = places[start : start + BATCH]
            crops = np.stack([np.asarray(image.crop(box)) for box in batch])
            maps = cam(to_tensor(crops), [_Logit()] * len(batch))
            weights = torch.sigmoid(cam.outputs.detach().float()).cpu().numpy()
            for (left, top, _, _), values, weight in zip(batch, maps, weights, strict=True):
                cells = _shrink(values, plan.size // STRIDE)
                row, column = round(top / STRIDE), round(left / STRIDE)
                part = np.s_[row : row + len(cells), column : column + len(cells)]
                cut = total[part].shape
                total[part] += cells[: cut[0], : cut[1]] * weight
                count[part] += 1
    values = (total / count.clip(1)).clip(0, 1).astype(np.float32)
    return Heatmap(values, "gradcam", (rows, columns))


class _Logit(RawScoresOutputTarget):  # type: ignore[misc]
    """The logit itself: networks here give one number a picture."""


def _grid(tokens: torch.Tensor) -> torch.Tensor:
    """[n, g * g, c] -> [n, c, g, g]."""
    side = round(tokens.shape[1] ** 0.5)
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)


def _shrink(values: Map, cells: int) -> Map:
    step = len(values) // cells
    small: Map = values.reshape(cells, step, cells, step).mean((1, 3))
    return small
