"""Mutated files of every format and generator: neither a crash nor a hang.

`python -m tests.daemon.provenance.test_fuzz 50000` runs as many, in processes of their own, and
tells of each that died or took long; a few hundred run as a test.
"""

import json
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tellsign import provenance
from tellsign.provenance import Evidence, containers
from tellsign.provenance.containers import BlockKind
from tests.fuzz import batches
from tests.fuzz.batches import File
from tests.fuzz.mutations import NUMBERS, mutated

from . import making
from .signing import Authority
from .test_containers import SEEDS


@cache
def files() -> list[File]:
    """Signed files of each format, files with each kind of metadata, and the shared ones."""
    signer = Authority().signer()
    made = signer.sign(making.plain(seed=2))
    described = {"title": "first", "relationship": "parentOf", "label": "one"}
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["one"]}}
    chained = signer.sign(making.plain(), actions=[opened], ingredients=[(described, made)])
    texts = making.with_texts(
        parameters=making.INFOTEXT, prompt=making.comfyui(), invokeai_metadata='{"seed": 1}'
    )
    shared = Path(__file__).parents[4] / "shared" / "data" / "provenance"
    return [
        *((format, signer.sign(making.plain(format), format)) for format in making.FORMATS),
        *SEEDS.items(),
        ("JPEG", chained),
        ("JPEG", signer.sign(making.plain(), compressed=True)),
        ("PNG", texts),
        *(("JPEG", p.read_bytes()) for p in sorted(shared.glob("*.jp*g")) if _small(p)),
        *(("PNG", p.read_bytes()) for p in sorted(shared.glob("*.png")) if _small(p)),
    ]


@cache
def _others() -> list[bytes]:
    return [data for _, data in files()]


def _small(path: Path) -> bool:
    return path.stat().st_size < 400_000


@cache
def parts() -> list[tuple[BlockKind, bytes]]:
    """The metadata of the files: manifest stores, EXIF, XMP, texts."""
    return [
        (block.kind, block.data)
        for format, data in files()
        for block in containers.walk(data, format)
        if len(block.data) < 60_000
    ]


def rewrapped(rng: random.Random) -> File:
    """Mutated metadata in a container that is whole: what gets past all walkers. Half of the
    mutations keep every length, so that a manifest store's boxes stay boxes."""
    kind = rng.choice((BlockKind.C2PA, *BlockKind))
    data = rng.choice([data for part, data in parts() if part is kind])
    if rng.random() < 0.5:
        data = mutated(data, rng, _others())
    else:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 2, 8))):
            at = rng.randrange(len(data))
            new = rng.choice((rng.randbytes(1), *NUMBERS))[: len(data) - at]
            changed[at : at + len(new)] = new
        data = bytes(changed)
    match kind:
        case BlockKind.C2PA:
            return "PNG", making.with_chunks(making.plain("PNG"), making.chunk(b"caBX", data))
        case BlockKind.EXIF:
            return "PNG", making.with_chunks(making.plain("PNG"), making.chunk(b"eXIf", data))
        case BlockKind.XMP:
            text = b"XML:com.adobe.xmp\0\0\0\0\0" + data
            return "PNG", making.with_chunks(making.plain("PNG"), making.chunk(b"iTXt", text))
        case BlockKind.IIM:
            return "JPEG", making.with_segments(making.plain(), making.photoshop(data[:60_000]))
    key = rng.choice((b"parameters", b"prompt", b"workflow", b"invokeai_metadata", b"comment"))
    chunk = making.chunk(b"tEXt", key + b"\0" + data)
    return "PNG", making.with_chunks(making.plain("PNG"), chunk)


def mutations(seed: int, count: int) -> Iterator[File]:
    rng = random.Random(seed)
    for _ in range(count):
        if rng.random() < 0.5:
            yield rewrapped(rng)
        else:
            format, data = rng.choice(files())
            yield rng.choice((*[format] * 20, *making.FORMATS)), mutated(data, rng, _others())


def read(format: str, data: bytes) -> None:
    for entry in provenance.read(data, format):
        assert Evidence.from_dict(json.loads(json.dumps(entry.as_dict()))) == entry


def test_mutated_files() -> None:
    batches.slow(read, mutations(0, 400))


if __name__ == "__main__":
    files()
    batches.run(read, mutations, int(sys.argv[1]))
