import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tellsign.detector import Detector
from tellsign_training.calibrate import calibrate
from tellsign_training.crops import CropPlan, pack
from tellsign_training.data import DataError, read_manifest
from tellsign_training.delivery import TIERS, deliver, random_delivery
from tellsign_training.export import export
from tellsign_training.fit import fit, open_store
from tellsign_training.recipe import RecipeError, read_recipe
from tellsign_training.scores import score
from tellsign_training.teacher import TOKENS, VECTOR, whitening
from tests.conftest import saved, scene


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve made pictures with a manifest; one of them is damaged."""
    root = tmp_path_factory.mktemp("data")
    rows = []
    for i in range(12):
        ai = i % 2 == 0
        format = ["PNG", "JPEG", "WEBP"][i % 3]
        data = saved(scene(300 + 10 * i, 260, seed=i), format)
        (root / f"{i}.bin").write_bytes(data[:500] if i == 4 else data)
        split = "val" if i > 7 else "train"
        rows.append(
            [f"{i}.bin", split, "ai" if ai else "real", f"s{i % 3}", "med" if i else "high"]
        )
    with (root / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "split", "label", "source_id", "certainty"], *rows])
    return root / "data.csv"


def test_from_a_manifest_to_a_detector_that_scores(manifest: Path, tmp_path: Path) -> None:
    recipe = read_recipe("levit-128s")
    plan = replace(recipe.fit, epochs=2, samples_per_epoch=16, batch=8)
    recipe = replace(recipe, fit=plan)
    for split in ("train", "val"):
        pack(read_manifest(manifest, split), tmp_path / split, CropPlan(4, recipe.views), 2)
    store, val = open_store(tmp_path / "train"), open_store(tmp_path / "val")
    assert store.packed.sum() == 7
    pack(read_manifest(manifest, "train"), tmp_path / "train", CropPlan(4, recipe.views), 2)
    assert (open_store(tmp_path / "train").crops == store.crops).all()
    _teach(tmp_path / "train", len(store.crops))
    store = open_store(tmp_path / "train")

    whole = list(fit(recipe, [store], [1.0], val, tmp_path / "whole"))
    assert [row["epoch"] for row in whole] == [1, 2]
    assert {"label", "vector", "tokens"} <= set(whole[0])

    halves = fit(recipe, [store], [1.0], val, tmp_path / "halves")
    next(halves)
    halves.close()  # stopped after an epoch, then started anew
    list(fit(recipe, [store], [1.0], val, tmp_path / "halves"))
    a, b = (torch.load(tmp_path / n / "last.pt")["student"] for n in ("whole", "halves"))
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, msg=name)

    folder = tmp_path / "model"
    weights = tmp_path / "whole" / "best.safetensors"
    export(recipe, weights, folder, None, "# A card\n")
    detector = Detector.load(folder, "cpu")
    assert detector.info.id == "levit-128s"
    scores = score(detector, read_manifest(manifest, "val"), workers=2)
    assert scores.logits.shape == (4, len(TIERS))
    export(recipe, weights, folder, calibrate(scores, "made"), "# A card\n")
    result = Detector.load(folder, "cpu").check(saved(scene(), "PNG"))
    assert 0 <= result["probability"] <= 1
    assert json.loads((folder / "config.json").read_text())["views"] == recipe.views.as_dict()
    assert load_file(weights)


def _teach(store: Path, n: int) -> None:
    """Made features, where the real teacher's weights are not to be had."""
    rng = np.random.default_rng(0)
    (store / "teacher").mkdir()
    np.save(store / "teacher" / "vector.npy", rng.normal(size=(n, 4, VECTOR)).astype(np.float16))
    tokens = rng.normal(size=(n, 4, 7, 7, TOKENS)).astype(np.float16)
    np.save(store / "teacher" / "tokens.npy", tokens)
    np.save(store / "teacher" / "done.npy", rng.random((n, 4)) < 0.5)


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
    ("text", "says"), [("id = 3 3", "line 1"), ("id = 'x'", "title"), (None, "Available: levit")]
)
def test_bad_recipes_say_what_is_wrong(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(RecipeError, match=says):
        read_recipe(path)


def test_flat_pictures_survive_delivery() -> None:
    assert random_delivery(Image.new("RGB", (300, 20)), True, np.random.default_rng(1)).size[0] > 0
