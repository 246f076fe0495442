"""Graphs say what their networks say, or there is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tellsign.engines.convert import convert, fill
from tellsign.engines.graphs import Graphs
from tellsign.engines.openvino import OpenVINOEngine
from tellsign.engines.probe import TOLERANCE, difference, probe
from tellsign.engines.torch import TorchEngine
from tellsign.models import ModelFolder, architectures

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
MOST_PARAMETERS = 30e6
OPTIONS: dict[str, dict[str, Any]] = {
    "clip_vit_b16": {"taps": [1, 2]},
    "resnet18_svm": {"support_vectors": 50},
}
SIZES = {"lenet5": 256, "cnn8": 256}


@pytest.mark.parametrize("name", sorted(architectures.TIMM | architectures.OWN.keys()))
def test_every_architecture_gives_the_same_logits(name: str) -> None:
    torch.manual_seed(0)
    config = {"architecture": name, "options": OPTIONS.get(name, {})}
    with torch.device("meta"):
        parameters = sum(p.numel() for p in architectures.create(config).parameters())
    if parameters > MOST_PARAMETERS:
        pytest.skip(f"{parameters / 1e6:.0f} million parameters")
    network = architectures.create(config).eval()
    if isinstance(network, architectures.ResNetSVM):
        network.vectors.normal_()
        network.coefficients.normal_()
    views = probe(SIZES.get(name, 224))
    wanted = TorchEngine(network, MEAN, STD, "cpu").logits(views)
    got = OpenVINOEngine(convert(network, MEAN, STD, views.shape[1])).logits(views)
    # Random weights give logits close together: what little differs must stay told apart.
    assert difference(got, wanted) < min(TOLERANCE, 1e-3 * float(np.ptp(wanted)))


def test_a_graph_that_differs_is_refused(
    empty: Path, model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversion of another network stands in for one that goes wrong."""
    other = architectures.LevitDetector().eval()

    def wrong(network: nn.Module, *rest: Any) -> Any:
        with torch.no_grad():
            other(torch.zeros(1, 3, 224, 224))
        return convert(other, *rest)

    monkeypatch.setattr("tellsign.engines.convert.convert", wrong)
    graphs = Graphs(model)
    fill(model, graphs)
    entry = graphs.get()
    assert entry
    assert entry.graph is None
    assert "off by" in entry.refused
