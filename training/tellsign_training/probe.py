"""A linear probe: a detector out of what the frozen teacher says of a store, in a minute.

The features are there already, so that only a logistic regression is fitted, with the classes,
sources and uncertain labels weighted as in a training. What comes out is a `clip_vit_b16` whose
head takes the whitening and the regression in one.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from tellsign.models.architectures import ClipTower
from tellsign_training.data import DataError
from tellsign_training.frozen import Array
from tellsign_training.metrics import Labels
from tellsign_training.stores import Store, open_store
from tellsign_training.teacher import TAPS, Tower

STRENGTH = 0.003
"""The inverse of the penalty (scikit-learn's C) on whitened features of unit variance."""


def probe(store: Path, weights: Path, strength: float = STRENGTH) -> ClipTower:
    """A detector out of the features that `teach` has written, and the tower's weights.

    Raises:
        DataError: the store has no features, or those of one class alone.
        OSError, ValueError: the weights are not there, or are others.
    """
    opened = open_store(store)
    features, ai, counts = _taught(opened, store)
    if ai.all() or not ai.any():
        raise DataError(f"The features of {store} are of one class alone.")
    for kind in (True, False):
        counts[ai == kind] /= counts[ai == kind].mean()
    spread = features.std(0)
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit(features / spread, ai, sample_weight=counts)
    projection = np.load(store / "teacher" / "projection.npz")
    direction = projection["vector"] @ (model.coef_[0] / spread)
    network = ClipTower(TAPS)
    network.backbone.load_state_dict(Tower(weights).tower.backbone.state_dict())
    norm = network.head[0]
    assert isinstance(norm, nn.BatchNorm1d)
    head = {
        "0.running_mean": torch.from_numpy(projection["vector_mean"]),
        "0.running_var": torch.full((len(direction),), 1 - norm.eps),
        "0.num_batches_tracked": torch.tensor(0),
        "2.weight": torch.from_numpy(direction)[None],  # the whitening is in it
        "2.bias": torch.from_numpy(model.intercept_),
    }
    network.head.load_state_dict(head)
    return network.eval()


def _taught(opened: Store, store: Path) -> tuple[Array, Labels, Array]:
    """Features [n, 256] of all crops that the teacher has seen, whether each is AI, its weight."""
    if opened.vector is None or not opened.taught.any():
        raise DataError(f"{store} has no features: run `tellsign-train teach` on it first.")
    rows, turns = np.nonzero(opened.taught)
    features = np.asarray(opened.vector, np.float32)[rows, turns]
    return features, opened.ai[rows], opened.weight[rows].astype(np.float32)
