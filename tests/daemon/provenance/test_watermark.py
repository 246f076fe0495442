"""The watermark of Stable Diffusion's programs, embedded as they embed it."""

import io

import numpy as np
import pytest
from PIL import Image

from tellsign.provenance import watermark
from tellsign.provenance.evidence import Evidence
from tellsign.provenance.watermark import BLOCK, MESSAGES, Bits, Message
from tellsign.views import Pixels

from . import making

WEIGHTS = np.array([-0.299, -0.587, 0.886]) * 0.492


def read(pixels: Pixels) -> list[Evidence]:
    return watermark.read(Image.fromarray(pixels))


def textured(side: int = 512, seed: int = 0) -> Pixels:
    """Colours that differ from each 2x2 pixels to the next."""
    pixels = making.image(side // 2, seed).resize((side, side), Image.Resampling.NEAREST)
    return np.asarray(pixels) // 2 + 64


def embedded(pixels: Pixels, bits: Bits, offset: float) -> Pixels:
    """invisible-watermark's `EmbedMaxDct`: one value of each block of U's Haar band is moved to a
    quarter or three quarters of a step; `offset` is what OpenCV adds to U."""
    result = pixels.astype(np.float64)
    band = (result @ WEIGHTS + offset).reshape(
        pixels.shape[0] // 2, 2, pixels.shape[1] // 2, 2
    ).sum(axis=(1, 3)) / 2  # fmt: skip
    number = 0
    for top in range(0, band.shape[0], BLOCK):
        for left in range(0, band.shape[1], BLOCK):
            block = band[top : top + BLOCK, left : left + BLOCK]
            y, x = divmod(int(np.abs(block.ravel()[1:]).argmax()) + 1, BLOCK)
            value = block[y, x]
            target = (abs(value) // 36 + 0.25 + 0.5 * bits[number % len(bits)]) * 36
            change = np.copysign(target, value) - value
            # U alone moves: blue by 2.03 U and green by -0.395 U keep the brightness.
            place = np.s_[2 * (top + y) : 2 * (top + y) + 2, 2 * (left + x) : 2 * (left + x) + 2]
            result[place] += np.array([0, -0.395, 2.032]) * change / 2
            number += 1
    return result.round().clip(0, 255).astype(np.uint8)


BYTES, FLOATS = 128, 0.5
"""What OpenCV adds to U of bytes, with which Stable Diffusion 1 and 2 encode, and of floats."""


@pytest.mark.parametrize(
    ("message", "offset"),
    [(m, BYTES) for m in MESSAGES] + [(m, FLOATS) for m in MESSAGES[1:]],
    ids=lambda value: getattr(value, "program", value),
)
def test_messages(message: Message, offset: float) -> None:
    [entry] = read(embedded(textured(), message.bits, offset))
    assert (entry.declares_ai, entry.valid, entry.trusted) == (False, None, None)
    assert entry.details["message"] == message.program
    assert entry.details["false_positives"] == watermark.FALSE_POSITIVES


def test_colours_in_the_other_order() -> None:
    message = MESSAGES[2]
    pixels = embedded(textured()[..., ::-1], message.bits, FLOATS)[..., ::-1]
    assert [entry.details["message"] for entry in read(pixels)] == [message.program]


def test_a_large_picture_is_read_from_its_top() -> None:
    pixels = embedded(textured(1024), MESSAGES[2].bits, FLOATS)
    assert read(pixels)
    assert read(np.tile(pixels, (3, 1, 1)))


def test_what_is_lost_is_not_found() -> None:
    marked = embedded(textured(), MESSAGES[2].bits, FLOATS)
    file = io.BytesIO()
    Image.fromarray(marked).save(file, "JPEG", quality=75)
    assert read(np.asarray(Image.open(file))) == []
    assert read(marked[1:]) == []


@pytest.mark.parametrize("shape", [(1, 70_000), (70_000, 1), (7, 10_000), (300, 300), (64, 64)])
@pytest.mark.parametrize("value", [0, 255, None])
def test_any_shape(shape: tuple[int, int], value: int | None) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
    if value is not None:
        pixels[:] = value
    assert read(pixels) == []
