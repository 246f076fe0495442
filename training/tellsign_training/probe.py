"""A detector out of what a frozen network says of a store, in minutes.

Only a head is fitted to features that are there already: an average of small networks with one
layer each, in which both classes count the same. (To weight by source as a training does made the
AUC of CLIP's on val 0.940 in place of 0.957.) Of a `clip_vit_b16` the features are what `teach` has
written, and its head takes the whitening and all of the networks in one. Of a `statistics` they are
taken here, of every crop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import nn
from torch.nn import functional as F

from tellsign.models.architectures import ClipTower, StatisticsDetector
from tellsign_training.data import DataError
from tellsign_training.fit import normalised
from tellsign_training.frozen import Array, compiled
from tellsign_training.metrics import Labels
from tellsign_training.networks import build
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


def probe(recipe: Recipe, store: Path, weights: Path, epochs: int | None = None) -> nn.Module:
    """The recipe's network with a backbone's weights and a fitted head.

    Raises:
        DataError: the store has no features, or those of one class alone.
        RecipeError: the network is one whose head can't be fitted, or the weights are others.
    """
    network, opened = build(recipe, weights), open_store(store)
    hidden = int(recipe.network.get("options", {}).get("hidden", 0))
    changed = {"epochs": epochs} if epochs else {}
    if isinstance(network, ClipTower) and hidden:
        _fit_clip(network, hidden, opened, store, replace(CLIP, **changed))
    elif isinstance(network, StatisticsDetector) and hidden:
        _fit_statistics(network, hidden, recipe, opened, replace(STATISTICS, **changed))
    else:
        raise RecipeError(
            f"{recipe.id}: only clip_vit_b16 and statistics, with options.hidden, can be probed."
        )
    return network.eval()


def _fit_clip(network: ClipTower, hidden: int, store: Store, path: Path, plan: HeadPlan) -> None:
    if store.vector is None or not store.taught.any():
        raise DataError(f"{path} has no features: run `tellsign-train teach` on it first.")
    rows, turns = np.nonzero(store.taught)
    features = np.asarray(store.vector, np.float32)[rows, turns]
    spread = features.std(0)
    members = _members(features / spread, store.ai[rows], hidden, plan)
    projection = np.load(path / "teacher" / "projection.npz")
    network.head.load_state_dict(_clip_head(projection, spread, members))


def _fit_statistics(
    network: StatisticsDetector, hidden: int, recipe: Recipe, store: Store, plan: HeadPlan
) -> None:
    take = compiled(Statistics(network), torch.zeros(2, 3, *store.crops.shape[2:4]), WORKERS)
    rows = np.flatnonzero(store.packed)
    parts = []
    for start in track(range(0, len(rows), AT_ONCE), "taking statistics"):
        crops = store.crops[rows[start : start + AT_ONCE]]
        x = normalised(torch.from_numpy(crops).flatten(0, 1), recipe.mean, recipe.std)
        parts.append(take(x.contiguous().numpy())[0])
    features = np.concatenate(parts)
    network.norm[0].load_state_dict(
        {
            "running_mean": torch.from_numpy(features.mean(0)),
            "running_var": torch.from_numpy(features.var(0)),
            "num_batches_tracked": torch.tensor(0),
        }
    )
    with torch.no_grad():
        x = network.norm.eval()(torch.from_numpy(features)).numpy()
    ai = np.repeat(store.ai[rows], store.crops.shape[1])
    [(first, last)] = _members(x, ai, hidden, plan)
    network.head[1].load_state_dict(first.state_dict())
    network.head[4].load_state_dict(last.state_dict())


class Statistics(nn.Module):
    """Only what the head of a detector reads, float [n, 3, S, S] -> [n, features]."""

    def __init__(self, network: StatisticsDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network.statistics(x)


Member = tuple[nn.Linear, nn.Linear]


def _members(features: Array, ai: Labels, hidden: int, plan: HeadPlan) -> list[Member]:
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
