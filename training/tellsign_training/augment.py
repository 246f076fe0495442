"""What people do to a picture before it is delivered, and patches masked out of a crop of it.

Each augmentation is a function of an RGB picture and a generator; none is told the label, so that
both classes go through the same. `Augmentation` is the table `[augment]` of a recipe.
"""

import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from tellsign.views import ViewPlan
from tellsign_training.delivery import limited, on_page

Array = npt.NDArray[np.float64]
Step = Callable[[Image.Image, np.random.Generator], Image.Image]

MAX_ANGLE = 15.0
SMALLEST = ViewPlan().size
"""Pixels of a side under which a picture is not cut."""

CAPTIONS = (
    "When nobody told you",
    "Monday again",
    "SALE -30 %",
    "wait for it…",
    "Photo: private",
    "Best day of my life, and I would do it all over again tomorrow",
    "@summer_walks",
    "BREAKING: nothing happened",
)


@dataclass(frozen=True)
class Augmentation:
    """The chance of each augmentation, 0 to 1, drawn for every crop anew.

    Raises:
        ValueError: a chance that is none.
    """

    mirror: float = 0.0
    flip: float = 0.0
    rotation: float = 0.0
    crop: float = 0.0
    colour: float = 0.0
    noise: float = 0.0
    text: float = 0.0
    emoji: float = 0.0
    collage: float = 0.0
    screenshot: float = 0.0
    thumbnail: float = 0.0
    patches: float = 0.0

    def __post_init__(self) -> None:
        for name, chance in asdict(self).items():
            if not 0 <= chance <= 1:
                raise ValueError(f"{name} = {chance}: a chance lies between 0 and 1")

    @property
    def keeps_places(self) -> bool:
        """Whether every pixel stays what and where it is, so that a mask goes on fitting."""
        return self == replace(Augmentation(), colour=self.colour, noise=self.noise)


def augmented(image: Image.Image, plan: Augmentation, rng: np.random.Generator) -> Image.Image:
    """The picture after what is done to it before it is delivered; draws nothing for chances of 0.

    First what an editor does, then what is laid over it, then the pages that show it.
    """
    for name, step in STEPS.items():
        chance = getattr(plan, name)
        if chance and rng.random() < chance:
            image = step(image, rng)
    return image


def mirrored(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Left to right."""
    return ImageOps.mirror(image)


def flipped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Upside down."""
    return ImageOps.flip(image)


def rotated(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Turned by up to 15 degrees, cut to the largest rectangle without an empty corner."""
    angle = float(rng.uniform(-MAX_ANGLE, MAX_ANGLE))
    width, height = (max(1, side - 2) for side in inscribed(*image.size, angle))  # bicubic borders
    turned = image.rotate(angle, Image.Resampling.BICUBIC)
    left, top = (turned.width - width) // 2, (turned.height - height) // 2
    return turned.crop((left, top, left + width, top + height))


def inscribed(width: int, height: int, angle: float) -> tuple[int, int]:
    """Sides of the largest upright rectangle in a width x height one turned by degrees.

    It has the same centre. Where the breadth is small, its corners touch the long sides alone.
    """
    sin, cos = abs(np.sin(np.radians(angle))), abs(np.cos(np.radians(angle)))
    if min(width, height) <= 2 * sin * cos * max(width, height):
        half = min(width, height) / 2
        long, short = half / sin, half / cos
        return (int(long), int(short)) if width >= height else (int(short), int(long))
    spread = cos * cos - sin * sin
    return int((width * cos - height * sin) / spread), int((height * cos - width * sin) / spread)


def cropped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part with half to all of each side, and no side under a view's."""
    width, height = (
        max(min(SMALLEST, side), round(side * rng.uniform(0.5, 1.0))) for side in image.size
    )
    return _part(image, width, height, rng)


def _part(image: Image.Image, width: int, height: int, rng: np.random.Generator) -> Image.Image:
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def coloured(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and the three channels' gain, each a little off."""
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(float(rng.uniform(0.8, 1.25)))
    levels = np.outer(rng.uniform(0.9, 1.1, 3), np.arange(256)).round().clip(max=255)
    return image.point(levels.ravel().tolist())


def noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Gaussian noise with a standard deviation of 1 to 10 of 255 levels."""
    return with_noise(image, float(np.exp(rng.uniform(0, np.log(10)))), rng)


def with_noise(image: Image.Image, deviation: float, rng: np.random.Generator) -> Image.Image:
    """Gaussian noise with a standard deviation in levels of 255."""
    pixels = np.asarray(image, np.float32)
    pixels = pixels + np.float32(deviation) * rng.standard_normal(pixels.shape, np.float32)
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def captioned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A line or two of text somewhere, with an outline that keeps it readable."""
    size = max(14, round(min(image.size) * rng.uniform(0.05, 0.12)))
    font = ImageFont.load_default(size)
    text = textwrap.fill(str(rng.choice(CAPTIONS)), max(8, round(image.width / size * 1.6)))
    out = image.copy()
    draw = ImageDraw.Draw(out)
    left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font)
    x = rng.uniform(0, max(1, image.width - right)) - left
    y = rng.uniform(0, max(1, image.height - bottom)) - top
    ink, edge = [("white", "black"), ("black", "white"), ("#ffe14d", "black")][rng.integers(3)]
    draw.multiline_text((x, y), text, ink, font, stroke_width=max(1, size // 10), stroke_fill=edge)
    return out


def with_emoji(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One to three faces, hearts or stars of a tenth to a quarter of the short side."""
    out = image.copy()
    for _ in range(rng.integers(1, 4)):
        drawn = (_face, _heart, _star)[rng.integers(3)]()
        drawn = drawn.rotate(float(rng.uniform(-25, 25)), Image.Resampling.BICUBIC)
        side = max(1, round(min(image.size) * rng.uniform(0.1, 0.25)))
        drawn = drawn.resize((side, side), Image.Resampling.LANCZOS)
        left, top = (int(rng.integers(0, room - side + 1)) for room in image.size)
        out.paste(drawn, (left, top), drawn)
    return out


def _face() -> Image.Image:
    tile = Image.new("RGBA", (256, 256))
    draw = ImageDraw.Draw(tile)
    draw.ellipse((24, 24, 232, 232), "#ffcc33", "#c98a00", 6)
    for x in (92, 164):
        draw.ellipse((x - 14, 86, x + 14, 122), "#4a3000")
    draw.chord((76, 100, 180, 196), 10, 170, "#7a2a1a")
    return tile


def _heart() -> Image.Image:
    t = np.linspace(0, 2 * np.pi, 80)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return _filled(16 * np.sin(t) ** 3, -y, "#e0245e")


def _star() -> Image.Image:
    t = np.pi / 5 * np.arange(10)
    radius = np.where(np.arange(10) % 2, 7, 17)
    return _filled(radius * np.sin(t), -radius * np.cos(t), "#ffd700")


def _filled(x: Array, y: Array, colour: str) -> Image.Image:
    """A polygon with coordinates of -17 to 17 on a transparent tile."""
    tile = Image.new("RGBA", (256, 256))
    points = np.stack([128 + 6 * x, 128 + 6 * y], axis=1)
    ImageDraw.Draw(tile).polygon([*map(tuple, points.tolist())], colour)
    return tile


def collage(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Two to six tiles of different parts of the picture itself, at different scales.

    Tiles of other pictures could be of the other class: so the label stays right.
    """
    columns, rows = [(2, 1), (1, 2), (2, 2), (3, 2), (2, 3)][rng.integers(5)]
    gap = int(rng.integers(0, 9))
    cell = (max(1, image.width // columns), max(1, image.height // rows))
    size = (columns * (cell[0] + gap) + gap, rows * (cell[1] + gap) + gap)
    sheet = Image.new("RGB", size, ["white", "black"][rng.integers(2)])
    for row in range(rows):
        for column in range(columns):
            width, height = (max(1, round(side * rng.uniform(0.4, 1.0))) for side in image.size)
            tile = ImageOps.fit(_part(image, width, height, rng), cell, Image.Resampling.LANCZOS)
            sheet.paste(tile, (gap + column * (cell[0] + gap), gap + row * (cell[1] + gap)))
    return sheet


def screenshot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A screenshot of a page that shows the picture, cut to it and a little around.

    At most a sixth of its sides is seen around it: a crop that shows only the page would teach
    that pages are of the picture's class.
    """
    image = limited(image, int(rng.integers(320, 901)))
    margin = 40
    page = on_page(image, margin, dark=bool(rng.random() < 0.3))
    left, top, right, bottom = (
        int(rng.uniform(0, side / 6)) for side in (image.width, image.height) * 2
    )
    return page.crop((
        max(0, margin - left),
        max(0, 2 * margin - top),
        min(page.width, margin + image.width + right),
        min(page.height, 2 * margin + image.height + bottom),
    ))  # fmt: skip


def thumbnail(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A preview with a long side of 96 to 256 pixels, every other cut to a square."""
    if rng.random() < 0.5:
        image = ImageOps.fit(image, (min(image.size),) * 2)
    return limited(image, round(np.exp(rng.uniform(np.log(96), np.log(256)))))


def with_patches(crop: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One to three rectangles of a tenth to a third of the sides in the crop's mean colour.

    After random erasing (Zhong et al., 2020).
    """
    out = crop.copy()
    mean = tuple(np.asarray(crop).mean((0, 1)).round().astype(int).tolist())
    for _ in range(rng.integers(1, 4)):
        width, height = (max(1, round(side * rng.uniform(0.1, 1 / 3))) for side in crop.size)
        left = int(rng.integers(0, crop.width - width + 1))
        top = int(rng.integers(0, crop.height - height + 1))
        out.paste(mean, (left, top, left + width, top + height))
    return out


STEPS: dict[str, Step] = {
    "mirror": mirrored,
    "flip": flipped,
    "rotation": rotated,
    "crop": cropped,
    "colour": coloured,
    "noise": noisy,
    "text": captioned,
    "emoji": with_emoji,
    "collage": collage,
    "screenshot": screenshot,
    "thumbnail": thumbnail,
}
"""All that is done before a delivery, in this order; `patches` are masked out of the crop."""
