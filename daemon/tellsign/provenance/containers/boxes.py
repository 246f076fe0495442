"""Boxes, of which both AVIF files and manifest stores are made (ISO/IEC 14496-12, 4.2)."""

from collections.abc import Iterator

from tellsign.provenance.containers.block import MAX_STEPS

Box = tuple[bytes, int, int]
"""A box's type, start and end of its content."""


def boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    """The boxes of a range, at most `MAX_STEPS`, up to the first that does not fit in."""
    for _ in range(MAX_STEPS):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if at + 8 > end or size < head or at + size > end:
            return
        yield kind, at + head, at + size
        at += size
