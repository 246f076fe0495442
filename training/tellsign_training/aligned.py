"""A store of aligned pairs: regions of real pictures, as they are and drawn anew by a network.

Both of a pair are delivered with the same draws and cut alike, so that they differ in nothing but
the decoder's traces. The store is like that of crops.py: the fakes first, then their originals in
the same order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from tellsign.picture import PictureError
from tellsign.views import Pixels
from tellsign_training.crops import CropPlan, array, claim, crops_of, write_rows
from tellsign_training.data import Sample, load, source_weights
from tellsign_training.delivery import limited
from tellsign_training.fakes import Redraw, mixed
from tellsign_training.pooled import pooled

SIDE = 256
BATCH = 8
SMALLEST, LARGEST = 360, 1100
"""Pixels of the long side to which a picture is scaled before its region is cut out."""


def pack_pairs(
    samples: Sequence[Sample],
    redraws: Mapping[str, Redraw],
    count: int,
    store: Path,
    plan: CropPlan,
    workers: int,
    mix: float = 0.0,
) -> None:
    """Write a store of up to `count` pairs out of the real samples, the small sources favoured.

    The networks of `redraws` take turns; each names the source of its fakes. A share `mix` of the
    fakes is blended with its originals. Goes on with the pictures that an earlier call of the same
    plan has drawn.

    Raises:
        DataError: the store is of another call.
    """
    real = [s for s in samples if not s.ai]
    weight = source_weights([s.source for s in real])
    rng = np.random.default_rng((plan.seed, count))
    tries = min(len(real), round(count * 1.25))  # some are smaller than a region
    chosen = [real[i] for i in rng.choice(len(real), tries, False, weight / weight.sum())]
    claim(store, samples, plan, pairs=count, networks=list(redraws), mix=mix)
    cut = partial(_region, seed=plan.seed)
    regions = pooled(cut, [*enumerate(chosen)], workers, "cutting regions")
    pairs = [(s, r) for s, r in zip(chosen, regions, strict=True) if r is not None][:count]
    originals = np.stack([region for _, region in pairs])
    fakes = _redrawn(originals, list(redraws.values()), store)
    fakes = mixed(fakes, originals, rng, mix)
    halves = [*enumerate(fakes), *enumerate(originals)]
    crops = [*pooled(partial(_delivered, plan=plan), halves, workers, "delivering")]
    np.save(store / "crops.npy", np.stack(crops))
    np.save(store / "done.npy", np.ones(len(crops), np.bool_))
    turns = [list(redraws)[i % len(redraws)] for i in range(len(pairs))]
    fake_rows = [
        replace(s, ai=True, source=f"aligned_{turn}")
        for (s, _), turn in zip(pairs, turns, strict=True)
    ]
    write_rows(store, [*fake_rows, *(replace(s, source="aligned_real") for s, _ in pairs)])


def _redrawn(originals: Pixels, redraws: Sequence[Redraw], store: Path) -> Pixels:
    """All fakes, uint8 as the originals; those that an earlier call has drawn are kept."""
    fakes = array(store / "fakes.npy", np.uint8, originals.shape)
    drawn = array(store / "drawn.npy", np.bool_, originals.shape[:1])
    todo = np.flatnonzero(~drawn)
    turn = todo % len(redraws)
    batches = [
        (redraw, rows[start : start + BATCH])
        for number, redraw in enumerate(redraws)
        for rows in (todo[turn == number],)
        for start in range(0, len(rows), BATCH)
    ]
    for redraw, rows in track(batches, "drawing anew"):
        fakes[rows] = redraw(originals[rows])
        drawn[rows] = True
    return fakes


def _region(numbered: tuple[int, Sample], seed: int) -> Pixels | None:
    """A square of the picture at a random scale, or None where it is too small or unreadable."""
    number, sample = numbered
    rng = np.random.default_rng((seed, number))
    try:
        image, _ = load(sample)
    except PictureError:
        return None
    image = limited(image, int(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))))
    if min(image.size) < SIDE:
        return None
    left = int(rng.integers(0, image.width - SIDE + 1))
    top = int(rng.integers(0, image.height - SIDE + 1))
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def _delivered(numbered: tuple[int, Pixels], plan: CropPlan) -> Pixels:
    number, region = numbered
    return crops_of(Image.fromarray(region), True, plan, np.random.default_rng((plan.seed, number)))
