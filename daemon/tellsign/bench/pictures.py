"""Typical pictures, made on the spot: scenes with structure at every scale and a camera's noise."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

OCTAVES = (3, 12, 48, 192)
"""Blobs along the long side, coarse to fine."""
NOISE = 5.0


@dataclass(frozen=True)
class Made:
    """One picture file."""

    name: str
    data: bytes

    def another(self, number: int) -> bytes:
        """The same picture as another file: decoders pass over what follows its end."""
        return self.data + number.to_bytes(8)


def make() -> list[Made]:
    """What social networks deliver, as JPEG and as WebP, and what a camera stores."""
    small, large = scene(1080, 1350), scene(4000, 3000)
    return [
        Made("JPEG 1080x1350", _saved(small, "JPEG", quality=85)),
        Made("WebP 1080x1350", _saved(small, "WEBP", quality=80)),
        Made("JPEG 4000x3000", _saved(large, "JPEG", quality=90)),
    ]


def scene(width: int, height: int, seed: int = 0) -> Image.Image:
    """A made picture with the falling spectrum of a photograph, and noise."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 120, np.float32)
    for octave in OCTAVES:
        scale = octave / max(width, height)
        blobs = rng.normal(0, 1, (round(height * scale) + 1, round(width * scale) + 1, 3))
        for channel in range(3):
            plane = Image.fromarray(blobs[..., channel].astype(np.float32))
            larger = plane.resize((width, height), Image.Resampling.BICUBIC)
            pixels[..., channel] += np.asarray(larger) * 80 / octave**0.5
    pixels += rng.normal(0, NOISE, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _saved(image: Image.Image, format: str, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format, quality=quality)
    return file.getvalue()
