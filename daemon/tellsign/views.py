"""Pixels -> the fixed-size crops that a network reads.

A network reads squares of one size. The picture is first brought to a canonical scale (its long
side at most `long_side`, never enlarged beyond what a square needs), then cut at that native
resolution into squares spread evenly over it, so that the finest traces survive; a scaled whole
shows the composition. Crop resizing as in torchvision's reference pipeline: Lanczos, antialiased.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

MAX_ASPECT = 8


@dataclass(frozen=True)
class ViewPlan:
    """Which views a model reads; stands in the model folder's config.json under `views`."""

    size: int = 224
    long_side: int = 768
    crops: int = 4
    whole: bool = True

    def as_dict(self) -> dict[str, int | bool]:
        return asdict(self)


def canonical(image: Image.Image, plan: ViewPlan) -> Image.Image:
    """The picture with its long side at most `plan.long_side` and its short side at least a view.

    Of a strip longer than `MAX_ASPECT` times its breadth the middle is kept.
    """
    width, height = image.size
    keep = MAX_ASPECT * min(width, height)
    if max(width, height) > keep:
        left, top = max(0, width - keep) // 2, max(0, height - keep) // 2
        image = image.crop((left, top, left + min(width, keep), top + min(height, keep)))
    size = canonical_size(width, height, plan)
    return image if image.size == size else resize(image, *size)


def canonical_size(width: int, height: int, plan: ViewPlan) -> tuple[int, int]:
    """Width and height of what `canonical` makes of a picture, and of what it makes of that."""
    keep = MAX_ASPECT * min(width, height)
    width, height = min(width, keep), min(height, keep)
    scale = min(1.0, plan.long_side / max(width, height))
    scale = max(scale, plan.size / min(width, height))
    width, height = round(width * scale), round(height * scale)
    return min(width, MAX_ASPECT * height), min(height, MAX_ASPECT * width)


def resize(image: Image.Image, width: int, height: int) -> Image.Image:
    """Lanczos resize; a fast box reduction by an integer goes first where there is one."""
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=1.0)


def whole(image: Image.Image, size: int) -> Image.Image:
    """The picture with its short side at `size`, centre-cropped: no aspect ratio to learn from."""
    width, height = image.size
    scale = size / min(width, height)
    small = resize(image, max(size, round(width * scale)), max(size, round(height * scale)))
    return small.crop(middle(*small.size))


def middle(width: int, height: int) -> Box:
    """The largest square around a picture's centre: what the scaled whole shows of it."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def boxes(width: int, height: int, plan: ViewPlan) -> list[Box]:
    """At most `plan.crops` boxes (left, top, right, bottom) of the canonical picture.

    A grid of as few rows and columns as cover the picture, the boxes nearest the centre first.
    """
    if not plan.crops:
        return []
    size = plan.size
    columns, rows = -(-width // size), -(-height // size)
    lefts = [round(i * (width - size) / max(1, columns - 1)) for i in range(columns)]
    tops = [round(i * (height - size) / max(1, rows - 1)) for i in range(rows)]
    grid = [(left, top, left + size, top + size) for top in tops for left in lefts]
    if len(grid) <= plan.crops:
        return grid
    centre = ((width - size) // 2, (height - size) // 2)
    first = (*centre, centre[0] + size, centre[1] + size)
    if plan.crops == 1:
        return [first]
    # An even choice out of the grid, with the centre always among them.
    picks = np.linspace(0, len(grid) - 1, plan.crops - 1).round().astype(int)
    return list(dict.fromkeys([first, *(grid[i] for i in picks.tolist())]))


def views(image: Image.Image, plan: ViewPlan) -> Pixels:
    """All views of a picture, uint8 [n, size, size, 3]: the crops, then the whole if planned."""
    return cut(canonical(image, plan), plan)


def cut(scaled: Image.Image, plan: ViewPlan) -> Pixels:
    """The same of a picture at its canonical scale."""
    return np.stack(list(_cut(scaled, plan)))


def _cut(scaled: Image.Image, plan: ViewPlan) -> Iterator[Pixels]:
    for box in boxes(*scaled.size, plan):
        yield np.asarray(scaled.crop(box))
    if plan.whole:
        yield np.asarray(whole(scaled, plan.size))
