"""AVIF: boxes and metadata items (ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12, annex A); C2PA's is a
uuid box (C2PA 2.2, "Embedding manifests")."""

from collections.abc import Iterator

from tellsign.provenance.containers.block import MAX_STEPS, MAX_STORE, MAX_TEXT, Block, BlockKind
from tellsign.provenance.containers.boxes import boxes

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
MANIFEST = b"manifest\0"
XMP = b"application/rdf+xml"


def walk(data: bytes) -> Iterator[Block]:
    for kind, start, stop in boxes(data, 0, len(data)):
        if kind == b"uuid" and data[start : start + 16] == C2PA:
            # behind the UUID: version and flags [4], purpose, offset of a Merkle box [8]
            if data[start + 20 : start + 29] == MANIFEST and stop - start <= MAX_STORE:
                yield Block(BlockKind.C2PA, "AVIF uuid box", data[start + 37 : stop])
        elif kind == b"meta":
            yield from _items(data, start + 4, stop)


def end(data: bytes) -> int:
    """Where the picture ends: behind its last whole box."""
    return max((stop for _, _, stop in boxes(data, 0, len(data))), default=len(data))


def _items(data: bytes, start: int, stop: int) -> Iterator[Block]:
    """The Exif and XMP items of a meta box."""
    parts = {kind: (at, to) for kind, at, to in boxes(data, start, stop)}
    if b"iinf" not in parts or b"iloc" not in parts:
        return
    kinds = _kinds(data, *parts[b"iinf"])
    idat = parts.get(b"idat", (0, 0))
    for item, extents in _places(data, *parts[b"iloc"], idat):
        kind = kinds.get(item)
        if kind is None:
            continue
        content = b"".join(data[at : at + size] for at, size in extents)
        if kind is BlockKind.EXIF:  # behind the offset of the TIFF header
            content = content[4 + int.from_bytes(content[:4], "big") :]
        yield Block(kind, "AVIF item", content)


def _kinds(data: bytes, at: int, stop: int) -> dict[int, BlockKind]:
    """Which items are metadata, by number."""
    kinds = {}
    entries = at + (6 if data[at : at + 1] == b"\0" else 8)
    for kind, start, to in boxes(data, entries, stop):
        version = data[start] if start < to else 0
        if kind != b"infe" or version not in (2, 3):
            continue
        wide = 4 if version == 3 else 2
        number = int.from_bytes(data[start + 4 : start + 4 + wide], "big")
        at = start + 4 + wide + 2  # the protection's index
        if data[at : at + 4] == b"Exif":
            kinds[number] = BlockKind.EXIF
        elif data[at : at + 4] == b"mime":
            names = data[at + 4 : to].split(b"\0", 2)
            if len(names) > 1 and names[1] == XMP:
                kinds[number] = BlockKind.XMP
    return kinds


class _Fields:
    """Big-endian numbers, one after the other; behind the end all are 0."""

    def __init__(self, data: bytes, at: int, stop: int) -> None:
        self.data, self.at, self.stop = data, at, stop

    def next(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big") if self.more else 0

    @property
    def more(self) -> bool:
        return self.at <= self.stop


def _places(
    data: bytes, at: int, stop: int, idat: tuple[int, int]
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The places and sizes of each item's parts, of bounded size together."""
    fields = _Fields(data, at, stop)
    version = fields.next(4) >> 24
    sizes = fields.next(2)
    offset, length, base, index = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15
    steps = MAX_STEPS
    for _ in range(min(fields.next(4 if version == 2 else 2), MAX_STEPS)):
        item = fields.next(4 if version == 2 else 2)
        method = fields.next(2) & 15 if version in (1, 2) else 0
        fields.next(2)  # the data reference: this file
        start = fields.next(base)
        extents, total = [], 0
        for _ in range(fields.next(2)):
            steps -= 1
            if not fields.more or steps < 0:
                return
            fields.next(index if version in (1, 2) else 0)
            place, size = start + fields.next(offset), fields.next(length)
            total += size
            extents.append((place + (idat[0] if method == 1 else 0), size))
        if fields.more and method in (0, 1) and total <= MAX_TEXT:
            yield item, extents
