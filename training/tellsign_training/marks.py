"""What publishing adds to a picture: signature strips, caption bars, and grids of four pictures.

All of them give the label away without any trace of how the pixels were made. Each is found by
rules so narrow that a picture is rather left whole than cut wrongly, for both classes alike.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

Box = tuple[int, int, int, int]
Pixels = npt.NDArray[np.uint8]

SIGNATURE = np.array(
    [(255, 255, 102), (66, 255, 255), (81, 218, 76), (255, 110, 60), (60, 70, 255)]
)
"""The five squares in the lower right corner of what OpenAI's DALL-E 2 page gave out, RGB, each a
64th of the picture's width; measured on 520 such pictures."""
SIGNATURE_TOLERANCE = 80
"""Levels by which a square may be off after scaling and re-encoding."""

BAR_TOLERANCE = 10
BAR_SHARE = 0.4
"""Share of a bar's row that must have its colour: the rest may be text."""
BAR_HEIGHTS = (0.02, 0.3)
"""The least and the greatest height of a bar, of the picture's."""

SEAM_ZONE = 0.015
"""Share of a side around its middle in which the seam of a grid lies."""
SEAM_STRENGTH = 3.0
"""How many times stronger a seam must be than the lines of the picture."""
GOES_ON = 0.55
"""Under this many usual steps between its two sides a line is no seam."""
TILE_MIN = 160
"""Pixels of the short side that a tile must have to be worth it."""


def unmarked(image: Image.Image) -> Image.Image:
    """The picture without the rows of a signature strip and of caption bars."""
    pixels = np.asarray(image)
    top, bottom = 0, len(pixels) - signature(pixels)
    top += bar(pixels[:bottom])
    bottom -= bar(pixels[top:bottom][::-1])
    return image.crop((0, top, image.width, bottom))


def signature(pixels: Pixels) -> int:
    """Rows of DALL-E 2's signature at the bottom of a picture uint8 [H, W, 3]; 0 if none.

    A small picture is blurred at the edges of the squares, so that only their middles count.
    """
    height, width = pixels.shape[:2]
    side = width / 64
    if side < 3:
        return 0
    row = int(height - side / 2)
    columns = [int(width - side * (4.5 - i)) for i in range(5)]
    off = np.abs(pixels[row, columns].astype(int) - SIGNATURE).max()
    return int(np.ceil(side)) + 1 if off <= SIGNATURE_TOLERANCE else 0


def bar(pixels: Pixels) -> int:
    """Rows of a solid bar, with or without text in it, at the top of a picture; 0 if none.

    A bar has one colour from side to side and ends in one straight line; a plain background, of
    which the picture's content stands out gradually, is none.
    """
    height, width = pixels.shape[:2]
    least, greatest = (max(8, round(share * height)) for share in BAR_HEIGHTS)
    rows = pixels[: greatest + 6].astype(np.int16)
    solid = np.abs(rows - np.median(rows[0], axis=0)).max(-1) <= BAR_TOLERANCE
    share = solid.mean(1)
    margin = max(2, width // 64)
    ends = np.minimum(solid[:, :margin].mean(1), solid[:, -margin:].mean(1))
    inside = (share >= BAR_SHARE) & (ends > 0.9)
    count = len(inside) if inside.all() else int(inside.argmin())
    if not least <= count <= greatest:
        return 0
    below = share[count + 2 : count + 6]  # after the rows that re-encoding blurs
    return count + 2 if below.max(initial=0) < 0.1 else 0


def tiles(image: Image.Image) -> list[Image.Image]:
    """The four pictures of a 2x2 grid in reading order, or the picture itself if it is none."""
    grey = np.asarray(image.convert("L")).astype(np.int16)
    columns, rows = _seam(grey), _seam(grey.T)
    if columns is None or rows is None:
        return [image]
    (left, right), (top, bottom) = columns, rows
    width, height = image.size
    boxes: list[Box] = [
        (0, 0, left, top),
        (right, 0, width, top),
        (0, bottom, left, height),
        (right, bottom, width, height),
    ]
    if min(left, top, width - right, height - bottom) < TILE_MIN:
        return [image]
    return [image.crop(box) for box in boxes]


def cells(image: Image.Image, columns: int, rows: int) -> list[Image.Image]:
    """The pictures of a seamless grid of equal cells, in reading order."""
    x, y = (
        np.linspace(0, side, count + 1).round().astype(int).tolist()
        for side, count in zip(image.size, (columns, rows), strict=True)
    )
    return [
        image.crop((x[i], y[j], x[i + 1], y[j + 1])) for j in range(rows) for i in range(columns)
    ]


def _seam(grey: npt.NDArray[np.int16]) -> tuple[int, int] | None:
    """Where the left half ends and the right half begins; None if no seam parts them.

    A seam is a step between neighbouring columns, exact to the pixel, in the upper half as well as
    in the lower one, at the middle; two of them enclose a gap. Unlike at a line that is drawn
    through a picture, what lies left of it does not go on to its right.
    """
    width = grey.shape[1]
    middle, zone = width // 2, max(2, round(SEAM_ZONE * width))
    halves = np.array_split(grey, 2)
    profiles = [np.abs(np.diff(half, axis=1)).mean(0) for half in halves]
    usual = [_usual(np.delete(p, np.s_[middle - zone : middle + zone])) for p in profiles]
    steps = [p[middle - zone : middle + zone] / u for p, u in zip(profiles, usual, strict=True)]
    strong = np.flatnonzero(np.minimum(*steps) >= SEAM_STRENGTH) + middle - zone + 1
    if not len(strong):
        return None
    left, right = int(strong[0]), int(strong[-1])
    if abs(left + right - width) > 2 + width % 2:
        return None
    apart = [np.abs(half[:, right + 1] - half[:, left - 2]).mean() for half in halves]
    goes_on = any(a < GOES_ON * u for a, u in zip(apart, usual, strict=True))
    return None if goes_on else (left, right)


def _usual(profile: npt.NDArray[np.float64]) -> float:
    """The step of the stronger columns of a picture, in levels; never nothing."""
    return float(np.quantile(profile, 0.9)) + 0.5
