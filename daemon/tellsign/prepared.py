"""What is done with a picture's bytes before the network, and how the time of each step is told."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from tellsign import provenance
from tellsign.picture import Picture, decode
from tellsign.provenance import Evidence
from tellsign.settings import MAX_PIXELS
from tellsign.views import Pixels, ViewPlan, canonical, cut

STEPS = ("decode", "provenance", "views", "queue", "network")
"""The steps of a picture, in this order in a verdict's timings."""


@dataclass(frozen=True)
class Prepared:
    """A picture, what its file says of itself, the picture at its canonical scale, its views uint8
    [n, S, S, 3], and the seconds that each step took."""

    picture: Picture
    evidence: list[Evidence]
    scaled: Image.Image
    views: Pixels
    seconds: dict[str, float]


def prepare(data: bytes, plan: ViewPlan, most: int = MAX_PIXELS) -> Prepared:
    """Decode a picture of at most so many pixels, read what the file says of itself, and cut.

    Raises:
        PictureError: the bytes give no picture.
    """
    start = time.perf_counter()
    picture = decode(data, most)
    decoded = time.perf_counter()
    evidence = provenance.read(data, picture.format, picture.image)
    told = time.perf_counter()
    scaled = canonical(picture.image, plan)
    views = cut(scaled, plan)
    end = time.perf_counter()
    times = (decoded - start, told - decoded, end - told)
    return Prepared(picture, evidence, scaled, views, dict(zip(STEPS[:3], times, strict=True)))


def timings(seconds: Mapping[str, float], total: float) -> dict[str, float]:
    """Milliseconds of each step and in all; what no step has taken was spent in the queue."""
    rest = max(0.0, total - sum(seconds.values()))
    steps = {"queue": rest, **seconds, "total": total}
    return {name: round(steps[name] * 1000, 2) for name in (*STEPS, "total")}
