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
from tellsign_training.memory import Known, remembered

NEAR = 10
"""Bits of 128 by which the hashes of two files of one picture may differ."""
ALIKE = 0.95
"""Correlation of their small copies: hashes alone take one chart or document for another."""
SMALL = 16
"""Pixels a side of the small grey copies."""

CHUNK = 128

NAMES: dict[str, Callable[[Sample], str]] = {
    "source": lambda sample: sample.source,
    "generator": lambda sample: sample.generator if sample.ai else "",
}
"""The kinds of leak that a name tells; "" is none."""
KINDS = ("file", "picture", *NAMES)


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
        name = NAMES[self.kind](self.a)
        splits = f"{self.a.split} and in {self.b.split}"
        return f'The {self.kind} "{name}" is in {splits}: {self.a.path}, {self.b.path}.'


@dataclass(frozen=True)
class Fingerprint:
    """The file's digest; dHash (uint64 [2]) and grey copy (uint8 [SMALL * SMALL]) if readable."""

    sha256: str
    dhash: npt.NDArray[np.uint64] | None = None
    small: npt.NDArray[np.uint8] | None = None

    def known(self) -> Known:
        """As JSON holds it: the arrays' bytes in hexadecimal."""
        if self.dhash is None or self.small is None:
            return {"sha256": self.sha256}
        arrays = {"dhash": self.dhash.tobytes().hex(), "small": self.small.tobytes().hex()}
        return {"sha256": self.sha256, **arrays}

    @staticmethod
    def of(known: Known) -> "Fingerprint":
        if "dhash" not in known:
            return Fingerprint(known["sha256"])
        return Fingerprint(
            known["sha256"],
            np.frombuffer(bytes.fromhex(known["dhash"]), np.uint64),
            np.frombuffer(bytes.fromhex(known["small"]), np.uint8),
        )


@dataclass(frozen=True)
class Leaking:
    """The leaks of one kind into a split, and the split's pictures that leak so."""

    leaks: list[Leak]
    pictures: list[Sample]


def fingerprints(samples: Sequence[Sample], memory: Path, workers: int) -> list[Fingerprint]:
    """The fingerprint of each sample's file, kept in `memory`; see memory.py."""
    paths = [sample.path for sample in samples]
    known = remembered(_read_fingerprint, paths, memory, workers, "looking for leaks")
    return [Fingerprint.of(one) for one in known]


def leaking(
    samples: Sequence[Sample], prints: Sequence[Fingerprint], split: str
) -> dict[str, Leaking]:
    """What a split shares with any other, by the kinds there are.

    A picture that leaks in several ways counts for the first of `KINDS`.
    """
    # The split's pictures come last: so each that has a twin elsewhere is named, not the first one.
    order = sorted(range(len(samples)), key=lambda i: samples[i].split == split)
    found = leaks_of([samples[i] for i in order], [prints[i] for i in order])
    digests = {s.path: known.sha256 for s, known in zip(samples, prints, strict=True)}

    def by_digest(sample: Sample) -> str:
        return digests[sample.path]

    left = [s for s in samples if s.split == split]
    result = {}
    for kind in KINDS:
        name = NAMES.get(kind, by_digest)
        into = [leak for leak in found if leak.kind == kind and leak.b.split == split]
        shared = {name(leak.b) for leak in into}
        if into:
            result[kind] = Leaking(into, [s for s in left if name(s) in shared])
            left = [s for s in left if name(s) not in shared]
    return result


def leaks_of(samples: Sequence[Sample], prints: Sequence[Fingerprint]) -> list[Leak]:
    """All that two splits share; unreadable pictures are compared as files only."""
    return [
        *(twin for twin in twins(samples, prints) if twin.across),
        *(leak for kind in NAMES for leak in _shared(samples, kind)),
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


def _read_fingerprint(path: Path) -> Known:
    try:
        data = path.read_bytes()
    except OSError:
        return Fingerprint(str(path)).known()  # of a file that is gone: no other has the same
    try:
        return fingerprint(data, decode(data).image).known()
    except PictureError:
        return Fingerprint(digest(data)).known()


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


def _shared(samples: Sequence[Sample], kind: str) -> Iterator[Leak]:
    """One leak for every name and two splits that have it."""
    name = NAMES[kind]
    first: dict[str, dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        if name(sample):
            first[name(sample)].setdefault(sample.split, sample)
    for splits in first.values():
        yield from (Leak(kind, a, b) for a, b in combinations(splits.values(), 2))
