"""Folder names -> the split, the class and the source of the pictures in them.

Understood are ImageFolder (`real/x.jpg`, `fake/sdxl/x.png`), GenImage (`sdxl/train/ai/x.png`,
`sdxl/val/nature/x.jpg`; Zhu et al., 2023, arXiv:2306.08571) and folders of splits above or below
those of the classes, in any spelling of the usual names: case, separators, digits and words such
as `images` do not count, so that `0_real`, `Real Images` and `REAL` are the same.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

REAL = frozenset(
    {
        "real", "reals", "real photo", "real photos", "nature", "natural", "authentic", "genuine",
        "human", "humans", "human made", "camera", "not ai", "non ai",
        "photo", "photos", "photograph", "photographs", "photography",
    }
)  # fmt: skip
AI = frozenset(
    {
        "ai", "ai generated", "ai made", "aigenerated", "aigc", "fake", "fakes", "artificial",
        "generated", "machine generated", "computer generated", "synthetic", "synth",
        "deepfake", "deepfakes",
    }
)  # fmt: skip
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
FILLERS = frozenset({"image", "images", "img", "imgs", "picture", "pictures"})


@dataclass(frozen=True)
class Place:
    """What the folders above a picture say; of a clear place one split at most and one class."""

    splits: frozenset[str]
    classes: frozenset[bool]
    source: tuple[str, ...]


def place(folders: Sequence[str]) -> Place:
    """What the names of the folders say, outermost first; True is the class of AI pictures.

    Whatever names neither a split nor a class names the source; numbers alone name nothing.
    """
    plain = [_plain(name) for name in folders]
    return Place(
        splits=frozenset(SPLIT_NAMES[name] for name in plain if name in SPLIT_NAMES),
        classes=frozenset(name in AI for name in plain if name in AI | REAL),
        source=tuple(
            folder
            for folder, name in zip(folders, plain, strict=True)
            if name and name not in AI | REAL and name not in SPLIT_NAMES
        ),
    )


def _plain(name: str) -> str:
    """The words of a name without case, digits, separators and fillers."""
    words = re.split(r"[^a-z]+", name.casefold())
    return " ".join(word for word in words if word and word not in FILLERS)
