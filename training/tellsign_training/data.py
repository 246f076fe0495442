"""Labelled pictures: where they are and what is known of each.

`read` takes a manifest or a folder of pictures in one of the usual layouts (layouts.py).

A manifest is a CSV file beside its pictures with the columns `path` (relative to the CSV), `split`
(train, val, test), `label` (ai, real) and, where known, `generator`, `source_id`, `content_type`
and `certainty` (high, med).
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellsign.picture import decode
from tellsign_training.layouts import place

SPLITS = ("train", "val", "test")
COLUMNS = frozenset({"path", "split", "label"})
"""What every manifest has."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"}
)
HELD_OUT = 0.1
"""Share of the pictures of a folder that makes up a split which the folder does not have."""


class DataError(ValueError):
    """A manifest that can't be used; the message says what to change."""


@dataclass(frozen=True)
class Sample:
    """One labelled picture file."""

    path: Path
    split: str
    ai: bool
    generator: str = ""
    source: str = ""
    content: str = ""
    certain: bool = True


def read(data: Path, split: str | None = None) -> list[Sample]:
    """The samples of a manifest or of a folder of pictures; of one split if given.

    A folder that holds one manifest is read by it. Otherwise the names of folders give split,
    class, generator and source. A folder without splits is divided in train, val and test
    (8:1:1), and one that only lacks `val` gives a tenth of `train` for it: by a hash of the file's
    name without its suffix, so that the division is the same everywhere and a picture stays with
    what was made of it under the same name. Sources are not kept apart by this: leaks.py tells.

    Raises:
        DataError: nothing there, pictures without a clear class or split, two manifests.
    """
    manifest = _manifest_in(data) if data.is_dir() else data
    if manifest:
        return read_manifest(manifest, split)
    return _of_split(_divided(list(_found(data)), data), split, data)


def read_manifest(manifest: Path, split: str | None = None) -> list[Sample]:
    """The samples of a manifest, in its order; of one split if given.

    Raises:
        DataError: no such file, a missing column, an unknown split or label, or no sample at all.
    """
    if not manifest.is_file():
        raise DataError(f"There is no manifest at {manifest}.")
    with manifest.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{manifest} lacks the columns {', '.join(sorted(missing))}.")
        samples = [_sample(row, manifest.parent) for row in reader]
    return _of_split(samples, split, manifest)


def _of_split(samples: list[Sample], split: str | None, data: Path) -> list[Sample]:
    chosen = [s for s in samples if split in (None, s.split)]
    if not chosen:
        raise DataError(f"{data} holds no picture" + (f" of split {split}." if split else "."))
    return chosen


def _sample(row: dict[str, str], root: Path) -> Sample:
    if row["split"] not in SPLITS or row["label"] not in ("ai", "real"):
        raise DataError(f"{row['path']}: split {row['split']!r}, label {row['label']!r} unknown.")
    return Sample(
        path=root / row["path"],
        split=row["split"],
        ai=row["label"] == "ai",
        generator=row.get("generator", ""),
        source=row.get("source_id", ""),
        content=row.get("content_type", ""),
        certain=row.get("certainty", "high") != "med",
    )


def _manifest_in(folder: Path) -> Path | None:
    """The one manifest that lies in a folder, if any."""
    manifests = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            if set(next(csv.reader(file), ())) >= COLUMNS:
                manifests.append(path)
    if len(manifests) > 1:
        names = ", ".join(path.name for path in manifests)
        raise DataError(f"{folder} holds several manifests ({names}): name the one to read.")
    return manifests[0] if manifests else None


def _found(root: Path) -> Iterator[Sample]:
    """The pictures under a folder, in the order of their paths; split "" where none is named."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        pictures = [
            name
            for name in sorted(names)
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        ]
        if not pictures:
            continue
        where = place(Path(folder).relative_to(root).parts)
        if len(where.classes) != 1:
            which = "folders of both classes" if where.classes else "no folder of a class"
            raise DataError(
                f"{Path(folder, pictures[0])} lies in {which}: put real pictures under `real` "
                "and generated ones under `fake`, or write a manifest."
            )
        if len(where.splits) > 1:
            raise DataError(f"{folder} is in the splits {' and '.join(sorted(where.splits))}.")
        ai = True in where.classes
        known = Sample(
            Path(folder),
            split="".join(where.splits),
            ai=ai,
            generator=where.source[0] if ai and where.source else "",
            source="/".join(where.source),
        )
        yield from (replace(known, path=Path(folder, name)) for name in pictures)


def _divided(samples: list[Sample], root: Path) -> list[Sample]:
    """The samples with the splits that their folders lack; see `read`."""
    splits = {s.split for s in samples}
    if "" in splits and len(splits) > 1:
        astray = next(s.path for s in samples if not s.split)
        raise DataError(f"{astray} is in no split, while others under {root} are.")
    if "" in splits:
        return [replace(s, split=_drawn(s, ("val", "test"))) for s in samples]
    if "train" in splits and "val" not in splits:
        return [replace(s, split=_drawn(s, ("val",))) if s.split == "train" else s for s in samples]
    return samples


def _drawn(sample: Sample, held_out: Sequence[str]) -> str:
    """One of the held-out splits for a share `HELD_OUT` of the names each, else train."""
    digest = hashlib.sha256(sample.path.stem.encode()).digest()
    turn = int(int.from_bytes(digest[:8], "big") / 2**64 / HELD_OUT)
    return held_out[turn] if turn < len(held_out) else "train"


def source_weights(sources: Sequence[str]) -> npt.NDArray[np.float64]:
    """What each picture counts, so that a source counts by the square root of its size."""
    sizes = Counter(sources)
    return np.array([sizes[source] ** -0.5 for source in sources])


def load(sample: Sample) -> tuple[Image.Image, str]:
    """The decoded picture (RGB) of a sample and its format's name; raises PictureError."""
    picture = decode(sample.path.read_bytes())
    return picture.image, picture.format
