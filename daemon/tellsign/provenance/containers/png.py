"""PNG: chunks up to IEND (W3C PNG, third edition); C2PA's is caBX."""

import zlib
from collections.abc import Iterator

from tellsign.provenance.containers.block import (
    MAX_STEPS,
    MAX_STORE,
    MAX_TEXT,
    Block,
    BlockKind,
    inflated,
    text_block,
)

XMP = "XML:com.adobe.xmp"
MAX_CHUNKS = 1 << 18
"""An encoder may cut pixel data into many small chunks, and text may follow them."""
MAX_INFLATED = 4 * MAX_TEXT
"""Bytes of all compressed texts of a file together."""
PARTS = {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"caBX"}
RAW_PROFILES = {
    "Raw profile type exif": BlockKind.EXIF,
    "Raw profile type APP1": BlockKind.EXIF,
    "Raw profile type iptc": BlockKind.IIM,
    "Raw profile type xmp": BlockKind.XMP,
}
"""ImageMagick's keywords of profiles that it writes as hexadecimal text."""


def walk(data: bytes) -> Iterator[Block]:
    count, room = 0, MAX_INFLATED
    for kind, start, size in _chunks(data):
        if kind not in PARTS or size > MAX_STORE or count == MAX_STEPS:
            continue
        count += 1
        body = data[start : start + size]
        if zlib.crc32(kind + body) != int.from_bytes(data[start + size : start + size + 4], "big"):
            continue  # damaged: decoders pass over it too
        where = f"PNG {kind.decode()}"
        if kind == b"caBX":
            yield Block(BlockKind.C2PA, where, body)
        elif size > MAX_TEXT:
            continue
        elif kind == b"eXIf":
            yield Block(BlockKind.EXIF, where, body)
        elif room > 0:
            block = _text(kind, where, body, min(room, MAX_TEXT))
            if block:
                room -= len(block.data)
                yield block


def end(data: bytes) -> int:
    """Where the picture ends: behind its IEND chunk."""
    at = len(data)
    for kind, start, size in _chunks(data):
        at = start + size + 4 if kind == b"IEND" else len(data)
    return at


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and size of each chunk's content, up to IEND."""
    at = 8
    for _ in range(MAX_CHUNKS):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            return
        yield kind, at + 8, size
        if kind == b"IEND":
            return
        at += 12 + size


def _text(kind: bytes, where: str, body: bytes, room: int) -> Block | None:
    key, found, rest = body.partition(b"\0")
    if not found or len(key) > 79:
        return None
    keyword = key.decode("latin-1")
    if kind == b"zTXt":
        if rest[:1] != b"\0":
            return None
        rest = inflated(rest[1:], room)
    elif kind == b"iTXt":
        packed, method, text = rest[:1], rest[1:2], rest[2:].split(b"\0", 2)
        if len(text) != 3:
            return None
        rest = text[2]
        if packed == b"\1":
            rest = inflated(rest, room) if method == b"\0" else b""
        if keyword == XMP:
            return Block(BlockKind.XMP, where, rest)
    if keyword in RAW_PROFILES:
        return _raw_profile(RAW_PROFILES[keyword], where, rest)
    return text_block(f"{where} “{keyword}”", keyword, rest)


def _raw_profile(kind: BlockKind, where: str, text: bytes) -> Block | None:
    """A profile as ImageMagick writes it: its name, its size, its bytes in hexadecimal."""
    try:
        _, size, digits = text.decode("ascii").split(None, 2)
        profile = bytes.fromhex(digits)
        if len(profile) != int(size):
            return None
    except ValueError:
        return None
    return Block(kind, where, profile.removeprefix(b"Exif\0\0"))
