"""Partly fake pictures: real ones with a region drawn anew, and masks that say where.

What an inpainting tool leaves: a region of a real picture replaced by what an autoencoder made of
it, or by a part of a generated picture, with a soft border. Beside each stands a picture that is
real and one that is fake throughout. Neither what it shows nor a seam gives away what is fake: the
real one is the same picture as it was, or, where the region is of another picture, with one of a
real picture in its place. The store is like that of crops.py, a third of each kind in turn, and has

    store/masks.npy   bool [pictures, passes, size, size]: the pixels that are generated
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFilter

from tellsign.picture import PictureError
from tellsign.views import Pixels, canonical, resize, whole
from tellsign_training.augment import augmented
from tellsign_training.crops import CropPlan, array, claim, write_rows
from tellsign_training.data import DataError, Sample, load, source_weights
from tellsign_training.delivery import (
    LOSSLESS,
    Tier,
    deliver,
    limited,
    random_delivery,
    with_history,
)
from tellsign_training.fakes import Redraw, round_trip
from tellsign_training.pooled import pooled

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

KINDS = 3
"""Partly fake, real, fake throughout: rows of a group, in this order."""

SIDE = 512
SMALLEST, LARGEST = 300, 900
"""Pixels of the short side to which a picture is scaled before a square of SIDE is cut out."""

SHARES = (0.02, 0.6)
"""The share of the square that is drawn anew."""

FEATHER = 0.015
"""The widest soft border: a standard deviation as a share of the side."""

FAINTEST = 26
"""Where less of the fake than this of 255 shows, the picture stays as it was."""

PARTLY = "partly_"
"""How sources of partly fake pictures begin."""
MONTAGE = "montage_real"
"""The source of real pictures with a part of another real one."""


@dataclass(frozen=True)
class RoundTrip:
    """`fakes.round_trip` as a value that can be sent to a process, which loads it once."""

    folder: Path

    def __call__(self, pixels: Pixels) -> Pixels:
        return _loaded(self.folder)(pixels)


@cache
def _loaded(folder: Path) -> Redraw:
    torch.set_num_threads(1)  # each process has one network; they share the cores
    return round_trip(folder, 1)


def pack_partly(
    samples: Sequence[Sample],
    redraw: Redraw,
    count: int,
    store: Path,
    plan: CropPlan,
    workers: int,
    tier: Tier | None = None,
) -> None:
    """Write a store of `count` pictures, a third of each kind; goes on where it was stopped.

    They are delivered at random, or all in one tier of the protocol, to measure by.
    `redraw` is sent to the workers. Every other group takes its fakes from the generated pictures
    among the samples, where there are any. Small sources are favoured as in a training.

    Raises:
        DataError: no real picture, a plan whose augmentation would move pixels off the mask, or a
            store of another call.
    """
    if not plan.augment.keeps_places:
        raise DataError("[augment]: with masks only colour and noise leave pixels in their places.")
    groups = _groups(samples, count // KINDS, plan.seed)
    claim(store, samples, plan, partly=count, tier=tier.name if tier else "random")
    size, rows = plan.view.size, KINDS * len(groups)
    shape = (rows, plan.passes, size, size)
    crops = array(store / "crops.npy", np.uint8, (*shape, 3))
    masks = array(store / "masks.npy", np.bool_, shape)
    done = array(store / "done.npy", np.bool_, (rows,))
    write_rows(store, [row for group in groups for row in group.rows()])
    todo = [(g, groups[g]) for g in np.flatnonzero(~done[::KINDS]).tolist()]
    make = partial(_crops, redraw=redraw, plan=plan, tier=tier)
    results = pooled(make, todo, workers, "partly fakes")
    for (g, group), result in zip(todo, results, strict=True):
        if isinstance(result, str):
            print(f"left out {group.base.path}: {result}")
            continue
        own = slice(KINDS * g, KINDS * (g + 1))
        crops[own], masks[own] = result
        done[own] = True
    for file in (crops, masks, done):
        file.flush()


@dataclass(frozen=True)
class Group:
    """A real picture, and two others that a region is taken from; without them it is drawn anew."""

    base: Sample
    generated: Sample | None = None
    real: Sample | None = None

    def rows(self) -> Iterator[Sample]:
        """What rows.csv says of each kind; `path` is that of the base picture."""
        way, other = ("generated", self.generated) if self.generated else ("redrawn", self.base)
        certain = self.base.certain and other.certain
        yield replace(self.base, ai=True, source=f"{PARTLY}{way}", certain=certain)
        yield replace(self.base, source=MONTAGE if self.real else "whole_real")
        yield replace(other, ai=True, source=f"whole_{way}")


def _groups(samples: Sequence[Sample], count: int, seed: int) -> list[Group]:
    """Every other with parts of other pictures, if there are generated ones among the samples."""
    rng = np.random.default_rng((seed, count))
    real, generated = ([s for s in samples if s.ai == kind] for kind in (False, True))
    if not real or not count:
        raise DataError("There is no real picture to make partly fake ones of.")
    bases = _chosen(real, count, rng)
    if not generated:
        return [Group(base) for base in bases]
    others = zip(_chosen(generated, count, rng), _chosen(real, count, rng), strict=True)
    return [
        Group(base, *other) if i % 2 else Group(base)
        for i, (base, other) in enumerate(zip(bases, others, strict=True))
    ]


def _chosen(samples: Sequence[Sample], count: int, rng: np.random.Generator) -> list[Sample]:
    """So many of the samples, none twice before there is need to, the small sources favoured."""
    weight = source_weights([s.source for s in samples])
    again = count > len(samples)
    picks = rng.choice(len(samples), count, again, weight / weight.sum())
    return [samples[i] for i in picks]


def _crops(
    numbered: tuple[int, Group], redraw: Redraw, plan: CropPlan, tier: Tier | None
) -> tuple[Pixels, Mask] | str:
    """The crops uint8 [3, passes, S, S, 3] and masks [3, passes, S, S] of a group, or why not."""
    number, group = numbered
    rng = np.random.default_rng((plan.seed, number))
    try:
        real = _square(group.base, rng)
        fake = _square(group.generated, rng) if group.generated else redraw(real[None])[0]
        other = _square(group.real, rng) if group.real else real
    except PictureError as error:
        return error.message
    side = min(map(len, (real, fake, other)))
    if side < plan.view.size:
        return f"{side} pixels are less than a view."
    real, fake, other = (pixels[:side, :side] for pixels in (real, fake, other))
    layer = soft(region(side, rng), rng)
    mask = layer > 0
    kinds = (
        (blended(real, fake, layer), mask),
        (blended(real, other, layer), np.zeros_like(mask)),
        (fake, np.ones_like(mask)),
    )
    cuts = [_cut(*kind, turn, plan, tier, rng) for kind in kinds for turn in range(plan.passes)]
    crops, masks = (np.stack(part) for part in zip(*cuts, strict=True))
    shape = (KINDS, plan.passes)
    return crops.reshape(*shape, *crops.shape[1:]), masks.reshape(*shape, *masks.shape[1:])


def _square(sample: Sample, rng: np.random.Generator) -> Pixels:
    """A square of the picture at a random scale, with a side of at most SIDE, uint8 [s, s, 3]."""
    image, format = load(sample)
    image = with_history(image, format in LOSSLESS, rng)
    short, long = sorted(image.size)
    smallest, largest = min(short, SMALLEST), min(short, LARGEST)
    target = np.exp(rng.uniform(np.log(smallest), np.log(largest)))
    image = limited(image, round(target * long / short))
    side = min(SIDE, *image.size)
    left, top = (int(rng.integers(0, room - side + 1)) for room in image.size)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def region(side: int, rng: np.random.Generator) -> Mask:
    """A rectangle, an ellipse or a smooth blob somewhere in a square, bool [side, side].

    Its share of the square is log-uniform in SHARES; one that is too long for the square loses
    what lies outside.
    """
    share = np.exp(rng.uniform(*np.log(SHARES)))
    points = _outline(rng) * (np.sqrt(ratio := rng.uniform(0.6, 1.6)), 1 / np.sqrt(ratio))
    points *= np.sqrt(share / _area(points))
    low, extent = points.min(0), np.ptp(points, axis=0)
    points = (points - low + rng.random(2) * (1 - extent)) * side
    drawn = Image.new("1", (side, side))
    ImageDraw.Draw(drawn).polygon([*map(tuple, points.tolist())], 1)
    return np.asarray(drawn)


def _outline(rng: np.random.Generator) -> Array:
    """The corners [n, 2] of a closed line around the origin."""
    kind = rng.integers(3)
    if kind == 0:
        return np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    radius = np.ones_like(angle)
    if kind == 2:
        for wave in (2, 3, 4, 5):
            radius += rng.normal(0, 0.3 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
        radius = radius.clip(0.3)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _area(points: Array) -> float:
    """Of a polygon with corners [n, 2], by Gauss's shoelaces."""
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def soft(where: Mask, rng: np.random.Generator) -> Pixels:
    """How much of the fake shows, 0 to 255 [side, side]: none outside of a region [side, side].

    The border, hard to soft, lies inside of it; where less than FAINTEST would show, none does.
    """
    deviation = rng.uniform(0, FEATHER * len(where))
    layer = Image.fromarray(where.astype(np.uint8) * 255)
    layer = layer.filter(ImageFilter.GaussianBlur(deviation))
    shown = 2 * np.asarray(layer, np.int16) - 255
    return np.where(where & (shown >= FAINTEST), shown, 0).astype(np.uint8)


def blended(real: Pixels, fake: Pixels, layer: Pixels) -> Pixels:
    """`fake` over `real`, uint8 [side, side, 3], as far as a layer of `soft` shows it."""
    images = (Image.fromarray(pixels) for pixels in (fake, real, layer))
    return np.asarray(Image.composite(*images))


def _cut(
    pixels: Pixels,
    mask: Mask,
    turn: int,
    plan: CropPlan,
    tier: Tier | None,
    rng: np.random.Generator,
) -> tuple[Pixels, Mask]:
    """A view of a square after a delivery, as `crops.crops_of` makes it, and its mask."""
    size = plan.view.size
    image = augmented(Image.fromarray(pixels), plan.augment, rng)
    image = deliver(image, tier) if tier else random_delivery(image, True, rng)
    layer = resize(Image.fromarray(mask.astype(np.uint8) * 255), *image.size)
    image, layer = canonical(image, plan.view), canonical(layer, plan.view)
    if plan.shows_whole(turn):
        image, layer = whole(image, size), whole(layer, size)
    else:
        left, top = _corner(np.asarray(layer) > 127, size, rng)
        box = (left, top, left + size, top + size)
        image, layer = image.crop(box), layer.crop(box)
    return np.asarray(image), np.asarray(layer) > 127


def _corner(mask: Mask, size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of a window that shows some of the mask well inside, or anything of a whole."""
    room = [side - size for side in mask.shape[::-1]]
    if mask.all() or not mask.any():
        left, top = (int(rng.integers(0, r + 1)) for r in room)
        return left, top
    y, x = rng.choice(np.argwhere(mask))
    left, top = (
        int(np.clip(at - rng.uniform(0.2, 0.8) * size, 0, r))
        for at, r in zip((x, y), room, strict=True)
    )
    return left, top
