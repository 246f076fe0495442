"""What a walker hands out, and the bounds that hold for all of them."""

import zlib
from dataclasses import dataclass
from enum import StrEnum

MAX_STEPS = 4096
"""Segments, chunks, boxes, items or directory entries that a walk looks at."""
MAX_TEXT = 2 * 2**20
"""Bytes of one text, packet or record, after it has been decompressed."""
MAX_STORE = 16 * 2**20
"""Bytes of a C2PA manifest store: thumbnails of many ingredients fit, a film does not."""


class BlockKind(StrEnum):
    EXIF = "exif"
    """A TIFF structure (Exif 2.32 / CIPA DC-008)."""
    XMP = "xmp"
    """A packet of XMP (ISO 16684-1)."""
    IIM = "iim"
    """IPTC-NAA records (IPTC IIM 4.2)."""
    TEXT = "text"
    """UTF-8 text under a keyword."""
    C2PA = "c2pa"
    """A manifest store: a JUMBF superbox (C2PA 2.2)."""


@dataclass(frozen=True)
class Block:
    """One piece of metadata and the structure that held it."""

    kind: BlockKind
    where: str
    data: bytes
    keyword: str = ""

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def text_block(where: str, keyword: str, raw: bytes) -> Block:
    """A text whose encoding is not told: UTF-8 where it fits, else Latin-1."""
    raw = raw[:MAX_TEXT]
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raw = raw.decode("latin-1").encode("utf-8")
    return Block(BlockKind.TEXT, where, raw, keyword)


def inflated(data: bytes, limit: int = MAX_TEXT) -> bytes:
    """Decompress a zlib stream up to a limit; one that is damaged or longer gives nothing."""
    try:
        stream = zlib.decompressobj()
        result = stream.decompress(data, limit)
    except zlib.error:
        return b""
    return result if stream.eof else b""
