import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from typer.testing import CliRunner

from tellsign.engines.torch import TorchEngine
from tellsign.models.architectures import PixelDetector
from tellsign_training.augment import Augmentation
from tellsign_training.cli import app
from tellsign_training.crops import CropPlan, read_rows
from tellsign_training.data import DataError, Sample
from tellsign_training.delivery import TIERS, Tier
from tellsign_training.partly import FAINTEST, SHARES, blended, pack_partly, region, soft
from tellsign_training.pixels import iou, pixel_figures
from tellsign_training.stores import Batches, open_store
from tests.conftest import saved, scene

PLAN = CropPlan(4, augment=Augmentation(colour=0.2, noise=0.2))


def white(pixels: np.ndarray) -> np.ndarray:
    """Stands in for the autoencoder: what it draws anew can be seen."""
    return np.full_like(pixels, 255)


class Whiteness(PixelDetector):
    """Marks what is white."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def pixels(self, x: torch.Tensor) -> torch.Tensor:
        return x.amin(1) - 0.78


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    """Ten pictures, four of them generated, one too small."""
    root, made = tmp_path_factory.mktemp("pictures"), []
    for i in range(10):
        width, height = (100, 90) if i == 9 else (300 + 60 * i, 700 - 40 * i)
        image = scene(width, height, seed=i).point(lambda level: level * 0.7)
        (root / f"{i}.png").write_bytes(saved(image, "PNG"))
        made.append(Sample(root / f"{i}.png", "train", ai=i < 4, source=f"s{i % 3}"))
    return made


@pytest.fixture(scope="module")
def store(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store")
    pack_partly(samples, white, 36, path, PLAN, 2)
    return path


@settings(deadline=None)
@given(side=st.integers(224, 512), seed=st.integers(0, 2**32))
def test_a_region_has_its_share_of_the_square(side: int, seed: int) -> None:
    where = region(side, np.random.default_rng(seed))
    assert where.shape == (side, side)
    assert 0.9 * SHARES[0] < where.mean() < 1.1 * SHARES[1]


@settings(deadline=None)
@given(side=st.integers(224, 300), seed=st.integers(0, 2**32))
def test_the_mask_is_where_pixels_differ(side: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    real, where = np.asarray(scene(side, side)), region(side, rng)
    layer = soft(where, rng)
    mask = layer > 0
    assert not (mask & ~where).any()
    assert mask.sum() > 0.6 * where.sum()
    assert layer[mask].min() >= FAINTEST
    picture = blended(real, real + np.uint8(128), layer)  # wraps: each level is 128 off
    assert (picture[~mask] == real[~mask]).all()
    assert (picture[mask] != real[mask]).all()
    assert (blended(real, real, layer) == real).all()


@pytest.mark.parametrize("tier", [None, *TIERS])
def test_masks_go_with_the_pixels_through_every_delivery(
    samples: list[Sample], tmp_path: Path, tier: Tier | None
) -> None:
    real = [s for s in samples if not s.ai]
    plan = CropPlan(4, augment=Augmentation(noise=0.3))
    pack_partly(real, white, 36, tmp_path, plan, 2, tier)
    engine = TorchEngine(Whiteness(), [0.0] * 3, [1.0] * 3, "cpu")
    figures = pixel_figures(engine, tmp_path)
    assert figures["iou"]["value"] > 0.9
    assert figures["iou"]["low"] > 0.85
    assert figures["real_marked"]["value"] < 0.01
    assert figures["iou_redrawn"] == figures["iou"]
    assert 0.01 < figures["iou_of_all_marked"]["value"] < 0.6
    assert "montage_marked" not in figures


def test_a_third_of_each_kind_is_read_as_a_store(store: Path) -> None:
    opened, rows = open_store(store), read_rows(store)
    assert opened.masks is not None
    assert opened.masks.shape == opened.crops.shape[:4] == (36, 4, 224, 224)
    assert Counter(row["source"] for row in rows) == {
        "partly_redrawn": 6, "whole_real": 6, "whole_redrawn": 6,
        "partly_generated": 6, "montage_real": 6, "whole_generated": 6,
    }  # fmt: skip
    assert 0 < opened.packed.sum() < 36  # one picture is too small
    share = opened.masks.mean((2, 3))[opened.packed].reshape(-1, 3, 4)
    assert not opened.paired
    assert (share[:, 0] > 0.005).all()
    assert (share[:, 0] < 1).any(1).all()
    assert (share[:, 1] == 0).all()
    assert (share[:, 2] == 1).all()

    batch = Batches([opened], [1.0], 64)(np.random.default_rng(0))
    inside = batch["mask"].float().mean((1, 2))
    assert (inside[batch["y"] == 0] == 0).all()
    assert (inside[batch["y"] == 1] > 0).all()


def test_it_goes_on_where_it_was_stopped(
    samples: list[Sample], store: Path, tmp_path: Path
) -> None:
    shutil.copy(store / "plan.json", tmp_path)
    names = ("crops", "masks", "done")
    whole = {name: np.load(store / f"{name}.npy") for name in names}
    done = np.flatnonzero(whole["done"])
    for name in names:
        part = whole[name].copy()
        part[done[6] :] = 0
        np.save(tmp_path / f"{name}.npy", part)
    kept = np.load(tmp_path / "crops.npy", mmap_mode="r+")
    kept[done[0]] = 7
    del kept
    pack_partly(samples, white, 36, tmp_path, PLAN, 2)
    assert (np.load(tmp_path / "crops.npy")[done[0]] == 7).all()
    later = slice(done[0] + 1, None)
    for name in names:
        assert (np.load(tmp_path / f"{name}.npy")[later] == whole[name][later]).all()


def test_what_moves_pixels_is_refused(samples: list[Sample], tmp_path: Path) -> None:
    plan = CropPlan(augment=Augmentation(rotation=0.1))
    with pytest.raises(DataError, match="colour and noise"):
        pack_partly(samples, white, 6, tmp_path, plan, 1)
    with pytest.raises(DataError, match="no real picture"):
        pack_partly([s for s in samples if s.ai], white, 6, tmp_path, PLAN, 1)


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [([1, 1, 0, 0], [0, 1, 1, 0], 1 / 3), ([0] * 4, [0] * 4, 1.0), ([1] * 4, [0] * 4, 0.0)],
)
def test_intersection_over_union(found: list[int], truth: list[int], expected: float) -> None:
    masks = (np.array(x, np.bool_).reshape(1, 2, 2) for x in (found, truth))
    assert iou(*masks) == pytest.approx([expected])


def test_the_commands_say_what_is_missing(manifest: Path, tmp_path: Path) -> None:
    command = ["partly", "fcn-lite", "--data", str(manifest), "--autoencoder", str(tmp_path)]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path), "--delivery", "fax"])
    assert done.exit_code == 2
    assert "no delivery fax: it can be random, clean, web, hard, thumb." in done.stderr
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "taef2_encoder.pth: No such file" in " ".join(done.stderr.split())
    done = CliRunner().invoke(app, ["pixels", str(tmp_path), str(tmp_path)])
    assert done.exit_code == 2
    assert "digests.json is missing" in " ".join(done.stderr.split())
