"""What frozen networks say of a store of crops, for others to learn from (see hints.py as well).

Of a trained detector these are its logits. Of a CLIP image tower they are features, for a head.
Its middle blocks keep the traces of generation that the last ones have thrown away, so the tower is
cut after block 8. What the head gets is whitened: the fine directions of small variance, where
those traces lie, weigh as much as the coarse ones of content.

    store/teacher/projection.npz   mean and whitened directions of `vector`
    store/teacher/vector.npy       float16 [pictures, passes, 256]: class tokens of blocks 4, 6
                                   and 8, and the mean patch token of block 8
    store/teacher/done.npy         bool [pictures, passes]: where there is `vector`
    store/teacher/logits.npy       float32 [pictures, passes], NaN where there is none yet
    store/teacher/logits.json      the id and digest of the model that the logits are of
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import timm
import torch
from numpy.lib.format import open_memmap
from rich.progress import track
from safetensors.torch import load_file
from scipy.linalg import eigh
from torch import nn

from tellsign.engines.torch import TorchEngine
from tellsign.models.architectures import ClipTower
from tellsign.models.folder import ModelError, ModelFolder
from tellsign_training.crops import array
from tellsign_training.frozen import Array, Pixels, reader

Taken = TypeVar("Taken")

TAPS = (4, 6, 8)
VECTOR = ClipTower.DIRECTIONS
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32) * 255
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32) * 255


class Tower(nn.Module):
    """CLIP ViT-B/16 cut after block 8, float [n, 3, 224, 224] -> vector [n, 3072]."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        whole: Any = timm.create_model(ClipTower.NAME, pretrained=False, num_classes=512)
        missing = whole.load_state_dict(load_file(weights), strict=False)
        if set(missing.missing_keys) > {"head.bias"} or missing.unexpected_keys:
            raise ValueError(f"{weights} does not hold a {ClipTower.NAME}.")
        self.tower = ClipTower(TAPS)
        self.tower.backbone.load_state_dict(whole.state_dict(), strict=False)  # without its end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tower.taken(x)


Extract = Callable[[Pixels], Array]


def extractor(weights: Path, threads: int) -> Extract:
    """The tower on OpenVINO in bfloat16: uint8 [n, 224, 224, 3] -> vector."""
    tower = reader(Tower(weights), MEAN, STD, 224, threads)
    return lambda crops: tower(crops)[0]


def whitening(samples: Array, components: int) -> tuple[Array, Array]:
    """Mean [d] and whitened principal directions [d, components] of samples [n, d]."""
    mean = samples.mean(0)
    centred = (samples - mean).astype(np.float64)
    size = samples.shape[1]
    values, vectors = eigh(
        centred.T @ centred / len(samples), subset_by_index=[size - components, size - 1]
    )
    values, vectors = values[::-1], vectors[:, ::-1]
    # Shrunk towards the mean variance, so that the last directions do not become pure noise.
    directions = vectors / np.sqrt(values + 0.01 * values.mean())
    return mean, directions.astype(np.float32)


def turns(text: str, store: Path) -> list[int]:
    """The passes of a store that a list such as `3,0` names.

    Raises:
        ValueError: the store has no such pass.
        OSError: there is no store.
    """
    known = [str(turn) for turn in range(np.load(store / "crops.npy", mmap_mode="r").shape[1])]
    chosen = [turn.strip() for turn in text.split(",")]
    if unknown := set(chosen) - set(known):
        raise ValueError(
            f"{store} has no pass {', '.join(sorted(unknown))}; it has {', '.join(known)}."
        )
    return [int(turn) for turn in chosen]


def teach(store: Path, extract: Extract, passes: list[int], batch: int = 64) -> None:
    """Write the features of these passes of a store, going on with what an earlier call left.

    A store takes over the projection of `store/teacher/projection.npz` if one lies there already.
    """
    crops = np.load(store / "crops.npy", mmap_mode="r")
    packed = np.load(store / "done.npy")
    out = store / "teacher"
    out.mkdir(exist_ok=True)
    if not (out / "projection.npz").exists():
        _fit_projection(out, crops, np.flatnonzero(packed), extract, batch)
    p = np.load(out / "projection.npz")
    shape = crops.shape[:2]
    vector = array(out / "vector.npy", np.float16, (*shape, VECTOR))
    done = array(out / "done.npy", np.bool_, shape)
    for turn in passes:
        for rows in batches(packed & ~done[:, turn], batch, f"teacher, pass {turn}"):
            vector[rows, turn] = (extract(crops[rows, turn]) - p["vector_mean"]) @ p["vector"]
            done[rows, turn] = True


def teach_logits(store: Path, model: ModelFolder, passes: list[int], batch: int = 64) -> None:
    """Write a model's logits of these passes of a store, going on with what an earlier call left.

    Raises:
        ModelError: the model reads crops of another size, or the store has another one's logits.
    """
    crops = np.load(store / "crops.npy", mmap_mode="r")
    packed = np.load(store / "done.npy")
    size = crops.shape[2]
    if model.plan.size != size:
        raise ModelError(
            f"The model {model.id} reads crops of {model.plan.size} pixels, those of {store} have "
            f"{size}: pack a store by a recipe of its size, or take another model."
        )
    logits = _logits(store / "teacher", crops.shape[:2], model)
    engine = TorchEngine(model.network(), model.mean, model.std, "auto")
    for turn in passes:
        todo = packed & np.isnan(logits[:, turn])
        for rows in batches(todo, batch, f"{model.id}, pass {turn}"):
            logits[rows, turn] = engine.logits(crops[rows, turn])


def _logits(
    out: Path, shape: tuple[int, ...], model: ModelFolder
) -> np.memmap[Any, np.dtype[np.float32]]:
    """The logits of a store, as an earlier call of the same model left them."""
    out.mkdir(exist_ok=True)
    file = out / "logits.npy"
    if file.exists() and np.load(file, mmap_mode="r").shape != shape:
        file.unlink()
    if not claimed(file, out / "logits.json", model):
        np.save(file, np.full(shape, np.nan, np.float32))
    return open_memmap(file, "r+")


def claimed(file: Path, owner: Path, model: ModelFolder) -> bool:
    """Whether there is a file already, and it is this model's; whose it is, stands beside it.

    Raises:
        ModelError: it is another model's.
    """
    mine = {"id": model.id, "digest": model.digest}
    if not file.exists():
        owner.write_text(json.dumps(mine), "utf-8")
        return False
    found = json.loads(owner.read_text("utf-8"))
    if found != mine:
        raise ModelError(
            f"{file} is by {found['id']} ({found['digest'][:15]}), not by this {model.id} "
            f"({model.digest[:15]}): delete it to take another teacher."
        )
    return True


def batches(todo: npt.NDArray[np.bool_], batch: int, title: str) -> Iterator[npt.NDArray[np.int64]]:
    """The rows that are still to do, some at a time."""
    rows = np.flatnonzero(todo)
    for start in track(range(0, len(rows), batch), title):
        yield rows[start : start + batch]


def over_sample(
    take: Callable[[Pixels], Taken],
    crops: Pixels,
    packed: npt.NDArray[np.int64],
    most: int,
    batch: int,
    title: str,
) -> list[Taken]:
    """What is taken of so many pictures, drawn at random, a batch of one pass after another."""
    rows = np.sort(np.random.default_rng(0).choice(packed, min(most, len(packed)), replace=False))
    return [
        take(crops[rows[i : i + batch], i // batch % crops.shape[1]])
        for i in track(range(0, len(rows), batch), title)
    ]


def _fit_projection(
    out: Path, crops: Pixels, packed: npt.NDArray[np.int64], extract: Extract, batch: int
) -> None:
    samples = over_sample(extract, crops, packed, 4096, batch, "teacher, projection")
    mean, directions = whitening(np.concatenate(samples), VECTOR)
    np.savez(out / "projection.npz", vector_mean=mean, vector=directions)
