"""A small set of made pictures, and a network to look at them."""

import csv
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from tellsign_training.crops import CropPlan, pack
from tellsign_training.data import read_manifest
from tests.conftest import saved, scene


def pack_splits(manifest: Path, out: Path, plan: CropPlan) -> None:
    """The stores `train` and `val` of a manifest."""
    for split in ("train", "val"):
        pack(read_manifest(manifest, split), out / split, plan, 2)


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained EfficientNet-Lite 0, under timm's names."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("lite0") / "lite0.safetensors"
    save_file(timm.create_model("tf_efficientnet_lite0").state_dict(), path)
    return path
