"""The integrity check of a data set, and all that its page of facts tells."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from tellsign.picture import PictureError, decode, digest
from tellsign.settings import MAX_BODY
from tellsign_training.data import DataError, Sample
from tellsign_training.filefacts import FileFacts, facts_of
from tellsign_training.leaks import Fingerprint, Leak, fingerprint, leaks_of, twins
from tellsign_training.pooled import pooled
from tellsign_training.shortcuts import Probe, as_network, delivered, probe_of

LONG_SIDE = 4096
"""Pixels over which a picture is called oversized: it takes long to decode in every pass."""


@dataclass(frozen=True)
class Seen:
    """What was seen of one file; `problem` is the reason if it can't be used."""

    print: Fingerprint
    problem: str = ""
    stored: FileFacts | None = None
    arrived: FileFacts | None = None


@dataclass(frozen=True)
class Facts:
    """A data set, what was seen of each file, and what was found between them."""

    samples: Sequence[Sample]
    seen: Sequence[Seen]
    twins: Sequence[Leak]
    leaks: Sequence[Leak]
    probes: dict[str, Probe | str]
    """A probe of the files as stored and as a network gets them, or why there is none."""

    @property
    def unreadable(self) -> list[tuple[Sample, str]]:
        """The files that can't be used, with the reason."""
        return [(s, e.problem) for s, e in zip(self.samples, self.seen, strict=True) if e.problem]

    @property
    def readable(self) -> list[tuple[Sample, FileFacts]]:
        return [(s, e.stored) for s, e in zip(self.samples, self.seen, strict=True) if e.stored]

    @property
    def oversized(self) -> list[tuple[Sample, FileFacts]]:
        """Pictures longer than `LONG_SIDE`, or files that the daemon would refuse."""
        return [
            (sample, file)
            for sample, file in self.readable
            if max(file.width, file.height) > LONG_SIDE or file.bytes > MAX_BODY
        ]

    @property
    def sound(self) -> bool:
        """Every file can be read, and no two splits share anything."""
        return not (self.unreadable or self.leaks)


def gather(samples: Sequence[Sample], workers: int) -> Facts:
    """Read every file once and find what is to be known."""
    seen = list(pooled(_see, list(enumerate(samples)), workers, "checking pictures"))
    prints = [one.print for one in seen]
    return Facts(
        samples,
        seen,
        twins(samples, prints),
        leaks_of(samples, prints),
        {
            "as stored": _probe(samples, [one.stored for one in seen]),
            "as a network gets them": _probe(samples, [one.arrived for one in seen]),
        },
    )


def _see(numbered: tuple[int, Sample]) -> Seen:
    index, sample = numbered
    try:
        data = sample.path.read_bytes()
    except OSError as error:
        return Seen(Fingerprint(str(sample.path)), f"The file can't be opened: {error.strerror}.")
    known = Fingerprint(digest(data))
    try:
        picture = decode(data)
    except PictureError as error:
        return Seen(known, error.message)
    if problem := _damage(data):
        return Seen(known, problem)
    image = picture.image
    return Seen(
        fingerprint(data, image),
        stored=facts_of(data, picture),
        arrived=delivered(picture, as_network, index),
    )


def _damage(data: bytes) -> str:
    """What Pillow's verify finds in a file that could be decoded, as broken checksums; or ""."""
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")
            image.verify()
    except Exception as error:  # a parser of damaged bytes may raise anything
        return f"The picture file is damaged: {error}."
    return ""


def _probe(samples: Sequence[Sample], facts: Sequence[FileFacts | None]) -> Probe | str:
    both = [(sample, file) for sample, file in zip(samples, facts, strict=True) if file]
    try:
        return probe_of([sample for sample, _ in both], [file for _, file in both])
    except DataError as error:
        return str(error)
