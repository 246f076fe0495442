import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tellsign.engines.probe import difference, probe
from tellsign.engines.torch import TorchEngine
from tellsign.models import ModelError, ModelFolder
from tellsign.models.quantised import NDIM, SCALE, quantised, restored
from tests.model_folders import in_floats, make, reseal

WEIGHTS = "model.safetensors"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The bundled model a little off, so that no weight is exactly what an int8 can say."""
    path = in_floats(make(tmp_path / "plain"))
    torch.manual_seed(0)
    weights = {
        name: w + 1e-3 * w.abs().mean() * torch.randn_like(w) if w.ndim in NDIM else w
        for name, w in load_file(path / WEIGHTS).items()
    }
    save_file(weights, path / WEIGHTS)
    reseal(path)
    return path


@pytest.fixture
def small(plain: Path, tmp_path: Path) -> Path:
    """The same with its matrices as int8."""
    path = shutil.copytree(plain, tmp_path / "small")
    save_file(quantised(load_file(path / WEIGHTS)), path / WEIGHTS)
    reseal(path)
    return path


def test_it_is_smaller_and_says_the_same(plain: Path, small: Path) -> None:
    large, folder = ModelFolder(plain), ModelFolder(small)
    assert folder.info.bytes < large.info.bytes / 2.8
    logits = [
        TorchEngine(model.network(), model.mean, model.std, "cpu").logits(probe(224))
        for model in (large, folder)
    ]
    assert 0 < difference(*logits) < 0.2  # the probe's logits lie up to 3 apart


def test_what_was_quantised_before_stays_as_it_is() -> None:
    torch.manual_seed(0)
    once = restored(quantised({"w": torch.randn(300, 300), "zero": torch.zeros(300, 300)}))
    twice = restored(quantised(once))
    assert all(twice[name].equal(once[name]) for name in once)
    assert not once["zero"].any()
    kept = {"b": torch.randn(70000), "n": torch.arange(3), "e": torch.randn(1, 300, 300)}
    assert all(quantised(kept)[name] is value for name, value in kept.items())


@pytest.mark.parametrize("scale", [None, torch.ones(3), torch.ones(384, 1), torch.ones(384).half()])
def test_a_scale_that_does_not_fit_is_refused(small: Path, scale: torch.Tensor | None) -> None:
    weights = load_file(small / WEIGHTS)
    name = next(name for name in weights if name.endswith(SCALE) and len(weights[name]) == 384)
    del weights[name]
    save_file(weights | ({name: scale} if scale is not None else {}), small / WEIGHTS)
    reseal(small)
    with pytest.raises(ModelError, match=f"{name.removesuffix(SCALE)} has no scale"):
        ModelFolder(small).network()
