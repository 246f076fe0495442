from pathlib import Path

import numpy as np
import pytest
import torch

from tellsign_training.fakes import TinyAutoencoder, mixed, redraws
from tests.conftest import scene

ENLARGES = """7767517
2 2
Input   data  0 1 data
Interp  up    1 1 data output 0=2 1=4.0 2=4.0
"""
"""A network of ncnn's that makes pictures four times as large, as Real-ESRGAN does."""


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    """A folder of an untrained autoencoder and of an upscaler without weights."""
    torch.manual_seed(0)
    model = TinyAutoencoder()
    for part in ("encoder", "decoder"):
        torch.save(getattr(model, part).state_dict(), tmp_path / f"taef2_{part}.pth")
    (tmp_path / "enlarges.param").write_text(ENLARGES)
    (tmp_path / "enlarges.bin").write_bytes(b"")
    return tmp_path


def test_every_network_draws_a_picture_of_any_size_anew(networks: Path) -> None:
    found = redraws(networks, [networks / "enlarges.param"], 2, (4, 8))
    assert list(found) == ["taef2", "enlarges-by4", "enlarges-by8"]
    pictures = np.stack([np.asarray(scene(91, 70, seed)) for seed in (1, 2)])
    for redraw in found.values():
        drawn = redraw(pictures)
        assert drawn.shape == pictures.shape
        assert drawn.dtype == np.uint8
        assert (drawn != pictures).any(axis=(1, 2, 3)).all()
    for name in ("enlarges-by4", "enlarges-by8"):
        enlarged = found[name](pictures).astype(int)
        assert abs(enlarged.mean((1, 2)) - pictures.mean((1, 2))).max() < 4  # the same picture

    with pytest.raises(OSError, match=r"none\.param"):
        redraws(networks, [networks / "none.param"], 2)


def test_a_share_of_the_fakes_keeps_part_of_its_original() -> None:
    rng = np.random.default_rng(0)
    originals = np.zeros((200, 4, 4, 3), np.uint8)
    fakes = np.full_like(originals, 200)
    kept = 1 - mixed(fakes, originals, rng, 0.3)[:, 0, 0, 0] / 200
    assert 0.2 < (kept > 0).mean() < 0.4
    assert ((kept == 0) | ((kept > 0.09) & (kept < 0.51))).all()
