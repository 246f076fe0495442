"""What keeps a decoder from much work for a small file, beside the limit of pixels.

Pillow's parsers are loops in Python, and follow every number of a file: a kilobyte of BMP took 23
seconds, seven megabytes of TIFF strips 17. (Entries of EXIF that share their data are bounded by
Pillow itself since 13.)
"""

import io
import re
import struct

from PIL import Image

MAX_READS = 200_000
"""Pieces in which a file is read: a third of a second. 32 MiB of PNG in the usual chunks are
17,000."""
MAX_STRIPS = 50_000
"""Strips or tiles of a TIFF; each takes Pillow some 20 µs."""
MAX_RLE = 4_000_000
"""Pixels of a BMP with run-length encoding, whose rows Pillow fills byte by byte: a second."""
MAX_SCANNED = 4_000_000_000
"""Pixels times scans of a JPEG, a second or two: forty scans of the largest. Encoders write ten."""

_RLE = (1, 2)
"""BMP's run-length encodings of 8 and 4 bits."""
_STRIPS = (273, 279, 324, 325)
"""TIFF's tags of the offsets and lengths of strips and tiles."""
_SCAN = b"\xff\xda"
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""In a scan's data, where a zero follows each byte of ones that is none, and restarts go on."""


class TooMuch(ValueError):
    """Reading the file would take too long; the message says of what it has too many."""


class Reader(io.BytesIO):
    """A file that is read in so many pieces and no more."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise TooMuch("pieces")
        return super().read(size)


def check_strips(data: bytes) -> None:
    """Before a TIFF is opened, which makes an object of each strip.

    Raises:
        TooMuch: there are too many.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or not {data[2], data[3]} & {42, 43}:
        return
    big = 43 in data[2:4]
    number, entry, size = (
        (f"{order}Q", f"{order}HHQQ", 8) if big else (f"{order}I", f"{order}HHII", 2)
    )
    try:
        [start] = struct.unpack_from(number, data, 8 if big else 4)
        [count] = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
        entries = data[start + size :][: min(count, 2**16) * struct.calcsize(entry)]
        whole = len(entries) - len(entries) % struct.calcsize(entry)
        for tag, _, values, _ in struct.iter_unpack(entry, entries[:whole]):
            if tag in _STRIPS and values > MAX_STRIPS:
                raise TooMuch("strips")
    except (struct.error, OverflowError):
        return  # Pillow will say what is wrong with it


def check_image(image: Image.Image, data: bytes) -> None:
    """Between a picture's header and its pixels.

    Raises:
        TooMuch: its pixels would be gone over too often.
    """
    if image.format in ("JPEG", "MPO") and data.count(_SCAN) * _area(image) > MAX_SCANNED:
        allowed = MAX_SCANNED // max(1, _area(image))
        if _scans(data, allowed) > allowed:
            raise TooMuch("scans")
    if image.format == "BMP" and image.info.get("compression") in _RLE and _area(image) > MAX_RLE:
        raise TooMuch("rows")


def _area(image: Image.Image) -> int:
    return image.width * image.height


def _scans(data: bytes, most: int) -> int:
    """Scans of the first picture in a JPEG file, counted no further than past the most."""
    at, count = 2, 0
    while count <= most:
        found = _MARKER.search(data, at)
        if not found or found[0] == b"\xff\xd9":
            return count
        if found[0] == b"\xff\xda":
            count += 1
        length = data[found.end() : found.end() + 2]
        at = found.end() + int.from_bytes(length, "big")
    return count
