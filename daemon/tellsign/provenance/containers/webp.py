"""WebP: chunks of a RIFF file (RFC 9649, section 2.7)."""

from collections.abc import Iterator

from tellsign.provenance.containers.block import MAX_STEPS, MAX_STORE, MAX_TEXT, Block, BlockKind

KINDS = {b"EXIF": BlockKind.EXIF, b"XMP ": BlockKind.XMP, b"C2PA": BlockKind.C2PA}


def walk(data: bytes) -> Iterator[Block]:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return
    at, stop = 12, end(data)
    for _ in range(MAX_STEPS):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > stop:
            return
        kind = KINDS.get(name)
        if kind and size <= (MAX_STORE if kind is BlockKind.C2PA else MAX_TEXT):
            body = data[at + 8 : at + 8 + size]
            if kind is BlockKind.EXIF:
                body = body.removeprefix(b"Exif\0\0")  # against the standard, but common
            yield Block(kind, f"WebP {name.decode().strip()}", body)
        at += 8 + size + size % 2


def end(data: bytes) -> int:
    """Where the picture ends: as its RIFF header says."""
    size = int.from_bytes(data[4:8], "little")
    return min(len(data), 8 + size + size % 2)
