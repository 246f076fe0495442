import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tellsign import explain
from tellsign.explain.pixels import pixels
from tellsign.models import architectures
from tellsign.models.architectures import PixelDetector
from tellsign.views import Pixels, ViewPlan


class Bright(PixelDetector):
    """Marks what is bright."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def pixels(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1) / 10 - 10


def _tensor(views: Pixels) -> torch.Tensor:
    return torch.from_numpy(views).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("name", architectures.OWN)
def test_networks_that_label_pixels_are_known_without_loading_them(name: str) -> None:
    network = architectures.create({"architecture": name})
    assert ("pixels" in explain.methods(name)) == isinstance(network, PixelDetector)


def test_the_labels_of_pixels_lie_where_they_are() -> None:
    picture = np.zeros((160, 320, 3), np.uint8)
    picture[64:128, 208:272] = 255
    found = pixels(Bright(), _tensor, Image.fromarray(picture), ViewPlan(64, 320, 2, True))
    assert found.method == "pixels"
    expected = np.zeros((10, 20))
    expected[4:8, 13:17] = 1
    np.testing.assert_allclose(found.values, expected, atol=0.01)
