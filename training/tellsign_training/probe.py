"""A detector out of what a frozen network says of stores of crops, in minutes.

Only a head is fitted to features that are there already: an average of small networks with one
layer each, in which both classes count the same. (Counting each source the same as well made the
AUC of CLIP's over sources left out 0.73 in place of 0.69, see crossed.py, but on val 0.951 in place
of 0.956, and no better on test.) Of a `clip_vit_b16` the features are what `teach` has written, and
its head takes the whitening and all of the networks in one. Of a network that is read by the
statistics of its channels they are taken here, of every crop.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch import nn
from torch.nn import functional as F

from tellsign.models.architectures import ClipTower, StatisticsReader
from tellsign_training.data import DataError
from tellsign_training.fit import normalised
from tellsign_training.frozen import Array, compiled
from tellsign_training.metrics import Labels
from tellsign_training.recipe import Recipe, RecipeError
from tellsign_training.stores import Store, open_store
from tellsign_training.terminal import WORKERS


@dataclass(frozen=True)
class HeadPlan:
    """How a head is fitted: the networks, and what keeps them from learning by heart.

    That is the decay of weights (AdamW's), the share of units dropped, and the noise on features
    of unit variance.
    """

    members: int
    epochs: int
    decay: float
    dropped: float
    noise: float


CLIP = HeadPlan(members=4, epochs=10, decay=0.5, dropped=0.2, noise=0.3)
STATISTICS = HeadPlan(members=1, epochs=4, decay=0.01, dropped=0.1, noise=0.1)
BATCH, RATE, SMOOTHING = 256, 1e-3, 0.05
AT_ONCE = 16
"""Pictures whose crops are in one call of a frozen network."""


@dataclass(frozen=True)
class Features:
    """What a head reads of crops, float32 [n, d], which row each is of, int [n], and its label.

    Rows are counted through all stores. The values have about unit variance; `spread` [d] is the
    standard deviation that they had.
    """

    values: Array
    rows: npt.NDArray[np.int64]
    ai: Labels
    spread: Array


def probe(
    network: nn.Module, recipe: Recipe, stores: Sequence[Path], epochs: int | None = None
) -> nn.Module:
    """The recipe's network, its head fitted to what the rest of it says of the stores' crops.

    Raises:
        DataError: a store has no features, or others than the first, or all are of one class.
        RecipeError: the network is one whose head can't be fitted.
    """
    hidden, plan = head_plan(network, recipe)
    features = features_of(network, recipe, stores)
    if epochs:
        plan = replace(plan, epochs=epochs)
    members = fitted(features.values, features.ai, hidden, plan)
    if isinstance(network, ClipTower):
        projection = np.load(_projection(stores[0]))
        network.head.load_state_dict(_clip_head(projection, features.spread, members))
    else:
        [(first, last)] = members
        head: Any = network.head
        head[1].load_state_dict(first.state_dict())
        head[4].load_state_dict(last.state_dict())
    return network.eval()


def head_plan(network: nn.Module, recipe: Recipe) -> tuple[int, HeadPlan]:
    """Units of a head's hidden layer, and how it is fitted.

    Raises:
        RecipeError: the network is one whose head can't be fitted.
    """
    hidden = int(recipe.network.get("options", {}).get("hidden", 0))
    if hidden and isinstance(network, ClipTower):
        return hidden, CLIP
    if hidden and isinstance(network, StatisticsReader):
        return hidden, STATISTICS
    raise RecipeError(
        f"{recipe.id}: only networks that are read by statistics, and clip_vit_b16, both with "
        "options.hidden, can be probed."
    )


def features_of(network: nn.Module, recipe: Recipe, stores: Sequence[Path]) -> Features:
    """What the head of a network reads of the crops of stores.

    The norm of a statistics network takes its mean and variance from them.

    Raises:
        DataError: a store has none, or others than the first.
    """
    opened = [open_store(path) for path in stores]
    found = (
        _statistics(network, recipe, opened)
        if isinstance(network, StatisticsReader)
        else [_taught(store, path, stores[0]) for store, path in zip(opened, stores, strict=True)]
    )
    firsts = np.cumsum([0, *(len(store.ai) for store in opened)])
    values = np.concatenate([part for part, _ in found])
    spread = values.std(0)
    if isinstance(network, StatisticsReader):
        values = _normed(network, values)
    else:
        values /= spread
    return Features(
        values,
        np.concatenate([rows + first for (_, rows), first in zip(found, firsts, strict=False)]),
        np.concatenate([store.ai[rows] for store, (_, rows) in zip(opened, found, strict=True)]),
        spread,
    )


Found = tuple[Array, npt.NDArray[np.int64]]
"""Features [n, d] of a store's crops, and the row of each."""


def _projection(store: Path) -> Path:
    return store / "teacher" / "projection.npz"


def _taught(store: Store, path: Path, first: Path) -> Found:
    if store.vector is None or not store.taught.any():
        raise DataError(f"{path} has no features: run `tellsign-train teach` on it first.")
    if _projection(path).read_bytes() != _projection(first).read_bytes():
        raise DataError(
            f"The features of {path} and {first} are whitened differently: copy "
            f"{_projection(first)} into the other's `teacher` before it is taught."
        )
    rows, turns = np.nonzero(store.taught)
    return np.asarray(store.vector, np.float32)[rows, turns], rows


def _statistics(network: StatisticsReader, recipe: Recipe, stores: list[Store]) -> list[Found]:
    shape = stores[0].crops.shape
    take = compiled(Statistics(network), torch.zeros(2, 3, *shape[2:4]), WORKERS)
    found = []
    for store in stores:
        rows = np.flatnonzero(store.packed)
        parts = []
        for start in track(range(0, len(rows), AT_ONCE), "taking statistics"):
            crops = store.crops[rows[start : start + AT_ONCE]]
            x = normalised(torch.from_numpy(crops).flatten(0, 1), recipe.mean, recipe.std)
            parts.append(take(x.contiguous().numpy())[0])
        found.append((np.concatenate(parts), np.repeat(rows, store.crops.shape[1])))
    return found


@torch.no_grad()
def _normed(network: StatisticsReader, values: Array) -> Array:
    network.norm[0].load_state_dict(
        {
            "running_mean": torch.from_numpy(values.mean(0)),
            "running_var": torch.from_numpy(values.var(0)),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    normed: Array = network.norm.eval()(torch.from_numpy(values)).numpy()
    return normed


class Statistics(nn.Module):
    """Only what the head of a detector reads, float [n, 3, S, S] -> [n, features]."""

    def __init__(self, network: StatisticsReader) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network.statistics(x)


Member = tuple[nn.Linear, nn.Linear]


def fitted(features: Array, ai: Labels, hidden: int, plan: HeadPlan) -> list[Member]:
    """Networks with `hidden` units together, out of features [n, d] of unit variance."""
    if ai.all() or not ai.any():
        raise DataError("The features are of one class alone.")
    x, y = torch.from_numpy(features), torch.from_numpy(ai.astype(np.float32))
    seeds = track(range(plan.members), "fitting networks")
    return [_member(x, y, hidden // plan.members, plan, seed) for seed in seeds]


def _member(x: torch.Tensor, y: torch.Tensor, hidden: int, plan: HeadPlan, seed: int) -> Member:
    """The layers of a trained network: features [n, d] of unit variance -> logits [n, 1]."""
    torch.manual_seed(seed)
    first, last = nn.Linear(x.shape[1], hidden), nn.Linear(hidden, 1)
    dropped = nn.Dropout(plan.dropped)
    network = nn.Sequential(dropped, first, nn.GELU(), dropped, last)
    steps = max(1, plan.epochs * len(x) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    chance = y / y.sum() + (1 - y) / (1 - y).sum()
    for drawn in torch.multinomial(chance, steps * BATCH, True).reshape(steps, BATCH):
        features = x[drawn] + plan.noise * torch.randn(len(drawn), x.shape[1])
        target = y[drawn] * (1 - SMOOTHING) + SMOOTHING / 2
        loss = F.binary_cross_entropy_with_logits(network(features).squeeze(1), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return first, last


@torch.no_grad()
def said(members: list[Member], features: Array) -> Array:
    """The mean logits [n] of fitted networks."""
    x = torch.from_numpy(features)
    each = torch.stack([last(F.gelu(first(x))).squeeze(1) for first, last in members])
    logits: Array = each.mean(0).numpy()
    return logits


@torch.no_grad()
def _clip_head(
    projection: Mapping[str, Array], spread: Array, members: list[Member]
) -> dict[str, torch.Tensor]:
    """The state of the head that centres, projects, and averages the members."""
    first, last = zip(*members, strict=True)
    mean = torch.from_numpy(projection["vector_mean"])
    return {
        "0.running_mean": mean,
        "0.running_var": torch.full_like(mean, 1 - nn.BatchNorm1d(1).eps),
        "0.num_batches_tracked": torch.tensor(0),
        "2.weight": torch.from_numpy(projection["vector"].T / spread[:, None]),
        "3.weight": torch.cat([layer.weight for layer in first]),
        "3.bias": torch.cat([layer.bias for layer in first]),
        "5.weight": torch.cat([layer.weight for layer in last], 1) / len(members),
        "5.bias": torch.stack([layer.bias for layer in last]).mean(0),
    }
