from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tellsign.models import folder
from tellsign.models.architectures import ClipTower
from tellsign.models.folder import ModelFolder
from tellsign_training.cli import app
from tellsign_training.crops import CropPlan
from tellsign_training.fit import normalised
from tellsign_training.networks import build
from tellsign_training.recipe import read_recipe
from tellsign_training.stores import open_store
from tests.training.conftest import pack_splits

RECIPE = "lite0-statistics"


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["probe", *map(str, words)])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize("name", ["lite0-statistics", "levit-128s"])
def test_a_head_on_channel_statistics(
    name: str, manifest: Path, lite0: Path, tmp_path: Path
) -> None:
    """Weights of a backbone, or a model folder, whose folded batch norms come back."""
    recipe = read_recipe(name)
    pack_splits(manifest, tmp_path, CropPlan(2, recipe.views))
    stores, out = [tmp_path / "train", tmp_path / "val"], tmp_path / "out"
    first = ["--weights", lite0] if name == RECIPE else ["--start", folder(name)]
    status, said = run(name, *stores, *first, "--out", out, "--epochs", 4000)
    assert status == 0, said
    network: Any = build(recipe, scratch=True)
    network.load_state_dict(load_file(out / "best.safetensors"))
    start: Any = build(recipe, lite0) if name == RECIPE else ModelFolder(folder(name)).network()
    for opened in map(open_store, stores):
        crops = opened.crops[opened.packed]
        x = normalised(torch.from_numpy(crops).flatten(0, 1), recipe.mean, recipe.std)
        with torch.inference_mode():
            logits = network.eval()(x).numpy().reshape(crops.shape[:2])
            found, wanted = (one.eval().statistics(x) for one in (network, start))
        torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)
        ai = opened.ai[opened.packed]
        assert np.array_equal(logits > 0, np.broadcast_to(ai[:, None], logits.shape))


def test_what_can_not_be_probed_is_named(manifest: Path, lite0: Path, tmp_path: Path) -> None:
    pack_splits(manifest, tmp_path, CropPlan(2, read_recipe(RECIPE).views))
    status, said = run("resnet18", tmp_path / "train", "--weights", lite0, "--out", tmp_path / "o")
    assert (status, "resnet18" in said) == (2, True)
    clip = tmp_path / "clip.safetensors"
    save_file(timm.create_model(ClipTower.NAME, num_classes=512).state_dict(), clip)
    status, said = run("clip-middle", tmp_path / "train", "--weights", clip, "--out", tmp_path)
    assert (status, "options.hidden" in said) == (2, True)
    status, said = run(RECIPE, tmp_path / "none", "--weights", lite0, "--out", tmp_path / "o")
    assert (status, "none" in said) == (2, True)
