"""The bundled model, in torch and as a graph in a cache of its own."""

import shutil
from pathlib import Path

import pytest

from tellsign.engines.convert import fill
from tellsign.engines.graphs import Graphs
from tellsign.engines.torch import TorchEngine
from tellsign.models import ModelFolder, folder
from tellsign.settings import DEFAULT_MODEL


@pytest.fixture(scope="session")
def model() -> ModelFolder:
    return ModelFolder(folder(DEFAULT_MODEL))


@pytest.fixture(scope="session")
def eager(model: ModelFolder) -> TorchEngine:
    return TorchEngine(model.network(), model.mean, model.std, "cpu")


@pytest.fixture(scope="session")
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
