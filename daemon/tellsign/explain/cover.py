"""A map of the whole picture out of those of the crops that cover it."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellsign.explain.heatmap import Heatmap
from tellsign.views import Box, Pixels, ViewPlan, boxes, canonical, middle, whole

Map = npt.NDArray[np.float32]

STRIDE = 16
"""Pixels of the canonical picture that one cell of the map stands for."""
BATCH = 16


def covered(
    image: Image.Image, plan: ViewPlan, method: str, read: Callable[[Pixels], tuple[Map, Map]]
) -> Heatmap:
    """The mean of the maps of every crop that covers the picture.

    Of a model that reads no crops it is that of the picture's middle square, scaled, which it reads
    in their place. `read` gives of views, uint8 [n, S, S, 3], maps in [0, 1], [n, S, S], and their
    weights, [n].
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
        maps, weights = read(crops)
        for (left, top, right, _), values, weight in zip(batch, maps, weights, strict=True):
            cells = _shrink(values, -(-(right - left) // STRIDE))
            row, column = round(top / STRIDE), round(left / STRIDE)
            part = np.s_[row : row + len(cells), column : column + len(cells)]
            cut = total[part].shape
            total[part] += cells[: cut[0], : cut[1]] * weight
            count[part] += 1
    values = (total / count.clip(1)).clip(0, 1).astype(np.float32)
    shrunk = plan.size / (places[0][2] - places[0][0])  # of a scaled view, cells are larger
    return Heatmap(values, method, (round(rows * shrunk), round(columns * shrunk)))


def _view(image: Image.Image, box: Box, plan: ViewPlan) -> Image.Image:
    return image.crop(box) if plan.crops else whole(image, plan.size)


def _shrink(values: Map, cells: int) -> Map:
    return np.asarray(Image.fromarray(values).resize((cells, cells), Image.Resampling.BOX))
