"""Labelled pictures: where they are and what is known of each.

A manifest is a CSV file beside its pictures with the columns `path` (relative to the CSV), `split`
(train, val, test), `label` (ai, real) and, where known, `generator`, `source_id`, `content_type`
and `certainty` (high, med).
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellsign.picture import decode

SPLITS = ("train", "val", "test")


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


def read_manifest(manifest: Path, split: str | None = None) -> list[Sample]:
    """The samples of a manifest, in its order; of one split if given.

    Raises:
        DataError: no such file, a missing column, an unknown split or label, or no sample at all.
    """
    if not manifest.is_file():
        raise DataError(f"There is no manifest at {manifest}.")
    with manifest.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = {"path", "split", "label"} - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{manifest} lacks the columns {', '.join(sorted(missing))}.")
        samples = [_sample(row, manifest.parent) for row in reader]
    chosen = [s for s in samples if split in (None, s.split)]
    if not chosen:
        raise DataError(f"{manifest} holds no picture" + (f" of split {split}." if split else "."))
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


def source_weights(sources: Sequence[str]) -> npt.NDArray[np.float64]:
    """What each picture counts, so that a source counts by the square root of its size."""
    sizes = Counter(sources)
    return np.array([sizes[source] ** -0.5 for source in sources])


def load(sample: Sample) -> tuple[Image.Image, str]:
    """The decoded picture (RGB) of a sample and its format's name; raises PictureError."""
    picture = decode(sample.path.read_bytes())
    return Image.fromarray(picture.pixels), picture.format
