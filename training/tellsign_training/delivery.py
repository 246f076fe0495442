"""What networks and platforms do to a picture: resize, re-encode, deliver.

`deliver` makes the tiers of the measuring protocol; `random_delivery` is the augmentation,
drawn from one distribution for both classes, so that size, format and quality give nothing away.
"""

import io
import textwrap
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tellsign.views import resize


@dataclass(frozen=True)
class Tier:
    """One way of delivery: the long side at most `long_side` pixels, on a `page`, encoded."""

    name: str
    long_side: int | None = None
    format: str | None = None
    quality: int = 0
    page: bool = False


TIERS = (
    Tier("clean"),
    Tier("web", 768, "JPEG", 60),
    Tier("hard", 512, "JPEG", 40),
    Tier("thumb", 256, "JPEG", 75),
)
"""The protocol's first table."""

FORMATS = (
    Tier("webp 70", None, "WEBP", 70),
    Tier("avif 50", None, "AVIF", 50),
    Tier("screenshot", 720, page=True),
)
"""Its second table."""

SITES = (1200, 1080, 1024, 960, 800, 768, 720, 640, 600, 512, 480, 400, 320, 256)
"""Long sides to which sites scale pictures."""

PAGE_TEXT = (
    "The old mill stands where the road leaves the river. It was rebuilt twice, and each time a "
    "little further from the water. Visitors come on Sundays, look at the wheel, which has not "
    "turned for forty years, and walk on to the village for coffee."
)

LOSSLESS = frozenset({"PNG", "GIF", "BMP", "TIFF"})


def encoded(image: Image.Image, format: str, quality: int) -> bytes:
    """The bytes of the picture in JPEG, WEBP or AVIF at a quality of 1 to 100."""
    buffer = io.BytesIO()
    image.save(buffer, format, quality=quality, **({"speed": 9} if format == "AVIF" else {}))
    return buffer.getvalue()


def recoded(image: Image.Image, format: str, quality: int) -> Image.Image:
    """The picture after one round of lossy encoding."""
    return Image.open(io.BytesIO(encoded(image, format, quality))).convert("RGB")


def limited(image: Image.Image, long_side: int) -> Image.Image:
    """The picture with its long side at most `long_side`."""
    scale = long_side / max(image.size)
    if scale >= 1:
        return image
    return resize(image, max(1, round(image.width * scale)), max(1, round(image.height * scale)))


def deliver(image: Image.Image, tier: Tier) -> Image.Image:
    """An RGB picture as it arrives in a tier."""
    if tier.long_side is not None:
        image = limited(image, tier.long_side)
    if tier.page:
        image = on_page(image)
    return recoded(image, tier.format, tier.quality) if tier.format else image


def on_page(image: Image.Image, margin: int = 40, dark: bool = False) -> Image.Image:
    """A screenshot of a page that shows the picture with a headline over it and text under it.

    The picture begins `margin` from the left and twice that from the top.
    """
    font, large = ImageFont.load_default(16), ImageFont.load_default(28)
    text = textwrap.fill(PAGE_TEXT, max(image.width, 200) // 8)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    _, _, wide, high = (round(x) for x in measure.multiline_textbbox((0, 0), text, font))
    size = (max(image.width, wide) + 2 * margin, image.height + high + 4 * margin)
    page = Image.new("RGB", size, "#18191c" if dark else "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, margin // 2), "#24507a")
    draw.text((margin, margin), "A walk along the river", "#eee" if dark else "#111", large)
    page.paste(image, (margin, 2 * margin))
    draw.multiline_text((margin, image.height + 3 * margin), text, "#ccc" if dark else "#333", font)
    return page


def random_delivery(
    image: Image.Image, lossless: bool, rng: np.random.Generator, max_side: int = 1280
) -> Image.Image:
    """An RGB picture after a random way of delivery, one that was stored `lossless` with a history.

    What is done to a picture in between goes between the two; see `crops.crops_of`.
    """
    image = with_history(image, lossless, rng)
    longest = min(max(image.size), max_side)
    image = limited(image, _random_side(longest, rng))
    draw = rng.random()
    if draw < 0.2:
        return image
    image = _random_encoding(image, rng)
    if draw > 0.8:
        image = limited(image, round(max(image.size) * rng.uniform(0.6, 1.0)))
        image = _random_encoding(image, rng)
    return image


def _random_side(longest: int, rng: np.random.Generator) -> int:
    """As it is, one that sites scale to, or any: so that no size is that of one class.

    Generated pictures are often stored at the very sizes to which sites scale photographs. Were
    photographs seldom delivered at these, the marks of a JPEG at 768 pixels would speak for AI.
    """
    draw = rng.random()
    if draw >= 0.6:
        return round(float(np.exp(rng.uniform(np.log(min(224, longest)), np.log(longest)))))
    sides = [side for side in SITES if side < longest]
    return int(rng.choice(sides)) if sides and draw >= 0.2 else longest


def with_history(image: Image.Image, lossless: bool, rng: np.random.Generator) -> Image.Image:
    """The picture as if it had been stored lossily at first, mostly.

    Real pictures come mostly as JPEG, generated ones often as PNG: those stored `lossless` get a
    JPEG round, so that the history of compression does not tell the classes apart.
    """
    if lossless and rng.random() < 0.9:
        return recoded(image, "JPEG", int(rng.integers(75, 98)))
    return image


def _random_encoding(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    format = str(rng.choice(["JPEG", "WEBP", "AVIF"], p=[0.7, 0.22, 0.08]))
    return recoded(image, format, int(rng.integers(40, 98)))
