"""A store of training crops: every picture a few times, delivered at random, cut to one view.

Decoding and re-encoding cost more than the small network, so it is done once, in all cores, into
one file that a training maps into memory. Packing resumes where it was stopped.

    store/crops.npy   uint8 [pictures, passes, size, size, 3]
    store/done.npy    bool [pictures]: packed (an unreadable picture stays False)
    store/rows.csv    source, label, certainty and path of each picture
    store/plan.json   what it is made of and how; another call with something else is refused
"""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap
from PIL import Image

from tellsign.picture import PictureError
from tellsign.views import ViewPlan, canonical, whole
from tellsign_training.augment import Augmentation, augmented, with_patches
from tellsign_training.data import DataError, Sample, load
from tellsign_training.delivery import LOSSLESS, limited, random_delivery, with_history
from tellsign_training.pooled import pooled

Crops = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CropPlan:
    """How a picture becomes `passes` training crops; every fourth shows the whole picture.

    Of a view without crops all of them do.
    """

    passes: int = 4
    view: ViewPlan = field(default_factory=ViewPlan)
    seed: int = 0
    augment: Augmentation = field(default_factory=Augmentation)

    def shows_whole(self, turn: int) -> bool:
        return turn % 4 == 3 or not self.view.crops


VERSION = 3
"""Of how crops are made: a store of another one is not gone on with."""


def pack(samples: Sequence[Sample], store: Path, plan: CropPlan, workers: int) -> None:
    """Write the store for these samples, going on with what an earlier call left.

    Raises:
        DataError: what was left is of other pictures or another plan.
    """
    claim(store, samples, plan)
    size = plan.view.size
    shape = (len(samples), plan.passes, size, size, 3)
    crops = array(store / "crops.npy", np.uint8, shape)
    done = array(store / "done.npy", np.bool_, shape[:1])
    write_rows(store, samples)
    todo = [(i, samples[i]) for i in np.flatnonzero(~done).tolist()]
    results = pooled(partial(_crops, plan=plan), todo, workers, "packing crops")
    for (i, sample), result in zip(todo, results, strict=True):
        if isinstance(result, str):
            print(f"left out {sample.path}: {result}")
            continue
        crops[i] = result
        done[i] = True
    crops.flush()
    done.flush()


def claim(store: Path, samples: Sequence[Sample], plan: CropPlan, **made: Any) -> None:
    """Make the folder of a store, or go on with it if it was made of the same in the same way.

    Raises:
        DataError: it was not.
    """
    store.mkdir(parents=True, exist_ok=True)
    paths = "\n".join(str(sample.path) for sample in samples)
    digest = hashlib.sha256(paths.encode()).hexdigest()
    mine = json.loads(json.dumps({"version": VERSION, "pictures": digest, **asdict(plan), **made}))
    file = store / "plan.json"
    if not file.exists() and not (store / "crops.npy").exists():
        file.write_text(json.dumps(mine, indent=2) + "\n", "utf-8")
    found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if found != mine:
        other = ", ".join(name for name in mine if found.get(name) != mine[name])
        raise DataError(
            f"{store} holds crops of another call (not the same: {other or 'the kind of store'}). "
            "Take another folder, or delete that one."
        )


def write_rows(store: Path, samples: Sequence[Sample]) -> None:
    """Write rows.csv: what is known of each picture of a store."""
    with (store / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "ai", "certain", "path"])
        writer.writerows([s.source, int(s.ai), int(s.certain), s.path] for s in samples)


def read_rows(store: Path) -> list[dict[str, str]]:
    """What rows.csv says of each picture of a store."""
    with (store / "rows.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """An array in a file, as an earlier call left it if it is of this shape, or else of zeros."""
    if path.exists() and np.load(path, mmap_mode="r").shape == shape:
        return open_memmap(path, "r+")
    return open_memmap(path, "w+", dtype, shape)


def _crops(numbered: tuple[int, Sample], plan: CropPlan) -> Crops | str:
    index, sample = numbered
    try:
        image, format = load(sample)
    except PictureError as error:
        return error.message
    rng = np.random.default_rng((plan.seed, index))
    image = limited(image, 1600)
    return crops_of(image, format in LOSSLESS, plan, rng)


def crops_of(image: Image.Image, lossless: bool, plan: CropPlan, rng: np.random.Generator) -> Crops:
    """The training crops of one picture, uint8 [passes, size, size, 3]."""
    return np.stack([_crop(image, lossless, i, plan, rng) for i in range(plan.passes)])


def _crop(
    image: Image.Image, lossless: bool, turn: int, plan: CropPlan, rng: np.random.Generator
) -> Crops:
    """One view of the picture, augmented and delivered at random, uint8 [size, size, 3].

    What it was stored as comes first: an editor gets a picture that has been a JPEG mostly.
    """
    image = augmented(with_history(image, lossless, rng), plan.augment, rng)
    delivered = random_delivery(image, False, rng)
    scaled = canonical(delivered, plan.view)
    if plan.shows_whole(turn):
        view = whole(scaled, plan.view.size)
    else:
        left = int(rng.integers(0, scaled.width - plan.view.size + 1))
        top = int(rng.integers(0, scaled.height - plan.view.size + 1))
        view = scaled.crop((left, top, left + plan.view.size, top + plan.view.size))
    if plan.augment.patches and rng.random() < plan.augment.patches:
        view = with_patches(view, rng)
    return np.asarray(view)
