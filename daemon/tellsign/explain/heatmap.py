"""What every method of explanation returns, and how it is drawn into a file."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image


@dataclass(frozen=True)
class Heatmap:
    """float32 [h, w] in [0, 1] over the whole picture; 1 = pushes towards AI.

    `resolution` is the number of rows and columns at which the map is meaningful.
    """

    values: npt.NDArray[np.float32]
    method: str
    resolution: tuple[int, int]

    def where(self) -> str:
        """The part of the picture with most of the evidence, in words."""
        rows, columns = self.values.shape
        weight = self.values.astype(np.float64) ** 2 + 1e-12
        y = float((weight.sum(1) * np.arange(rows)).sum() / weight.sum() / max(1, rows - 1))
        x = float((weight.sum(0) * np.arange(columns)).sum() / weight.sum() / max(1, columns - 1))
        if (self.values > 0.5).mean() > 0.4:
            return "all over the picture"
        down = "upper" if y < 0.4 else "lower" if y > 0.6 else ""
        across = "left" if x < 0.4 else "right" if x > 0.6 else ""
        place = " ".join(word for word in (down, across) if word)
        return f"in the {place} part" if place else "around the centre"

    def over(self, pixels: npt.NDArray[np.uint8], strength: float = 0.6) -> Image.Image:
        """The picture, uint8 [H, W, 3], with the map laid over it in red."""
        height, width, _ = pixels.shape
        grid = Image.fromarray((self.values * 255).astype(np.uint8))
        alpha = np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) / 255 * strength
        red = np.array([255, 30, 0])
        mixed = pixels * (1 - alpha[..., None]) + red * alpha[..., None]
        return Image.fromarray(mixed.round().astype(np.uint8))
