import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
from torch import nn

from tellsign.engines.torch import TorchEngine
from tellsign.explain.gradcam import _grid, _maps, cam_layer, gradcam
from tellsign.models import ModelFolder, folder
from tellsign.views import Pixels, ViewPlan, views
from tests.conftest import scene
from tests.model_folders import SHIPPED


class Bright(nn.Module):
    """Says AI where a picture is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 16, stride=16, bias=False)
        nn.init.constant_(self.conv.weight, 1 / 768)

    def cam_layer(self) -> nn.Module:
        return self.conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).mean((1, 2, 3)) / 10


def _tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("plan", [ViewPlan(64, 320, 2, True), ViewPlan(64, 320, 0, True)])
def test_the_map_lies_where_the_model_looks_and_sees_it(plan: ViewPlan) -> None:
    pixels = np.zeros((160, 320, 3), np.uint8)
    pixels[:, 240:256] = 255  # outside of the middle square
    pixels[80:160, 96:160] = 255  # inside of it
    found = gradcam(Bright(), _tensor, Image.fromarray(pixels), plan)
    rows, columns = found.values.shape
    assert (rows, columns) == (10, 20)
    inside = found.values[5:10, 6:10].mean()
    assert inside > 0.5
    assert found.values[0:4, 6:14].mean() < 0.2 * inside
    read = found.values[:, 15].mean()
    assert read > 0.3 * inside if plan.crops else read == 0  # a whole alone shows the middle only
    assert found.resolution == ((10, 20) if plan.crops else (4, 8))


def test_the_whole_covers_the_middle_square_to_its_edges() -> None:
    """Also where its side is no whole number of cells."""
    pixels = np.full((157, 189, 3), 255, np.uint8)
    pixels[:, :60] = 0
    found = gradcam(Bright(), _tensor, Image.fromarray(pixels), ViewPlan(64, 320, 0, True)).values
    assert found.shape == (10, 12)
    assert (found[:, 6:11] > 0.5).all()


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_maps_are_those_of_the_library(name: str) -> None:
    """Which takes seconds to import, and gradients of all weights."""
    model = ModelFolder(folder(name))
    network = model.network()
    x = TorchEngine(network, model.mean, model.std, "cpu").tensor(views(scene(), model.plan))
    maps, probabilities = _maps(network, x)
    with GradCAM(network, [cam_layer(network)], reshape_transform=_grid) as cam:
        expected = cam(x, [RawScoresOutputTarget()] * len(x))
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert maps.max() > 0.9
    with torch.no_grad():
        assert probabilities == pytest.approx(network(x).flatten().sigmoid().numpy(), abs=1e-6)
