"""Photoshop image resources, the envelope of IPTC records in JPEG and TIFF (Adobe Photoshop File
Formats Specification, "Image Resource Blocks")."""

from collections.abc import Iterator

from tellsign.provenance.containers.block import MAX_STEPS, Block, BlockKind

IPTC = 0x0404


def iim(resources: bytes, where: str) -> Iterator[Block]:
    """The IPTC records among image resources: 8BIM, number [2], padded name, size [4], content."""
    at = 0
    for _ in range(MAX_STEPS):
        if resources[at : at + 4] != b"8BIM" or at + 12 > len(resources):
            return
        number = int.from_bytes(resources[at + 4 : at + 6], "big")
        name = 1 + resources[at + 6]
        start = at + 6 + name + name % 2
        size = int.from_bytes(resources[start : start + 4], "big")
        content = resources[start + 4 : start + 4 + size]
        if len(content) != size:
            return
        if number == IPTC:
            yield Block(BlockKind.IIM, where, content)
        at = start + 4 + size + size % 2
