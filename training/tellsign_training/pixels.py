"""How well a pixel detector finds what is generated in partly fake pictures."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track

from tellsign.engines.torch import TorchEngine
from tellsign.models.architectures import PixelDetector
from tellsign_training.crops import read_rows
from tellsign_training.data import DataError
from tellsign_training.metrics import measured
from tellsign_training.partly import MONTAGE, PARTLY
from tellsign_training.stores import open_store

Masks = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]
ByBase = defaultdict[str, list[float]]
"""Figures of the crops of each base picture."""


def iou(found: Masks, truth: Masks) -> Array:
    """Intersection over union (Jaccard, 1912) of each of [n, S, S]; 1 where both are empty."""
    both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
    shares: Array = np.divide(both, either, out=np.ones(len(found)), where=either > 0)
    return shares


def pixel_figures(engine: TorchEngine, store: Path) -> dict[str, dict[str, float]]:
    """What a pixel detector marks (logit > 0) in a store of partly.py.

    `iou` is the mean over the crops that are fake in part, `iou_redrawn` and `iou_generated` over
    those of each kind, and `iou_of_all_marked` what marking every pixel would give. `real_marked`
    and `montage_marked` are the share of marked pixels in crops of real pictures and of real
    pictures with a part of another one. Each with a 95 % bootstrap interval by base picture.

    Raises:
        DataError: not such a store, or not a pixel detector.
    """
    opened, rows, network = open_store(store), read_rows(store), engine.network
    if not isinstance(network, PixelDetector):
        raise DataError("The model gives no label to pixels: take that of the recipe pixels.")
    if opened.masks is None:
        raise DataError(f"{store} has no masks: it was not made by tellsign-train partly.")
    figures: defaultdict[str, ByBase] = defaultdict(lambda: defaultdict(list))
    todo = np.flatnonzero(opened.packed).tolist()
    for row in track(todo, "looking at pixels", console=Console(stderr=True)):
        truth, base = np.asarray(opened.masks[row]), rows[row]["path"]
        partly = truth.any((1, 2)) & ~truth.all((1, 2))
        if opened.ai[row] and not partly.any():
            continue
        with torch.no_grad():
            x = engine.tensor(np.array(opened.crops[row]))  # torch wants what can be written
            found = (network.pixels(x) > 0).cpu().numpy()
        source = rows[row]["source"]
        if opened.ai[row]:
            values = iou(found, truth)[partly].tolist()
            figures["iou"][base] += values
            figures[f"iou_{source.removeprefix(PARTLY)}"][base] += values
            figures["iou_of_all_marked"][base] += truth.mean((1, 2))[partly].tolist()
        else:
            name = "montage_marked" if source == MONTAGE else "real_marked"
            figures[name][base] += found.mean((1, 2)).tolist()
    if not {"iou", "real_marked"} <= figures.keys():
        raise DataError(f"{store} lacks pictures that are partly fake, or real ones.")
    return {name: _mean(of) for name, of in figures.items()}


def _mean(of: ByBase) -> dict[str, float]:
    """The mean over crops, its interval, and how many there are."""
    sums, counts = (np.array([float(f(v)) for v in of.values()]) for f in (sum, len))
    figure = measured({"mean": lambda w: w @ sums / (w @ counts)}, np.ones(len(of), np.bool_))
    return figure["mean"] | {"crops": int(counts.sum()), "base_pictures": len(of)}
