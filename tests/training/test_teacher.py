import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from tellsign.detector import Detector
from tellsign.models import folder
from tellsign.models.architectures import ClipTower
from tellsign_training import teacher
from tellsign_training.cli import app
from tellsign_training.crops import CropPlan
from tellsign_training.data import DataError
from tellsign_training.learner import Learner
from tellsign_training.networks import build
from tellsign_training.probe import features_of, probe
from tellsign_training.recipe import read_recipe
from tellsign_training.stores import Batches, open_store
from tellsign_training.teacher import (
    MEAN,
    STD,
    Tower,
    extractor,
    teach,
    teach_logits,
)
from tests.training.conftest import pack_splits

MODEL = folder("levit-128s")


@pytest.fixture
def store(manifest: Path, tmp_path: Path) -> Path:
    """Eight pictures of two passes, one of which is damaged."""
    pack_splits(manifest, tmp_path, CropPlan(2, read_recipe("levit-128s").views))
    return tmp_path / "train"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained CLIP tower."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(timm.create_model(ClipTower.NAME, num_classes=512).state_dict(), path)
    return path


def test_a_tower_reads_any_number_of_crops(clip: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    found = extractor(clip, 2)(crops)
    x = torch.from_numpy((crops - MEAN) / STD).permute(0, 3, 1, 2)
    with torch.inference_mode():
        wanted = Tower(clip).eval()(x)
    assert found.shape == wanted.shape
    assert np.corrcoef(found.ravel(), wanted.numpy().ravel())[0, 1] > 0.999  # bfloat16


def teach_by(store: Path, *options: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["teach", *map(str, [store, *options])])
    return done.exit_code, " ".join(done.output.split())


def test_a_model_teaches_its_logits_and_goes_on_where_it_was_stopped(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert teach_by(store, "--model", MODEL, "--passes", "1")[0] == 0
    opened = open_store(store)
    assert opened.logits is not None
    assert opened.logits.dtype == np.float32
    assert opened.logits.shape == (8, 2)
    assert np.isnan(opened.logits[:, 0]).all()
    known = np.flatnonzero(opened.packed)
    expected = Detector.load(MODEL, "cpu").score(list(opened.crops[known, 1][:, None]))
    np.testing.assert_allclose(opened.logits[known, 1], expected, atol=1e-4)
    assert np.isnan(opened.logits[~opened.packed]).all()

    seen: list[int] = []

    class Stopped(teacher.TorchEngine):
        def logits(self, views: Any) -> Any:
            if len(seen) == 2:
                raise KeyboardInterrupt
            seen.append(len(views))
            return super().logits(views)

    monkeypatch.setattr(teacher, "TorchEngine", Stopped)
    model = teacher.ModelFolder(MODEL)
    with pytest.raises(KeyboardInterrupt):
        teach_logits(store, model, [0, 1], batch=3)
    seen.clear()
    teach_logits(store, model, [0, 1], batch=3)
    assert seen == [1]
    seen.clear()
    assert teach_by(store, "--model", MODEL, "--passes", "0,1")[0] == 0
    assert seen == []
    assert np.isfinite(np.load(store / "teacher" / "logits.npy")[known]).all()


def test_features_and_logits_are_of_one_store_and_of_their_own_crops(store: Path) -> None:
    def extract(crops: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(crops.sum())
        return rng.normal(size=(len(crops), 300)).astype(np.float32)

    teach(store, extract, [0])
    teach_logits(store, teacher.ModelFolder(MODEL), [1])
    features = np.load(store / "teacher" / "done.npy")
    assert features[:, 0].sum() == 7
    assert not features[:, 1].any()
    opened = open_store(store)
    assert (np.isfinite(opened.logits) == features[:, ::-1]).all()
    batch = Batches([opened], [1.0], 32)(np.random.default_rng(0))
    spoken = batch["logits"].isfinite()
    assert 0 < spoken.sum() < 32

    recipe = read_recipe("lenet5")
    plan = replace(recipe.fit, logits_weight=2.0)
    learner = Learner(build(recipe, scratch=True), plan)
    logits = torch.linspace(-2, 2, 32, requires_grad=True)
    learner.detector = _Says(logits)
    loss = learner(batch)["logits"]
    soft = torch.sigmoid(batch["logits"][spoken])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[spoken], soft, reduction="sum"
    )
    torch.testing.assert_close(loss, 2.0 * wanted / 32)
    loss.backward()
    assert (logits.grad[~spoken] == 0).all()
    assert (logits.grad[spoken] != 0).all()


class _Says(torch.nn.Module):
    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.said = logits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.said


def test_what_can_not_teach_is_refused(store: Path, manifest: Path, tmp_path: Path) -> None:
    assert teach_by(store) == (2, "Give --teacher, --model or --hints.")
    status, said = teach_by(store, "--model", MODEL, "--passes", "0,2,x")
    assert status == 2
    assert "has no pass 2, x; it has 0, 1." in said
    assert teach_by(tmp_path / "none", "--model", MODEL)[0] == 2

    pack_splits(manifest, tmp_path / "256", CropPlan(2, read_recipe("lenet5").views))
    status, said = teach_by(tmp_path / "256" / "train", "--model", MODEL, "--passes", "0")
    assert status == 2
    assert "reads crops of 224 pixels" in said
    assert "have 256" in said
    assert not (tmp_path / "256" / "train" / "teacher").exists()

    teach_logits(store, teacher.ModelFolder(MODEL), [0])
    owner = store / "teacher" / "logits.json"
    owner.write_text(owner.read_text().replace("sha256:", "sha256:0"))
    status, said = teach_by(store, "--model", MODEL, "--passes", "0")
    assert status == 2
    assert "delete it to take another teacher" in said


def test_a_probe_is_a_detector_out_of_the_features(
    store: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe("clip-vit-b16")
    with pytest.raises(DataError, match="teach"):
        probe(build(recipe, clip), recipe, [store])
    monkeypatch.setattr(teacher, "VECTOR", 8)
    monkeypatch.setattr(ClipTower, "DIRECTIONS", 8)
    assert teach_by(store, "--teacher", clip, "--passes", "0,1")[0] == 0
    network = probe(build(recipe, clip), recipe, [store], epochs=4000)
    opened = open_store(store)
    rows, turns = np.nonzero(opened.taught)
    x = torch.from_numpy((opened.crops[rows, turns] - MEAN) / STD).permute(0, 3, 1, 2)
    with torch.inference_mode():
        logits = network(x).numpy()
    assert ((logits > 0) == opened.ai[rows]).mean() > 0.9  # a few crops are told apart by any tower


def test_stores_are_probed_together_if_they_are_whitened_alike(
    store: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, other = read_recipe("clip-vit-b16"), tmp_path / "other"
    monkeypatch.setattr(teacher, "VECTOR", 8)
    shutil.copytree(store, other)
    (other / "teacher").mkdir()
    for path, passes in ((store, [0, 1]), (other, [1])):
        teach(path, lambda crops: crops[:, ::7, ::7, 0].reshape(len(crops), -1) / 255, passes)
        if path == store:
            shutil.copy(store / "teacher" / "projection.npz", other / "teacher")
    ai, network = open_store(store).ai, build(recipe, clip)
    one, both = (features_of(network, recipe, stores) for stores in ([store], [store, other]))
    assert both.rows.tolist() == [*one.rows, *(np.unique(one.rows) + len(ai))]
    assert np.array_equal(both.ai, np.tile(ai, 2)[both.rows])
    values, again = np.split(both.values * both.spread, [len(one.rows)])
    np.testing.assert_allclose(values, one.values * one.spread, rtol=1e-4)
    np.testing.assert_allclose(again, values[1::2], rtol=1e-4)

    (other / "teacher" / "projection.npz").write_bytes(b"another")
    with pytest.raises(DataError, match="whitened differently"):
        probe(network, recipe, [store, other])
