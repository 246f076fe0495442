"""OpenVINO where there is a graph that says what torch says, or else torch."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from tellsign.detector import Detector
from tellsign.engines.cpu import WORTH, CpuEngine
from tellsign.engines.graphs import Graphs
from tellsign.engines.probe import TOLERANCE, probe
from tellsign.engines.torch import TorchEngine
from tellsign.models import ModelFolder
from tellsign.models.folder import sha256
from tellsign.picture import decode
from tellsign.views import views as views_of
from tests.conftest import saved, scene


def test_a_graph_at_hand_needs_no_torch(graphs: Graphs, model: ModelFolder) -> None:
    """It would take seconds and half a gigabyte."""
    program = """
import sys
from pathlib import Path
import tellsign.explain, tellsign.server.app
from tellsign.detector import Detector
detector = Detector.load(Path(sys.argv[1]), "openvino")
detector.check(Path(sys.argv[2]).read_bytes())
print(detector.engine.engine, *sorted({"torch", "torchvision", "timm"} & set(sys.modules)))
"""
    picture = graphs.path.parent / "picture.jpg"
    picture.write_bytes(saved(scene(), "JPEG"))
    told = subprocess.run(
        [sys.executable, "-c", program, str(model.path), str(picture)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told.split() == ["openvino"]


def test_torch_answers_until_the_graph_is_made(empty: Path, model: ModelFolder) -> None:
    """In another process, once it pays; what was made then serves the next start at once."""
    detector = Detector(model, "openvino", "f32")
    picture = decode(saved(scene(1200, 900), "PNG"))
    cut = views_of(picture.image, detector.plan)
    before = detector.score([cut])
    assert detector.engine.engine == "torch"
    assert not empty.exists()
    while detector._engine._seen < WORTH:  # type: ignore[attr-defined]
        detector.score([cut])
    detector._engine.prepare()
    assert (detector.engine.engine, detector.engine.precision) == ("openvino", "f32")
    np.testing.assert_allclose(detector.score([cut] * 3), before * 3, atol=1e-3)
    assert detector.explain(picture.image).values.max() > 0
    again = CpuEngine(model, "f32")
    assert again.status.engine == "openvino"
    assert again._torch is None
    assert [path.name for path in (empty / "graphs").iterdir()] == [Graphs(model).path.name]


def other_logits(graphs: Graphs) -> None:
    entry = json.loads((graphs.path / "entry.json").read_text())
    entry["logits"][0] += 2 * TOLERANCE
    (graphs.path / "entry.json").write_text(json.dumps(entry))


def no_graph_at_all(graphs: Graphs) -> None:
    (graphs.path / "model.xml").write_text("<net/>")
    digests = {name: sha256(graphs.path / name) for name in ("model.xml", "model.bin")}
    entry = json.loads((graphs.path / "entry.json").read_text()) | {"sha256": digests}
    (graphs.path / "entry.json").write_text(json.dumps(entry))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda graphs: graphs.refuse("the conversion failed (no such layer)"), "no such layer"),
        (other_logits, "off by 0.1"),
        (no_graph_at_all, "can't be run"),
    ],
)
def test_falls_back_to_torch_with_one_line(
    graphs: Graphs,
    model: ModelFolder,
    eager: TorchEngine,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Graphs], None],
    why: str,
) -> None:
    spoil(graphs)
    engine = CpuEngine(model, "f32")
    views = np.resize(probe(224), (WORTH, 224, 224, 3))
    np.testing.assert_array_equal(engine.logits(views), eager.logits(views))
    assert engine.status.engine == "torch"
    assert engine._conversion is None
    [record] = caplog.records
    assert why in record.getMessage()


def test_a_conversion_that_dies_is_told_once(
    empty: Path,
    model: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = CpuEngine(model)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    engine.prepare()
    engine.prepare()
    assert engine.status.engine == "torch"
    assert ["status 1" in record.getMessage() for record in caplog.records] == [True]


def test_without_openvino(
    empty: Path,
    model: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tellsign.engines.graphs.version", missing)
    assert CpuEngine(model).status.engine == "torch"
    assert len(caplog.records) == 1
