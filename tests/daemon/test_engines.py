"""Engines: OpenVINO says what torch says, or torch answers; too little memory is survived."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tellsign import engines
from tellsign.detector import Detector
from tellsign.engines.convert import convert, fill
from tellsign.engines.cpu import WORTH, CpuEngine
from tellsign.engines.graphs import Graphs
from tellsign.engines.openvino import OpenVINOEngine, able
from tellsign.engines.probe import LOWER_TOLERANCE, TOLERANCE, difference, probe
from tellsign.engines.torch import BATCH, TorchEngine
from tellsign.models import ModelFolder, architectures, folder
from tellsign.models.folder import sha256
from tellsign.picture import decode
from tellsign.settings import DEFAULT_MODEL
from tellsign.views import views as views_of
from tests.conftest import saved, scene

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
MOST_PARAMETERS = 30e6
OPTIONS: dict[str, dict[str, Any]] = {
    "clip_vit_b16": {"taps": [1, 2]},
    "resnet18_svm": {"support_vectors": 50},
}
SIZES = {"lenet5": 256, "cnn8": 256}


@pytest.fixture(scope="module")
def model() -> ModelFolder:
    return ModelFolder(folder(DEFAULT_MODEL))


@pytest.fixture(scope="module")
def eager(model: ModelFolder) -> TorchEngine:
    return TorchEngine(model.network(), model.mean, model.std, "cpu")


@pytest.fixture(scope="module")
def filled(model: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the bundled model's graph."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLSIGN_CACHE", str(path))
        fill(model, Graphs(model))
    return path


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("TELLSIGN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def graphs(empty: Path, filled: Path, model: ModelFolder) -> Graphs:
    """The place of the bundled model's graph in a filled cache of the test's own."""
    shutil.copytree(filled, empty)
    return Graphs(model)


def test_a_graph_at_hand_needs_no_torch(graphs: Graphs, model: ModelFolder) -> None:
    """It would take seconds and half a gigabyte."""
    program = """
import sys
from pathlib import Path
import tellsign.server.app
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


def test_any_number_of_views(graphs: Graphs, eager: TorchEngine) -> None:
    entry = graphs.get()
    assert entry
    engine = OpenVINOEngine(entry.graph)
    views = np.concatenate([probe(224), probe(224)[::-1, ::-1, :, ::-1]])
    wanted = eager.logits(views)
    assert np.ptp(wanted) > 0.5
    for count in (12, 1, 0, 5):
        np.testing.assert_allclose(engine.logits(views[:count]), wanted[:count], atol=1e-3)


def test_torch_answers_until_the_graph_is_made(empty: Path, model: ModelFolder) -> None:
    """In another process, once it pays; what was made then serves the next start at once."""
    detector = Detector(model, "openvino")
    picture = decode(saved(scene(1200, 900), "PNG"))
    cut = views_of(picture.pixels, detector.plan)
    before = detector.score([cut])
    assert detector.engine.engine == "torch"
    assert not empty.exists()
    while detector._engine._seen < WORTH:  # type: ignore[attr-defined]
        detector.score([cut])
    detector._engine.prepare()
    lower = able(model.precision)
    assert detector.engine.engine == "openvino"
    assert detector.engine.precision == (model.precision if lower else "f32")
    off = LOWER_TOLERANCE if lower else 1e-3
    np.testing.assert_allclose(detector.score([cut] * 3), before * 3, atol=off)
    assert detector.explain(picture).values.max() > 0
    again = CpuEngine(model)
    assert again.status.engine == "openvino"
    assert again._torch is None
    assert [path.name for path in (empty / "graphs").iterdir()] == [Graphs(model).path.name]


def damage(graphs: Graphs, name: str) -> None:
    data = bytearray((graphs.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (graphs.path / name).write_bytes(data)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "entry.json"])
def test_a_damaged_graph_is_thrown_away(graphs: Graphs, name: str, model: ModelFolder) -> None:
    damage(graphs, name) if name != "entry.json" else (graphs.path / name).write_text("{")
    engine = CpuEngine(model)
    assert engine.status.engine == "torch"
    assert not graphs.path.exists()


def test_a_cut_off_write_leaves_nothing(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, model: ModelFolder
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    graphs.discard()
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(OSError, match="no space"):
            graphs.refuse("for this test")
    assert list(graphs.path.parent.iterdir()) == []


def test_a_new_version_replaces_the_old_graph(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, model: ModelFolder
) -> None:
    monkeypatch.setattr("tellsign.engines.graphs.__version__", "99")
    newer = Graphs(model)
    assert newer.get() is None
    newer.refuse("for this test")
    assert [path.name for path in newer.path.parent.iterdir()] == [newer.path.name]


def other_logits(graphs: Graphs) -> None:
    entry = json.loads((graphs.path / "entry.json").read_text())
    entry["logits"][0] += 2 * LOWER_TOLERANCE
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
        (other_logits, "off by 0.5"),
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
    engine = CpuEngine(model)
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


ALONE = """
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
import numpy
from tellsign.engines.openvino import OpenVINOEngine, able
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


class Greedy(nn.Module):
    """Means of views; out of memory above a number of them on a device."""

    def __init__(self, **most: int) -> None:
        super().__init__()
        self.most = most
        self.calls: list[tuple[str, int]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append((x.device.type, len(x)))
        if len(x) > self.most.get(x.device.type, BATCH):
            raise torch.OutOfMemoryError("out of memory")
        return x.mean((1, 2, 3))


def test_the_batch_is_halved_until_it_fits(caplog: pytest.LogCaptureFixture) -> None:
    network = Greedy(cpu=9)
    engine = TorchEngine(network, MEAN, STD, "cpu")
    views = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 3), np.uint8)
    wanted = TorchEngine(Greedy(), MEAN, STD, "cpu").logits(views)
    np.testing.assert_array_equal(engine.logits(views), wanted)
    assert [count for _, count in network.calls] == [64, 32, 16, *[8] * 8, 6]
    assert (engine.status.batch, engine.status.device) == (8, "cpu")
    assert "the batch is 8 now" in engine.status.notice
    assert len(caplog.records) == 3
    engine.logits(views[:20])
    assert len(caplog.records) == 3


def test_a_device_without_room_for_one_view_gives_way_to_the_cpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """torch's device `meta`, which needs no hardware, stands in for a GPU."""
    network = Greedy(meta=0)
    engine = TorchEngine(network, MEAN, STD, "meta")
    views = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    wanted = TorchEngine(Greedy(), MEAN, STD, "cpu").logits(views)
    np.testing.assert_array_equal(engine.logits(views), wanted)
    assert network.calls == [("meta", 3), ("meta", 1), ("cpu", 3)]
    assert (engine.status.device, engine.status.batch) == ("cpu", BATCH)
    assert "the CPU is used instead" in engine.status.notice
    assert [record.getMessage() for record in caplog.records][-1] == engine.status.notice
    network.most["cpu"] = 0
    with pytest.raises(torch.OutOfMemoryError):
        engine.logits(views)


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
