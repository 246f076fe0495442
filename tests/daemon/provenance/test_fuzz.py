"""Mutated files of every format and generator: neither a crash nor a hang.

`python -m tests.daemon.provenance.test_fuzz 50000` runs as many, in processes of their own, and
tells of each that died or took long; a few hundred run as a test.
"""

import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tellsign import provenance
from tellsign.provenance import containers
from tellsign.provenance.containers import BlockKind

from . import making
from .signing import Authority
from .test_containers import SEEDS

SLOW = 2.0
"""Seconds after which a file counts as having hung the reader."""
BATCH = 500
NUMBERS = (b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0")

File = tuple[str, bytes]


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


def _small(path: Path) -> bool:
    return path.stat().st_size < 400_000


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Bits, bytes, lengths, repeats and cuts, most of them in the first few kilobytes, where
    metadata is."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8, 32))):
        at = rng.randrange(max(1, min(len(result), rng.choice((64, 512, 4096, 16_384, 10**9)))))
        match rng.randrange(7):
            case 0:
                result[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                result[at : at + 4] = rng.choice(NUMBERS)
            case 2:
                result[at : at + 2] = rng.choice(NUMBERS)[:2]
            case 3:
                result[at:at] = result[at : at + rng.randrange(200)] * rng.choice((1, 1, 20))
            case 4:
                del result[at : at + rng.randrange(64)]
            case 5:
                other = rng.choice(files())[1]
                start = rng.randrange(len(other))
                result[at:at] = other[start : start + rng.randrange(500)]
            case 6 if rng.random() < 0.2:
                del result[at:]
    return bytes(result)


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
        data = mutated(data, rng)
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
            yield rng.choice((*[format] * 20, *making.FORMATS)), mutated(data, rng)


def slow(seed: int, count: int, trace: Path | None = None) -> list[str]:
    """Read as many mutations; those that took long. The file in hand is kept in `trace`."""
    found = []
    for number, (format, data) in enumerate(mutations(seed, count)):
        if trace:
            trace.write_bytes(data)
        start = time.perf_counter()
        for entry in provenance.read(data, format):
            assert entry.summary.encode()
        if (took := time.perf_counter() - start) > SLOW:
            found.append(f"seed {seed}, file {number} ({format}, {len(data)} bytes): {took:.1f} s")
    return found


def test_mutated_files() -> None:
    slow(0, 400)


def _batch(seed: int, trace: Path) -> None:
    for line in slow(seed, BATCH, trace):
        print(line, flush=True)


def main(count: int) -> None:
    files()
    died, start = 0, time.perf_counter()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(-(-count // BATCH)):
            trace = Path(folder) / "file"
            process = context.Process(target=_batch, args=(seed, trace))
            process.start()
            process.join(BATCH * SLOW)
            if process.exitcode != 0:
                died += 1
                kept = trace.rename(Path(tempfile.gettempdir()) / f"tellsign-fuzz-{seed}")
                print(f"seed {seed} ended with {process.exitcode}: {kept}", flush=True)
                process.kill()
    print(f"{count} files in {time.perf_counter() - start:.0f} s, {died} batches died")


if __name__ == "__main__":
    main(int(sys.argv[1]))
