"""TIFF directories: the container of TIFF pictures and the form of EXIF (TIFF 6.0, section 2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tellsign.provenance.containers.block import (
    MAX_STORE,
    MAX_TEXT,
    Block,
    BlockKind,
)
from tellsign.provenance.containers.photoshop import iim

MAX_ENTRIES = 512
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 9: 4, 10: 8, 13: 4}
"""Bytes of a value of each TIFF type."""
ASCII, SHORT, LONG, RATIONAL, SIGNED_RATIONAL, IFD = 2, 3, 4, 5, 10, 13

XMP, IPTC, PHOTOSHOP, C2PA = 700, 33723, 34377, 52545


@dataclass(frozen=True)
class Entry:
    """One entry of a directory; its value in the file's byte order."""

    type: int
    raw: bytes
    order: str

    @property
    def text(self) -> str:
        """An ASCII value up to its end; cameras pad with NULs and spaces."""
        if self.type != ASCII:
            return ""
        raw = self.raw.split(b"\0", 1)[0]
        try:
            return raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            return raw.decode("latin-1").strip()

    @property
    def number(self) -> float | None:
        """The first number, if the value is numeric."""
        forms = {SHORT: "H", LONG: "I", IFD: "I", RATIONAL: "II", SIGNED_RATIONAL: "ii"}
        form = forms.get(self.type)
        if form is None or len(self.raw) < SIZES[self.type]:
            return None
        first, *rest = struct.unpack_from(self.order + form, self.raw)
        if not rest:
            return float(first)
        return first / rest[0] if rest[0] else None


Directory = dict[int, Entry]


def directory(data: bytes, at: int | None = None) -> Directory:
    """The entries of the directory at an offset, by default the first, by tag; damaged ones are
    left out."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return {}
    if at is None:
        [at] = struct.unpack_from(order + "I", data, 4)
    if not 8 <= at <= len(data) - 2:
        return {}
    [count] = struct.unpack_from(order + "H", data, at)
    entries: Directory = {}
    room = 2 * MAX_STORE  # all entries may point to the same large value
    for place in range(at + 2, at + 2 + 12 * min(count, MAX_ENTRIES), 12):
        if place + 12 > len(data):
            break
        tag, kind, number = struct.unpack_from(order + "HHI", data, place)
        size = SIZES.get(kind, 0) * number
        start = place + 8
        if size > 4:
            [start] = struct.unpack_from(order + "I", data, start)
        if 0 < size <= min(room, MAX_STORE) and start + size <= len(data):
            room -= size
            entries[tag] = Entry(kind, data[start : start + size], order)
    return entries


def walk(data: bytes) -> Iterator[Block]:
    entries = directory(data)
    if entries:
        yield Block(BlockKind.EXIF, "TIFF directory", data)
    for tag, entry in entries.items():
        if tag == C2PA:
            yield Block(BlockKind.C2PA, "TIFF directory", entry.raw)
        elif len(entry.raw) > MAX_TEXT:
            continue
        elif tag == XMP:
            yield Block(BlockKind.XMP, "TIFF directory", entry.raw)
        elif tag == IPTC:
            yield Block(BlockKind.IIM, "TIFF directory", entry.raw)
        elif tag == PHOTOSHOP:
            yield from iim(entry.raw, "TIFF directory")


def end(data: bytes) -> int:
    """A TIFF file has no end of its own: its offsets may lead anywhere."""
    return len(data)
