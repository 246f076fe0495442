"""Every recipe trains, is exported, loaded by the daemon's own code, scores and explains."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tellsign.detector import Detector
from tellsign.models.architectures import ResNetSVM
from tellsign.picture import decode
from tellsign_training.crops import CropPlan
from tellsign_training.export import export
from tellsign_training.fit import Setting, fit
from tellsign_training.networks import build, learns, plain
from tellsign_training.recipe import RECIPES, RecipeError, read_recipe
from tellsign_training.stores import open_store
from tellsign_training.svm import fit_svm, into
from tests.conftest import saved, scene
from tests.training.conftest import pack_splits

NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))


@pytest.fixture(scope="module")
def stores(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A folder of the stores `train` and `val` for each size of crop."""
    folders = {}
    for size in {read_recipe(name).views.size for name in NAMES}:
        folders[size] = tmp_path_factory.mktemp(f"stores{size}")
        views = next(r.views for r in map(read_recipe, NAMES) if r.views.size == size)
        pack_splits(manifest, folders[size], CropPlan(2, views))
    return folders


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_from_crops_to_a_verdict(
    name: str, stores: dict[int, Path], tmp_path: Path
) -> None:
    recipe = read_recipe(name)
    recipe = replace(
        recipe, fit=replace(recipe.fit, epochs=1, samples_per_epoch=8, batch=4, accumulate=2)
    )
    folder = stores[recipe.views.size]
    train, val = open_store(folder / "train"), open_store(folder / "val")
    network = build(recipe, scratch=True)
    before = {k: v.clone() for k, v in network.state_dict().items() if v.numel() < 10**6}
    if isinstance(network, ResNetSVM):
        row = fit_svm(recipe, network, [train], val, tmp_path, grid=False)
        assert row["support_vectors"] > 0
    else:
        frozen = [k for k, p in plain(build(recipe, scratch=True)).named_parameters()]
        [row] = fit(recipe, network, [train], [1.0], val, tmp_path, Setting("cpu"))
        assert math.isfinite(row["label"])
        after = load_file(tmp_path / "best.safetensors")
        assert set(after) >= set(frozen)
        assert any(not after[k].equal(v) for k, v in before.items() if k in after)
    assert 0 <= row["val_auc"] <= 1

    export(recipe, tmp_path / "best.safetensors", tmp_path / "model", None, "# A card\n")
    detector = Detector.load(tmp_path / "model", "cpu")
    data = saved(scene(300, 280), "PNG")
    result = detector.check(data)
    assert math.isfinite(result["logit"])
    assert detector.info.id == recipe.id
    if not isinstance(network, ResNetSVM):  # whose gradients end at its kernel
        heat = detector.explain(decode(data).image).values
        assert heat.shape
        assert np.isfinite(heat).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("levit-128s-head", {"head"}),
        ("clip-last", {"head", "backbone.blocks.6", "backbone.blocks.7"}),
    ],
)
def test_what_learns_is_what_the_recipe_says(name: str, expected: set[str]) -> None:
    network = build(read_recipe(name), scratch=True)
    learning = {k for k, p in network.named_parameters() if p.requires_grad}
    assert learning
    assert all(any(k.startswith(f"{part}.") for part in expected) for k in learning)
    assert all(any(k.startswith(f"{part}.") for k in learning) for part in expected)


def test_low_rank_changes_start_at_zero_and_merge() -> None:
    torch.manual_seed(0)
    recipe = replace(read_recipe("clip-lora"), learns="all")
    network = build(recipe, scratch=True).eval()
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        before = network(x)
        learns(network, "lora:4")
        torch.testing.assert_close(network(x), before)
        for name, parameter in network.named_parameters():
            if name.endswith(".b"):
                parameter.add_(0.01 * torch.randn_like(parameter))
        changed = network(x)
        assert not torch.allclose(changed, before, atol=1e-3)
        torch.testing.assert_close(plain(network)(x), changed, atol=1e-4, rtol=1e-4)
    assert not any("parametrizations" in key for key in network.state_dict())


def test_the_machine_gives_scikit_learns_decision_function() -> None:
    rng = np.random.default_rng(0)
    network = ResNetSVM().eval()
    with torch.no_grad():
        x = torch.from_numpy(rng.normal(size=(12, 3, 64, 64))).float()
        features = network.features(x).numpy()
        labels = np.arange(12) % 2 == 0
        scaler = StandardScaler().fit(features)
        machine = SVC(C=1.7, gamma=1 / 512).fit(scaler.transform(features), labels)
        found = into(network, scaler, machine)(x).numpy()
    wanted = machine.decision_function(scaler.transform(features))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_first_weights_fill_the_backbone(tmp_path: Path) -> None:
    recipe = read_recipe("efficientnet-lite0")
    source = build(replace(recipe, pretrained=""), scratch=True)
    state = source.state_dict()
    save_file(state, tmp_path / "w.safetensors")
    started = build(recipe, tmp_path / "w.safetensors").state_dict()
    assert all(started[k].equal(v) for k, v in state.items() if not k.startswith("classifier"))
    with pytest.raises(RecipeError, match="do not fit"):
        build(read_recipe("resnet18"), tmp_path / "w.safetensors")
    with pytest.raises(RecipeError, match="safetensors"):
        build(recipe, tmp_path / "none.safetensors")


def test_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("tellsign_training.networks.timm.create_model", offline)
    with pytest.raises(RecipeError, match="--weights, or --from-scratch"):
        build(replace(read_recipe("lenet5"), pretrained="resnet18"))
