"""What the file says of itself, read from the bytes that are there anyway.

Evidence stands beside the detector's verdict and changes nothing in it: a declaration of AI is
shown as one, nothing here lowers suspicion, and a file that says nothing means nothing.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from PIL import Image

from tellsign.provenance import capture, content_credentials, exif, iptc, parameters, watermark, xmp
from tellsign.provenance.containers import Block, BlockKind, walk
from tellsign.provenance.evidence import Evidence, Kind, marks_ai
from tellsign.provenance.exif import Exif

log = logging.getLogger(__name__)

T = TypeVar("T")


def read(data: bytes, format: str, image: Image.Image | None = None) -> list[Evidence]:
    """All that a file says of itself.

    Args:
        data: the file, hostile.
        format: Pillow's name of its format, as a decoded picture has it.
        image: the decoded picture, RGB, to look for a watermark.

    Raises nothing: what can't be read says nothing.
    """
    blocks = _safely(lambda: walk(data, format))
    of_kind = {kind: [block for block in blocks if block.kind is kind] for kind in BlockKind}
    properties = xmp.properties(of_kind[BlockKind.XMP])
    tags = _tags(of_kind[BlockKind.EXIF])
    remote = properties.get("dcterms:provenance", [""])[0]
    software, camera = tags.text(exif.SOFTWARE), capture.camera(tags)
    readers: list[Callable[[], list[Evidence]]] = [
        lambda: content_credentials.read(data, format, of_kind[BlockKind.C2PA], remote),
        lambda: iptc.read(properties, of_kind[BlockKind.IIM], software, camera),
        lambda: parameters.read(of_kind[BlockKind.TEXT], tags, properties),
        lambda: capture.read(tags),
        lambda: watermark.read(image) if image else [],
    ]
    return [entry for reader in readers for entry in _safely(reader)]


def _tags(blocks: list[Block]) -> Exif:
    parsed = _safely(lambda: [exif.parse(block.data) for block in blocks[:1]])
    return parsed[0] if parsed else Exif()


def _safely(reader: Callable[[], list[T]]) -> list[T]:
    """A parser of hostile bytes may raise anything; then there is no evidence."""
    try:
        return reader()
    except Exception:
        log.exception("provenance")
        return []


__all__ = ["Evidence", "Kind", "marks_ai", "read"]
