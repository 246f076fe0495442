"""The engine for a device."""

import pytest

from tellsign import engines
from tellsign.engines.graphs import Graphs
from tellsign.models import ModelFolder


@pytest.mark.parametrize(("device", "precision"), [("xpu:9", "auto"), ("cpu", "f8")])
def test_what_is_not_there_is_named(model: ModelFolder, device: str, precision: str) -> None:
    with pytest.raises(ValueError, match=r"xpu:9|f8"):
        engines.create(model, device, precision)


def test_auto_on_a_machine_without_a_gpu_is_openvino(
    graphs: Graphs, model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellsign.engines._gpu", lambda: False)
    assert engines.create(model).status.engine == "openvino"
    assert engines.create(model, "cpu").status.engine == "torch"
