from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tellsign.engines.probe import difference, probe
from tellsign.engines.torch import TorchEngine
from tellsign.models import ModelError, ModelFolder
from tellsign.models.quantised import SCALE, quantised, restored
from tests.model_folders import make, reseal

WEIGHTS = "model.safetensors"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The bundled model with its matrices as int8."""
    path = make(tmp_path / "small")
    save_file(quantised(load_file(path / WEIGHTS)), path / WEIGHTS)
    reseal(path)
    return path


def test_it_is_smaller_and_says_the_same(small: Path, tmp_path: Path) -> None:
    plain = ModelFolder(make(tmp_path / "plain"))
    folder = ModelFolder(small)
    assert folder.info.bytes < plain.info.bytes / 3
    logits = [
        TorchEngine(model.network(), model.mean, model.std, "cpu").logits(probe(224))
        for model in (plain, folder)
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
