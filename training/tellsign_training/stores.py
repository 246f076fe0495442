"""Stores of crops, opened for training, and the batches that are drawn from them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tellsign_training.crops import read_rows
from tellsign_training.data import source_weights
from tellsign_training.hints import SHAPES, folder

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Store:
    """A store of crops (see crops.py), with what teachers say of them where there is any.

    In a `paired` store the second half holds the originals of the first (see aligned.py). `masks`
    is 1 where a pixel is generated. `weight` is the one that balances the sources, `certainty` is
    not. `taught` tells where there is `vector`, `hinted` where there are `hints`; `logits` are NaN
    where there is none.
    """

    crops: npt.NDArray[np.uint8]
    packed: npt.NDArray[np.bool_]
    ai: npt.NDArray[np.bool_]
    certainty: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    paired: bool
    masks: npt.NDArray[np.bool_] | None
    vector: npt.NDArray[np.float16] | None
    logits: npt.NDArray[np.float32] | None
    taught: npt.NDArray[np.bool_]
    hints: dict[str, npt.NDArray[np.float16]]
    hinted: npt.NDArray[np.bool_]


def open_store(path: Path) -> Store:
    """The store in a folder, its arrays mapped into memory."""
    crops = np.load(path / "crops.npy", mmap_mode="r")
    rows = read_rows(path)
    certain = np.array([1.0 if row["certain"] == "1" else 0.5 for row in rows])
    paths = [row["path"] for row in rows]
    half = len(paths) // 2
    none = np.zeros(crops.shape[:2], np.bool_)
    taught, hinted = (_mapped(of / "done.npy") for of in (path / "teacher", folder(path)))
    hints = {}
    if hinted is not None:
        hints = {name: np.load(folder(path) / f"{name}.npy", mmap_mode="r") for name in SHAPES}
    return Store(
        crops=crops,
        packed=np.load(path / "done.npy"),
        ai=np.array([row["ai"] == "1" for row in rows]),
        certainty=certain,
        weight=certain * source_weights([row["source"] for row in rows]),
        paired=half > 0 and paths[:half] == paths[half:],
        masks=_mapped(path / "masks.npy"),
        vector=_mapped(path / "teacher" / "vector.npy"),
        logits=_mapped(path / "teacher" / "logits.npy"),
        taught=none if taught is None else taught,
        hints=hints,
        hinted=none if hinted is None else hinted,
    )


def _mapped(path: Path) -> npt.NDArray[Any] | None:
    return np.load(path, mmap_mode="r") if path.exists() else None


def have_hints(stores: list[Store]) -> bool:
    """Whether there is a hint in any of them."""
    return any(bool(store.hinted.any()) for store in stores)


class Batches:
    """Endless batches over several stores, both classes counting the same.

    With `hinted` they have hints, and crops as those are of: none is mirrored.
    """

    def __init__(
        self,
        stores: list[Store],
        shares: list[float],
        batch: int,
        balanced_sources: bool = True,
        hinted: bool = False,
    ) -> None:
        self.stores, self.shares, self.batch, self.hinted = stores, shares, batch, hinted
        self.chance = []
        for store in stores:
            w = (store.weight if balanced_sources else store.certainty) * store.packed
            for label in (True, False):
                chosen = store.ai == label
                if not w[chosen].sum():
                    raise ValueError(f"A store holds no {'AI' if label else 'real'} picture.")
                w[chosen] /= w[chosen].sum()
            if store.paired:
                w = w[: len(w) // 2]
            self.chance.append(w / w.sum())

    def __call__(self, rng: np.random.Generator) -> Batch:
        """`x` uint8 [n, S, S, 3], `y` float [n], and the teachers' words.

        `logits`, float [n], are NaN where there is none. `hinted`, bool [n], tells of which there
        are hints, each by its name.
        """
        counts = rng.multinomial(self.batch, self.shares)
        parts = [
            self._draw(s, c, int(n), rng)
            for s, c, n in zip(self.stores, self.chance, counts, strict=True)
            if n
        ]
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

    def _draw(
        self, store: Store, chance: npt.NDArray[np.float64], n: int, rng: np.random.Generator
    ) -> Batch:
        """n crops; of a paired store both of a pair, cut and turned alike, n rounded up to even."""
        pick = -(-n // 2) if store.paired else n
        rows = rng.choice(len(chance), pick, p=chance)
        turns = rng.integers(0, store.crops.shape[1], pick)
        mirrored = (rng.random(pick) < 0.5) & (not self.hinted)
        if store.paired:
            rows = np.concatenate([rows, rows + len(chance)])
            turns, mirrored = np.tile(turns, 2), np.tile(mirrored, 2)
        logits = np.full(len(rows), np.nan, np.float32)
        if store.logits is not None:
            logits[:] = store.logits[rows, turns]
        flip = torch.from_numpy(mirrored)
        x = torch.from_numpy(store.crops[rows, turns])
        ai = torch.from_numpy(store.ai[rows])
        mask = ai[:, None, None].expand(x.shape[:3])
        if store.masks is not None:
            mask = torch.from_numpy(store.masks[rows, turns])
        return {
            "x": _mirrored(x, flip),
            "y": ai.float(),
            "mask": _mirrored(mask, flip),
            "logits": torch.from_numpy(logits),
            **(_hints(store, rows, turns) if self.hinted else {}),
        }


def _hints(store: Store, rows: npt.NDArray[np.int64], turns: npt.NDArray[np.int64]) -> Batch:
    """The hints of the chosen crops, zeros where there are none, and where there are."""
    hinted = store.hinted[rows, turns]
    found = {"hinted": torch.from_numpy(hinted)}
    for name, shape in SHAPES.items():
        values = np.zeros((len(rows), *shape), np.float32)
        if hinted.any():
            values[hinted] = store.hints[name][rows[hinted], turns[hinted]]
        found[name] = torch.from_numpy(values)
    return found


def _mirrored(x: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """[n, H, W, …] with the chosen ones mirrored left to right."""
    return torch.where(flip.reshape(-1, *[1] * (x.ndim - 1)), x.flip(2), x)


def ahead(make: Callable[[int], Batch], start: int, stop: int) -> Iterator[tuple[int, Batch]]:
    """Steps with their batches, the next one made in a thread while this one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(make, start) if start < stop else None
        for step in range(start, stop):
            assert waiting is not None
            batch = waiting.result()
            if step + 1 < stop:
                waiting = pool.submit(make, step + 1)
            yield step, batch
