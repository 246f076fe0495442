"""Broken files of every format that is decoded: neither a crash, nor a hang, nor memory.

`python -m tests.daemon.test_picture_fuzz 100000` runs as many, in processes of their own; a few
hundred run as a test.
"""

import contextlib
import random
import sys
from collections.abc import Iterator
from functools import cache

from tellsign.picture import FORMATS, PictureError, decode
from tests.conftest import saved, scene
from tests.fuzz import batches
from tests.fuzz.batches import File
from tests.fuzz.mutations import mutated, polyglot


@cache
def files() -> list[File]:
    """Each format, and each kind of it that is decoded in a way of its own."""
    image = scene(96, 64)
    frames = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    grey, palette = image.convert("L"), image.quantize(32)
    clear = image.copy()
    clear.putalpha(grey)
    made = [
        *((format, saved(image, format)) for format in FORMATS),
        ("JPEG", saved(image, "JPEG", progressive=True)),
        ("JPEG", saved(image.convert("CMYK"), "JPEG")),
        ("JPEG", saved(image, "MPO", **frames)),
        ("PNG", saved(palette, "PNG", transparency=1)),
        ("PNG", saved(clear, "PNG")),
        ("PNG", saved(grey.convert("I;16"), "PNG")),
        ("PNG", saved(image, "PNG", **frames)),
        ("WEBP", saved(clear, "WEBP", lossless=True)),
        ("WEBP", saved(image, "WEBP", **frames)),
        ("AVIF", saved(clear, "AVIF", speed=10)),
        ("AVIF", saved(image, "AVIF", speed=10, **frames)),
        ("GIF", saved(image, "GIF", **frames)),
        ("BMP", saved(palette, "BMP")),
    ]
    kinds = ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")
    return [*made, *(("TIFF", saved(image, "TIFF", compression=kind)) for kind in kinds)]


def read(_: str, data: bytes) -> None:
    """A picture or a typed error; any other fails."""
    with contextlib.suppress(PictureError):
        picture = decode(data)
        assert picture.pixels.shape == (picture.height, picture.width, 3)


def mutations(seed: int, count: int) -> Iterator[File]:
    rng = random.Random(seed)
    others = [data for _, data in files()]
    for _ in range(count):
        format, data = rng.choice(files())
        if rng.random() < 0.2:
            data = polyglot(data, rng.choice(others), rng)
        else:
            data = mutated(data, rng, others)
        yield format, data


def test_broken_files() -> None:
    batches.slow(read, mutations(0, 600))


if __name__ == "__main__":
    files()
    batches.run(read, mutations, int(sys.argv[1]))
