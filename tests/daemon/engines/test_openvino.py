"""Graphs run by OpenVINO, which tells nobody."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tellsign.engines.graphs import Graphs
from tellsign.engines.openvino import OpenVINOEngine
from tellsign.engines.probe import probe
from tellsign.engines.torch import TorchEngine


def test_any_number_of_views(graphs: Graphs, eager: TorchEngine) -> None:
    entry = graphs.get()
    assert entry
    engine = OpenVINOEngine(entry.graph)
    views = np.concatenate([probe(224), probe(224)[::-1, ::-1, :, ::-1]])
    wanted = eager.logits(views)
    assert np.ptp(wanted) > 0.5
    for count in (12, 1, 0, 5):
        np.testing.assert_allclose(engine.logits(views[:count]), wanted[:count], atol=1e-3)


ALONE = """
import sys
from pathlib import Path
import numpy
from tellsign.engines.openvino import OpenVINOEngine
OpenVINOEngine(sys.argv[1]).logits(numpy.zeros((1, 224, 224, 3), numpy.uint8))
assert "openvino" in sys.modules
assert not sys.modules.get("openvino_telemetry")
assert not list(Path.home().iterdir())
"""


def test_openvino_tells_nobody_that_it_is_used(graphs: Graphs, tmp_path: Path) -> None:
    """Its package sends a message to its maker when it is imported, unless kept from it."""
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-c", ALONE, graphs.path / "model.xml"]
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | {"HOME": str(home)}
    subprocess.run(command, check=True, env=environment, timeout=300)
