"""What a frozen network computes of a store's crops, for another to compute as well.

Hints (Romero et al., 2015) are the maps inside a network, and here the statistics of its channels
too: what EfficientNet-Lite 0 knows of texture from ImageNet, for LeViT, which starts from random
weights. Each channel has a mean of 0 and a standard deviation of 1 over the crops of a sample.

    store/teacher/hints/hints.json       the id and digest of the model that they are of
    store/teacher/hints/moments.npz      means and standard deviations of the channels
    store/teacher/hints/28.npy, 14, 7    float16 [pictures, passes, channels, side, side]
    store/teacher/hints/statistics.npy   float16 [pictures, passes, statistics]
    store/teacher/hints/done.npy         bool [pictures, passes]

Of Lite 0 that is 127 kB a crop.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tellsign.models.architectures import StatisticsReader
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.crops import Crops, array
from tellsign_training.frozen import Read, reader
from tellsign_training.teacher import batches, claimed, over_sample
from tellsign_training.terminal import WORKERS

SHAPES = {"28": (40, 28, 28), "14": (112, 14, 14), "7": (192, 7, 7), "statistics": (992,)}
"""Of the hints of a crop: the last map of each side, and the statistics of all maps."""
SIDE = 224
"""Of the crops that have them."""
MOST = 6.0
"""Standard deviations by which a hint may be off."""
LEAST = 1e-4
"""Added to a standard deviation: what never differs tells nothing."""
SAMPLE, AT_ONCE = 512, 64
"""Pictures whose crops the moments are of; crops in one call of the network."""


def folder(store: Path) -> Path:
    """Where a store has its hints."""
    return store / "teacher" / "hints"


def hints_of(network: StatisticsReader, maps: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """The maps that are hints, and the statistics, float [n, channels, side, side] and [n, d]."""
    of = {str(int(found.shape[3])): found for found in maps} | {"statistics": network.read(maps)}
    return {name: of[name] for name in SHAPES}


class Hinting(nn.Module):
    """float [n, 3, S, S] -> the hints, in the order of SHAPES."""

    def __init__(self, network: StatisticsReader) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        maps = [*self.network.maps(x)]
        return tuple(hints_of(self.network, maps).values())


def teach_hints(store: Path, model: ModelFolder, passes: list[int]) -> None:
    """Write the hints of these passes of a store, going on with what an earlier call left.

    A store takes over the moments of another where its moments.npz and hints.json lie already: all
    stores of a training need the same.

    Raises:
        ModelError: the model is none that gives hints, or the store has another one's.
    """
    crops = np.load(store / "crops.npy", mmap_mode="r")
    packed = np.load(store / "done.npy")
    take = _reader(model, crops.shape[2])
    out = folder(store)
    out.mkdir(parents=True, exist_ok=True)
    if not claimed(out / "moments.npz", out / "hints.json", model):
        (out / "done.npy").unlink(missing_ok=True)
        _fit_moments(out, crops, np.flatnonzero(packed), take)
    moments = np.load(out / "moments.npz")
    arrays = {
        name: array(out / f"{name}.npy", np.float16, (*crops.shape[:2], *shape))
        for name, shape in SHAPES.items()
    }
    done = array(out / "done.npy", np.bool_, crops.shape[:2])
    for turn in passes:
        for rows in batches(packed & ~done[:, turn], AT_ONCE, f"hints, pass {turn}"):
            for name, found in zip(SHAPES, take(crops[rows, turn]), strict=True):
                mean, deviation = moments[name]
                arrays[name][rows, turn] = np.clip((found - mean) / deviation, -MOST, MOST)
            done[rows, turn] = True


def _reader(model: ModelFolder, size: int) -> Read:
    """Crops uint8 [n, S, S, 3] -> their hints, in bfloat16."""
    network = model.network()
    if size != SIDE or model.plan.size != SIDE:
        raise ModelError(
            f"Hints are of crops of {SIDE} pixels, for models that read such; these have {size}, "
            f"and {model.id} reads {model.plan.size}."
        )
    if not isinstance(network, StatisticsReader) or not _gives_hints(network):
        raise ModelError(f"{model.id} has no such maps: take the folder of lite0-statistics.")
    mean, deviation = (np.asarray(of, np.float32) * 255 for of in (model.mean, model.std))
    return reader(Hinting(network), mean, deviation, size, WORKERS)


@torch.inference_mode()
def _gives_hints(network: StatisticsReader) -> bool:
    maps = [*network.maps(torch.zeros(1, 3, SIDE, SIDE))]
    shapes = {str(found.shape[3]): tuple(found.shape[1:]) for found in maps}
    shapes["statistics"] = (2 * sum(found.shape[1] for found in maps),)
    return all(shapes.get(name) == shape for name, shape in SHAPES.items())


def _fit_moments(out: Path, crops: Crops, packed: npt.NDArray[np.int64], take: Read) -> None:
    parts = over_sample(take, crops, packed, SAMPLE, AT_ONCE, "hints, moments")
    moments: dict[str, Any] = {}
    for name, found in zip(SHAPES, zip(*parts, strict=True), strict=True):
        values = np.concatenate(found)
        axes = tuple(axis for axis in range(values.ndim) if axis != 1)
        mean, deviation = (of(values, axes, keepdims=True)[0] for of in (np.mean, np.std))
        moments[name] = np.stack([mean, deviation + LEAST])
    part = out / "moments.part.npz"
    np.savez(part, **moments)
    part.replace(out / "moments.npz")
