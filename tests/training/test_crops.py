from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tellsign.views import ViewPlan, canonical, views, whole
from tellsign_training import commands_fit
from tellsign_training.augment import Augmentation
from tellsign_training.crops import CropPlan, crops_of, pack, read_rows
from tellsign_training.data import DataError, Sample, read_manifest
from tellsign_training.delivery import random_delivery
from tellsign_training.stores import open_store
from tests.conftest import saved, scene

ALWAYS = Augmentation(**{field.name: 1.0 for field in fields(Augmentation)})
OFTEN = Augmentation(**{field.name: 0.5 for field in fields(Augmentation)})


def test_a_recipe_that_asks_for_nothing_gets_a_delivery_and_a_crop() -> None:
    image, plan, rng = scene(700, 500), CropPlan(), np.random.default_rng(3)
    size, expected = plan.view.size, []
    for turn in range(4):
        delivered = random_delivery(image, True, rng)
        scaled = canonical(delivered, plan.view)
        if turn == 3:
            expected.append(np.asarray(whole(scaled, size)))
            break
        left, top = (int(rng.integers(0, side - size + 1)) for side in scaled.size)
        expected.append(np.asarray(scaled.crop((left, top, left + size, top + size))))
    crops = crops_of(image, True, plan, np.random.default_rng(3))
    assert (crops == np.stack(expected)).all()


def test_a_model_that_reads_the_whole_alone_learns_from_wholes_as_it_gets_them() -> None:
    plan, image = CropPlan(2, ViewPlan(crops=0)), scene(1200, 900)
    rng, expected = np.random.default_rng(3), []
    for _ in range(2):
        [view] = views(random_delivery(image, True, rng), plan.view)
        expected.append(view)
    assert (crops_of(image, True, plan, np.random.default_rng(3)) == np.stack(expected)).all()


@pytest.mark.parametrize("size", [(700, 500), (90, 64), (64, 700)])
def test_whatever_is_done_to_a_picture_a_crop_is_a_view(size: tuple[int, int]) -> None:
    for augment in (ALWAYS, OFTEN):
        crops = crops_of(scene(*size), True, CropPlan(augment=augment), np.random.default_rng(0))
        assert crops.shape == (4, 224, 224, 3)
        assert crops.std((1, 2, 3)).min() > 3


def test_the_label_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(saved(scene(400, 300), "PNG"))
    plan, crops = CropPlan(augment=OFTEN), []
    for ai in (False, True):
        pack([Sample(path, "train", ai)] * 4, tmp_path / str(ai), plan, 1)
        crops.append(open_store(tmp_path / str(ai)).crops)
        assert {row["ai"] for row in read_rows(tmp_path / str(ai))} == {str(int(ai))}
    assert (crops[0] == crops[1]).all()
    plain = crops_of(scene(400, 300), True, CropPlan(), np.random.default_rng((0, 0)))
    assert (crops[0][0] != plain).any()


def test_packing_goes_on_where_it_was_stopped(manifest: Path, tmp_path: Path) -> None:
    samples, plan = read_manifest(manifest, "train"), CropPlan(2, augment=OFTEN)
    pack(samples, tmp_path, plan, 2)
    before = np.load(tmp_path / "crops.npy")
    crops, done = (np.load(tmp_path / f"{name}.npy", mmap_mode="r+") for name in ("crops", "done"))
    crops[2:], done[2:], crops[0] = 0, False, 7
    del crops, done
    pack(samples, tmp_path, plan, 2)
    after = np.load(tmp_path / "crops.npy")
    assert (after[1:] == before[1:]).all()
    assert (after[0] == 7).all()
    for other in (replace(plan, seed=1), replace(plan, augment=ALWAYS)):
        with pytest.raises(DataError, match=r"seed|augment"):
            pack(samples, tmp_path, other, 2)
    with pytest.raises(DataError, match="pictures"):
        pack(samples[1:], tmp_path, plan, 2)


def test_only_what_is_trained_on_is_augmented(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: dict[str, CropPlan] = {}
    monkeypatch.setattr(commands_fit, "pack", lambda _, out, plan, __: plans.update({out: plan}))
    for split in ("train", "val"):
        commands_fit.pack_command("efficientnet-lite0", manifest, split, split)
    assert plans["train"].augment == commands_fit.read_recipe("efficientnet-lite0").augment
    assert plans["val"] == replace(plans["train"], augment=Augmentation())
