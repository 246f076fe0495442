"""GIF: extension blocks up to the trailer (CompuServe GIF89a); the XMP extension is of the XMP
specification, part 3, 1.1.2, C2PA's of C2PA 2.2, "Embedding manifests"."""

from collections.abc import Iterator

from tellsign.provenance.containers.block import (
    MAX_STEPS,
    MAX_STORE,
    MAX_TEXT,
    Block,
    BlockKind,
    text_block,
)

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
COMMENT, APPLICATION = 0xFE, 0xFF
XMP, C2PA = b"XMP DataXMP", b"C2PA_GIF"
MAGIC = 258
"""Bytes behind an XMP packet that lead a reader of sub-blocks to their end."""
MAX_SUB_BLOCKS = 1 << 18


def walk(data: bytes) -> Iterator[Block]:
    for label, start, stop in _extensions(data):
        if label == COMMENT:
            yield text_block("GIF comment", "comment", _content(data, start, stop))
        elif label == APPLICATION and data[start] == 11:
            name = data[start + 1 : start + 12]
            if name == XMP and stop - start < MAX_TEXT:
                packet = data[start + 12 : stop - MAGIC]  # raw, not in sub-blocks
                yield Block(BlockKind.XMP, "GIF application extension", packet)
            elif name.startswith(C2PA) and stop - start < MAX_STORE:
                store = _content(data, start + 12, stop)
                yield Block(BlockKind.C2PA, "GIF application extension", store)


def end(data: bytes) -> int:
    """Where the picture ends: behind its trailer."""
    at = len(data)
    for label, _, stop in _extensions(data):
        at = stop if label == TRAILER else len(data)
    return at


def _extensions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Label, start and end of the extensions' sub-blocks; at last the trailer."""
    if data[:3] != b"GIF" or len(data) < 13:
        return
    at, left = 13 + _table(data[10]), MAX_SUB_BLOCKS
    for _ in range(MAX_STEPS):
        if at + 2 > len(data):
            if data[at : at + 1] == bytes([TRAILER]):
                yield TRAILER, at, at + 1
            return
        start = at + 2
        if data[at] == IMAGE and at + 11 <= len(data):
            start = at + 11 + _table(data[at + 9])
        elif data[at] == TRAILER:
            yield TRAILER, at, at + 1
            return
        elif data[at] != EXTENSION:
            return
        stop, left = _skip(data, start, left)
        if not stop:
            return
        if data[at] == EXTENSION:
            yield data[at + 1], start, stop
        at = stop


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip(data: bytes, at: int, left: int) -> tuple[int, int]:
    """The end of sub-blocks, 0 if there is none, and how many more may be passed over."""
    while at < len(data) and left:
        size = data[at]
        at += 1 + size
        left -= 1
        if not size:
            return at, left
    return 0, left


def _content(data: bytes, at: int, stop: int) -> bytes:
    """The joined content of sub-blocks."""
    parts = []
    while at < stop and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts)
