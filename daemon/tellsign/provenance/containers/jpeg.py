"""JPEG: marker segments up to the first scan (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator

from tellsign.provenance.containers.block import (
    MAX_STEPS,
    MAX_STORE,
    MAX_TEXT,
    Block,
    BlockKind,
    text_block,
)
from tellsign.provenance.containers.photoshop import iim

EXIF = (b"Exif\0\0", b"Exif\0\xff")
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP = b"Photoshop 3.0\0"
JUMBF = b"JP"

APP1, APP11, APP13, COM = 0xE1, 0xEB, 0xED, 0xFE
SOI, EOI, SOS, TEM = 0xD8, 0xD9, 0xDA, 0x01
RESTARTS = range(0xD0, 0xD8)
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker among entropy-coded bytes: no stuffed zero and no restart."""


def walk(data: bytes) -> Iterator[Block]:
    photoshop, boxes, extended = bytearray(), _Boxes(), _Extended()
    for marker, _, body in _segments(data):
        if marker == APP1 and body[:6] in EXIF:
            yield Block(BlockKind.EXIF, "JPEG APP1", body[6:])
        elif marker == APP1 and body.startswith(XMP):
            yield Block(BlockKind.XMP, "JPEG APP1", body[len(XMP) :])
        elif marker == APP1 and body.startswith(EXTENDED):
            extended.add(body[len(EXTENDED) :])
        elif marker == APP11 and body.startswith(JUMBF):
            boxes.add(body)
        elif marker == APP13 and body.startswith(PHOTOSHOP) and len(photoshop) < MAX_TEXT:
            photoshop += body[len(PHOTOSHOP) :]
        elif marker == COM:
            yield text_block("JPEG comment", "comment", body)
    yield from iim(bytes(photoshop), "JPEG APP13")
    for box in boxes.whole.values():
        yield Block(BlockKind.C2PA, "JPEG APP11", bytes(box))
    yield from extended.blocks()


def end(data: bytes) -> int:
    """Where the picture ends: behind its end-of-image marker."""
    at, steps, last = 2, 0, SOI
    while steps < MAX_STEPS:
        for marker, place, body in _segments(data, at):
            at, last, steps = place + len(body) + 4, marker, steps + 1
        found = _MARKER.search(data, at) if last == SOS else None
        if not found:
            break
        if data[found.end() - 1] == EOI:
            return found.end()
        at, last, steps = found.start(), SOI, steps + 1
    return len(data)


def _segments(data: bytes, at: int = 2) -> Iterator[tuple[int, int, bytes]]:
    """Marker, place and content of the segments from `at` on, a scan's header the last."""
    for _ in range(MAX_STEPS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in (SOI, TEM) or marker in RESTARTS:
            at += 2
        elif marker == EOI:
            return
        else:
            size = int.from_bytes(data[at + 2 : at + 4], "big")
            body = data[at + 4 : at + 2 + size]
            if len(body) + 2 != size:
                return
            yield marker, at, body
            if marker == SOS:
                return
            at += 2 + size


class _Boxes:
    """JUMBF boxes, joined out of the segments that they are cut into (ISO/IEC 19566-5, 18477-3).

    A part is JP, the box's number [2], the part's number [4], the box's header [8], which each
    part repeats, and content.
    """

    def __init__(self) -> None:
        self.whole: dict[bytes, bytearray] = {}
        self._next: dict[bytes, int] = {}

    def add(self, body: bytes) -> None:
        number, part, header = body[2:4], int.from_bytes(body[4:8], "big"), body[8:16]
        if header[4:] != b"jumb" or part != self._next.get(number, 1):
            return
        self._next[number] = part + 1
        box = self.whole.setdefault(number, bytearray(header))
        if box[:8] == header and len(box) + len(body) <= MAX_STORE:
            box += body[16:]


class _Extended:
    """Extended XMP (XMP specification, part 3, 1.1.3.1): parts of larger packets.

    A part is the packet's name [32], its whole length [4], the part's offset [4] and content.
    """

    def __init__(self) -> None:
        self._parts: dict[bytes, dict[int, bytes]] = {}

    def add(self, body: bytes) -> None:
        name, whole = body[:32], int.from_bytes(body[32:36], "big")
        if len(body) > 40 and whole <= MAX_TEXT and (name in self._parts or len(self._parts) < 4):
            self._parts.setdefault(name, {})[int.from_bytes(body[36:40], "big")] = body[40:]

    def blocks(self) -> Iterator[Block]:
        """The packets as far as their parts are without a gap."""
        for parts in self._parts.values():
            packet = bytearray()
            for offset, part in sorted(parts.items()):
                if offset != len(packet) or offset + len(part) > MAX_TEXT:
                    break
                packet += part
            yield Block(BlockKind.XMP, "JPEG APP1, extended", bytes(packet))
