"""What a picture file tells apart from what it shows: size, format, compression, flatness."""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from tellsign.picture import Picture
from tellsign_training.delivery import encoded

BLOCK = 8
FLAT_RANGE = 2
"""Grey levels between the darkest and the brightest pixel of a block that counts as flat."""


@dataclass(frozen=True)
class FileFacts:
    """Pixels, bytes and format; JPEG's quantisation tables (64 values each, row by row) if any."""

    width: int
    height: int
    bytes: int
    format: str
    flatness: float
    luma: tuple[int, ...] = ()
    chroma: tuple[int, ...] = ()

    @property
    def aspect(self) -> float:
        return self.width / self.height

    @property
    def quality(self) -> int | None:
        """The JPEG quality (1 to 100) whose table is the nearest to the file's; None if no JPEG."""
        if not self.luma:
            return None
        return 1 + int(np.abs(_luma_tables() - np.array(self.luma)).sum(1).argmin())


def facts_of(data: bytes, picture: Picture) -> FileFacts:
    """The facts of a file and its decoded picture; `flatness` is the share of flat blocks."""
    tables = _tables(data) if picture.format == "JPEG" else []
    return FileFacts(
        picture.width,
        picture.height,
        len(data),
        picture.format,
        flatness(picture.image),
        *tables[:2],
    )


def flatness(image: Image.Image) -> float:
    """Share of the 8x8 blocks whose grey levels are within `FLAT_RANGE`, 0 to 1."""
    grey = np.asarray(image.convert("L"))
    rows, columns = grey.shape[0] // BLOCK, grey.shape[1] // BLOCK
    blocks = grey[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return float((np.ptp(blocks, axis=(1, 3)) <= FLAT_RANGE).mean())


def _tables(data: bytes) -> list[tuple[int, ...]]:
    """The quantisation tables in a JPEG's header, luma first; no pixel is decoded."""
    with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
        tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]
        return [tuple(tables[key]) for key in sorted(tables)]


@cache
def _luma_tables() -> np.typing.NDArray[np.int64]:
    """libjpeg's luma table at each quality from 1 to 100, int64 [100, 64]."""
    patch = Image.new("RGB", (BLOCK, BLOCK))
    return np.array([_tables(encoded(patch, "JPEG", quality))[0] for quality in range(1, 101)])
