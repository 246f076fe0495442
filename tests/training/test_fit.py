import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from tellsign.detector import Detector
from tellsign.models import folder as model_folder
from tellsign.models.folder import ModelFolder
from tellsign_training import journal
from tellsign_training.calibrate import calibrate
from tellsign_training.cli import app
from tellsign_training.crops import CropPlan, pack
from tellsign_training.data import DataError, read_manifest
from tellsign_training.delivery import TIERS, deliver, random_delivery
from tellsign_training.export import export
from tellsign_training.fit import Setting, fit
from tellsign_training.hints import teach_hints
from tellsign_training.networks import build, set_training
from tellsign_training.recipe import Recipe, RecipeError, read_recipe
from tellsign_training.scores import score
from tellsign_training.stores import Store, open_store
from tellsign_training.teacher import whitening
from tests.conftest import saved, scene
from tests.training.conftest import pack_splits

TEACHER = ModelFolder(model_folder("lite0-statistics"))


def test_from_a_manifest_to_a_detector_that_scores(manifest: Path, tmp_path: Path) -> None:
    recipe = read_recipe("levit-128s")
    plan = replace(recipe.fit, epochs=2, samples_per_epoch=16, batch=8)
    recipe = replace(recipe, fit=plan)
    pack_splits(manifest, tmp_path, CropPlan(4, recipe.views))
    store, val = open_store(tmp_path / "train"), open_store(tmp_path / "val")
    assert store.packed.sum() == 7
    pack(read_manifest(manifest, "train"), tmp_path / "train", CropPlan(4, recipe.views), 2)
    assert (open_store(tmp_path / "train").crops == store.crops).all()
    teacher = str(TEACHER.path)
    words = ["teach", str(tmp_path / "train"), "--model", teacher]
    assert CliRunner().invoke(app, words).exit_code == 0
    teach_hints(tmp_path / "train", TEACHER, [3, 0])
    store = open_store(tmp_path / "train")

    whole = list(_fit(recipe, store, val, tmp_path / "whole"))
    assert [row["epoch"] for row in whole] == [1, 2]
    assert {"label", "hints", "logits", "hours", "kwh"} <= set(whole[0])
    assert (tmp_path / "whole" / "log.svg").read_text().startswith("<?xml")

    folder = tmp_path / "model"
    weights = tmp_path / "whole" / "best.safetensors"
    export(recipe, weights, folder, None, "# A card\n")
    detector = Detector.load(folder, "cpu")
    assert detector.info.id == "levit-128s"
    scores = score(detector, read_manifest(manifest, "val"), workers=2)
    assert scores.logits.shape == (4, len(TIERS))
    # Two epochs on a few pictures need not have taught anything.
    telling = replace(scores, logits=scores.logits + scores.ai[:, None])
    export(recipe, weights, folder, calibrate(telling, "made"), "# A card\n")
    result = Detector.load(folder, "cpu").check(saved(scene(), "PNG"))
    assert 0 <= result["probability"] <= 1
    assert json.loads((folder / "config.json").read_text())["views"] == recipe.views.as_dict()
    assert load_file(weights)


def _fit(recipe: Recipe, store: Store, val: Store, out: Path) -> Iterator[dict[str, Any]]:
    setting = Setting("cpu", deterministic=True, save_seconds=0)
    return fit(recipe, build(recipe), [store], [1.0], val, out, setting)


KILLED = """
import os, signal, sys
from pathlib import Path
from dataclasses import replace
from tellsign_training.fit import Setting, fit
from tellsign_training.hints import teach_hints
from tellsign_training.networks import build
from tellsign_training.recipe import read_recipe
from tellsign_training.stores import open_store
root, out, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
recipe = read_recipe("levit-128s")
recipe = replace(recipe, fit=replace(recipe.fit, epochs=2, samples_per_epoch=24, batch=8))
def tick(step, steps):
    if step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
setting = Setting("cpu", deterministic=True, save_seconds=0, tick=tick)
train, val = open_store(root / "train"), open_store(root / "val")
list(fit(recipe, build(recipe), [train], [1.0], val, out, setting))
"""


def test_killed_in_mid_epoch_it_goes_on_to_the_same_result(manifest: Path, tmp_path: Path) -> None:
    recipe = read_recipe("levit-128s")
    pack_splits(manifest, tmp_path, CropPlan(4, recipe.views))
    teach_hints(tmp_path / "train", TEACHER, [1, 2])
    for name, kills in (("whole", [99]), ("killed", [2, 5, 99])):
        for kill_at in kills:
            command = [sys.executable, "-c", KILLED, tmp_path, tmp_path / name, str(kill_at)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            assert done.returncode == (0 if kill_at == 99 else -signal.SIGKILL), done.stderr
    a, b = (torch.load(tmp_path / name / "last.pt") for name in ("whole", "killed"))
    assert a["step"] == b["step"] == 6
    for name, value in a["learner"].items():
        assert value.equal(b["learner"][name]), name
    logs = [journal.read(tmp_path / name) for name in ("whole", "killed")]
    same = ("epoch", "val_auc", "best", "label", "hints")
    assert [[row[k] for k in same] for row in logs[0]] == [
        [row[k] for k in same] for row in logs[1]
    ]


def test_two_processes_of_torchrun_train_together(manifest: Path, tmp_path: Path) -> None:
    recipe = read_recipe("levit-128s")
    pack_splits(manifest, tmp_path, CropPlan(2, recipe.views))
    teach_hints(tmp_path / "train", TEACHER, [1])
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "tellsign_training.cli", "fit", "levit-128s", "--store", tmp_path / "train",
        "--val", tmp_path / "val", "--out", tmp_path / "out", "--epochs", "1", "--samples", "256",
        "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [row] = journal.read(tmp_path / "out")
    assert row["hints"] > 0


def test_a_model_folder_is_trained_further(manifest: Path, tmp_path: Path) -> None:
    pack_splits(manifest, tmp_path, CropPlan(2, read_recipe("levit-128s").views))
    command = ["--start", str(model_folder("levit-128s")), "--store", str(tmp_path / "train")]
    command += ["--val", str(tmp_path / "val"), "--epochs", "1", "--samples", "8", "--share", "1"]
    command += ["--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["fit", "levit-128s", *command])
    assert done.exit_code == 0, done.output
    [row] = journal.read(tmp_path / "out")
    assert row["label"] < 2 * read_recipe("levit-128s").fit.label_weight
    assert "No store has hints" in done.output
    teach_hints(tmp_path / "train", TEACHER, [0])
    other = CliRunner().invoke(app, ["fit", "levit-128s", *command])
    assert (other.exit_code, "delete it" in " ".join(other.output.split())) == (2, True)
    other = CliRunner().invoke(app, ["fit", "resnet18", *command])
    assert other.exit_code == 2
    assert "levit-128s is no resnet18" in " ".join(other.output.split())


def test_frozen_norms_keep_what_they_know() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3, affine=False))
    for frozen in (True, False):
        set_training(network, frozen)
        assert network[0].training
        assert network[1].training is not frozen


def test_training_ends_when_nothing_gets_better(manifest: Path, tmp_path: Path) -> None:
    recipe = read_recipe("levit-128s")
    plan = replace(recipe.fit, epochs=9, samples_per_epoch=8, batch=8, lr=0.0, patience=2)
    pack_splits(manifest, tmp_path, CropPlan(2, recipe.views))
    stores = [open_store(tmp_path / split) for split in ("train", "val")]
    rows = list(_fit(replace(recipe, fit=plan), *stores, tmp_path / "out"))
    best = max(rows, key=lambda row: row["val_auc"])["epoch"]
    assert len(rows) == best + 2 < 9


def test_whitening_whitens() -> None:
    rng = np.random.default_rng(0)
    samples = (rng.normal(size=(5000, 12)) @ rng.normal(size=(12, 12))).astype(np.float32) + 3
    mean, directions = whitening(samples, 4)
    out = (samples - mean) @ directions
    covariance = np.cov(out.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02
    assert 0.9 < np.diag(covariance).min() <= np.diag(covariance).max() <= 1.01


@pytest.mark.parametrize("tier", TIERS, ids=lambda t: t.name)
def test_tiers_hold_their_sizes(tier) -> None:
    for size in ((1000, 700), (90, 300)):
        out = deliver(scene(*size), tier)
        limit = tier.long_side or max(size)
        assert max(out.size) == min(limit, max(size))
        assert out.size[0] / out.size[1] == pytest.approx(size[0] / size[1], rel=0.02)
        assert (out.tobytes() == scene(*size).tobytes()) == (tier.name == "clean")


def test_random_delivery_is_repeatable_and_bounded() -> None:
    image = scene(900, 600)
    for seed in range(30):
        one, two = (
            random_delivery(image, True, np.random.default_rng(seed), 512) for _ in range(2)
        )
        assert one.tobytes() == two.tobytes()
        assert 100 <= max(one.size) <= 512
        assert one.mode == "RGB"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,label\nx,ai\n", "split"),
        ("path,split,label\nx,train,fake\n", "unknown"),
        ("path,split,label\n", "no picture"),
    ],
)
def test_bad_manifests_say_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        read_manifest(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [("id = 3 3", "line 1"), ("id = 'x'", "views"), (None, "Available: clip")],
)
def test_bad_recipes_say_what_is_wrong(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecipeError, match=says):
        read_recipe(path)


def test_flat_pictures_survive_delivery() -> None:
    assert random_delivery(Image.new("RGB", (300, 20)), True, np.random.default_rng(1)).size[0] > 0
