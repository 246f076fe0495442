"""JUMBF superboxes (ISO/IEC 19566-5): what must hold of a manifest store before native code reads
it."""

from tellsign.provenance.containers.boxes import Box, boxes

MAX_DEPTH = 8
"""Superboxes in superboxes; C2PA 2.2 needs four: store, manifest, assertion store, assertion."""
MAX_BOXES = 4096
MAX_MANIFESTS = 64
"""Each has a signature to verify, of a few milliseconds."""

MAX_STATEMENTS = 2**20
"""Bytes of all CBOR and JSON together, each of which is looked at; pictures are only hashed."""
MAX_COMPRESSED = 2
"""Manifests that are compressed; the native code bounds what becomes of each alone."""

SUPERBOX, DESCRIPTION, COMPRESSED = b"jumb", b"jumd", b"brob"
STATEMENTS = (b"cbor", b"json")
STORE = bytes.fromhex("6332706100110010800000aa00389b71")
"""The UUID of a C2PA manifest store: "c2pa" and JUMBF's suffix."""


class Refused(ValueError):
    """A manifest store that is damaged or beyond the bounds; the message is for the person."""


def is_store(box: bytes) -> bool:
    """Whether a box is C2PA's; JUMBF serves other standards too."""
    return (box[4:8], box[12:16], box[16:32]) == (SUPERBOX, DESCRIPTION, STORE)


def check(store: bytes) -> int:
    """How many manifests a store holds.

    Raises:
        Refused: its boxes don't fill it, or it is over the bounds.
    """
    [(_, start, stop)] = _boxes(store, 0, len(store))[:1]
    if stop != len(store):
        raise Refused("The store is not one box.")
    children = _boxes(store, start, stop)
    _walk(store, children)
    manifests = sum(kind == SUPERBOX for kind, _, _ in children)
    if not 0 < manifests <= MAX_MANIFESTS:
        raise Refused(f"The store holds {manifests} manifests; at most {MAX_MANIFESTS} are read.")
    return manifests


def _walk(store: bytes, level: list[Box]) -> None:
    """Look at all boxes, a level after the other."""
    count = compressed = statements = 0
    for _ in range(MAX_DEPTH):
        if not level:
            return
        count += len(level)
        compressed += sum(kind == COMPRESSED for kind, _, _ in level)
        statements += sum(stop - start for kind, start, stop in level if kind in STATEMENTS)
        if count > MAX_BOXES:
            raise Refused(f"The store holds more than {MAX_BOXES} boxes.")
        if compressed > MAX_COMPRESSED:
            raise Refused(f"The store holds more than {MAX_COMPRESSED} compressed manifests.")
        if statements > MAX_STATEMENTS:
            raise Refused(f"The store's statements are over {MAX_STATEMENTS // 2**20} MiB.")
        level = [
            child
            for kind, start, stop in level
            if kind == SUPERBOX
            for child in _boxes(store, start, stop)
        ]
    raise Refused(f"The store's boxes are nested deeper than {MAX_DEPTH}.")


def _boxes(store: bytes, at: int, end: int) -> list[Box]:
    """The boxes that fill a range."""
    found = [*boxes(store, at, end)]
    if (found[-1][2] if found else at) != end:
        raise Refused("The store's boxes are damaged or too many.")
    return found
