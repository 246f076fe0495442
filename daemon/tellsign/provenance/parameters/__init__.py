"""The parameters that generators write into their pictures, and what they call themselves."""

from tellsign.provenance.containers import Block
from tellsign.provenance.evidence import Evidence
from tellsign.provenance.exif import Exif
from tellsign.provenance.parameters import comfyui, infotext, json_texts, named
from tellsign.provenance.parameters.sources import Sources
from tellsign.provenance.xmp import Properties

READERS = (
    comfyui.read,
    json_texts.novelai,
    json_texts.invokeai,
    json_texts.swarmui,
    json_texts.fooocus,
    json_texts.draw_things,
    infotext.read,
    named.midjourney,
    named.dalle,
    named.program,
)
"""From those that tell most to those that tell least."""
MAX_ENTRIES = 3


def read(texts: list[Block], tags: Exif, xmp: Properties) -> list[Evidence]:
    """An entry for each generator that left parameters: many a program writes several forms. A
    mere name counts only where there are none."""
    firsts: dict[str, Block] = {}
    for block in texts:
        firsts.setdefault(block.keyword, block)
    sources = Sources(firsts, tags, xmp)
    found: list[Evidence] = []
    for reader in READERS:
        if len(found) == MAX_ENTRIES or (found and reader is named.program):
            break
        found += reader(sources)
    return found
