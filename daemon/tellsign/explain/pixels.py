"""What a network that labels pixels says of each of them."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from tellsign.explain.cover import Map, covered
from tellsign.explain.heatmap import Heatmap
from tellsign.models.architectures import PixelDetector
from tellsign.views import Pixels, ViewPlan


def pixels(
    network: PixelDetector,
    to_tensor: Callable[[Pixels], torch.Tensor],
    image: Image.Image,
    plan: ViewPlan,
) -> Heatmap:
    """The probabilities of pixels, of every crop that covers the picture.

    `to_tensor` normalises views as the network wants them.
    """

    def read(crops: Pixels) -> tuple[Map, Map]:
        with torch.no_grad():
            found = network.pixels(to_tensor(crops)).float().sigmoid()
        return found.cpu().numpy(), np.ones(len(crops), np.float32)

    return covered(image, plan, "pixels", read)
