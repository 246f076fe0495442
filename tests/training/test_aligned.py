from pathlib import Path

import numpy as np

from tellsign_training.aligned import pack_pairs
from tellsign_training.crops import CropPlan
from tellsign_training.data import Sample
from tellsign_training.fakes import Redraw
from tellsign_training.stores import Batches, open_store
from tests.conftest import saved, scene


def test_both_of_a_pair_come_in_one_batch_cut_alike(tmp_path: Path) -> None:
    samples = []
    for i in range(8):
        path = tmp_path / f"{i}.png"
        path.write_bytes(saved(scene(500 + 20 * i, 420, seed=i), "PNG"))
        samples.append(Sample(path, "train", ai=i == 0, source=f"s{i % 3}"))
    seen = []

    def brighter(by: int) -> Redraw:
        def redraw(pixels: np.ndarray) -> np.ndarray:
            seen.append((by, len(pixels)))
            return np.clip(pixels.astype(np.int16) + by, 0, 255).astype(np.uint8)

        return redraw

    redraws = {"some": brighter(40), "more": brighter(60)}
    pack_pairs(samples, redraws, 6, tmp_path / "store", CropPlan(), 2)
    store = open_store(tmp_path / "store")
    pairs = len(store.crops) // 2
    assert pairs == 6
    assert seen == [(40, 3), (60, 3)]
    assert store.paired
    assert store.ai.tolist() == [True] * pairs + [False] * pairs
    fakes, originals = (
        half.astype(np.float32).mean((1, 2, 3, 4)) for half in np.split(store.crops, 2)
    )
    assert (fakes > originals + 10).all()

    batch = Batches([store], [1.0], 10)(np.random.default_rng(0))
    fake, original = batch["x"][:5].float(), batch["x"][5:].float()
    assert batch["y"].tolist() == [1.0] * 5 + [0.0] * 5
    for a, b in zip(fake, original, strict=True):
        assert np.corrcoef(a.numpy().ravel(), b.numpy().ravel())[0, 1] > 0.9
