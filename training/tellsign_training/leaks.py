"""What is on both sides of a split: files, pictures, sources, generators.

A detector is measured on pictures that it can't know from training. Two files show almost the same
picture if their difference hashes are at most `NEAR` bits apart and their small grey copies agree.
The hash is Krawetz's dHash ("Kind of Like That", hackerfactor.com, 2013) in both directions, 128
bits. It stands scaling, re-encoding and slight changes of colour, not cropping or mirroring.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tellsign.picture import PictureError, decode, digest
from tellsign_training.data import Sample
from tellsign_training.pooled import pooled

NEAR = 10
"""Bits of 128 by which the hashes of two files of one picture may differ."""
ALIKE = 0.95
"""Correlation of their small copies: hashes alone take one chart or document for another."""
SMALL = 16
"""Pixels a side of the small grey copies."""

CHUNK = 128


@dataclass(frozen=True)
class Leak:
    """Two samples that share a `file`, a `picture`, a `source` or a `generator`."""

    kind: str
    a: Sample
    b: Sample

    @property
    def across(self) -> bool:
        """Whether the two are of different splits."""
        return self.a.split != self.b.split

    def __str__(self) -> str:
        both = f"{self.a.path} ({self.a.split}) and {self.b.path} ({self.b.split})"
        if self.kind == "file":
            return f"{both} are the same file."
        if self.kind == "picture":
            return f"{both} show almost the same picture."
        name = self.a.source if self.kind == "source" else self.a.generator
        splits = f"{self.a.split} and in {self.b.split}"
        return f'The {self.kind} "{name}" is in {splits}: {self.a.path}, {self.b.path}.'


@dataclass(frozen=True)
class Fingerprint:
    """The file's digest; dHash (uint64 [2]) and grey copy (uint8 [SMALL * SMALL]) if readable."""

    sha256: str
    dhash: npt.NDArray[np.uint64] | None = None
    small: npt.NDArray[np.uint8] | None = None


def leaks(samples: Sequence[Sample], workers: int) -> list[Leak]:
    """All that two splits share; unreadable pictures are compared as files only."""
    paths = [s.path for s in samples]
    prints = list(pooled(_read_fingerprint, paths, workers, "looking for leaks"))
    return leaks_of(samples, prints)


def leaks_of(samples: Sequence[Sample], prints: Sequence[Fingerprint]) -> list[Leak]:
    """As `leaks`, with the fingerprints of the samples at hand."""
    return [
        *(twin for twin in twins(samples, prints) if twin.across),
        *_shared(samples, "source", lambda s: s.source),
        *_shared(samples, "generator", lambda s: s.generator if s.ai else ""),
    ]


def twins(samples: Sequence[Sample], prints: Sequence[Fingerprint]) -> list[Leak]:
    """Every two of the same file or almost the same picture, within splits and across them.

    Of a cluster each picture is named once for every split that holds an earlier one of it.
    """
    first: dict[str, dict[str, int]] = defaultdict(dict)
    found = []
    for i, (sample, known) in enumerate(zip(samples, prints, strict=True)):
        earlier = first[known.sha256]
        found += [Leak("file", samples[j], sample) for j in earlier.values()]
        earlier.setdefault(sample.split, i)
    once = [min(places.values()) for places in first.values()]
    readable = [i for i in once if prints[i].dhash is not None]
    named = set()
    for i, j in _near([prints[i] for i in readable]):
        a, b = samples[readable[i]], samples[readable[j]]
        if (b.path, a.split) not in named:
            named.add((b.path, a.split))
            found.append(Leak("picture", a, b))
    return found


def fingerprint(data: bytes, image: Image.Image) -> Fingerprint:
    """The fingerprint of a file and its decoded picture."""
    grey = image.resize((SMALL * 8, SMALL * 8), Image.Resampling.BOX, reducing_gap=2.0).convert("L")
    cells = np.asarray(grey.resize((9, 9), Image.Resampling.LANCZOS)).astype(np.int16)
    bits = [cells[:8, 1:] > cells[:8, :-1], cells[1:, :8] > cells[:-1, :8]]
    small = np.asarray(grey.resize((SMALL, SMALL), Image.Resampling.BOX)).ravel()
    return Fingerprint(digest(data), np.packbits(bits).view(np.uint64), small)


def _read_fingerprint(path: Path) -> Fingerprint:
    data = path.read_bytes()
    try:
        return fingerprint(data, Image.fromarray(decode(data).pixels))
    except PictureError:
        return Fingerprint(digest(data))


def _near(prints: Sequence[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Pairs i < j of almost the same picture, each with each: 8 s for 17,000 pictures."""
    if not prints:
        return
    bits = np.stack([p.dhash for p in prints if p.dhash is not None])
    small = np.stack([p.small for p in prints if p.small is not None]).astype(np.float32)
    small -= small.mean(1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
    for start in range(0, len(bits), CHUNK):
        rows = bits[start : start + CHUNK]
        differing = np.bitwise_count(rows[:, None] ^ bits[None, : start + CHUNK]).sum(-1)
        for j, i in np.argwhere(differing <= NEAR).tolist():
            if i < start + j and small[i] @ small[start + j] >= ALIKE:
                yield i, start + j


def _shared(samples: Sequence[Sample], kind: str, name: Callable[[Sample], str]) -> Iterator[Leak]:
    """One leak for every name and two splits that have it."""
    first: dict[str, dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        if name(sample):
            first[name(sample)].setdefault(sample.split, sample)
    for splits in first.values():
        yield from (Leak(kind, a, b) for a, b in combinations(splits.values(), 2))
