import torch

from tellsign.models import folder
from tellsign.models.folder import ModelFolder
from tellsign.views import ViewPlan, views
from tellsign_training.fit import normalised
from tellsign_training.recipe import IMAGENET_MEAN, IMAGENET_STD
from tellsign_training.unfuse import unfused
from tests.conftest import scene


def test_a_shipped_model_can_be_trained_further() -> None:
    x = normalised(
        torch.from_numpy(views(scene(900, 700, seed=3), ViewPlan(crops=9, long_side=900))),
        IMAGENET_MEAN,
        IMAGENET_STD,
    )
    model = ModelFolder(folder("levit-128s"))
    network = unfused(model, x)
    with torch.inference_mode():
        shipped, ours = model.network()(x), network(x)
        torch.testing.assert_close(ours, shipped, atol=1e-4, rtol=1e-4)
    network.train()
    for part in (network.norm, network.head):  # whose norm never was folded away
        part.eval()
    trained = network(x)  # statistics of the batch, which are those it was given
    torch.testing.assert_close(trained, shipped, atol=5e-2, rtol=0)
    trained.sum().backward()
    assert all(p.grad is not None for p in network.parameters())
