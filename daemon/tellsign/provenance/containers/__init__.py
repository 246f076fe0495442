"""The metadata that a picture file really carries: its container's own structures, walked from
the start by their lengths and never found by searching bytes.

What follows a file's end, hides in pixel data or lies in a damaged structure is no metadata. The
walkers are bounded in steps and in what they hand out.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from tellsign.provenance.containers import avif, gif, jpeg, png, tiff, webp
from tellsign.provenance.containers.block import Block, BlockKind

MAX_BLOCKS = 256
MAX_BYTES = 64 * 2**20
"""Bytes of all blocks of a file together; a TIFF file is a block itself."""

Walker = Callable[[bytes], Iterator[Block]]

WALKERS: dict[str, tuple[Walker, Callable[[bytes], int]]] = {
    "JPEG": (jpeg.walk, jpeg.end),
    "PNG": (png.walk, png.end),
    "WEBP": (webp.walk, webp.end),
    "AVIF": (avif.walk, avif.end),
    "GIF": (gif.walk, gif.end),
    "TIFF": (tiff.walk, tiff.end),
}
"""How to walk a format, by Pillow's name of it, and how to find its end."""


def walk(data: bytes, format: str) -> list[Block]:
    """The metadata blocks of a file, at most `MAX_BLOCKS`."""
    blocks: list[Block] = []
    room = MAX_BYTES
    for block in islice(WALKERS[format][0](data), MAX_BLOCKS) if format in WALKERS else ():
        room -= len(block.data)
        if room < 0:
            break
        blocks.append(block)
    return blocks


def end(data: bytes, format: str) -> int:
    """Where the picture ends by its container's own measure; bytes may follow."""
    return WALKERS[format][1](data) if format in WALKERS else len(data)


__all__ = ["Block", "BlockKind", "end", "walk"]
