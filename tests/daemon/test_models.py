import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tellsign.detector import Detector
from tellsign.models import (
    Calibration,
    ModelError,
    ModelFolder,
    UnknownModel,
    architectures,
    available,
    folder,
    registry,
)
from tellsign.models.folder import FILES
from tellsign.picture import decode
from tellsign.settings import DEFAULT_MODEL
from tellsign.verdict import judge
from tests.conftest import saved, scene
from tests.model_folders import SHIPPED, make, reseal


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(folder(DEFAULT_MODEL), tmp_path / "copy")


def test_the_bundled_model_is_small_enough() -> None:
    info = next(m for m in available() if m.id == DEFAULT_MODEL)
    assert info.bytes <= 28.3e6
    assert info.parameters > 6e6


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_bundled_model_checks_and_explains(name: str) -> None:
    model = ModelFolder(folder(name))
    assert (model.path / "model.safetensors").stat().st_size < 95e6
    assert model.calibration.unsure < model.calibration.suspected
    detector = Detector(model, "cpu")
    data = saved(scene(500, 400), "PNG")
    assert 0 < detector.check(data)["probability"] < 1
    assert 0 < detector.explain(decode(data).image).values.max() <= 1


@pytest.mark.parametrize("name", [*architectures.OWN, "resnet18", "vit_base_patch16_224"])
@torch.no_grad()
def test_a_network_that_was_not_filled_is_all_of_its_file(name: str) -> None:
    made = architectures.create({"architecture": name}).eval()
    drawn = torch.get_rng_state()
    loaded = architectures.unfilled({"architecture": name}).eval()
    assert torch.equal(torch.get_rng_state(), drawn)  # nothing was drawn
    loaded.load_state_dict(made.state_dict())
    side = 256 if name in ("lenet5", "cnn8") else 224
    x = torch.rand(2, 3, side, side)
    assert torch.equal(loaded(x), made(x))
    for one, other in zip(loaded.buffers(), made.buffers(), strict=True):
        assert torch.equal(one, other)


def test_only_the_numbers_of_parameters_are_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3)).requires_grad_(False)
            nn.init.ones_(self.weight)
            self.register_buffer("ones", nn.init.ones_(torch.zeros(3)))

    monkeypatch.setitem(architectures.OWN, "frozen", Frozen)
    network = architectures.unfilled({"architecture": "frozen"})
    assert not network.get_parameter("weight").requires_grad
    assert not network.get_parameter("weight").any()
    assert network.get_buffer("ones").all()


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_by_name(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ModelError, match=rf"copy.*{name} differs"):
        ModelFolder(copy)


@pytest.mark.parametrize("name", [*FILES, "digests.json"])
def test_a_missing_file_is_refused_by_name(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelError, match=name):
        ModelFolder(copy)


def test_a_pickle_in_disguise_is_never_unpickled(copy: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "exploded",)

    (copy / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    reseal(copy)
    with pytest.raises(ModelError, match="weights can't be read"):
        ModelFolder(copy).network()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"architecture": "no_such_net"}, "no_such_net"),
        ({"views": {"size": 224, "surprise": 1}}, "surprise"),
        ({"views": None}, "setting"),
        ({"views": {"size": 224.5}}, "cut into the views"),
        ({"views": {"size": 10**6, "long_side": 10**6}}, "cut into the views"),
        ({"views": {"crops": 0, "whole": False}}, "cut into the views"),
        ({"id": "../escape"}, "the id"),
        ({"id": ["levit"]}, "the id"),
    ],
)
def test_senseless_settings_are_refused(copy: Path, change: dict[str, object], why: str) -> None:
    config = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps(config | change), "utf-8")
    reseal(copy)
    with pytest.raises(ModelError, match=why):
        ModelFolder(copy).network()


def test_unknown_model_names_what_there_is() -> None:
    with pytest.raises(UnknownModel, match=DEFAULT_MODEL):
        folder("../../etc")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of installed models, empty."""
    monkeypatch.setenv("TELLSIGN_DATA", str(tmp_path))
    return tmp_path / "models"


def test_only_models_under_their_own_names_are_found(home: Path) -> None:
    make(home / "good", "good")
    make(home / "renamed", "good")
    make(home / "No Name", "good")
    make(home / ".part-1", "part")
    make(home / DEFAULT_MODEL, DEFAULT_MODEL, shift=9.0)  # does not stand in for the bundled one
    found = {entry.id: entry.problem for entry in registry.entries()}
    assert set(found) == {*SHIPPED, "good", "renamed"}
    assert "holds the model good" in found["renamed"]
    assert [info.id for info in available()] == [*sorted(SHIPPED), "good"]
    assert folder(DEFAULT_MODEL).parent == registry.BUNDLED


def test_damage_is_seen_however_often_a_model_was_found_whole(home: Path) -> None:
    make(home / "good", "good")
    assert "good" in {info.id for info in available()}
    (home / "good" / "README.md").write_text("changed")
    assert "good" not in {info.id for info in available()}
    assert any("README.md differs" in entry.problem for entry in registry.entries())


@given(
    logit=st.floats(-1e6, 1e6),
    higher=st.floats(0, 100),
    a=st.floats(-5, -0.01),
    b=st.floats(-5, 5),
)
def test_verdicts_grow_with_the_logit(logit: float, higher: float, a: float, b: float) -> None:
    order = ["none", "unsure", "suspected"]
    calibration = Calibration(a, b, suspected=0.8, unsure=0.5, version="test")
    low, high = judge(logit, calibration), judge(logit + higher, calibration)
    assert 0 <= low.probability <= high.probability <= 1
    assert order.index(low.verdict) <= order.index(high.verdict)
