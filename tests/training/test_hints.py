from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tellsign.models import folder
from tellsign.models.architectures import LevitStatistics, StatisticsReader
from tellsign.models.folder import ModelFolder
from tellsign_training import hints
from tellsign_training.cli import app
from tellsign_training.crops import CropPlan
from tellsign_training.fit import Setting, fit, normalised
from tellsign_training.hints import MOST, SHAPES, hints_of, teach_hints
from tellsign_training.learner import Learner
from tellsign_training.networks import build
from tellsign_training.optimizers import optimizers
from tellsign_training.recipe import RecipeError, read_recipe
from tellsign_training.stores import Batches, open_store
from tests.training.conftest import pack_splits

TEACHER = "lite0-statistics"
RECIPE = read_recipe("levit-128s")


@pytest.fixture
def store(manifest: Path, tmp_path: Path) -> Path:
    """Eight pictures of two passes, one of which is damaged; hints of the second pass."""
    pack_splits(manifest, tmp_path, CropPlan(2, RECIPE.views))
    path = tmp_path / "train"
    teach_hints(path, ModelFolder(folder(TEACHER)), [1])
    return path


def test_hints_are_what_the_teacher_computes(store: Path) -> None:
    opened = open_store(store)
    assert (opened.hinted == np.stack([opened.packed & False, opened.packed], 1)).all()
    model = ModelFolder(folder(TEACHER))
    network = model.network()
    assert isinstance(network, StatisticsReader)
    known = np.flatnonzero(opened.packed)
    x = normalised(torch.from_numpy(opened.crops[known, 1]), tuple(model.mean), tuple(model.std))
    with torch.inference_mode():
        wanted = hints_of(network, [*network.maps(x)])
    moments = np.load(hints.folder(store) / "moments.npz")
    for name, shape in SHAPES.items():
        found = opened.hints[name][known, 1]
        assert found.shape == (len(known), *shape)
        mean, deviation = moments[name]
        expected = ((wanted[name].numpy() - mean) / deviation).clip(-MOST, MOST)
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95  # bfloat16


def test_they_are_taken_once_and_by_one_teacher(store: Path) -> None:
    known = np.flatnonzero(open_store(store).packed)
    file = hints.folder(store) / "statistics.npy"
    np.load(file, mmap_mode="r+")[known, 1] = 7
    words = ["teach", str(store), "--hints", str(folder(TEACHER)), "--passes", "0,1"]
    assert CliRunner().invoke(app, words).exit_code == 0
    after = open_store(store)
    assert after.hinted[known].all()
    assert (after.hints["statistics"][known, 1] == 7).all()
    assert (np.abs(after.hints["statistics"][known, 0]) <= MOST).all()

    owner = hints.folder(store) / "hints.json"
    owner.write_text(owner.read_text().replace("sha256:", "sha256:0"))
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "delete it to take another teacher" in _flat(done.output)) == (2, True)
    done = CliRunner().invoke(app, [*words[:3], str(folder("clip-vit-b16")), *words[4:]])
    assert (done.exit_code, "the folder of lite0-statistics" in _flat(done.output)) == (2, True)

    (hints.folder(store) / "moments.npz").unlink()
    assert CliRunner().invoke(app, [*words[:5], "0"]).exit_code == 0
    assert not open_store(store).hinted[:, 1].any()


def _flat(output: str) -> str:
    return " ".join(output.split())


def test_only_what_has_hints_is_learned_from_them(store: Path) -> None:
    plan = replace(RECIPE.fit, batch=16)
    batch = Batches([open_store(store)], [1.0], 16, hinted=True)(np.random.default_rng(0))
    assert 0 < batch["hinted"].sum() < 16
    assert batch["statistics"][~batch["hinted"]].abs().sum() == 0
    network = LevitStatistics()
    learner = Learner(network, plan).eval()
    x = normalised(batch["x"], RECIPE.mean, RECIPE.std)
    with torch.inference_mode():
        before = learner({**batch, "x": x})["hints"]
        batch["statistics"][~batch["hinted"]] = 9.0
        torch.testing.assert_close(learner({**batch, "x": x})["hints"], before)
        batch["statistics"][batch["hinted"]] += 1.0
        assert learner({**batch, "x": x})["hints"] > before
    with pytest.raises(RecipeError, match="levit_128s_statistics"):
        Learner(build(read_recipe("lenet5"), scratch=True), plan)


def test_muon_learns_them(store: Path, tmp_path: Path) -> None:
    """On a few crops, which are soon known by heart."""
    plan = replace(
        RECIPE.fit, epochs=2, samples_per_epoch=96, batch=8, warmup_epochs=0.1, accumulate=2
    )  # fmt: skip
    recipe, opened = replace(RECIPE, fit=plan), open_store(store)
    rows = [*fit(recipe, build(recipe), [opened], [1.0], opened, tmp_path / "out", Setting("cpu"))]
    assert rows[1]["hints"] < 0.8 * rows[0]["hints"]
    learner = Learner(build(recipe), plan)
    taken = [
        {id(p) for group in optimizer.param_groups for p in group["params"]}
        for optimizer in optimizers(learner, plan)
    ]
    every = {id(p) for p in learner.parameters()}
    assert set.union(*taken) == every
    assert sum(map(len, taken)) == len(every)
    linear = [m for m in learner.detector.backbone.modules() if isinstance(m, torch.nn.Linear)]
    assert taken[0] == {id(m.weight) for m in linear}
    with pytest.raises(RecipeError, match="muon are known"):
        optimizers(learner, replace(plan, optimizer="nothing"))
    convolution = Learner(torch.nn.Conv2d(3, 1, 1), replace(plan, hints_weight=0.0))
    with pytest.raises(RecipeError, match="take adamw"):
        optimizers(convolution, plan)
